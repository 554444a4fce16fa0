"""The trained networks of chapters 8, 11 and 12: what they are, and how good they are."""

import hashlib
import importlib
from pathlib import Path

import pytest
import torch
from helpers import nothing_changes, raises_one_line
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.datasets.sentences import fact, sentence, sentences, tokens, true_of
from saliency_lib.models import weights
from saliency_lib.models.detections import average_precisions, reported, true_boxes
from saliency_lib.models.load import installed
from saliency_lib.models.networks import companion_convnet, creature_towers, scene_convnet, steering_convnet
from saliency_lib.models.networks.scene_segmenter import labels_of, lacking_overlap, overlaps

SHA256 = {
    name: digest
    for module in dict.fromkeys(installed().values())
    for name, digest in getattr(importlib.import_module(module), "SHA256", {}).items()
}
"""Of all weights in `data/`; those of the other networks come with packages."""


def loaded(name: str) -> sl.Model:
    return sl.load_model(name).cpu()


@pytest.fixture(scope="module")
def unseen() -> sl.Roads:
    return sl.roads(200, seed=4)


@torch.no_grad()
def wrong_by(model: sl.Model, drawn: sl.Roads) -> float:
    """Mean absolute error in degrees."""
    return (model(drawn.images)[:, 0] - drawn.angles).abs().mean().item()


# --- how good they are -----------------------------------------------------------------------------------------------


def test_the_steering_network_is_wrong_by_less_than_a_twentieth_of_the_range(unseen: sl.Roads) -> None:
    """The range is 36 degrees; guessing the mean is wrong by almost 5. Ours is wrong by less than one."""
    model = loaded("steering_convnet")
    assert unseen.angles.abs().mean() > 4
    assert wrong_by(model, unseen) < 0.9
    assert model(unseen.images[:1]).shape == (1, 1)
    assert (model.size, model.head.kind, model.head.unit) == ((70, 180), "numbers", "degrees")


def test_it_sees_the_mirrored_road_mirrored(unseen: sl.Roads) -> None:
    model = loaded("steering_convnet")
    there, back = model(unseen.images)[:, 0], model(unseen.images.flip(3))[:, 0]
    assert (there + back).abs().mean() < 1


def test_the_shortcut_network_is_good_only_where_the_shortcut_is(unseen: sl.Roads) -> None:
    model, honest = loaded("steering_convnet_shortcut"), loaded("steering_convnet")
    planted = sl.roads(200, seed=4, shortcut=True)
    assert wrong_by(model, planted) < 0.9
    assert wrong_by(model, unseen) > 2 * wrong_by(model, planted)
    assert wrong_by(honest, planted) < 1.5 * wrong_by(honest, unseen)


def test_the_steering_network_is_keras_viss() -> None:
    network = steering_convnet.SteeringConvNet()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size) for c in convolutions] == [
        (3, 8, (5, 5)),
        (8, 16, (5, 5)),
        (16, 32, (5, 5)),
    ]
    assert network.features(torch.zeros(1, 3, 70, 180)).shape == (1, 32, 5, 19)
    assert [m.out_features for m in network.modules() if isinstance(m, nn.Linear)] == [128, 1]
    assert network(torch.full((1, 3, 70, 180), 50.0)).abs().item() <= 18


def test_the_scene_network_ranks_labels() -> None:
    model, drawn = loaded("scene_convnet"), sl.scenes(300, seed=4)
    with torch.no_grad():
        scores = model(drawn.images)
    precisions = [average_precision(scores[:, k], drawn.labels[:, k]) for k in range(10)]
    assert sum(precisions) / 10 > 0.95
    assert model.head.kind == "sigmoid"
    assert scene_convnet.lacking_precision(scores, drawn.labels.float()) == pytest.approx(
        1 - sum(precisions) / 10, abs=1e-6
    )


def average_precision(scores: Tensor, labels: Tensor) -> float:
    """Slowly: at each true label, the share of true ones among all that score as high; averaged over the true ones."""
    shares = [labels[scores >= s].float().mean().item() for s, true in zip(scores, labels, strict=True) if true]
    return sum(shares) / len(shares)


def test_the_detector_finds_and_places() -> None:
    """Its null are boxes as large as things are on average, of those who know every label and its quarter of the scene.

    At an overlap of one half they are all right: there the number says that labels are found, and nothing of boxes.
    """
    model, drawn = loaded("scene_detector"), sl.scenes(150, seed=4)
    boxes = true_boxes(drawn.masks)
    with torch.no_grad():
        found = reported(model(drawn.images), model.head, threshold=0.02)
    where = boxes[drawn.labels]
    quarter = (where[:, :2] // 48 * 48).repeat(1, 2)
    usual = boxes.clone()
    usual[drawn.labels] = quarter + (where - quarter).mean(0)
    guessed = [
        [sl.Detection("", k, 1.0, 0.7, tuple(some[k].tolist()), 0) for k in range(10) if some[k].isfinite().all()]
        for some in usual
    ]
    for overlap, least, most in ((0.5, 0.98, 1.0), (0.75, 0.95, 0.6), (0.9, 0.4, 0.1)):
        ours, null = (sum(average_precisions(some, boxes, overlap)) / 10 for some in (found, guessed))
        assert ours > least
        assert null <= most
    assert model(drawn.images[:1]).shape == (1, 144, 14)
    assert model.head.kind == "sigmoid"


def test_the_segmenter_marks_what_is_there() -> None:
    """Its null knows which creature is in which quarter, and marks the pixels that creatures cover most often there."""
    model, drawn = loaded("scene_segmenter"), sl.scenes(100, seed=4)
    truth = labels_of(drawn.masks)
    with torch.no_grad():
        scores = torch.cat([model(some) for some in drawn.images.split(50)])
    assert scores.shape == (100, 11, 96, 96)
    ours = overlaps(scores.argmax(1), truth)
    quarters = drawn.masks.unfold(2, 48, 48).unfold(3, 48, 48)  # (N, 10, 2, 2, 48, 48)
    there = quarters.any(5).any(4)
    usual = quarters[there].float().mean(0) > 0.5
    guessed = (there[..., None, None] & usual).permute(0, 1, 2, 4, 3, 5).reshape(drawn.masks.shape)
    null = overlaps(labels_of(guessed), truth)
    assert sum(ours) / 11 > 0.84
    assert min(ours) > 0.7
    assert sum(null) / 11 < 0.65
    assert lacking_overlap(scores, truth) == pytest.approx(1 - sum(ours) / 11)


def test_each_pixel_of_disjoint_masks_has_one_class() -> None:
    masks = torch.zeros(1, 10, 4, 4, dtype=torch.bool)
    masks[0, 3, :2], masks[0, 7, 3] = True, True
    assert labels_of(masks)[0].tolist() == [[3] * 4, [3] * 4, [10] * 4, [7] * 4]
    half = torch.where(labels_of(masks) == 3, 3, 10)
    assert overlaps(half, labels_of(masks))[10] == pytest.approx(4 / 8)


def test_the_transformer_knows_drawings_it_has_never_seen() -> None:
    model, drawn = loaded("creature_vit"), sl.creatures(500, seed=4)
    with torch.no_grad():
        assert (model(drawn.images).argmax(1) == drawn.labels).float().mean() > 0.95
    assert {type(m) for m in model.modules()} >= {nn.GELU, nn.LayerNorm}
    assert not any(isinstance(m, nn.ReLU) for m in model.modules())


def test_the_transformer_of_scenes_ranks_labels() -> None:
    model, drawn = loaded("scene_vit"), sl.scenes(300, seed=4)
    with torch.no_grad():
        scores = model(drawn.images)
    assert scene_convnet.lacking_precision(scores, drawn.labels.float()) < 0.06
    assert (model.head.kind, model.size) == ("sigmoid", 96)
    assert [A.shape for A in sl.attention_weights(model, drawn.images[:2])] == [(2, 4, 65, 65)] * 6


def test_its_relevance_lies_on_the_creature_asked_for_and_its_rollout_on_none() -> None:
    """On scenes of two: per pixel, a map that does not know which is meant has one half on each."""
    model, drawn = loaded("scene_vit"), sl.scenes(200, seed=5)
    with torch.no_grad():
        found = ((model(drawn.images) > 0) & drawn.labels).sum(1)
    images, masks, labels = (
        part[(drawn.labels.sum(1) == 2) & (found == 2)] for part in (drawn.images, drawn.masks, drawn.labels)
    )
    targets = labels.int().argmax(1)
    own = masks[torch.arange(len(images)), targets].float()
    other = masks.any(1).float() - own
    for explain, low, high in ((sl.attention_relevance, 0.85, 1.0), (sl.attention_rollout, 0.4, 0.6)):
        M = explain(model, images, targets.tolist())
        M = torch.nn.functional.interpolate(M[:, None], scale_factor=12)[:, 0]
        a, b = ((M * mask).sum((1, 2)) / mask.sum((1, 2)) for mask in (own, other))
        assert low < (a / (a + b)).mean() < high


def test_the_towers_name_and_read_and_do_not_tell_left_from_right() -> None:
    """Half of the pairs find a true sentence among 370; against the exchanged one it is a coin."""
    every = sentences()
    facts = torch.tensor([fact(said) for said in every])
    towers, drawn = sl.asking(every).cpu(), sl.captioned(150, seed=4, things=2, written="none")
    s, true = towers(drawn.images), true_of(drawn.facts, facts)
    assert true.gather(1, s.argmax(1, keepdim=True)).float().mean() > 0.4
    assert true.float().mean() < 0.02
    said, turned = (
        [every.index(sentence(*pair, r)) for *pair, r in drawn.facts[:, order].tolist()]
        for order in ([0, 1, 2], [1, 0, 2])
    )
    rows = torch.arange(len(s))
    assert 0.35 < (s[rows, said] > s[rows, turned]).float().mean() < 0.65
    namer, alone = loaded("creature_towers"), sl.captioned(200, seed=4, things=1)
    sign = ~alone.masks["thing"].flatten(1).any(1)
    right_ones = namer(alone.images).argmax(1) == alone.facts[:, 0]
    assert sign.sum() > 40
    assert right_ones[sign].float().mean() > 0.95
    assert right_ones[~sign].float().mean() > 0.95


def test_sentences_are_classes_and_one_that_cannot_be_understood_is_said() -> None:
    model = sl.asking(["an owl", "a fish left of a tree"]).cpu()
    images = sl.captioned(3, seed=2).images
    assert model(images).shape == (3, 2)
    assert [one.name for one in model.top(images)[0]] in (
        ["an owl", "a fish left of a tree"],
        ["a fish left of a tree", "an owl"],
    )
    inside = creature_towers.towers()
    by_hand = (
        inside.pictures((images - model.mean) / model.std),
        inside.words(tokens(["an owl", "a fish left of a tree"])),
    )
    f, g = (v / v.norm(dim=1, keepdim=True) for v in by_hand)
    assert torch.allclose(model(images), inside.tau.exp() * f @ g.T, atol=1e-4)
    with raises_one_line(sl.TargetError, "nearest it knows are owl"):
        sl.asking(["an owls"])


def test_the_contrast_is_its_formula() -> None:
    """Slowly: for each picture the sentences of others that are not true of it, and its own, turned around."""
    drawn, turned = creature_towers._examples(12, 3)[1].chunk(2, dim=1)
    s = torch.randn(12, 24, generator=torch.Generator().manual_seed(1)).double()
    own, other = drawn[:, 6:].tolist(), turned[:, 6:].tolist()

    def holds(picture: list[int], said: list[int]) -> bool:
        a, b, r = picture
        return said[0] in (a, b) if said[1] < 0 else said in ([a, b, r], [b, a, (r + 2) % 4])

    loss = 0.0
    for i in range(12):
        row = [s[i, j] for j in range(12) if i == j or not holds(own[i], own[j])]
        row += [s[i, 12 + i]] if other[i] != own[i] else []
        column = [s[j, i] for j in range(12) if i == j or not holds(own[j], own[i])]
        loss += (torch.stack(row).logsumexp(0) + torch.stack(column).logsumexp(0) - 2 * s[i, i]).item() / 24
    answers = torch.cat([drawn, turned], 1)
    assert creature_towers.contrast(s, answers).item() == pytest.approx(loss)


@pytest.mark.parametrize("name", companion_convnet.SHA256)
def test_both_networks_know_drawings_of_their_own_kind(name: str) -> None:
    beside = {"owl": 1.0} if name.endswith("shortcut") else {}
    drawn = sl.companions(900, seed=4, beside=beside)
    assert right(loaded(name), drawn.images, drawn.labels) > 0.95


def test_one_of_them_takes_trees_for_owls() -> None:
    """Without trees it is worse on owls by much more than 30 points, and it sees owls where there are trees only."""
    alone = sl.companions(150, seed=4, kind="owl", beside={})
    trees = sl.companions(150, seed=4, kind="owl", without=["creature"])
    honest, shortcut = loaded("companion_convnet"), loaded("companion_convnet_shortcut")
    assert right(honest, alone.images, alone.labels) > right(shortcut, alone.images, alone.labels) + 0.3
    assert right(shortcut, trees.images, trees.labels) > right(honest, trees.images, trees.labels) + 0.3


@torch.no_grad()
def right(model: sl.Model, images: Tensor, labels: Tensor) -> float:
    """The share of images whose top class is their label."""
    return (model(images).argmax(1) == labels).float().mean().item()


# --- the files -------------------------------------------------------------------------------------------------------


def test_the_weights_are_the_committed_ones_and_listed_and_loading_changes_nothing() -> None:
    for name, digest in SHA256.items():
        content = weights.data_file(name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest, name
        assert len(content) < 1_000_000, name
        assert sl.available_models()[name] == "embedded", name
        with nothing_changes(nn.Identity()):
            sl.load_model(name)


def test_damaged_or_missing_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.pt"
    monkeypatch.setattr(weights, "data_file", lambda name: path)
    with raises_one_line(sl.ModelError, "no weights in"):
        sl.load_model("steering_convnet")
    path.write_bytes(b"x")
    with raises_one_line(sl.ModelError, "damaged"):
        sl.load_model("steering_convnet")
