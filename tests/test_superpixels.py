"""LIME, SHAP, occlusion by superpixels: closed forms, Shapley values over all orders, slow loops, Captum."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from captum._utils.models.linear_model import SkLearnLinearRegression, SkLearnRidge
from captum.attr import FeatureAblation, LimeBase
from helpers import nothing_changes, relative, says
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.methods.lime import Lime
from saliency_lib.methods.shap import Shap
from saliency_lib.methods.superpixels import SuperpixelMethod

METHODS: dict[str, Callable[..., Tensor]] = {
    "lime": lambda *given, **more: sl.lime(*given, **{"samples": 20} | more),
    "shap": lambda *given, **more: sl.shap(*given, **{"samples": 20} | more),
    "occlusion-superpixels": sl.occlusion,
}
SIX = torch.arange(64).view(8, 8) % 8 // 3 + 3 * (torch.arange(64).view(8, 8) // 32)
"""Six pieces of 8 x 8 pixels: two rows of three."""


@pytest.fixture
def case(net: nn.Module, images: Tensor) -> tuple[nn.Module, Tensor, int, Tensor]:
    """A network, two images, a class, segments."""
    return net, images[:2], 3, SIX.expand(2, 8, 8)


class Game(nn.Module):
    """A game of six players, one a piece of `SIX`: v(z) from a table of all 64 coalitions."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.table = torch.randn(64, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    def forward(self, images: Tensor) -> Tensor:
        there = torch.stack([images[:, 0][:, j == SIX].amin(1) > 0.9 for j in range(6)], 1)
        return self.table[(there * 2 ** torch.arange(6)).sum(1)]


def shapley(table: Tensor, players: int) -> Tensor:
    """What each player adds to those before it, on average over every order."""
    shares = torch.zeros(players, dtype=torch.float64)
    for order in itertools.permutations(range(players)):
        members = 0
        for player in order:
            shares[player] += table[members | 1 << player] - table[members]
            members |= 1 << player
    return shares / math.factorial(players)


# SHAP


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_shares_of_a_game_of_six_are_the_means_over_all_orders(seed: int) -> None:
    game, whole = Game(seed), torch.ones(1, 3, 8, 8, dtype=torch.float64)
    found = sl.shap(game, whole, 0, segments=SIX[None], samples=62)
    expected = shapley(game.table, 6)
    assert relative(found[0], expected[SIX]) < 1e-10
    sampled = sl.shap(game, whole, 0, segments=SIX[None], samples=61)
    assert 1e-3 < relative(sampled[0], expected[SIX]) < 2  # one coalition less, and they are drawn


def test_drawn_coalitions_come_near_the_shares_and_nearer_with_more() -> None:
    """Twelve pieces, three of which act together: the error falls about as one over the root of the samples."""

    class Pairs(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            there = (images[:, 0, 0] > 0.9).double()
            return there @ torch.arange(12.0, dtype=torch.float64) + 9 * there[:, 0] * there[:, 1] * there[:, 2]

    image = torch.ones(1, 1, 1, 12, dtype=torch.float64)
    segments = torch.arange(12).view(1, 1, 12)
    expected = torch.arange(12.0, dtype=torch.float64)
    expected[:3] += 3
    errors = [
        np.mean(
            [
                relative(sl.shap(Pairs(), image, 0, segments=segments, samples=n, seed=s)[0, 0], expected)
                for s in range(5)
            ]
        )
        for n in (50, 800)
    ]
    assert errors[1] < 0.05
    assert errors[1] < errors[0] / 2
    exact = sl.shap(Pairs(), image, 0, segments=segments, samples=4094)
    assert relative(exact[0, 0], expected) < 1e-10


@pytest.mark.parametrize("samples", [20, 62])
def test_shares_add_up_a_dummy_gets_none_and_alike_pieces_get_alike(samples: int) -> None:
    def score(output: Tensor) -> Tensor:
        a, b, c = (output[:, 0][:, j == SIX].mean(1) for j in range(3))
        return a * b + 3 * c  # pieces 3, 4, 5 are dummies; 0 and 1 are alike

    whole = torch.ones(1, 1, 8, 8, dtype=torch.float64)
    method = Shap(nn.Identity(), whole, segments=SIX[None], samples=samples)
    shares = method.weights(score)[0]
    assert shares.sum().item() == pytest.approx(1 + 3 - (0.25 + 1.5))
    if samples == 62:
        assert shares.tolist() == pytest.approx([0.375, 0.375, 1.5, 0, 0, 0])


def test_the_kernel_of_every_coalition_is_what_sizes_are_drawn_by(net: nn.Module, images: Tensor) -> None:
    random = torch.Generator().manual_seed(0)
    method = Shap(net, images, samples=20000, segments=SIX[None])
    shown = method.draw(20, random)
    assert shown[0].sum() == 0
    assert shown[1].all()
    assert torch.equal(shown[2::2], ~shown[3::2])
    sizes = torch.arange(1, 20)
    chances = 1 / (sizes * (20 - sizes)).double()
    counts = shown[2:].sum(1).bincount(minlength=20)[1:20] / 20000
    assert torch.allclose(counts.double(), chances / chances.sum(), atol=0.01)
    assert torch.allclose(shown[2:].double().mean(0), torch.full((20,), 0.5, dtype=torch.float64), atol=1e-9)


def test_one_piece_has_the_whole_share(net: nn.Module, images: Tensor) -> None:
    found = sl.shap(net, images, 2, segments=torch.zeros(1, 8, 8, dtype=torch.long), baseline="black")
    with torch.no_grad():
        expected = net(images)[:, 2] - net(torch.zeros(1, 3, 8, 8))[:, 2]
    assert relative(found, expected.view(3, 1, 1).expand(3, 8, 8)) < 1e-5


# Captum, with the same coalitions


class _Captum:
    """Captum's LIME on coalitions that are given; its perturbation draws them in turn."""

    def __init__(self, method: SuperpixelMethod, regression: Any, weight: Callable[[Tensor], float]) -> None:
        self.method, self.regression, self.weight = method, regression, weight

    def attribute(self, model: nn.Module, row: int, target: int) -> Tensor:
        method = self.method
        coalitions = iter(method.coalitions[row].double())
        base = LimeBase(
            model,
            self.regression,
            similarity_func=lambda original, perturbed, z, **_: self.weight(z[0]),
            perturb_func=lambda original, **_: next(coalitions)[None],
            perturb_interpretable_space=True,
            from_interp_rep_transform=lambda z, original, **_: torch.where(
                z[0][method.pieces[row]].bool(), original, method.paint[row]
            ),
            to_interp_rep_transform=None,
        )
        return base.attribute(method.I[row : row + 1], target=target, n_samples=len(method.coalitions[row]))[0]


def test_lime_equals_captums(case: tuple[nn.Module, Tensor, int, Tensor]) -> None:
    model, images, target, segments = case
    method = Lime(model, images, samples=40, sigma=0.3, alpha=0.7, segments=segments, baseline="blurred")
    captum = _Captum(method, SkLearnRidge(alpha=0.7), lambda z: math.exp(-(((1 - z.mean().sqrt()) / 0.3) ** 2)))
    for row, found in enumerate(method.weights(target)):
        assert relative(found, captum.attribute(model, row, target)) < 1e-4


def test_shap_equals_captums(case: tuple[nn.Module, Tensor, int, Tensor]) -> None:
    """KernelSHAP there holds the two ends by a weight of a million instead of exactly."""
    model, images, target, segments = case
    method = Shap(model, images, samples=62, segments=segments, baseline="black")

    def weight(z: Tensor) -> float:
        size = int(z.sum())
        return 1e6 if size in (0, 6) else 5 / (math.comb(6, size) * size * (6 - size))

    captum = _Captum(method, SkLearnLinearRegression(), weight)
    for row, found in enumerate(method.weights(target)):
        assert relative(found, captum.attribute(model, row, target)) < 1e-4


def test_occlusion_by_superpixels_equals_captums_ablation(case: tuple[nn.Module, Tensor, int, Tensor]) -> None:
    model, images, target, segments = case
    masks = segments[:1, None].expand(1, 3, *images.shape[2:])
    expected = FeatureAblation(model).attribute(images, baselines=0.25, target=target, feature_mask=masks)
    found = sl.occlusion(model, images, target, segments=segments, value=0.25)
    assert relative(found, expected[:, 0]) < 1e-4


def test_a_score_that_is_linear_in_the_pieces_is_found_by_all(images: Tensor) -> None:
    def score(output: Tensor) -> Tensor:
        return sum(j * output[:, 0][:, j == SIX].mean(1) for j in range(6))  # type: ignore[return-value]

    ones = torch.ones(1, 1, 8, 8, dtype=torch.float64)
    expected = torch.arange(6.0)[SIX].double()
    for of in (sl.shap, sl.occlusion, lambda *g, **m: sl.lime(*g, **m, alpha=0.0)):
        given = {"value": 0.0} if of is sl.occlusion else {"baseline": "black"}
        assert relative(of(nn.Identity(), ones, score, segments=SIX[None], **given)[0], expected) < 1e-8


# Superpixels


def test_superpixels_are_connected_pieces_of_one_color() -> None:
    """Four flat quarters are found as they are."""
    image = torch.zeros(1, 3, 40, 40)
    image[:, 0, :20] = 1
    image[:, 1, :, :20] = 1
    (found,) = sl.superpixels(image, 4)
    assert sorted(found.unique().tolist()) == [0, 1, 2, 3]
    for rows in (slice(0, 20), slice(20, 40)):
        for columns in (slice(0, 20), slice(20, 40)):
            assert len(found[rows, columns].unique()) == 1


def test_a_photo_has_about_as_many_superpixels_as_were_asked_for() -> None:
    images = sl.to_tensor(sl.sample_photo("coffee"))
    found = sl.superpixels(images, 50)
    assert found.shape == (1, 224, 224)
    assert 30 <= found.max() + 1 <= 60
    assert found.unique().tolist() == list(range(int(found.max()) + 1))
    assert sl.images.part_of(found) == sl.images.part_of(images) is not None
    assert sl.superpixels(images[:, :1], 9).shape == (1, 224, 224)


# What cannot be used, and images with pieces of their own


def test_images_with_different_numbers_of_pieces(net: nn.Module, images: Tensor) -> None:
    """Exact for the one, drawn for the other, in one batch."""
    segments = torch.stack([SIX % 2, SIX, SIX % 3])
    for name in ("lime", "shap"):
        found = METHODS[name](net, images, 2, segments=segments)
        for row in range(3):
            alone = METHODS[name](net, images[row : row + 1], 2, segments=segments[row : row + 1])
            assert relative(found[row : row + 1], alone) < 1e-4


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        (lambda *g: sl.lime(*g, samples=1), "samples should be"),
        (lambda *g: sl.lime(*g, sigma=0), "sigma should be a number"),
        (lambda *g: sl.lime(*g, alpha=-1), "alpha should be a number, at least 0"),
        (lambda *g: sl.shap(*g, samples=11, segments=SIX[None]), "take 12 or more"),
        (lambda *g: sl.lime(*g, superpixels=0), "count should be"),
        (lambda *g: sl.lime(*g, segments=SIX[None] + 1), "none left out"),
        (lambda *g: sl.lime(*g, segments=SIX), "whole numbers of shape (3, 8, 8)"),
        (lambda *g: sl.lime(*g, segments=SIX[None].float()), "whole numbers of shape"),
        (lambda *g: sl.lime(*g, baseline="green"), "use 'black', 'gray'"),
        (lambda *g: sl.occlusion(*g, segments=SIX[None], patch=2), "either segments"),
        (lambda *g: sl.occlusion(*g, segments=SIX[None], value=[1, 2]), "one a channel"),
    ],
)
def test_what_cannot_be_used_is_said(wrong: Callable[..., Tensor], part: str, net: nn.Module, images: Tensor) -> None:
    with nothing_changes(net, images), pytest.raises(sl.SaliencyError) as caught:
        wrong(net, images)
    assert part in says(caught.value)
