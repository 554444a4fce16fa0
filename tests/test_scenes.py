"""The scenes of several creatures, and their masks."""

from typing import Any

import pytest
import torch
from helpers import nothing_changes, says
from torch import nn

import saliency_lib as sl
from saliency_lib.datasets import scenes as drawing


@pytest.fixture(scope="module")
def drawn() -> sl.Scenes:
    return sl.scenes(200, seed=7)


def test_labels_say_whose_masks_are_not_empty(drawn: sl.Scenes) -> None:
    images, labels, masks = drawn
    assert (images.shape, images.dtype) == ((200, 3, 96, 96), torch.float32)
    assert (labels.shape, labels.dtype) == ((200, 10), torch.bool)
    assert (masks.shape, masks.dtype) == ((200, 10, 96, 96), torch.bool)
    assert torch.equal(masks.flatten(2).any(2), labels)
    assert images.min() >= 0
    assert images.max() <= 1


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


def test_a_seed_draws_the_same_bytes_however_many(drawn: sl.Scenes) -> None:
    with nothing_changes(nn.Identity()):
        again = sl.scenes(9, seed=7)
    for one, other in zip(again, drawn, strict=True):
        assert one.numpy().tobytes() == other[:9].numpy().tobytes()
    assert (sl.scenes(9, seed=8).images - again.images).abs().mean() > 0.1


@pytest.mark.parametrize("wrong", [{"count": 0}, {"count": 2.5}, {"seed": -1}])
def test_wrong_numbers_say_so(wrong: dict[str, Any]) -> None:
    with pytest.raises(sl.ImageError, match="should be a whole number") as caught:
        sl.scenes(**{"count": 1} | wrong)
    says(caught.value)
