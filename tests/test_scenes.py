"""The scenes of several creatures, and their masks."""

import pytest
import torch

import saliency_lib as sl
from saliency_lib.datasets import scenes as drawing


@pytest.fixture(scope="module")
def drawn() -> sl.Scenes:
    return sl.scenes(200, seed=7)


def test_labels_say_whose_masks_are_not_empty(drawn: sl.Scenes) -> None:
    images, labels, masks = drawn
    assert (images.shape, masks.shape) == ((200, 3, 96, 96), (200, 10, 96, 96))
    assert torch.equal(masks.flatten(2).any(2), labels)


def test_none_to_four_creatures_and_each_of_them_often(drawn: sl.Scenes) -> None:
    numbers = torch.bincount(drawn.labels.sum(1), minlength=6)
    assert numbers[5] == 0
    assert (numbers[:5] > 20).all()
    assert (drawn.labels.sum(0) > 20).all()


def test_every_creature_has_a_quarter_of_its_own(drawn: sl.Scenes) -> None:
    quarters = drawn.masks.view(200, 10, 2, drawing.CELL, 2, drawing.CELL).any(3).any(4).flatten(2)
    assert quarters.sum(2).max() == 1  # no creature in two quarters
    assert quarters.sum(1).max() == 1  # no quarter with two creatures
    assert (quarters.sum((0, 1)) > 50).all()  # every quarter is used


def test_creatures_are_as_large_as_they_can_be_seen(drawn: sl.Scenes) -> None:
    areas = drawn.masks.sum((2, 3))[drawn.labels]
    assert areas.min() > 100
    assert areas.max() < drawing.CELL**2


def test_the_creature_is_painted_where_its_mask_is(monkeypatch: pytest.MonkeyPatch, drawn: sl.Scenes) -> None:
    """On another ground the scene changes outside of the masks, and hardly inside."""
    original = drawing.background
    monkeypatch.setattr(drawing, "background", lambda *a, **k: 0.5 + 0 * original(*a, **k))
    changed = (sl.scenes(40, seed=7).images - drawn.images[:40]).abs().amax(1) > 1e-6
    masks = drawn.masks[:40].any(1).float()[:, None]
    core = -torch.nn.functional.max_pool2d(-masks, 3, 1, 1)[:, 0] > 0
    near = torch.nn.functional.max_pool2d(masks, 5, 1, 2)[:, 0] > 0
    assert changed[core].float().mean() < 0.02
    assert changed[~near].float().mean() > 0.85
