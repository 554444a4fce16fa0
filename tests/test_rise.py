"""RISE against its formula written out, a pixel at a time, and where the answer is known."""

import pytest
import torch
from helpers import nothing_changes, says
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.methods.rise import Rise


class Corner(nn.Module):
    """A score that is the mean of the upper left quarter, and another that is ten."""

    def forward(self, x: Tensor) -> Tensor:
        half = x.shape[2] // 2
        seen = x[:, :, :half, :half].mean((1, 2, 3))
        return torch.stack([seen, 10 + 0 * seen], 1)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 12, 10, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 10 * 8, 3)).eval()


@pytest.mark.parametrize("centered", [False, True])
def test_it_is_the_weighted_mean_of_the_paper(net: nn.Module, images: Tensor, centered: bool) -> None:
    asked = {"samples": 7, "cells": 3, "probability": 0.4, "seed": 5, "baseline": "gray", "centered": centered}
    with nothing_changes(net, images):
        found = sl.rise(net, images, 1, **asked)
    masks = list(Rise(net, images, **asked).masks())
    for n, I in enumerate(images):
        with torch.no_grad():
            S = [net((m * I + (1 - m) * 0.5)[None])[0, 1].item() for m in masks]
        mean = sum(S) / 7 if centered else 0.0
        for y in range(12):
            for x in range(10):
                slowly = sum((s - mean) * m[y, x].item() for s, m in zip(S, masks, strict=True)) / (0.4 * 7)
                assert found[n, y, x].item() == pytest.approx(slowly, abs=1e-5)


def test_masks_are_enlarged_grids_that_move(net: nn.Module, images: Tensor) -> None:
    masks = torch.stack(list(Rise(net, images, samples=400, cells=3, probability=0.3).masks()))
    assert masks.shape == (400, 12, 10)
    assert masks.min() == 0
    assert masks.max() == 1
    assert abs(masks.mean() - 0.3) < 0.03
    assert abs(masks.mean(0) - 0.3).max() < 0.12  # no place is shown more often than another
    steps = (masks[:, :, 1:] - masks[:, :, :-1]).abs().max()
    assert steps < 0.5  # a cell is four pixels wide, and its edge as soft
    again = torch.stack(list(Rise(net, images, samples=400, cells=3, probability=0.3).masks()))
    assert torch.equal(masks, again)


def test_it_finds_what_the_score_looks_at(images: Tensor) -> None:
    found = sl.rise(Corner(), torch.ones(1, 3, 12, 12), 0, samples=800, cells=4, centered=True)[0]
    inside, outside = found[:6, :6], found[8:, 8:]
    assert inside.mean() > 4 * outside.abs().mean()


def test_a_score_that_never_moves_gives_noise_unless_it_is_centered() -> None:
    photo = torch.rand(1, 3, 12, 12)
    plain, centered = (sl.rise(Corner(), photo, 1, samples=50, cells=4, centered=c) for c in (False, True))
    assert plain.std() > 0.1
    assert centered.abs().max() < 1e-5


def test_what_cannot_be_used_is_said(net: nn.Module, images: Tensor) -> None:
    wrong = [
        ({"samples": 1}, "samples should be"),
        ({"probability": 0}, "between 0 and 1"),
        ({"probability": 2}, "probability"),
        ({"cells": 11}, "cells should be"),
        ({"baseline": ["black", "gray"]}, "one baseline"),
    ]
    for setting, part in wrong:
        with pytest.raises(sl.SaliencyError) as caught:
            sl.rise(net, images, **setting)
        assert part in says(caught.value)
