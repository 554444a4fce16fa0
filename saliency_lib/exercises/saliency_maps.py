"""The exercises of chapter 3: saliency maps by hand, by differences, and of a contest."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from saliency_lib.exercises.check import exercise, expect, near, number, numbers
from saliency_lib.methods.gradients import saliency_map
from saliency_lib.methods.maps import rank_correlation
from saliency_lib.models.model import Model
from saliency_lib.targets import posterior

WEIGHTS = ((0.2, -0.5, 0.1), (0.3, 0.3, 0.3), (0.0, 0.0, -0.4), (0.6, -0.1, 0.0))


@exercise("map-linear")
def linear(answer: Any) -> None:
    """M of four pixels of a linear score, eq. (3.2), and the least total change for an effect of 0.3, eq. (3.4)."""
    *given, change = numbers(answer, 5, "five numbers: the four of the map, then the change")
    reductions = {
        "the first two rows tell: take the magnitude before the maximum": [max(row) for row in WEIGHTS],
        "these are sums over the channels: the map takes the maximum": [sum(map(abs, row)) for row in WEIGHTS],
        "the map has magnitudes, and no sign": [max(row, key=abs) for row in WEIGHTS],
    }
    for hint, wrong in reductions.items():
        expect(not all(map(near, given, wrong)), hint)
    right = [max(map(abs, row)) for row in WEIGHTS]
    expect(all(map(near, given, right)), "the map: the largest magnitude in each row, eq. (3.2)")
    expect(not near(change, 0.3 * max(right)), "the change: this is an effect. Which change has the effect 0.3?")
    expect(not near(change, 0.3 / min(right)), "the change: this is the dearest pixel")
    expect(near(change, 0.3 / max(right)), "the change: eq. (3.4), at the cheapest pixel")


@exercise("map-difference")
def difference(answer: Any, gradient: Tensor, pixels: Sequence[tuple[int, int]]) -> None:
    """M at three pixels by finite differences; `gradient` (3, H, W) in float64 is what they have to meet."""
    given = numbers(answer, len(pixels), "three numbers, one for each of `pixels`")
    for value, (i, j) in zip(given, pixels, strict=True):
        entries = gradient[:, i, j].tolist()
        right, here = max(map(abs, entries)), f"pixel {(i, j)}: "
        close = 1e-5 + 1e-4 * right
        expect(not near(value, 2 * right, close), here + "the two images lie 2h apart")
        expect(value >= 0, here + "a magnitude is not negative")
        expect(not near(value, sum(map(abs, entries)), close), here + "the largest of the three, not their sum")
        expect(near(value, right, close), here + "the largest of three magnitudes; all in float64, with h = 1e-8?")


@exercise("map-contest")
def contest(answer: Any, model: Model, images: Tensor) -> None:
    """Rank correlations of the map of S_Egyptian cat - S_tiger cat with the posterior's map and with the score's."""
    given = numbers(answer, 2, "two rank correlations: with the posterior's map, with the score's map")
    cat, tiger = model.index("Egyptian cat"), model.index("tiger cat")
    score, other = saliency_map(model, images, cat), saliency_map(model, images, tiger)
    others = [saliency_map(model, images, posterior(cat)), score]
    of_difference = saliency_map(model, images, lambda S: S[:, cat] - S[:, tiger])
    of_posteriors = saliency_map(model, images, lambda S: S.softmax(1)[:, cat] - S.softmax(1)[:, tiger])

    def against(contender: Tensor) -> list[float]:
        return [rank_correlation(contender, map_) for map_ in others]

    def same(wrong: list[float]) -> bool:
        return near(given[0], wrong[0], 0.01) and near(given[1], wrong[1], 0.01)

    right = against(of_difference)
    expect(not same(right[::-1]), "the other way round: first the posterior's map, then the score's")
    expect(not same(against((score - other).abs())), "this is a difference of two maps: take the map of a difference")
    expect(not same(against(of_posteriors)), "these are posteriors: take the difference of the two scores")
    expect(not same(against(other)), "this is the tiger cat's map alone")
    expect(same(right), "the target is a function: from scores (N, 1000) to the difference of two columns")


@exercise("map-normalized")
def normalized(answer: Any) -> None:
    """M of a pixel whose derivative by the normalized image is (0.3, -0.1, 0.2), with sigma (0.2, 0.25, 0.5)."""
    given = number(answer)
    derivative, sigma = (0.3, -0.1, 0.2), (0.2, 0.25, 0.5)
    divided = [abs(w) / s for w, s in zip(derivative, sigma, strict=True)]
    expect(not near(given, max(map(abs, derivative))), "this is with respect to x: the chain rule adds a factor")
    times = [abs(w) * s for w, s in zip(derivative, sigma, strict=True)]
    expect(not near(given, max(times)), "x = (I - mu) / sigma: is dx/dI sigma or its reciprocal?")
    expect(not near(given, sum(divided)), "the maximum over the channels, not their sum")
    expect(near(given, max(divided)), "each channel has its own sigma: first the chain rule, then the maximum")


@exercise("map-fade")
def fade(answer: Any) -> None:
    """How many times fainter the posterior's map is at P = 0.98 than at P = 0.5, the bracket being the same."""
    given = number(answer)
    right = 0.25 / (0.98 * 0.02)
    expect(not near(given, 1 / right, 0.01), "how many times fainter: the larger over the smaller")
    expect(not near(given, 0.5 / 0.02, 0.1), "1 - P alone: the factor has P as well, eq. (3.6)")
    expect(not near(given, 0.98 / 0.5, 0.05), "P alone: the factor has 1 - P as well, eq. (3.6)")
    expect(near(given, right, 0.1), "the factor in front of eq. (3.6), at 0.5 and at 0.98")
