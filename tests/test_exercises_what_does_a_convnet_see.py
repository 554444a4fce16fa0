"""Chapter 1's exercises accept the right answer and meet each typical mistake with its hint."""

import math

import torch
from helpers import judged

import saliency_lib as sl


def test_three_scores() -> None:
    first = math.exp(2) / (math.exp(2) + math.e + 1)
    third = math.exp(2) / (math.exp(2) + 2)
    right = (round(first, 2), round(first, 2), round(third, 2))
    wrong = [
        ((2 / 3, 12 / 33, 1), "shares of the scores"),
        ((first, 1.0, third), "the second"),
        ((first, first, first), "has not moved"),
        ((first, first, 1 / 3), "2, 0 and 0"),
        ((66.5, 66.5, 78.7), "between 0 and 1"),
        (first, "three probabilities"),
    ]
    judged("three-scores", right, wrong)


def test_posterior_derivative() -> None:
    scores = torch.tensor([0.0, 2.0, 1.0])
    P = scores.softmax(0)[1].item()
    slope = P * (1 - P)
    wrong = [
        (P, "this is the probability"),
        (2 * slope, "2h apart"),
        (0.002 * slope, "divide"),
        (-slope, "which minus which"),
        (slope + 0.02, "one score only"),
    ]
    judged("posterior-derivative", round(slope, 3), wrong, scores=scores)


def test_image_size(embedded: sl.Model) -> None:
    photo = sl.sample_photo("coffee")
    wrong = [(128, "*score*"), (224, "there is more"), (200, "one of the sizes"), ("160 px", "one of the sizes")]
    judged("image-size", 160, wrong, model=embedded, photo=photo)


def test_odds() -> None:
    rivals = math.e + 1
    right = (2 - math.log(rivals), -math.e / rivals, -math.e / (math.exp(2) + rivals))
    for h in (1e-6,):  # by differences
        odds = [2 - math.log(math.exp(1 + s) + 1) for s in (h, -h)]
        assert abs((odds[0] - odds[1]) / (2 * h) - right[1]) < 1e-6
    wrong = [
        ((2 - math.log(math.exp(2) + rivals), *right[1:]), "contains the class"),
        ((2.0, *right[1:]), "two exponentials"),
        ((right[0], -right[1], right[2]), "lowers them"),
        ((right[0], right[2], right[2]), "among the rivals"),
        ((right[0], -0.5, right[2]), "differentiate"),
        ((*right[:2], right[1]), "over all three"),
        (0.69, "three numbers"),
    ]
    judged("see-odds", right, wrong)


def test_offset(embedded: sl.Model, photos: torch.Tensor) -> None:
    def at(row: int, column: int, slope: float = 100.0):  # type: ignore[no-untyped-def]
        return lambda I: embedded(I) + slope * I[:, :1, row, column]

    wrong = [
        (embedded, "steeper"),
        (at(20, 10), "rows come first"),
        (at(10, 20, slope=1e-3), "steeper"),
        (lambda I: embedded(I) * (1 + 100 * I[:, :1, 10, 20]), "have changed"),
        (lambda I: embedded(I).detach(), "leads back"),
        (lambda I: embedded(I)[0], "returns scores"),
        (3.0, "a function"),
    ]
    judged("see-offset", at(10, 20), wrong, model=embedded, images=photos[:2])
