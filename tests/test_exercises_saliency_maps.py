"""Chapter 3's exercises accept the right answer and meet each typical mistake with its hint."""

import torch
from helpers import judged

import saliency_lib as sl


def test_linear() -> None:
    M = [0.5, 0.3, 0.4, 0.6]
    wrong = [
        ([0.2, 0.3, 0.0, 0.6, 0.5], "before the maximum"),
        ([0.8, 0.9, 0.4, 0.7, 0.5], "sums over the channels"),
        ([-0.5, 0.3, -0.4, 0.6, 0.5], "no sign"),
        ([0.5, 0.3, 0.4, 0.5, 0.5], "eq. (3.2)"),
        ([*M, 0.18], "this is an effect"),
        ([*M, 1.0], "dearest"),
        ([*M, 0.3], "cheapest"),
        (M, "five numbers"),
    ]
    judged("map-linear", [*M, 0.5], wrong)


def test_difference() -> None:
    gradient = torch.randn(3, 6, 6, dtype=torch.float64)
    pixels = [(0, 1), (2, 3), (5, 5)]
    M = [gradient[:, i, j].abs().max().item() for i, j in pixels]
    sums = [gradient[:, i, j].abs().sum().item() for i, j in pixels]
    wrong = [
        ([2 * m for m in M], "2h apart"),
        ([-m for m in M], "not negative"),
        (sums, "not their sum"),
        ([M[0], M[1], M[2] + 0.01], "(5, 5)"),
        (M[0], "three numbers"),
    ]
    judged("map-difference", M, wrong, gradient=gradient, pixels=pixels)


def test_contest(embedded: sl.Model, photos: torch.Tensor) -> None:
    cat, tiger = embedded.index("Egyptian cat"), embedded.index("tiger cat")
    chelsea = photos[:1]
    score, other = (sl.saliency_map(embedded, chelsea, c) for c in (cat, tiger))
    against = [sl.saliency_map(embedded, chelsea, sl.posterior(cat)), score]

    def answer(contender: torch.Tensor) -> list[float]:
        return [sl.rank_correlation(contender, saliency) for saliency in against]

    def contest(scores: torch.Tensor) -> torch.Tensor:
        return scores[:, cat] - scores[:, tiger]

    right = answer(sl.saliency_map(embedded, chelsea, contest))
    rounded = [round(value, 2) for value in right]
    wrong = [
        (right[::-1], "the other way round"),
        (answer((score - other).abs()), "map of a difference"),
        (answer(sl.saliency_map(embedded, chelsea, lambda S: contest(S.softmax(1)))), "these are posteriors"),
        (answer(other), "alone"),
        ([0.1, 0.1], "the target is a function"),
    ]
    judged("map-contest", rounded, wrong, model=embedded, images=chelsea)


def test_normalized() -> None:
    wrong = [(0.3, "chain rule"), (0.1, "reciprocal"), (2.3, "not their sum"), (0.4, "its own sigma")]
    judged("map-normalized", 1.5, wrong)


def test_fade() -> None:
    wrong = [(0.0784, "larger over the smaller"), (25, "1 - P alone"), (1.96, "P alone"), (10, "at 0.5 and at 0.98")]
    judged("map-fade", 12.76, wrong)
