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


def test_square() -> None:
    right = (round(213 / 640, 2), 1, -0.992)
    wrong = [
        ((0.667, 1, -0.992), "inside the square"),
        ((0.499, 1, -0.992), "not of the square"),
        ((0.333, 1, 0), "subtract the mean"),
        ((0.333, 1, -1), "not quite -1"),
        ((0.25, 1, -0.992), "shorter one"),
        (0.333, "three numbers"),
    ]
    judged("see-square", right, wrong)


def test_others() -> None:
    right = 1 - math.log(math.exp(2) / 9 / (1 + math.exp(-1)))
    assert abs(math.exp(2) / (math.exp(2) + math.exp(1 - right) + math.exp(-right)) - 0.9) < 1e-9
    wrong = [(-right, "positive"), (0.22, "logarithm"), (math.log(9), "ln 9"), (1.0, "set them to 9")]
    judged("see-others", round(right, 2), wrong)
