"""The exercises of chapter 2: linear pieces, what a score is made of, and the order of the remainder."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from saliency_lib.exercises.check import NotYet, exercise, expect, near, number, numbers

WIDTHS = (8, 16, 32, 64)


@exercise("taylor-two-pixels")
def two_pixels(answer: Any) -> None:
    """Weights and constant of S = 2 max(I1 + I2 - 1, 0) - max(I1 - I2, 0) + 0.5 at two images; four regions."""
    shape = "(w1, w2, b) at (0.9, 0.6), (w1, w2, b) at (0.2, 0.3), and the number of regions"
    try:
        first, second, regions = answer
    except (TypeError, ValueError):
        raise NotYet(f"the answer is {shape}") from None
    for given, point in ((first, (0.9, 0.6)), (second, (0.2, 0.3))):
        _one_plane(numbers(given, 3, shape), point)
    count = number(regions, shape)
    expect(count != 3, "how many of the four pairs of states (off or on, off or on) can occur?")
    expect(near(count, 4), "two lines that cross cut a plane: count the pieces")


def _one_plane(given: list[float], point: tuple[float, float]) -> None:
    """Compare (w1, w2, b) with the function's own plane at a point that lies on no kink."""
    x, y = point
    up, down = float(x + y > 1), float(x > y)
    right = [2 * up - down, 2 * up + down, 0.5 - 2 * up]
    score = 2 * up * (x + y - 1) - down * (x - y) + 0.5
    expect(all(map(near, given[:2], right[:2])), f"w at {point}: which of the two units are on there?")
    expect(
        near(score, right[2]) or not near(given[2], score), f"b at {point}: this is the score, take w'I away from it"
    )
    expect(near(given[2], right[2]), f"b at {point}: what is left of S when the terms with I1 and I2 are taken away?")


@exercise("taylor-order")
def order(answer: Any) -> None:
    """The order of the remainder of a sum of sines at 0."""
    given = number(answer, "one number: the slope on logarithmic axes")
    expect(not near(given, 1, 0.3), "this is the order of the change itself: subtract w'delta as well")
    expect(not near(given, 2, 0.3), "2 is what the theorem promises at least: measure")
    expect(not near(given, 0, 0.3), "subtract S(I_0) and w'delta, and take both axes logarithmic")
    expect(near(given, 3, 0.1), "it is near a whole number: use float64, and radii below 0.1")


@exercise("taylor-radius")
def radius(answer: Any, train: Callable[[int], nn.Module], starts: Tensor) -> None:
    """Median radii of the first flip, in gray levels; `train(width)` gives the network, `starts` are images (N, 64)."""
    given = numbers(answer, len(WIDTHS), "four radii, one for each width")
    first, either, second = _first_flips([train(width) for width in WIDTHS], starts)
    expect(all(value > 0 for value in given), "a radius is positive: a flip at negative r lies on the other side")
    expect(not _alike(given, [r / 255 for r in first]), "this is in units of 1: one gray level is 1/255 of it")
    expect(not _alike(given, either), "these are flips in both directions: a unit flips on the walk only at r > 0")
    expect(not _alike(given, second), "some units are missing: there are two layers of them")
    expect(_alike(given, first), "take the smallest r > 0 of all units, then the median over images and directions")


def _alike(given: list[float], right: list[float]) -> bool:
    """Whether medians agree, as two draws of a thousand directions do."""
    return all(abs(a / b - 1) < 0.15 for a, b in zip(given, right, strict=True))


def _first_flips(networks: list[nn.Module], starts: Tensor) -> tuple[list[float], ...]:
    """Median radii of the first flip: as asked; with flips at r < 0 counted; of the first layer alone."""
    seeded = torch.Generator().manual_seed(1)
    directions = torch.randn(len(starts), 40, starts.shape[1], generator=seeded, dtype=starts.dtype)
    rows = []
    for network in networks:
        flips = _flips(network, starts[:, None], directions)
        ahead = flips.where(flips > 0, torch.inf)
        candidates = ahead, flips.abs(), ahead[..., : flips.shape[-1] // 2]
        rows.append([255 * radii.amin(-1).median().item() for radii in candidates])
    return tuple(map(list, zip(*rows, strict=True)))


def _flips(network: nn.Module, start: Tensor, direction: Tensor) -> Tensor:
    """Where each unit would flip if it stayed linear: r = -a / a', for the inputs a of both layers."""
    layers: list[Any] = list(network.children())
    first, activation, second = layers[:3]
    with torch.no_grad():
        z1, slope1 = first(start), direction @ first.weight.T
        z2, slope2 = second(activation(z1)), (slope1 * (z1 > 0)) @ second.weight.T
    return torch.cat([-z1 / slope1, -z2 / slope2], -1)


@exercise("taylor-account")
def account(answer: Any) -> None:
    """What S = 3 max(2 I1 - I2 + 1, 0) - 2 max(I1 + I2 - 0.5, 0) + 0.25 owes to whom at (0.5, 0.5), by eq. (2.6)."""
    given = numbers(answer, 4, "four numbers: pixels, hidden biases, last bias, pixels of the negative")
    expect(not near(given[0], 3.75), "the pixels: this is the score; the pixels' part is w'I")
    expect(near(given[0], -0.5), "the pixels: both units are on, so w = 3 (2, -1) - 2 (1, 1)")
    expect(not near(given[1], 0.5), "hidden biases: each counts with the weight of its unit, 3 or -2")
    expect(not near(given[1], 2), "hidden biases: minus two times minus one half is positive")
    expect(near(given[1], 4), "hidden biases: the derivative of S by each bias, times the bias")
    expect(near(given[2], 0.25), "the last bias: nothing is multiplied with it")
    expect(not near(given[3], -0.5), "the negative: 1 - 0.5 is 0.5 too, but the gradient turns its sign")
    expect(near(given[3], 0.5), "the negative: -w'J")


@exercise("taylor-budgets")
def budgets(answer: Any, weights: Tensor) -> None:
    """The smallest change for a loss of 1 in the linear model by three norms, in gray levels; `weights` is w."""
    given = numbers(answer, 3, "three numbers, in gray levels")
    w = weights.detach().double().flatten()
    right = [255 / w.abs().sum().item(), 255 / (w.norm().item() * len(w) ** 0.5), 255 / w.abs().max().item()]

    def alike(value: float, other: float) -> bool:
        return near(value, other, 0.02 * abs(other))

    expect(not alike(given[0], right[0] / 255), "these are in units of 1: one gray level is 1/255 of it")
    expect(not alike(given[0], 3 * right[0]), "at most: one sum over all three channels, not their mean")
    expect(alike(given[0], right[0]), "at most: epsilon times the sum of |w| has to be 1")
    expect(not alike(given[1], 255 / w.norm().item()), "root mean square: this is the Euclidean length of the change")
    expect(alike(given[1], right[1]), "root mean square: the cheapest change goes along w, delta = w / |w|^2")
    expect(alike(given[2], right[2]), "one value: take the one with the largest |w|")
