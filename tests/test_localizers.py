"""Every way of finding an object, rebuilt by hand, and what an evaluation makes of it; settings are never mixed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage, stats
from skimage import filters
from test_evaluation import annotation, build
from torch import Tensor

import saliency_lib as sl
from saliency_lib.datasets.ilsvrc import Ilsvrc
from saliency_lib.localization.localizers import LOCALIZERS, locate
from saliency_lib.localization_benchmark import error_analysis, metrics
from saliency_lib.localization_benchmark.error_analysis import Outcome
from saliency_lib.localization_benchmark.evaluate import evaluate
from saliency_lib.runs import records

Box = tuple[float, float, float, float]
Rebuilt = tuple[Box, Tensor | None]


def at_layers(model: sl.Model, images: Tensor, label: int, *numbers: int) -> list[tuple[Tensor, Tensor]]:
    """Outputs (C, h, w) of some blocks, or of the last layer (number 16), and the derivatives of a score by them."""
    network = model.network
    blocks = [block for group in network.blocks for block in group]
    images = images.clone().requires_grad_()
    x = network.bn1(network.conv_stem((images - model.mean) / model.std))
    kept = []
    for number, block in enumerate(blocks):
        x = block(x)
        if number in numbers:
            kept.append(x)
    x = network.bn2(network.conv_head(x))
    if 16 in numbers:
        kept.append(x)
    score = network.classifier(x.mean((2, 3)))[0, label]
    return [(h[0].detach(), g[0]) for h, g in zip(kept, torch.autograd.grad(score, kept), strict=True)]


def spread_out(cells: Tensor, deviation: float = 1) -> Tensor:
    """A map on 56 x 56 cells, each 0.35 of a cell late, and smoothed with a standard deviation of so many cells."""
    at = np.clip((np.arange(56) + 0.5) / 56 * len(cells) - 0.5 - 0.35, 0, len(cells) - 1)
    fine = ndimage.map_coordinates(cells.double().numpy(), np.meshgrid(at, at, indexing="ij"), order=1, mode="nearest")
    i = np.arange(56.0)
    kernel = np.exp(-(((i[:, None] - i) / deviation) ** 2) / 2)
    kernel /= kernel.sum(1, keepdims=True)
    return torch.from_numpy(kernel @ fine @ kernel.T).float()


def objects(model: sl.Model, images: Tensor, label: int) -> Tensor:
    """The object map, equation (7.10)."""
    (_, ten), (_, thirteen), (h, g) = at_layers(model, images, label, 10, 13, 16)
    cam = (g.mean((1, 2))[:, None, None] * h).sum(0).clamp(min=0)
    parts = [spread_out(M) for M in (ten.abs().amax(0), thirteen.abs().amax(0), cam)]
    return sum(part / part.mean() for part in parts)


def piece_above(M: Tensor, share: float, photo: Image.Image) -> Box:
    """The box around the largest piece of a map above a share of its maximum, in pixels of the photo."""
    pieces, count = ndimage.label((share * M.max() <= M).numpy())
    sizes = ndimage.sum_labels(np.ones(pieces.shape), pieces, range(1, count + 1))
    rows, columns = np.nonzero(pieces == 1 + int(np.argmax(sizes)))
    x, y = photo.width / M.shape[1], photo.height / M.shape[0]
    return columns.min() * x, rows.min() * y, (columns.max() + 1) * x, (rows.max() + 1) * y


def cut_out(M: Tensor, photo: Image.Image, foreground: float) -> Box:
    box = sl.localize(photo, M, part="whole", foreground=foreground, background=0.30, size=112).box
    return box or (0, 0, *photo.size)


def whole_image(model: sl.Model, photo: Image.Image, images: Tensor, label: int) -> Rebuilt:
    return (0, 0, photo.width, photo.height), None


def centered_box(model: sl.Model, photo: Image.Image, images: Tensor, label: int) -> Rebuilt:
    return (0.14 * photo.width, 0.14 * photo.height, 0.86 * photo.width, 0.86 * photo.height), None


def pixel_graphcut(model: sl.Model, photo: Image.Image, images: Tensor, label: int) -> Rebuilt:
    I = images.clone().requires_grad_()
    (w,) = torch.autograd.grad(model(I)[0, label], I)
    M = w[0].abs().amax(0)
    return cut_out(M, photo, 0.95), M


def layer_graphcut(model: sl.Model, photo: Image.Image, images: Tensor, label: int) -> Rebuilt:
    ((_, g),) = at_layers(model, images, label, 13)
    M = spread_out(g.abs().amax(0))
    return cut_out(M, photo, 0.80), M


def grad_cam(model: sl.Model, photo: Image.Image, images: Tensor, label: int) -> Rebuilt:
    ((h, _),) = at_layers(model, images, label, 16)
    cam = (model.network.classifier.weight[label].detach()[:, None, None] * h).sum(0).clamp(min=0)
    M = F.interpolate(cam[None, None], (56, 56), mode="bilinear")[0, 0]
    return piece_above(M, 0.30, photo), M


def object_map(model: sl.Model, photo: Image.Image, images: Tensor, label: int) -> Rebuilt:
    M = objects(model, images, label)
    return piece_above(M, 0.35, photo), M


def object_map_averaged(model: sl.Model, photo: Image.Image, images: Tensor, label: int) -> Rebuilt:
    larger = F.interpolate(images, (288, 288), mode="bicubic", antialias=True).clamp(0, 1)
    maps = [objects(model, x, label) for x in (images, larger)]
    maps += [objects(model, x.flip(3), label).flip(1) for x in (images, larger)]
    M = torch.stack(maps).mean(0)
    return piece_above(M, 0.35, photo), M


def object_extent(model: sl.Model, photo: Image.Image, images: Tensor, label: int) -> Rebuilt:
    O = objects(model, images, label)
    ((h, g),) = at_layers(model, images, label, 4)
    adds = spread_out((h * g).sum(0).clamp(min=0), deviation=2)
    x = h.double().flatten(1).T.numpy()
    x = x - x.mean(0)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    color = images[0].double().reshape(3, 28, 8, 28, 8).mean((2, 4)).flatten(1).T.numpy()
    E = O / O.max()
    for M in (O, O * adds):
        cells = M.double().reshape(28, 2, 28, 2).mean((1, 3)).flatten().numpy()
        moved = np.empty(784)
        for i in range(784):
            weights = np.maximum(x @ x[i], 0) ** 2 * (1 + np.exp(-((color - color[i]) ** 2).sum(1) / (2 * 0.2**2)))
            moved[i] = weights @ cells / weights.sum()
        fine = F.interpolate(torch.from_numpy(moved).view(1, 1, 28, 28), (56, 56), mode="bilinear")[0, 0].float()
        E = E + fine / fine.max()
    return piece_above(E, filters.threshold_otsu(E.numpy(), nbins=4096) / E.max().item(), photo), E


BY_HAND: dict[str, Callable[..., Rebuilt]] = {
    rebuild.__name__.replace("_", "-"): rebuild
    for rebuild in (
        whole_image, centered_box, pixel_graphcut, layer_graphcut, grad_cam, object_map, object_map_averaged,
        object_extent,
    )
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample photos of the coffee and the rocket, which are wider than high, in the official layout."""
    folder = build(tmp_path_factory.mktemp("ilsvrc"), 1)
    for image in (folder / "Data/CLS-LOC/val").iterdir():
        if image.stem.split("_")[-1] not in ("coffee", "rocket"):
            image.unlink()
    return folder


@pytest.mark.parametrize("name", LOCALIZERS)
def test_the_records_of_every_method_rebuilt_by_hand(
    name: str, data: Path, tmp_path: Path, embedded: sl.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALIENCY_DEVICE", "cpu")
    evaluate(data, tmp_path / "r.jsonl", method=name, batch_size=2)
    found = records.read(tmp_path / "r.jsonl")
    assert set(found) == {"val_00_coffee", "val_00_rocket"}
    for stem, record in found.items():
        photo = sl.load_image(data / f"Data/CLS-LOC/val/{stem}.JPEG")
        images = sl.to_tensor(photo, crop=False)
        truth = Ilsvrc(data, synsets=sl.imagenet_categories().synsets)
        (true,) = truth.truth(next(sample for sample in truth.samples if sample.name == stem)).boxes
        best = embedded(images)[0].topk(5).indices.tolist()
        label = record["label"]
        assert record["top5"] == best

        box, M = BY_HAND[name](embedded, photo, images, label)
        assert max(abs(a - b) for a, b in zip(box, record["box"], strict=True)) <= 1  # rounded to whole pixels
        for k in range(5) if name == "object-map" else [1]:
            assert sl.box_iou(BY_HAND[name](embedded, photo, images, best[k])[0], record["top5_boxes"][k]) > 0.95

        right = sl.box_iou(box, true) >= 0.5
        assert record["gt_known"] == right
        assert record["top1_correct"] == (best[0] == label)
        assert record["top1_localized"] == (right and best[0] == label)
        assert record["top5_localized"] == (right and label in best)
        x, y = photo.width / 2, photo.height / 2
        if M is not None:
            row, column = divmod(int(M.argmax()), M.shape[1])
            x, y = (column + 0.5) * photo.width / M.shape[1], (row + 0.5) * photo.height / M.shape[0]
        assert record["point"] == pytest.approx((x, y), abs=photo.width / 56)
        assert record["pointed"] == (true[0] - 15 <= x <= true[2] + 15 and true[1] - 15 <= y <= true[3] + 15)


def test_most_objects_of_the_sample_photos_are_found(embedded: sl.Model) -> None:
    found = []
    for known in sl.sample_photos().values():
        photo = known.load()
        (M,) = sl.object_map(embedded, sl.to_tensor(photo, crop=False), known.label)
        found.append(sl.box_iou(sl.threshold_box(photo, M, threshold=0.35).box, known.box) > 0.5)
    assert sum(found) >= 4  # of seven


def test_the_point_is_x_and_y_in_pixels_of_the_photo() -> None:
    photo, saliency = Image.new("RGB", (200, 50)), torch.zeros(10, 10)
    saliency[2, 7] = 1
    assert locate(LOCALIZERS["object-map"], photo, saliency).point == (150, 12.5)


@pytest.mark.parametrize("name", [name for name in LOCALIZERS if name not in ("whole-image", "centered-box")])
def test_where_nothing_is_found_the_box_is_the_whole_image(name: str) -> None:
    found = locate(LOCALIZERS[name], Image.new("RGB", (30, 20), "gray"), torch.zeros(7, 7))
    assert found.box == (0, 0, 30, 20)
    assert found.point == (15, 10)


def test_boxes_of_other_classes_do_not_count(tmp_path: Path) -> None:
    folder = build(tmp_path, 1)
    note = folder / "Annotations/CLS-LOC/val/val_00_coffee.xml"
    cat, mug = annotation("n02124075", [(0, 0, 9, 9)]), annotation("n03063599", [(40, 40, 90, 90)])
    note.write_text(cat.replace("</annotation>", "") + mug.replace("<annotation>", ""))
    data = Ilsvrc(folder)
    coffee = next(sample for sample in data.samples if sample.name.endswith("coffee"))
    assert data.truth(coffee).boxes == ((0, 0, 9, 9),)


def variants(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The settings with each number moved a little, one at a time."""
    return [settings | {key: value * 1.01 + 0.001} for key, value in settings.items()]


@pytest.mark.parametrize("name", LOCALIZERS)
def test_every_setting_changes_the_digest(name: str) -> None:
    """A record says with which settings it was made: a changed default cannot go on where another left off."""
    localizer = LOCALIZERS[name]
    others = [replace(localizer, settings=settings) for settings in variants(localizer.settings)]
    digests = [one.digest("a", 224) for one in (localizer, *others)]
    digests += [localizer.digest("b", 224), localizer.digest("a", 225)]
    digests += [one.digest("a", 224) for one in LOCALIZERS.values() if one is not localizer]
    assert len(set(digests)) == len(localizer.settings) + 2 + len(LOCALIZERS)


whole_numbers = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=3, max_size=40)


@given(whole_numbers)
def test_a_paired_difference_is_that_of_scipy(pairs: list[tuple[bool, bool]]) -> None:
    a, b = (np.array(column, float) for column in zip(*pairs, strict=True))
    mean, error = metrics.paired_difference(a, b)
    assert mean == pytest.approx((a - b).mean(), abs=1e-12)
    assert error == pytest.approx(stats.sem(a - b), abs=1e-12)


def test_what_is_hard_for_both_does_not_blur_their_difference() -> None:
    a, b = [0.0] * 50 + [1.0] * 50, [0.0] * 50 + [1.0] * 49 + [0.0]
    assert metrics.paired_difference(a, b)[1] < 0.011 < 0.05 < stats.sem(a)
    for one, other in (([1.0], [0.0]), ([1.0, 0.0], [1.0])):
        with pytest.raises(sl.SaliencyError, match="same images"):
            metrics.paired_difference(one, other)


def test_misses_are_counted_by_size_and_number_and_kind() -> None:
    outcomes = [
        Outcome((0, 0, 100, 100), [(0, 0, 100, 90)], (100, 100)),  # right, 90 %
        Outcome((0, 0, 100, 100), [(0, 0, 50, 20), (50, 50, 70, 70)], (100, 100)),  # 10 %, two; ten times too large
        Outcome((0, 0, 10, 10), [(0, 0, 50, 50)], (100, 100)),  # 25 %, one; a twenty-fifth
        Outcome((0, 0, 30, 30), [(40, 40, 43, 43)] * 3, (100, 100)),  # 0.09 %, three; far off and a hundred times
        Outcome((0, 0, 20, 20), [(0, 0, 20, 20)] * 4, (100, 100)),  # right, 4 %
    ]
    sizes = [("0 to 10 %", 2, 1), ("10 to 25 %", 1, 1), ("25 to 50 %", 1, 1), ("50 to 100 %", 1, 0)]
    assert error_analysis.by_size(outcomes) == sizes
    assert error_analysis.by_instances(outcomes) == [("one", 2, 1), ("two", 1, 1), ("three or more", 2, 1)]
    assert error_analysis.by_size(outcomes)[0].error == 50
    assert error_analysis.too_large(outcomes) == (2, 3)
    assert error_analysis.around_several(outcomes) == (1, 2)  # the third holds none of its three
    assert [round(outcome.excess, 2) for outcome in outcomes] == [1.11, 10, 0.04, 100, 1]
    assert error_analysis.by_size([]) == error_analysis.by_instances([]) == []
