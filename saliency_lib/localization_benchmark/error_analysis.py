"""Why a box is wrong: the size and the number of the objects, and whether the box is too large or too small.

What is counted here says where a method fails, as the errors of `metrics` say how often.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple

from saliency_lib.localization.boxes import Box, box_iou
from saliency_lib.localization_benchmark.metrics import is_right


class Group(NamedTuple):
    """Some of the images: what they have in common, how many they are, how many boxes among them are wrong."""

    title: str
    images: int
    missed: int

    @property
    def error(self) -> float:
        """The share of wrong boxes, in percent."""
        return 100 * self.missed / self.images


class Outcome(NamedTuple):
    """A box found in an image of `size` (width, height), beside the true ones, of which there is at least one."""

    box: Box
    truths: Sequence[Box]
    size: tuple[int, int]

    @property
    def right(self) -> bool:
        """Whether the box overlaps a true one by at least half."""
        return is_right(self.box, self.truths)

    @property
    def share(self) -> float:
        """The part of the image that the largest true box covers, from 0 to 1."""
        return max(map(area, self.truths)) / (self.size[0] * self.size[1])

    @property
    def excess(self) -> float:
        """The area of the box divided by that of the true box that it overlaps most (of equals the larger)."""
        nearest = max(self.truths, key=lambda truth: (box_iou(self.box, truth), area(truth)))
        return area(self.box) / area(nearest) if area(nearest) else inf


def area(box: Sequence[float]) -> float:
    """The pixels in a box."""
    return (box[2] - box[0]) * (box[3] - box[1])


def by_size(outcomes: Sequence[Outcome], edges: Sequence[float] = (0.1, 0.25, 0.5)) -> list[Group]:
    """The outcomes sorted by the share of the image that the largest true box covers, with groups between `edges`."""
    bounds = [0.0, *edges, inf]
    groups = []
    for low, high in pairwise(bounds):
        title = f"{100 * low:.0f} to {100 * min(high, 1):.0f} %"
        groups.append(_group(title, [outcome for outcome in outcomes if low <= outcome.share < high]))
    return [group for group in groups if group.images]


def by_instances(outcomes: Sequence[Outcome]) -> list[Group]:
    """The outcomes sorted by how many objects of the class are in the image: one, two, more."""
    groups = []
    for title, low, high in (("one", 1, 1), ("two", 2, 2), ("three or more", 3, inf)):
        groups.append(_group(title, [outcome for outcome in outcomes if low <= len(outcome.truths) <= high]))
    return [group for group in groups if group.images]


def too_large(outcomes: Iterable[Outcome]) -> tuple[int, int]:
    """How many of the wrong boxes are larger than the true box that they overlap most, and how many are wrong."""
    wrong = [outcome.excess for outcome in outcomes if not outcome.right]
    return sum(excess > 1 for excess in wrong), len(wrong)


def around_several(outcomes: Iterable[Outcome]) -> tuple[int, int]:
    """Of the wrong boxes where several objects are: how many hold at least half of two or more, and how many are."""
    wrong = [outcome for outcome in outcomes if not outcome.right and len(outcome.truths) > 1]
    held = [sum(_inside(truth, outcome.box) >= 0.5 for truth in outcome.truths) for outcome in wrong]
    return sum(number > 1 for number in held), len(wrong)


def _inside(truth: Box, box: Box) -> float:
    """The share of a true box that lies in another box."""
    width, height = (max(min(truth[i + 2], box[i + 2]) - max(truth[i], box[i]), 0) for i in (0, 1))
    return width * height / area(truth) if area(truth) else 0.0


def _group(title: str, outcomes: Sequence[Outcome]) -> Group:
    return Group(title, len(outcomes), sum(not outcome.right for outcome in outcomes))
