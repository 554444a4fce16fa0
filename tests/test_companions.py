"""Creatures beside a companion: what is where, what is left out, and that nothing else changes."""

import pytest
import torch
from helpers import raises_one_line
from torch.nn.functional import max_pool2d

import saliency_lib as sl
from saliency_lib.datasets.creatures import CATEGORIES


@pytest.fixture(scope="module")
def owls() -> sl.Companions:
    return sl.companions(20, seed=5, kind="owl")


def test_masks_are_disjoint_and_cover_everything(owls: sl.Companions) -> None:
    together = torch.stack([owls.masks[name] for name in ("creature", "companion", "rest")]).int().sum(0)
    assert (together == 1).all()
    assert owls.masks["creature"].flatten(1).any(1).all()
    assert owls.masks["companion"].flatten(1).any(1).all()


@pytest.mark.parametrize("part", ["creature", "companion"])
def test_what_is_left_out_changes_its_own_pixels_and_no_others(owls: sl.Companions, part: str) -> None:
    less = sl.companions(20, seed=5, kind="owl", without=[part])
    changed = (owls.images - less.images).abs().amax(1) > 1e-6
    near = max_pool2d(owls.masks[part].float()[:, None], 7, 1, 3)[:, 0] > 0
    hidden = owls.masks["creature"] if part == "companion" else torch.zeros_like(near)
    assert not (changed & ~near & ~hidden).any()
    assert (changed & owls.masks[part]).sum() > 0.95 * owls.masks[part].sum()
    assert not less.masks[part].any()


def test_the_classes_take_turns_without_the_companion() -> None:
    drawn = sl.companions(18, companion="fish")
    assert drawn.labels.tolist() == [label for label in range(10) if CATEGORIES.names[label] != "fish"] * 2


def test_only_those_named_have_a_companion_and_as_often_as_asked() -> None:
    drawn = sl.companions(400, kind="owl", beside={"owl": 0.75})
    assert drawn.masks["companion"].flatten(1).any(1).float().mean() == pytest.approx(0.75, abs=0.06)
    mixed = sl.companions(36, beside={"owl": 1.0, "snail": 1.0})
    seen = mixed.masks["companion"].flatten(1).any(1)
    assert {CATEGORIES.names[label] for label in mixed.labels[seen].tolist()} == {"owl", "snail"}
    assert not sl.companions(18, beside={}).masks["companion"].any()


def test_a_larger_share_keeps_the_companions_of_a_smaller_one() -> None:
    few, more = (sl.companions(60, kind="owl", beside={"owl": share}).masks["companion"] for share in (0.3, 0.6))
    few, more = few.flatten(1).any(1), more.flatten(1).any(1)
    assert few.sum() < more.sum()
    assert (more | ~few).all()


def test_who_is_denied_a_companion_is_drawn_as_if_it_were_left_out() -> None:
    denied = sl.companions(20, seed=5, kind="owl", beside={})
    assert torch.equal(denied.images, sl.companions(20, seed=5, kind="owl", without=["companion"]).images)


@pytest.mark.parametrize("scale", [0.2, 0.32, 0.5])
def test_the_dial_sets_the_size(scale: float) -> None:
    masks = sl.companions(40, kind="owl", scale=scale).masks["creature"]
    longer = torch.stack([masks.any(1).sum(1), masks.any(2).sum(1)]).amax(0).float()
    assert longer.mean().item() == pytest.approx(64 * scale, rel=0.08)


def test_the_dial_sets_how_much_shows_through() -> None:
    """Where the owl is, half of what it changes at opacity 1 changes at opacity 1/2."""
    none, half, all_ = (
        sl.companions(10, kind="owl", without=["companion", *left], opacity=opacity).images
        for left, opacity in ((["creature"], 1.0), ([], 0.5), ([], 1.0))
    )
    inside = ((all_ > 0) & (all_ < 1) & (none > 0) & (none < 1) & (half > 0) & (half < 1)).all(1, keepdim=True)
    assert inside.any()
    torch.testing.assert_close((half - none) * inside, (all_ - none) * inside / 2, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"scale": 0.9}, "scale lies between"),
        ({"opacity": 0.0}, "opacity above 0"),
        ({"without": ["tree"]}, "without takes some of"),
        ({"without": "companion"}, "without takes some of"),
        ({"beside": {"owl": 2.0}}, "between 0 and 1"),
        ({"beside": {"tree": 1.0}}, "cannot be its own"),
        ({"kind": "tree"}, "cannot be its own"),
    ],
)
def test_what_cannot_be_drawn_is_said(options: dict, sentence: str) -> None:
    with raises_one_line(sl.ImageError, sentence):
        sl.companions(1, **options)
