"""Metrics of maps by hand and beside Captum, and a comparison that no kill and no number of processes can change."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from captum.metrics import infidelity as captums_infidelity
from captum.metrics import sensitivity_max as captums_sensitivity
from helpers import relative, says
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.cli import main
from saliency_lib.comparison.compare import compare
from saliency_lib.comparison.explainers import explainers, find_explainers
from saliency_lib.comparison.metric import GRAY, metric_names
from saliency_lib.comparison.metrics.deletion import Deletion, deletion, ends, insertion
from saliency_lib.comparison.metrics.infidelity import falls, infidelity
from saliency_lib.comparison.metrics.on_the_object import Mass, mass, pointing, rank
from saliency_lib.comparison.metrics.sensitivity import sensitivity
from saliency_lib.comparison.pictures import find_pictures
from saliency_lib.comparison.summary import table
from saliency_lib.methods.lime import Lime
from saliency_lib.methods.method import methods

QUICK = ["gradient", "lrp", "occlusion-superpixels", "noise"]

# Against a mask


def test_pointing_mass_and_rank_by_hand() -> None:
    maps = torch.tensor([[[4.0, 3], [-9, 1]], [[0, 0], [0, 5]], [[-1, -2], [-3, -4]]])
    masks = torch.tensor(
        [[[True, False], [True, False]], [[False, False], [True, True]], [[True, True], [False, False]]]
    )
    assert pointing(maps, masks).tolist() == [1, 1, 1]
    assert pointing(-maps, masks)[2] == 0
    assert mass(maps, masks).tolist() == pytest.approx([4 / 8, 1, 0])
    assert rank(maps, masks).tolist()[::2] == [1 / 2, 1]


def test_rank_looks_at_as_many_values_as_the_mask_has_pixels_and_at_no_more() -> None:
    second = torch.tensor([[[False, True], [False, False]]])
    assert rank(torch.tensor([[[4.0, 3], [2, 1]]]), second).tolist() == [0]


def test_a_map_without_order_has_the_masks_share_on_average() -> None:
    """Equal values come in a random order: a flat map does not win by its first row."""
    masks = torch.zeros(1, 100, 100, dtype=torch.bool)
    masks[:, :30] = True
    assert rank(torch.zeros(1, 100, 100), masks).item() == pytest.approx(0.3, abs=0.02)
    assert mass(torch.ones(1, 100, 100), masks).item() == pytest.approx(0.3)


def test_a_map_needs_a_mask_of_its_shape_with_something_in_it() -> None:
    for masks in (torch.zeros(1, 4, 4, dtype=torch.bool), torch.ones(1, 3, 3, dtype=torch.bool)):
        with pytest.raises(sl.SaliencyError) as caught:
            mass(torch.ones(1, 4, 4), masks)
        assert "needs a mask" in says(caught.value)


# Against the network


def test_deletion_and_insertion_by_hand() -> None:
    """S is the mean of the image, 1 everywhere: it falls to gray in a line, whatever the map, and rises likewise."""

    def mean(output: Tensor) -> Tensor:
        return output.mean((1, 2, 3))

    image, maps = torch.ones(1, 1, 4, 4), torch.rand(1, 4, 4)
    assert deletion(nn.Identity(), image, maps, mean).item() == pytest.approx(0.75)
    assert insertion(nn.Identity(), image, maps, mean).item() == pytest.approx(0.75)


@pytest.mark.parametrize("of", [deletion, insertion])
def test_what_is_the_same_for_all_maps_is_asked_for_once(of: Any, net: nn.Module, images: Tensor) -> None:
    """Where both ends are known they count as half a step each, and are not asked for again."""
    maps, known = torch.rand(len(images), *images.shape[2:]), ends(net, images, 1)
    asked: list[int] = []
    hook = net.register_forward_hook(lambda module, inputs, output: asked.append(len(output)))
    expected = of(net, images, maps, 1, steps=4)
    alone = sum(asked)
    asked.clear()
    assert torch.equal(of(net, images, maps, 1, steps=4, known=known), expected)
    hook.remove()
    assert sum(asked) == alone - 3 * len(images)
    moved = of(net, images, maps, 1, steps=4, known=(known[0] + 1, known[1]))
    assert torch.allclose(moved, expected + 1 / 8)


def test_deletion_and_insertion_are_the_slow_loop(net: nn.Module, images: Tensor) -> None:
    maps = torch.rand(3, 8, 8)
    for of, start, end in (
        (deletion, images, torch.full_like(images, 0.5)),
        (insertion, torch.full_like(images, 0.5), images),
    ):
        S = torch.zeros(3, 5)
        for row in range(3):
            places = maps[row].flatten().argsort(descending=True)
            for step in range(5):
                seen = start[row].clone().flatten(1)
                seen[:, places[: 16 * step]] = end[row].flatten(1)[:, places[: 16 * step]]
                S[row, step] = net(seen.view(1, 3, 8, 8))[0, 2]
        expected = (S[:, 0] / 2 + S[:, 1:4].sum(1) + S[:, 4] / 2) / 4
        assert relative(of(net, images, maps, 2, steps=4), expected) < 1e-5


def test_infidelity_equals_captums_for_the_same_squares(net: nn.Module, images: Tensor) -> None:
    w = sl.input_gradient(net, images, 2)
    P, fall = falls(net, images, 2, squares=12)
    shares = (w * (images - GRAY)).sum(1)
    each = iter(P)

    def perturb(inputs: Tensor) -> tuple[Tensor, Tensor]:
        moved = torch.where(next(each), GRAY, inputs)
        return inputs - moved, moved

    for relatively in (False, True):
        each = iter(P)
        given: dict[str, Any] = {"n_perturb_samples": 12, "max_examples_per_batch": 3, "normalize": relatively}
        expected = captums_infidelity(net, perturb, images, w, target=2, **given)
        found = infidelity(shares, P, fall, relative=relatively)
        scale = fall.square().mean(0) if relatively else 1
        assert relative(found * scale, expected) < 1e-4


def test_shares_of_a_linear_network_foretell_every_fall(images: Tensor) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 5))
    shares = (sl.input_gradient(network, images, 1) * (images - 0.5)).sum(1)
    P, fall = falls(network, images, 1)
    assert infidelity(shares, P, fall, relative=False).max() < 1e-8
    assert infidelity(-7 * shares, P, fall).max() < 1e-8  # in whatever unit
    assert infidelity(torch.zeros_like(shares), P, fall).tolist() == pytest.approx([1, 1, 1])


def test_sensitivity_equals_captums_for_the_same_moves(net: nn.Module, images: Tensor) -> None:
    random = torch.Generator().manual_seed(5)
    moves = [0.02 * (2 * torch.rand(3, 8, 8, generator=random, dtype=torch.float64) - 1) for _ in range(4)]
    inside = 0.1 + 0.8 * images
    found = sensitivity(lambda x: sl.saliency_map(net, x, 2), inside, samples=4, seed=5)
    each = iter(moves)
    expected = captums_sensitivity(
        lambda x: (sl.saliency_map(net, x if isinstance(x, Tensor) else x[0], 2),),
        inside,
        perturb_func=lambda inputs, *_: (inputs if isinstance(inputs, Tensor) else inputs[0]) + next(each).float(),
        n_perturb_samples=4,
        max_examples_per_batch=3,
    )
    assert relative(found, expected) < 1e-4


# Pictures and explainers


def test_masks_lie_where_the_boxes_do(embedded: sl.Model) -> None:
    photos = find_pictures("photos", embedded)
    assert len(photos.names) == 7
    for name in ("coffee", "rocket"):
        known, (width, height) = sl.sample_photos()[name], sl.sample_photo(name).size
        x0, y0, x1, y1 = known.box
        picture = photos.load(name)
        assert picture.mask is not None
        assert picture.mask.float().mean().item() == pytest.approx((x1 - x0) * (y1 - y0) / (width * height), abs=0.01)
        y, x = picture.mask[0].nonzero().float().mean(0) / 224
        assert x.item() == pytest.approx((x0 + x1) / 2 / width, abs=0.005)
        assert y.item() == pytest.approx((y0 + y1) / 2 / height, abs=0.005)


def test_every_explainer_makes_a_map_of_every_image() -> None:
    model = sl.load_model("creature_convnet").cpu()
    drawn = sl.creatures(2, seed=3)
    known = explainers(model)
    assert {"gradient", "lime", "shap", "lrp", "grad-cam", "guided", "edges", "center", "uniform"} <= set(known)
    blind = explainers(sl.load_model("creature_vit"))
    assert set(known) - set(blind) == {"grad-cam", "layer-saliency", "object-map"}
    assert set(methods()) - set(known) == {"object-map-averaged"}  # it shows the network larger images
    for name in set(known) - {"lime", "shap"}:
        maps, shares = known[name].maps_and_shares(model, drawn.images, drawn.labels, 98)
        assert maps.shape == shares.shape == (2, 64, 64)
        assert relative(maps, known[name].maps(model, drawn.images, drawn.labels, 98)) < 1e-6
        assert not torch.allclose(maps[0], maps[1]) or name in ("center", "uniform")
    maps, shares = known["gradient"].maps_and_shares(model, drawn.images, drawn.labels, 8)
    w = sl.input_gradient(model, drawn.images, drawn.labels)
    assert torch.allclose(shares, (w * (drawn.images - 0.5)).sum(1))
    assert torch.allclose(maps, w.abs().amax(1))


def test_a_method_is_asked_something_else_by_name() -> None:
    model = sl.load_model("creature_convnet").cpu()
    drawn = sl.creatures(2, seed=3)
    other, random = find_explainers(["gradient:other-image", "gradient:random-weights"], model, "creature_convnet")
    maps, _shares = other.maps_and_shares(model, drawn.images, drawn.labels, 8)
    w = sl.input_gradient(model, drawn.images[[1, 0]], drawn.labels)
    assert torch.allclose(maps, w.abs().amax(1))
    assert torch.allclose(other.maps(model, drawn.images, drawn.labels, 8), maps)
    assert not torch.allclose(random.maps(model, drawn.images, drawn.labels, 8), maps)
    assert other.title == "gradient at the pixels, of another image"
    for name, said in [
        ("gradient:sobel", "asks nothing else"),
        ("edges:other-image", "asks nothing else"),
        ("gradient:other-seed", "no second creature_convnet"),
        ("sobel:other-class", "there is no method"),
    ]:
        with pytest.raises(sl.SaliencyError, match=said):
            find_explainers([name], model, "creature_convnet")


def test_every_mean_stands_beside_its_null(tmp_path: Path) -> None:
    names = ["gradient", "center", "uniform"]
    found = compare("creatures", tmp_path / "r.jsonl", methods=names, metrics=["mass", "deletion"], count=12)
    assert found is not None
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    value = {name: [line["mass"] for line in lines if line["method"] == name] for name in names}
    assert found["metrics"]["mass"]["null"] == max(names[1:], key=lambda name: sum(value[name]))
    null = value[found["metrics"]["mass"]["null"]]
    beyond = found["methods"]["gradient"]["mass"]["beyond_null"]
    assert beyond["mean"] == pytest.approx(sum(value["gradient"]) / 12 - sum(null) / 12, abs=1e-5)
    assert beyond["low"] < beyond["mean"] < beyond["high"]
    assert "*" in table(found).splitlines()[-3] or beyond["low"] <= 0


# The command


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The summary of an uninterrupted comparison by one process."""
    folder = tmp_path_factory.mktemp("whole")
    compare("creatures", folder / "r.jsonl", methods=QUICK, count=8, batch_size=2, summary=folder / "s.json")
    return (folder / "s.json").read_bytes()


COMMAND = ["creatures", "--images", "8", "--batch-size", "2", "--methods", *QUICK]


def test_the_settings_of_a_method_and_of_a_metric_are_nobody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results that another method or another metric has no part in go on, whatever becomes of these."""

    def digests(**given: Any) -> dict[str, str]:
        result = compare("creatures", tmp_path / "r.jsonl", count=2, methods=["gradient", "lime"], **given)
        (tmp_path / "r.jsonl").unlink()
        assert result is not None
        return {name: row["settings"] for name, row in result["methods"].items()}

    before = digests(metrics=["mass"])
    assert len(set(before.values())) == 2
    monkeypatch.setattr(Lime, "quick", {"samples": 110})
    monkeypatch.setattr(Deletion, "settings", {"steps": 7})
    after = digests(metrics=["mass"])
    assert after["gradient"] == before["gradient"]
    assert after["lime"] != before["lime"]
    monkeypatch.setattr(Mass, "settings", {"of": "another kind"})
    assert not set(digests(metrics=["mass"]).values()) & set(after.values())


def test_a_file_that_was_cut_short_goes_on_with_more_methods(whole: bytes, tmp_path: Path) -> None:
    """As a kill leaves it, after two methods of four; what takes a file through kills is in `test_interruptions`."""
    out, given = tmp_path / "r.jsonl", {"count": 8, "batch_size": 2}
    compare("creatures", out, methods=QUICK[2:], **given)  # type: ignore[arg-type]
    kept = out.read_bytes()[:-300]
    out.write_bytes(kept)
    compare("creatures", out, methods=QUICK, summary=tmp_path / "s.json", **given)  # type: ignore[arg-type]
    assert (tmp_path / "s.json").read_bytes() == whole
    assert {*kept.splitlines()[:-1]} < {*out.read_bytes().splitlines()}


def test_the_command_prints_writes_and_draws(whole: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {name: str(tmp_path / f"f.{name}") for name in ("jsonl", "json", "csv", "png")}
    written = ["--out", files["jsonl"], "--summary", files["json"], "--csv", files["csv"], "--figure", files["png"]]
    assert main(["compare", *COMMAND, *written]) == 0
    printed = capsys.readouterr().out
    assert Path(files["json"]).read_bytes() == whole
    result = json.loads(whole)
    assert result["n"] == 8
    assert list(result["methods"]) == QUICK
    lines = Path(files["jsonl"]).read_text().splitlines()
    assert len(lines) == 4 * 8
    values = [json.loads(line)["mass"] for line in lines if json.loads(line)["method"] == "gradient"]
    mean = sum(values) / 8
    error = (sum((value - mean) ** 2 for value in values) / 7 / 8) ** 0.5
    told = result["methods"]["gradient"]["mass"]
    assert (told["mean"], told["error"]) == pytest.approx((mean, error), abs=1e-6)
    assert f"{mean:.3f} +- {error:.3f}" in printed
    assert f"\ngradient,mass,{round(mean, 6)}" in Path(files["csv"]).read_text()
    assert Path(files["png"]).stat().st_size > 10000
    assert result["methods"]["gradient"]["mass"]["mean"] > result["methods"]["noise"]["mass"]["mean"] + 0.1


def test_a_folder_of_photos_has_no_masks_and_names_what_is_broken(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    sl.sample_photo("bee").resize((90, 80)).save(photos / "bee.png")
    (photos / "broken.jpg").write_bytes(b"no photo")
    (photos / "notes.txt").write_text("no photo either")
    given: dict[str, Any] = {"methods": ["gradient", "edges"], "model": "creature_convnet"}
    result = compare(str(photos), tmp_path / "r.jsonl", **given)
    assert result is not None
    assert result["n"] == 1
    assert list(result["broken_images"]) == ["broken.jpg"]
    assert "broken.jpg" in result["broken_images"]["broken.jpg"]
    assert str(tmp_path) not in result["broken_images"]["broken.jpg"]
    assert set(result["metrics"]) == {"deletion", "insertion", "infidelity"}
    assert 0 <= result["methods"]["gradient"]["deletion"]["mean"] <= 1
    with pytest.raises(sl.SaliencyError) as caught:
        compare(str(photos), tmp_path / "q.jsonl", metrics=["mass"], **given)
    assert "needs to know where" in says(caught.value)


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        (["nowhere"], "no folder nowhere"),
        (["--metrics", "beauty"], f"use {', '.join(map(repr, metric_names()))}"),
        (["creatures", "--model", "creature_vit", "--methods", "object-map"], "no method 'object-map' for creature"),
        (["creatures", "--model", "efficientnet_lite0"], "a network that knows them"),
        (["creatures", "--images", "0"], "at least 1"),
        (["--figure", "table.txt"], "should end in"),
    ],
)
def test_what_cannot_be_done_is_said(
    wrong: list[str], part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *wrong, "--out", str(tmp_path / "r.jsonl")]) == 2
    assert part in capsys.readouterr().err
