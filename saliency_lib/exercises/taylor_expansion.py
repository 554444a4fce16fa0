"""The exercises of chapter 2: linear pieces, and the order of the remainder."""

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
    """Where each unit would flip if it stayed linear: r = -z / z', for the pre-activations z of both layers."""
    layers: list[Any] = list(network.children())
    first, activation, second = layers[:3]
    with torch.no_grad():
        z1, slope1 = first(start), direction @ first.weight.T
        z2, slope2 = second(activation(z1)), (slope1 * (z1 > 0)) @ second.weight.T
    return torch.cat([-z1 / slope1, -z2 / slope2], -1)


@exercise("taylor-constant")
def constant(answer: Any) -> None:
    """Weights and constant of S = I1 ** 2 + 3 I2 at (2, 1)."""
    given = numbers(answer, 3, "three numbers: w1, w2 and b")
    expect(not near(given[0], 2), "w1: the derivative of a square is taken at I1 = 2")
    expect(near(given[0], 4) and near(given[1], 3), "w: differentiate, then put in I_0")
    expect(not near(given[2], 7), "b: this is the score at I_0; subtract w'I_0")
    expect(not near(given[2], 4), "b: the score less w'I_0, not the other way round")
    expect(near(given[2], -4), "b: S(I_0) - w'I_0")


@exercise("taylor-adversarial")
def adversarial(answer: Any, weights: Tensor, score: float) -> None:
    """The epsilon in gray levels at which the linear model foretells the score 0, by eq. (2.8)."""
    given = number(answer, "one number, in gray levels")
    w = weights.detach().double()
    right = 255 * float(score) / w.abs().sum().item()

    def alike(other: float) -> bool:
        return near(given, other, 0.02 * abs(other))

    expect(not alike(right / 255), "this is in units of 1: one gray level is 1/255 of it")
    expect(not alike(255 * float(score) / w.norm().item()), "each value moves by epsilon: take the sum of magnitudes")
    expect(not alike(2 * right), "twice too far: at 0, not at minus the score")
    expect(not alike(right * 3), "one sum over all three channels, not their mean")
    expect(alike(right), "epsilon times the sum of |w| has to eat up the score")
