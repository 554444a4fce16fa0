"""How often: classification and localization errors, from the records of single images.

A box is right if it overlaps a box of the true class by an IoU of at least 0.5. Then

- top-1 / top-5 error                 the true class is not the best / not among the five best
- GT-known error                      the box made for the true class is wrong
- top-1 / top-5 localization error    no class among the best one / five is right *and* has its box right
- pointing error                      the maximum of the true class's map lies more than 15 pixels outside of every box
                                      (Zhang et al. 2016)
"""

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from typing import Any

from saliency_lib.errors import SaliencyError
from saliency_lib.localization.boxes import box_iou

THRESHOLD = 0.5
TOLERANCE = 15
Box = Sequence[float]

ERRORS = {
    "top1_error": "top1_correct",
    "top5_error": "top5_correct",
    "gt_known_error": "gt_known",
    "top1_localization_error": "top1_localized",
    "top5_localization_error": "top5_localized",
    "pointing_error": "pointed",
}


def is_right(box: Box | None, truths: Iterable[Box]) -> bool:
    """Whether a box overlaps one of the true ones by at least half."""
    return box is not None and any(box_iou(box, truth) >= THRESHOLD for truth in truths)


def is_pointed(point: tuple[float, float] | None, truths: Iterable[Box]) -> bool:
    """Whether a point `(x, y)` lies in one of the boxes, or within 15 pixels of it."""
    if point is None:
        return False
    x, y = point
    return any(
        x0 - TOLERANCE <= x <= x1 + TOLERANCE and y0 - TOLERANCE <= y <= y1 + TOLERANCE for x0, y0, x1, y1 in truths
    )


def percentages(records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The errors over some records, in percent; none if there are no records."""
    count = len(records)
    return {
        name: round(100 * sum(not record[field] for record in records) / count, 4)
        for name, field in ERRORS.items()
        if count
    }


def paired_difference(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """By how much two results on the same images differ, mean of a - b, and the standard error of that mean.

    The difference is taken image by image first: what is hard for both methods is no part of its spread. Raises
    `SaliencyError` if the results are not of as many images, at least two.
    """
    if len(a) != len(b) or len(a) < 2:
        raise SaliencyError(f"expected results on the same images, at least two, and got {len(a)} and {len(b)}")
    differences = [float(x) - float(y) for x, y in zip(a, b, strict=True)]
    mean = sum(differences) / len(differences)
    variance = sum((difference - mean) ** 2 for difference in differences) / (len(differences) - 1)
    return mean, sqrt(variance / len(differences))
