"""The exercises of chapter 6: an objective for images, and images that were made with it."""

import math
from typing import Any

import torch
from torch import Tensor

from saliency_lib.exercises.check import exercise, expect, near, number, numbers
from saliency_lib.models.model import Model


@exercise("class-gaussian")
def class_gaussian(answer: Any) -> None:
    """The standard deviation of the Gaussian prior that belongs to lambda = 0.02."""
    given = number(answer)
    expect(not near(given, 25, 0.01), "this is the variance")
    expect(not near(given, math.sqrt(50), 0.01), "a Gaussian's exponent has a 2 in its denominator")
    expect(given > 0, "a standard deviation is positive")
    expect(near(given, 5, 0.01), "compare lambda times the squared norm with a Gaussian's exponent")


@exercise("class-steps")
def class_steps(answer: Any) -> None:
    """How many steps bring a linear score's walk within one percent, for eta times lambda = 0.05."""
    given = number(answer, "a whole number of steps")
    expect(given == int(given), "a whole number of steps")
    expect(given != 90, "the factor is 1 minus *twice* eta lambda")
    expect(given >= 44, "the distance is still above one percent")
    expect(given == 44, "fewer are enough")


@exercise("class-posterior")
def class_posterior(answer: Any) -> None:
    """The weights of the class's and of its only rival's gradient in equation (6.4), at P = 0.9 and 0.1."""
    own, rival = numbers(answer, 2, "two numbers: the weight of the class's gradient, and of the rival's")
    expect(not near(rival, 0.09), "the rival's gradient is subtracted")
    expect(not near(own, 0.1), "the bracket alone is 1 - P: what stands in front of it?")
    expect(not near(own, 0.9), "the sum in the bracket runs over the class itself, too")
    expect(near(own, 0.09), "collect what multiplies the class's own gradient")
    expect(near(rival, -0.09), "collect what multiplies the rival's gradient, the factor in front included")


@exercise("class-logs")
def class_logs(answer: Any) -> None:
    """How much longer the log-odds' step is than the posterior's at P = 0.001; whether penalized optima agree."""
    factor, same = numbers(answer, 2, "a pair: the factor, and True or False")
    expect(not near(factor, 1000), "this is the log-posterior's factor: the log-odds have 1 - P in it, too")
    expect(factor > 1, "the other way round: the posterior's step is the shorter one")
    expect(not near(factor, 999, 0.5), "1 - P stands in the denominator")
    expect(near(factor, 1 / (0.001 * 0.999)), "put P = 0.001 into equation (6.5)")
    expect(same in (0, 1), "the second is True or False")
    expect(same == 0, "set the derivative of each penalized objective to zero: which gradients balance the penalty?")


@exercise("class-seed")
def class_seed(answer: Any, model: Model) -> None:
    """Three images of one class from three seeds, (3, 3, 128, 128)."""
    expect(isinstance(answer, Tensor), "torch.cat the three .image")
    expect(answer.shape == (3, 3, 128, 128), f"expected the shape (3, 3, 128, 128), and got {tuple(answer.shape)}")
    apart = [(answer[i] - answer[i - 1]).abs().mean() for i in range(3)]
    expect(min(apart) > 0.02, "two of these are the same: give each its seed")
    expect(answer.min() >= 0 and answer.max() <= 1, "take .image, not .raw")
    with torch.no_grad():
        seen = model(answer).argmax(1)
    expect((seen == model.index("goose")).all(), "in one of them the network sees no goose")


@exercise("class-own")
def class_own(answer: Any, model: Model) -> None:
    """The raw image of the owl under a prior of symmetry, (1, 3, 64, 64)."""
    expect(isinstance(answer, Tensor), "set answer to .raw")
    expect(answer.shape == (1, 3, 64, 64), f"expected the shape (1, 3, 64, 64), and got {tuple(answer.shape)}")
    expect(answer.min() < 0, "this is .image; set answer to .raw, which is less the mean")
    expect(not torch.allclose(answer, -answer.flip(3), atol=1e-4), "add the mirror image, do not subtract it")
    expect((answer - answer.flip(3)).abs().max() < 1e-5, "left and right differ: does project return the mean?")
    with torch.no_grad():
        P = model((answer.to(model.mean.device) + model.mean).clamp(0, 1)).softmax(1)[0, model.index("owl")]
    expect(P > 0.9, "the network sees no owl")
