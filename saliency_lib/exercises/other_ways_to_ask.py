"""The exercises of chapter 10: other ways to ask."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from saliency_lib.exercises.check import exercise, expect, near, numbers
from saliency_lib.methods.integrated_gradients import integrated_gradients
from saliency_lib.methods.shap import shap
from saliency_lib.models.model import Model


@exercise("ask-eyes")
def eyes(answer: Any) -> None:
    """Occlusion and Shapley values of two players that partly stand in for each other, eqs. (10.4) and (10.6)."""
    given = numbers(answer, 4, "four numbers: occlusion of the left and the right eye, then their Shapley values")
    left, right, both = 2, 1, 2.5
    expect(not (near(given[0], left) and near(given[1], right)), "occlusion: take an eye away from both, not from none")
    expect(not (near(given[0], right) and near(given[1], left)), "occlusion: this is the score that is left; the fall?")
    expect(near(given[0], both - right) and near(given[1], both - left), "occlusion: v(both) minus v(the other one)")
    expect(
        not (near(given[2], left) and near(given[3], right)),
        "Shapley: this is for the eye that comes first; in half of the orders it comes second",
    )
    expect(
        near(given[2], (left + both - right) / 2) and near(given[3], (right + both - left) / 2),
        "Shapley: the mean over two orders of what the eye adds when it comes; the two values add up to 2.5",
    )


@exercise("ask-path")
def path(answer: Any) -> None:
    """Gradient times input and integrated gradients of 12 x1 x2^2 at (1, 1/2), eqs. (10.2) and (10.3)."""
    given = numbers(answer, 4, "four numbers: gradient times input of x1 and x2, then integrated gradients of both")
    expect(
        not (near(given[0], 3) and near(given[1], 12)), "these are the derivatives: times the input, x1 = 1, x2 = 1/2"
    )
    expect(near(given[0], 3) and near(given[1], 6), "gradient times input: the derivatives are 12 x2^2 and 24 x1 x2")
    expect(
        not (near(given[2], 1) and near(given[3], 4)),
        "the integral of the derivative along the path is still to be multiplied by x2 = 1/2",
    )
    expect(
        not (near(given[2], 0.75) and near(given[3], 1.5)),
        "the derivative in the middle of the path is not its mean: integrate alpha squared from 0 to 1",
    )
    expect(
        near(given[2], 1) and near(given[3], 2),
        "integrated gradients: put (alpha, alpha/2) into the derivatives, integrate, multiply; they add up to f = 3",
    )


@exercise("ask-baseline")
def baseline(answer: Any) -> None:
    """Integrated gradients of 3 x1 + x2 from black and from white, eq. (10.3)."""
    given = numbers(answer, 4, "four numbers: x1 and x2 from black, then x1 and x2 from white")
    expect(not near(given[0], 3), "from black: this is the derivative; times how far the pixel is from black")
    expect(near(given[0], 0.6) and near(given[1], 1), "from black: (I - 0) times the derivative, for each pixel")
    expect(not near(given[2], 2.4), "from white: I - I' is negative for a pixel that is darker than white")
    expect(not (near(given[2], 0.6) and near(given[3], 1)), "from white: the same as from black? I' is 1 now")
    expect(near(given[2], -2.4), "from white: (I - I') times the derivative, and I' is not 0 now")
    expect(near(given[3], 0), "x2 from white: how far is a white pixel from white?")


@exercise("ask-two-baselines")
def two_baselines(answer: Any, model: Model, image: Tensor, target: Any) -> None:
    """The mean of integrated gradients from black and from white, 32 equal steps each."""
    expect(
        isinstance(answer, Tensor) and answer.numel() == image.numel(),
        f"one attribution shaped like the image, {tuple(image.shape)}",
    )
    given = answer.detach().cpu().double().view(image.shape)
    settings: dict[str, Any] = {"steps": 32, "quadrature": "midpoint", "progress": False}
    black, white = (
        integrated_gradients(model, image, target, baseline=base, **settings).cpu().double()
        for base in (torch.zeros_like(image), torch.ones_like(image))
    )

    def same(wanted: Tensor) -> bool:
        return bool((given - wanted).norm() < 0.02 * wanted.norm())

    expect(not same(black + white), "this is the sum of the two: take the mean")
    expect(not (same(black) or same(white)), "this is from one baseline only")
    expect(not same((black - white) / 2), "from white the way is I - 1, and that is negative: mind the sign")
    expect(
        same((black + white) / 2), "for each baseline: I - I', times the mean of 32 gradients in the middles of cells"
    )


@exercise("ask-pairs")
def pairs(answer: Any, v: Callable[[Tensor], Tensor]) -> None:
    """How much two pieces stand in for each other, eq. (10.9), for all pairs."""
    given = torch.tensor(numbers(answer, 36, "36 numbers, (6, 6): one for each pair of tiles")).double().view(6, 6)
    off = 1 - torch.eye(6)
    whole, none = (v(torch.full((1, 6), float(fill))).double().cpu() for fill in (1, 0))
    one, two = v(off).double().cpu(), v((off[:, None] * off[None]).view(36, 6)).double().cpu().view(6, 6)
    right = whole - one[:, None] - one[None] + two
    alone = v(torch.eye(6)).double().cpu()
    first = v(1 - (off[:, None] * off[None]).view(36, 6)).double().cpu().view(6, 6)
    aside = ~torch.eye(6, dtype=torch.bool)

    def same(wanted: Tensor) -> bool:
        return torch.allclose(given[aside], wanted[aside], atol=1e-2)

    expect(not same(-right), "the sign: v(all) and v(all but i and j) are added, the other two subtracted")
    expect(not same(whole - two), "this is the fall without both; what the two fall without each is to be taken off")
    expect(
        not same(first - alone[:, None] - alone[None] + none),
        "these are pairs alone on gray; the exercise takes them away from the whole",
    )
    expect(same(right), "four terms a pair: v(all) - v(all but i) - v(all but j) + v(all but i and j)")
    expect(given.diagonal().abs().max() < 1e-6, "the diagonal: a tile is no pair, put zero there")


@exercise("ask-samples")
def samples(answer: Any, model: Model, image: Tensor, target: Any) -> None:
    """By how much SHAP's error falls from 64 to 1024 samples: by the rule of the root, and measured."""
    given = numbers(answer, 2, "two numbers: the quotient by the rule, and the quotient measured")
    expect(not near(given[0], 16), "16 times the samples do not make the error 16 times smaller: take the root")
    expect(not near(given[0], 0.25), "the larger difference over the smaller one")
    expect(near(given[0], 4), "by the rule: an error falls with the root of the number of samples")

    def difference(count: int) -> float:
        settings: dict[str, Any] = {"samples": count, "superpixels": 20, "batch_size": 64, "progress": False}
        first, second = (shap(model, image, target, seed=seed, **settings) for seed in (0, 1))
        return (first - second).square().mean().sqrt().item()

    measured = difference(64) / difference(1024)
    expect(not near(given[1], 1 / measured, 0.05 / measured), "measured: the difference at 64 over that at 1024")
    expect(not near(given[1], measured**2, 0.05 * measured**2), "measured: take the root of the mean square")
    expect(
        near(given[1], measured, 0.05 * measured),
        "measured: the root mean square of the difference of two seeds' maps, at 64 samples and at 1024",
    )
