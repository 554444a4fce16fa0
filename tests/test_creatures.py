"""The drawings and their masks, the network that is trained on them, and the class images for which both exist."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import raises_one_line
from matplotlib.path import Path as Outline
from torch import nn

import saliency_lib as sl
from saliency_lib.models import training
from saliency_lib.models.training import find_recipe

drawing = importlib.import_module("saliency_lib.datasets.creatures")
NAMES = drawing.CATEGORIES.names


@pytest.fixture(scope="module")
def drawings() -> sl.Creatures:
    return sl.creatures(200, seed=7)


@pytest.fixture(scope="module")
def model() -> sl.Model:
    return sl.load_model("creature_convnet").cpu()


# --- the drawings --------------------------------------------------------------------------------------------------


def test_the_mask_is_what_the_outlines_cover(drawings: sl.Creatures) -> None:
    """Matplotlib says which of 64 points in each pixel lie in any outline. OpenCV paints 1/8 pixel beyond it."""
    points = (np.arange(64 * 8) + 0.5) / 8
    grid = np.stack(np.meshgrid(points, points), -1).reshape(-1, 2)
    for index in range(10):
        rng = np.random.default_rng([7, index])
        parts = drawing.place(drawing.DRAWERS[NAMES[index]](rng), rng, 64)
        inside = np.any([Outline(outline).contains_points(grid) for outline, _ in parts], axis=0)
        cover = inside.reshape(64, 8, 64, 8).mean((1, 3))
        mask = drawings.masks[index].numpy()
        assert not (mask & (cover < 0.2)).any()
        assert not (~mask & (cover > 0.6)).any()
        assert (mask != (cover > 0.5)).sum() < 45


def test_the_thing_is_painted_where_its_mask_is(monkeypatch: pytest.MonkeyPatch, drawings: sl.Creatures) -> None:
    """Drawn again on another ground, the image changes outside of the mask and not inside, up to the soft edge."""
    original = drawing.background
    monkeypatch.setattr(drawing, "background", lambda *a, **k: 0.5 + 0 * original(*a, **k))
    changed = (sl.creatures(20, seed=7).images - drawings.images[:20]).abs().amax(1) > 1e-6
    masks = drawings.masks[:20].float()[:, None]
    core = -torch.nn.functional.max_pool2d(-masks, 3, 1, 1)[:, 0] > 0
    near = torch.nn.functional.max_pool2d(masks, 5, 1, 2)[:, 0] > 0
    assert core.float().mean() > 0.1
    assert changed[core].float().mean() < 0.01  # slits narrower than a pixel remain, between petals for one
    assert changed[~near].float().mean() > 0.85


def test_things_are_whole_and_as_large_as_promised(drawings: sl.Creatures) -> None:
    low, high = drawing.SHARE
    for index, mask in enumerate(drawings.masks):
        rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
        side = max(rows.max() - rows.min(), columns.max() - columns.min()).item() + 1
        assert low * 64 - 5 < side < high * 64 + 2, NAMES[index % 10]  # antennae can be thinner than half a pixel
        assert not torch.cat([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).any()


def test_things_lie_in_different_places(drawings: sl.Creatures) -> None:
    rows = torch.stack([mask.nonzero().float().mean(0) for mask in drawings.masks])
    assert (rows.std(0) > 1).all()
    assert ((rows.mean(0) - 31.5).abs() < 4).all()


def test_the_ground_differs_from_the_thing(drawings: sl.Creatures) -> None:
    for label in range(10):
        chosen = drawings.labels == label
        for image, mask in zip(drawings.images[chosen], drawings.masks[chosen], strict=True):
            assert (image[:, mask].mean(1) - image[:, ~mask].mean(1)).norm() > 0.08, NAMES[label]


def test_the_color_of_a_class_varies(drawings: sl.Creatures) -> None:
    for label in range(10):
        chosen = drawings.labels == label
        colors = [i[:, m].mean(1) for i, m in zip(drawings.images[chosen], drawings.masks[chosen], strict=True)]
        assert torch.stack(colors).std(0).max() > 0.04, NAMES[label]


def test_images_are_images_and_classes_take_turns(drawings: sl.Creatures) -> None:
    images, labels, masks = drawings
    assert (images.shape, masks.shape) == ((200, 3, 64, 64), (200, 64, 64))
    assert torch.equal(labels, torch.arange(200) % 10)
    assert torch.equal(sl.creatures(3, kind="owl").labels, torch.tensor([6, 6, 6]))
    assert torch.equal(sl.creatures(3, kind=6).images, sl.creatures(3, kind="Owl").images)


def test_the_thing_is_the_same_at_every_size() -> None:
    """A drawing of twice the size, averaged down, has nearly the same mask."""
    small, large = sl.creatures(10, size=64).masks, sl.creatures(10, size=128).masks
    halved = torch.nn.functional.avg_pool2d(large.float(), 2) > 0.5
    assert (halved != small).float().mean() < 0.01


def test_an_unknown_kind_says_so() -> None:
    for kind in ("zebra", 10):
        with raises_one_line(sl.TargetError, "there is no class"):
            sl.creatures(1, kind=kind)


# --- the network ---------------------------------------------------------------------------------------------------


def test_the_network_is_of_the_papers_kind(model: sl.Model) -> None:
    kinds = [type(module) for module in model.network.modules() if not list(module.children())]
    assert set(kinds) == {nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.Flatten, nn.Linear}
    assert (model.size, model.categories) == (64, drawing.CATEGORIES)


def test_it_knows_drawings_it_has_never_seen(model: sl.Model) -> None:
    assert training.error(model.network, find_recipe("creature_convnet"), count=300, seed=12345) < 0.02


def test_a_classifier_knows_its_size() -> None:
    assert sl.as_classifier(nn.Identity(), (0, 0, 0), (1, 1, 1)).size == 224
    assert sl.as_classifier(nn.Identity(), (0, 0, 0), (1, 1, 1), size=96).size == 96
    for wrong in (0, 2.5, "64"):
        with pytest.raises(sl.ModelError, match="whole number of pixels"):
            sl.as_classifier(nn.Identity(), (0, 0, 0), (1, 1, 1), size=wrong)


def test_the_command_line_gives_the_network_images_of_its_size(tmp_path: Path, capsys: Any) -> None:
    from saliency_lib.cli import main

    photo = tmp_path / "owl.png"
    sl.to_image(sl.creatures(1, kind="owl", size=200).images).save(photo)
    arguments = ["saliency", str(photo), "--model", "creature_convnet", "--out", str(tmp_path / "map.png")]
    assert main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("owl")


# --- what it is for ------------------------------------------------------------------------------------------------


def test_class_images_resemble_the_drawings_of_their_class(model: sl.Model) -> None:
    """Of the ten mean drawings, that of its own class correlates best with a class image."""
    drawn = sl.creatures(1000, seed=3).images.view(100, 10, -1).mean(0)
    drawn = drawn - drawn.mean(0)
    images = sl.class_image(model, list(range(10)), steps=100, step_size=2.5, l2=0.02).raw
    assert (model(images + model.mean).softmax(1).diagonal() > 0.9).all()
    found = images.flatten(1) - images.flatten(1).mean(0)
    correlation = nn.functional.normalize(found) @ nn.functional.normalize(drawn).T
    assert (correlation.argmax(1) == torch.arange(10)).all()
