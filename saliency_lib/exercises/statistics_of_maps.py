"""The exercises of the page on statistics of maps."""

from typing import Any

from saliency_lib.exercises.check import exercise, expect, near, number


@exercise("statistics-all-hits")
def all_hits(answer: Any) -> None:
    """The exact interval for 12 of 12 begins where twelve hits have a chance of 2.5 percent."""
    given = number(answer)
    expect(not near(given, 1), "with twelve photos nothing is certain: for which rate are 12 of 12 just too lucky?")
    expect(not near(given, 0.05 ** (1 / 12)), "two sides share the 5 percent, though the upper end is 1 here")
    expect(
        not near(given, 0.95 ** (1 / 12)), "look for the rate at which 12 hits are rare, not at which they are usual"
    )
    expect(near(given, 0.025 ** (1 / 12)), "twelve hits in a row have the chance p to the power of 12")


@exercise("statistics-mcnemar")
def mcnemar(answer: Any) -> None:
    """8 photos are hit by A alone, 2 by B alone: the sign test with 8 of 10."""
    given = number(answer)
    right = 2 * (1 + 10 + 45) / 2**10
    expect(not near(given, right / 2), "this is one-sided: as many for B alone would have surprised as much")
    expect(not near(given, 2 * 45 / 2**10), "8 of 10 or *more*: 9 and 10 count too")
    expect(given < 1, "a p-value is at most 1")
    expect(near(given, right), "only the photos that one of the two hits count: how many are A's alone, and B's?")


@exercise("statistics-how-many")
def how_many(answer: Any) -> None:
    """((1.96 + 0.84) 0.10 / 0.03) squared, rounded up."""
    given = number(answer)
    expect(not near(given, 43), "this finds the difference in half of all tries: add what four in five need")
    expect(not 8.9 <= given <= 9.4, "squared?")
    expect(not near(given, 88 * 2), "the differences are paired: their own deviation counts, once")
    expect(87 <= given <= 90, "divide the deviation by the difference, times 1.96 + 0.84, and square")
