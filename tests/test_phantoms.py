"""Drawn radiographs: what is where, what goes along with the disease at which hospital; nothing else changes."""

import pytest
import torch
from helpers import raises_one_line
from torch.nn.functional import max_pool2d

import saliency_lib as sl
from saliency_lib.datasets.phantoms import HOSPITALS


@pytest.fixture(scope="module")
def ill() -> sl.Phantoms:
    return sl.phantoms(30, seed=5, hospital="B", ill=True, marked=True)


def test_masks_are_disjoint_and_cover_everything(ill: sl.Phantoms) -> None:
    assert list(ill.masks) == ["nodule", "marker", "lungs", "rest"]
    assert (torch.stack([*ill.masks.values()]).int().sum(0) == 1).all()
    assert ill.masks["nodule"].flatten(1).any(1).all()
    assert ill.images.shape == (30, 1, 64, 64)


def test_a_nodule_lies_within_a_lung_and_is_brighter(ill: sl.Phantoms) -> None:
    less = sl.phantoms(30, seed=5, hospital="B", ill=True, marked=True, without=["nodule"])
    assert (less.masks["lungs"] | ~ill.masks["nodule"]).all()
    rise = (ill.images - less.images)[:, 0]
    assert (rise[ill.masks["nodule"]] > 0).float().mean() > 0.99
    assert not less.masks["nodule"].any()


@pytest.mark.parametrize("part", ["nodule", "marker"])
def test_what_is_left_out_changes_its_own_pixels_and_no_others(ill: sl.Phantoms, part: str) -> None:
    less = sl.phantoms(30, seed=5, hospital="B", ill=True, marked=True, without=[part])
    changed = (ill.images - less.images)[:, 0].abs() > 1e-6
    near = max_pool2d(ill.masks[part].float()[:, None], 7, 1, 3)[:, 0] > 0
    assert not (changed & ~near).any()
    assert (changed & ill.masks[part]).sum() > 0.95 * ill.masks[part].sum()


@pytest.mark.parametrize("name", HOSPITALS)
def test_the_marker_goes_along_with_the_disease_as_the_hospital_says(name: str) -> None:
    drawn = sl.phantoms(600, seed=2, hospital=name)
    marked = drawn.masks["marker"].flatten(1).any(1).float()
    assert marked[drawn.labels == 0].mean() == pytest.approx(HOSPITALS[name].healthy, abs=0.06)
    assert marked[drawn.labels == 1].mean() == pytest.approx(HOSPITALS[name].ill, abs=0.06)
    assert torch.equal(drawn.labels == 1, drawn.masks["nodule"].flatten(1).any(1))


def test_the_grain_is_the_hospitals() -> None:
    """The upper right corner is plain ground: what varies there from pixel to pixel is grain."""
    deviation = {
        name: sl.phantoms(100, seed=1, hospital=name).images[:, 0, :3, 60:].diff(dim=2).std().item() for name in "AB"
    }
    assert deviation["A"] < 0.6 * deviation["B"]


def test_a_chest_is_the_same_at_every_hospital(ill: sl.Phantoms) -> None:
    same = sl.phantoms(30, seed=5, hospital="A", ill=True, marked=True)
    assert torch.equal(same.masks["nodule"], ill.masks["nodule"])


@pytest.mark.parametrize(
    ("arguments", "sentence"), [({"hospital": "D"}, "hospital"), ({"without": "nodule"}, "without takes")]
)
def test_what_cannot_be_drawn_is_said(arguments: dict, sentence: str) -> None:
    with raises_one_line(sl.ImageError, sentence):
        sl.phantoms(2, **arguments)
