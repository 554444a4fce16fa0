"""Chapter 5's exercises accept the right answer and meet each typical mistake with its hint."""

import math
from collections.abc import Callable

from helpers import judged
from torch import Tensor

Rule = Callable[[Tensor, Tensor], Tensor]


def test_rule_numbers() -> None:
    wrong = [
        ((1, -1), "the gradient"),
        ((0, 4), "DeconvNet"),
        ((-2, 6), "(1, 2)"),
        ((4, 4), "rows"),
        (4, "two numbers"),
    ]
    judged("rule-numbers", (4, 0), wrong)


def test_rule_cosine() -> None:
    wrong = [
        (1 / (2 * math.pi), "mean of the products"),
        (0, "positive parts do not"),
        (2 / math.pi, "counts them too"),
        (0.5, "divide"),
        ("1/pi", "one number"),
    ]
    judged("rule-cosine", 0.32, wrong)


def test_rule_many() -> None:
    wrong = [(6, "it counts"), (3, "not yet above"), (8, "before"), (0.813, "whole number")]
    judged("rule-many", 7, wrong)


def test_rule_own() -> None:
    wrong = [
        (lambda g, z: g * (z > 0) * (g > 0), "positive signal"),
        (lambda g, z: g * (g < 0), "off"),
        (lambda g, z: -g * (z > 0) * (g < 0), "with its sign"),
        (lambda g, z: (z > 0) * (g < 0), "multiply by g"),
        (lambda g, z: g[z > 0], "shaped like g"),
        (lambda g: g, "TypeError"),
        (0.99, "function"),
    ]
    judged("rule-own", lambda g, z: g * (z > 0) * (g < 0), wrong)


def counting(first: int, *, shared: list[int] | None = None) -> Rule:
    """Guided at the first ReLUs; with `shared` calls the count goes on where another rule left it."""
    calls = [] if shared is None else shared

    def rule(g: Tensor, z: Tensor) -> Tensor:
        calls.append(1)
        return g * (z > 0) * ((g > 0) | (len(calls) > first))

    return rule


def reversed_counting(first: int) -> Rule:
    """The gradient's rule at the first ReLUs, and guided below."""
    calls: list[int] = []

    def rule(g: Tensor, z: Tensor) -> Tensor:
        calls.append(1)
        return g * (z > 0) * ((g > 0) | (len(calls) <= first))

    return rule


def test_rule_few() -> None:
    calls: list[int] = []
    wrong = [
        (lambda n: counting(n + 1), "n = 0, the ReLU number 1"),
        (reversed_counting, "n = 0, the ReLU number 1"),
        (lambda n: counting(n, shared=calls), "begin at the top"),
        (lambda n: lambda g, z: g * (z > 0) * (g > 0), "the gradient's rule"),
        ([0.55, 0.61, 0.65, 0.84, 0.96, 0.98], "function of n"),
        (lambda n: 0.9, "return a rule"),
    ]
    judged("rule-few", counting, wrong)
