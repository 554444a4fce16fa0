"""The exercises of chapter 1: scores and probabilities."""

from typing import Any

import torch
from torch import Tensor

from saliency_lib.exercises.check import exercise, expect, near, number, numbers
from saliency_lib.images import to_tensor
from saliency_lib.models.model import Model

SIZES = (96, 128, 160, 192, 224, 256, 288, 320)


@exercise("three-scores")
def three_scores(answer: Any) -> None:
    """Three probabilities of the first class, by equation (1.3)."""
    given = numbers(answer, 3, "three probabilities, one for each question")
    scores = torch.tensor([[2.0, 1, 0], [12, 11, 10], [2, 0, 0]], dtype=torch.float64)
    right = scores.softmax(1)[:, 0].tolist()
    shares = (scores[:, 0] / scores.sum(1)).tolist()
    expect(all(0 <= value <= 1 for value in given), "a probability lies between 0 and 1")
    expect(not near(given[1], shares[1]), "these are shares of the scores: exponentiate first, eq. (1.3)")
    expect(near(given[0], right[0]), "the first: exp of the first score over the sum of the three, eq. (1.3)")
    expect(near(given[1], right[1]), "the second: what does eq. (1.4) say about adding one number to all scores?")
    expect(not near(given[2], right[0]), "the third: the first score has not moved, and yet its probability has")
    expect(near(given[2], right[2]), "the third: the scores are now 2, 0 and 0")


@exercise("posterior-derivative")
def posterior_derivative(answer: Any, scores: Tensor) -> None:
    """The derivative of the largest posterior with respect to its own score, eq. (1.5); `scores` of one image (K,)."""
    given = number(answer, "one number: the slope of the softmax")
    P = scores.detach().double().softmax(-1).amax().item()
    right = P * (1 - P)
    expect(not near(given, P), "this is the probability: by how much does it change with the score?")
    expect(not near(given, 2 * right, 0.002), "the two scores lie 2h apart: divide by 2h, not by h")
    expect(not near(given, 0.002 * right, 1e-4), "divide the difference of the two probabilities by 2h")
    expect(given > 0, "the score goes up, and so does its own probability: which minus which?")
    expect(near(given, right, 0.002), "add h to one score only, subtract it, and take the softmax of all 1000")


@exercise("image-size")
def image_size(answer: Any, model: Model, photo: Any) -> None:
    """The size in pixels at which *espresso* is most probable."""
    given = number(answer, f"one of the sizes {', '.join(map(str, SIZES))}")
    expect(given in SIZES, f"one of the sizes {', '.join(map(str, SIZES))}")
    espresso = model.index("espresso")
    with torch.no_grad():
        scores = {size: model(to_tensor(photo, size))[0] for size in SIZES}
    P = {size: score.softmax(-1)[espresso].item() for size, score in scores.items()}
    highest = max(SIZES, key=lambda size: scores[size][espresso].item())
    expect(given != highest, f"at {given:.0f} pixels the *score* is highest: look at the probability")
    expect(P[int(given)] == max(P.values()), f"at {given:.0f} pixels it is {P[int(given)]:.3f}: there is more")


@exercise("see-square")
def square(answer: Any) -> None:
    """The share of a 640 x 427 photo outside its square, and a white and a black pixel after eq. (1.1)."""
    given = numbers(answer, 3, "three numbers: the share outside, white and black after normalization")
    outside = 1 - 427 / 640
    expect(not near(given[0], 427 / 640), "the share: this is what lies inside the square")
    expect(not near(given[0], (640 - 427) / 427), "the share: of the photo, not of the square")
    expect(near(given[0], outside), "the share: the square's side is the photo's shorter one")
    expect(not (near(given[1], 1) and near(given[2], 0)), "these are I itself: subtract the mean, divide")
    expect(not near(given[2], -1), "black: not quite -1, because the mean is 127 and not 128")
    expect(near(given[1], 1) and near(given[2], -127 / 128), "eq. (1.1) with I = 1 and with I = 0")


@exercise("see-others")
def others(answer: Any) -> None:
    """By how much two rivals' scores, 1 and 0, have to fall until the first of 2, 1, 0 has the probability 0.9."""
    given = number(answer, "one number, in units of score")
    scores = torch.tensor([2.0, 1, 0], dtype=torch.float64).exp()
    factor = (scores[0] / 9 / scores[1:].sum()).item()
    right = -torch.tensor(factor).log().item()
    expect(not near(given, -right, 0.01), "by how much they *fall*: a positive number")
    expect(not near(given, factor, 0.01), "this is the factor on their exponentials: take its logarithm")
    expect(not near(given, 2.197, 0.01), "ln 9 is where the odds have to go: they do not start at 1")
    expect(near(given, right, 0.01), "the odds of the first are exp(2) over exp(1 - d) + exp(-d): set them to 9")
