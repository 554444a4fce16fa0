"""The exercises of chapter 5: rules at the ReLU, and what a rectification does to a cosine."""

import math
from typing import Any

import torch
from torch import Tensor

from saliency_lib.exercises.check import NotYet, exercise, expect, near, number, numbers
from saliency_lib.methods.relu_rules import backprop, guided

# every combination of signs of the signal g and of the pre-activation z, zeros included
SIGNS = torch.meshgrid(torch.tensor([-2.0, 0, 3]), torch.tensor([-1.0, 0, 4]), indexing="ij")
G, Z = (grid.flatten() for grid in SIGNS)


@exercise("rule-numbers")
def rule_numbers(answer: Any) -> None:
    """Guided backpropagation through the worked example, at x = (2, 1)."""
    given = numbers(answer, 2, "two numbers, one for each input")
    expect(given != [1, -1], "this is the gradient: guided drops the negative signal at the upper ReLU")
    expect(given != [0, 4], "this is the DeconvNet's: at the lower ReLU one of the units is off")
    expect(given != [-2, 6], "this is the answer at (1, 2): which units are on now?")
    expect(given == [4, 0], "go down the rows of the table in the worked example; only the last ReLU's z is another")


@exercise("rule-cosine")
def rule_cosine(answer: Any) -> None:
    """The cosine between the positive parts of two vectors of independent normal numbers."""
    given = number(answer)
    expect(not near(given, 1 / (2 * math.pi)), "this is the mean of the products: divide it by the mean square")
    expect(not near(given, 0), "the vectors have cosine 0; their positive parts do not")
    expect(not near(given, 2 / math.pi), "half of the numbers are zero: the mean of the positive part counts them too")
    expect(near(given, 1 / math.pi), "divide the mean of the products by the mean square, both over all numbers")


@exercise("rule-many")
def rule_many(answer: Any) -> None:
    """How often equation (5.8) has to be applied to 0 until it exceeds 0.8."""
    given = number(answer, "a whole number")
    expect(given == int(given), "how *many*: a whole number")
    rho, count = 0.0, 0
    while rho <= 0.8:
        rho, count = (math.sqrt(1 - rho**2) + rho * (math.pi - math.acos(rho))) / math.pi, count + 1
    expect(given != count - 1, "the first rectification makes 1/pi of 0: it counts")
    expect(given > count - 1, "not yet above 0.8")
    expect(given == count, "it was above 0.8 before")


@exercise("rule-own")
def rule_own(answer: Any) -> None:
    """The rule that passes negative signals only, through active units."""
    given = _passed(answer, G, Z)
    expect(given[(G > 0) & (given != 0)].numel() == 0, "a positive signal came through")
    expect(given[(Z <= 0) & (given != 0)].numel() == 0, "a signal came through a unit that is off (z <= 0)")
    expect((given <= 0).all(), "the signal is to be passed on unchanged, with its sign")
    expect(torch.equal(given, G * (G < 0) * (Z > 0)), "where g < 0 and z > 0 the result is g itself")


@exercise("rule-few")
def rule_few(answer: Any) -> None:
    """A function of n that returns a rule: guided at the first n ReLUs that it meets, the gradient's afterwards."""
    expect(callable(answer), "the answer is a function of n")
    for n in (0, 2, 5):
        rule = answer(n)
        expect(callable(rule), "the function is to return a rule: a function of g and z")
        for place in range(8):
            given = _passed(rule, G, Z)
            wanted, name = (guided, "guided") if place < n else (backprop, "the gradient's")
            here = f"with n = {n}, the ReLU number {place + 1} from the top should follow {name} rule"
            expect(torch.equal(given, wanted(G, Z)), f"{here}: does every call of your function begin at the top?")


def _passed(rule: Any, g: Tensor, z: Tensor) -> Tensor:
    """What a reader's rule makes of these signals; says so if it is no rule."""
    expect(callable(rule), "the answer is a function of g and z")
    try:
        passed = rule(g.clone(), z.clone())
    except Exception as error:
        raise NotYet(f"called with two tensors, it raised {type(error).__name__}: {error}") from None
    expect(isinstance(passed, Tensor) and passed.shape == g.shape, "a rule returns a tensor shaped like g")
    expect(passed.dtype == g.dtype, "a rule returns the signal, not where it passes: multiply by g")
    return passed + 0.0  # no negative zeros
