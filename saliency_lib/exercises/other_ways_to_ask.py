"""The exercises of chapter 10: other ways to ask."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from saliency_lib.exercises.check import exercise, expect, near, numbers
from saliency_lib.methods.integrated_gradients import integrated_gradients
from saliency_lib.methods.rise import rise
from saliency_lib.models.model import Model


@exercise("ask-eyes")
def eyes(answer: Any) -> None:
    """Occlusion and Shapley values of two players that partly stand in for each other, eqs. (10.4) and (10.7)."""
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


@exercise("ask-expected")
def expected(answer: Any) -> None:
    """Integrated gradients of x^2 at 1 from 0, from 1/2, their mean, and from the mean baseline 1/4, eq. (10.3)."""
    given = numbers(answer, 4, "four numbers: from 0, from 1/2, the mean of both, and from the baseline 1/4")
    expect(not near(given[0], 2), "from 0: this is the derivative at 1; its mean on the way is smaller")
    expect(near(given[0], 1), "from 0: with one pixel, completeness leaves f(1) - f(0)")
    expect(not near(given[1], 1.5), "from 1/2: the mean derivative on the way, times how long the way is")
    expect(near(given[1], 0.75), "from 1/2: f(1) - f(1/2)")
    expect(near(given[2], 0.875), "expected: the mean of the two shares")
    expect(not near(given[3], 0.875), "from 1/4: f is curved, so this is not the mean of the two")
    expect(near(given[3], 0.9375), "from 1/4: f(1) - f(1/4)")


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
    """How much two pieces stand in for each other, eq. (10.10), for all pairs."""
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
    """How RISE's error falls from 20 to 320 masks, and what centering takes off it."""
    given = numbers(answer, 2, "two numbers: how many times larger with 20 masks, and how many times without centering")

    def difference(count: int, centered: bool) -> float:
        asked: dict[str, Any] = {"samples": count, "centered": centered, "baseline": "gray", "batch_size": 50}
        first, second = (rise(model, image, target, seed=seed, **asked) for seed in (0, 1))
        return (first - second).square().mean().sqrt().item()

    few, many, raw = difference(20, True), difference(320, True), difference(320, False)
    expect(not near(given[0], many / few, 0.05 * many / few), "the difference at 20 masks over that at 320")
    expect(
        not near(given[0], (few / many) ** 2, 0.05 * (few / many) ** 2), "take the root of the mean square, both times"
    )
    expect(near(given[0], few / many, 0.05 * few / many), "20 over 320: both centered, seeds 0 and 1")
    expect(not near(given[1], raw / few, 0.05 * raw / few), "compare the uncentered run with the centered one of 320")
    expect(near(given[1], raw / many, 0.05 * raw / many), "not centered over centered: 320 masks, seeds 0 and 1")
