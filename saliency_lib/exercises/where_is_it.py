"""The exercises of chapter 7: boxes, cuts, accounts."""

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image
from torch import Tensor, nn

from saliency_lib.exercises.check import exercise, expect, near, number, numbers
from saliency_lib.localization.boxes import Box, box_iou
from saliency_lib.localization.localize import threshold_box
from saliency_lib.methods.gradients import Recording
from saliency_lib.methods.layers import grad_cam

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
THRESHOLDS = tuple(percent / 100 for percent in range(10, 91, 5))


@exercise("where-shift")
def shift(answer: Any) -> None:
    """The diagonal shift of a square, in parts of its side, at which the IoU is one half."""
    d = number(answer, "one number, the part of the side")
    expect(0 < d < 1, "d is a part of the side, between 0 and 1")
    expect(not near(d, 1 / 3), "that was the sideways shift: now the overlap shrinks in both directions")
    expect(not near(d, 1 - 0.5**0.5), "the *intersection* is then half the square: but half of the union is asked for")
    iou = box_iou((0, 0, 1, 1), (d, d, 1 + d, 1 + d))
    expect(abs(iou - 0.5) < 0.01, f"with this d the IoU is {iou:.2f}: what is the side of the intersection?")


@exercise("where-cut")
def cut(answer: Any) -> None:
    """The labeling of three pixels with the least energy (7.2), as three digits."""
    costs = ({"1": 1, "0": 5}, {"1": 4, "0": 3}, {"1": 6, "0": 2})
    borders = (4, 1)
    digits = str(answer).strip()
    expect(len(digits) == 3 and set(digits) <= {"0", "1"}, "three digits as a string, each 0 or 1")
    expect(digits != "100", "each pixel has the label that is cheaper for its color: add what the border costs")
    expect(
        len(set(digits)) > 1, "no border costs nothing, but some pixel now has a color that fits badly: add it all up"
    )

    def energy(labels: str) -> int:
        torn = (border for border, left, right in zip(borders, labels, labels[1:], strict=False) if left != right)
        return sum(cost[label] for cost, label in zip(costs, labels, strict=True)) + sum(torn)

    least = min(energy(a + b + c) for a in "01" for b in "01" for c in "01")
    expect(energy(digits) == least, f"its energy is {energy(digits)}: there is less")


@exercise("where-sign")
def sign(answer: Any) -> None:
    """The chance that seven throws of a coin agree."""
    given = number(answer, "one number, a probability")
    expect(0 < given < 1, "a probability lies between 0 and 1")
    expect(not near(given, 1 / 128, 1e-4), "seven losses would have impressed as much: count both sides")
    expect(not near(given, 7 / 128, 1e-4), "this is the chance that exactly one of the seven differs on one side")
    expect(near(given, 2 / 128, 5e-4), "how many of the 2^7 series have seven alike?")


@exercise("where-clipped")
def clipped(answer: Any, model: nn.Module, images: Tensor, bias: float) -> None:
    """By how much Grad-CAM and the bias of *Egyptian cat* exceed its score: what the negative cells take away."""
    given = number(answer, "one number, in units of score")
    score = model(images)[0, model.index("Egyptian cat")].item()  # type: ignore[operator]
    total = grad_cam(model, images, "Egyptian cat").sum().item()
    right = total + bias - score
    expect(not near(given, total, 0.01), "this is the sum of Grad-CAM: by how much is it too large?")
    expect(not near(given, total - score, 0.01), "the bias belongs to the account too, eq. (7.5)")
    expect(not near(given, 49 * right, 0.5), "CAM over the number of positions adds up to the score, not CAM itself")
    expect(given > 0, "the question is by how much the sum is too large: a positive number")
    expect(near(given, right, 0.02), "add up Grad-CAM and the bias of this class, and subtract its score")


@exercise("where-account")
def balance(answer: Any, model: nn.Module, images: Tensor, layer: nn.Module) -> None:
    """The sum of activation times derivative at a layer, for the espresso."""
    recording = Recording(model, images, [layer])
    (at,) = recording.at_layers("espresso")
    given, product = number(answer, "one number, the sum over all f, i, j"), at.output * at.gradient
    right = product.sum().item()
    within = 0.01 * abs(right)
    expect(not near(given, product.abs().sum().item(), within), "contributions have signs: add them up with these")
    expect(not near(given, product.mean().item(), within), "this is the mean: take the sum")
    expect(
        not near(given, at.gradient.sum().item(), within), "these are derivatives alone: multiply by the activations"
    )
    score = recording.answer.scores.detach()[0, model.index("espresso")].item()  # type: ignore[operator]
    expect(not near(given, score, within), "this is the score: is the sum at this layer really equal to it?")
    expect(near(given, right, within), "multiply activation and derivative entry by entry, then add up everything")


@exercise("where-prior")
def prior(
    answer: Any, found: Sequence[Mapping[str, Box | None]], centered: Mapping[str, Any], true: Mapping[str, Box]
) -> None:
    """The best weight of the centered box, for the literal recipe's boxes and for the object map's."""
    given = numbers(answer, 2, "two weights, first for the literal recipe, then for the object map")
    expect(all(weight in WEIGHTS for weight in given), f"each is one of {', '.join(f'{w:g}' for w in WEIGHTS)}")

    def mean(boxes: Mapping[str, Box | None], weight: float) -> float:
        total = 0.0
        for name, truth in true.items():
            pairs = zip(boxes[name] or centered[name], centered[name], strict=True)
            total += box_iou([(1 - weight) * f + weight * m for f, m in pairs], truth)
        return total / len(true)

    best = [max(WEIGHTS, key=lambda weight: mean(boxes, weight)) for boxes in found]
    expect(given == best or given != best[::-1], "the other way round: first the literal recipe, then the object map")
    for weight, right, boxes, title in zip(given, best, found, ("the literal recipe", "the object map"), strict=True):
        hint = f"for {title} the mean IoU with {weight:g} is {mean(boxes, weight):.2f}: another one has more"
        expect(weight == right, hint)


@exercise("where-threshold")
def threshold(
    answer: Any, photos: Mapping[str, Image.Image], maps: Mapping[str, Tensor], true: Mapping[str, Box]
) -> None:
    """How many boxes are right if each photo has its own best threshold."""
    given = number(answer, "how many of the photos")
    expect(given == round(given) and 0 <= given <= len(photos), f"a whole number, at most {len(photos)}")
    overlaps = {t: [_overlap(photos[name], maps[name], t, true[name]) for name in photos] for t in THRESHOLDS}
    right = sum(max(column) >= 0.5 for column in zip(*overlaps.values(), strict=True))
    fixed = max(sum(iou >= 0.5 for iou in row) for row in overlaps.values())
    expect(given == right or given != fixed, "that many are right with one threshold for all: choose photo by photo")
    expect(given == right or given != len(photos), "not even the best threshold helps every photo: count IoU >= 1/2")
    expect(given == right, "for each photo take the largest IoU over all thresholds, then count those of at least 1/2")


def _overlap(photo: Image.Image, saliency: Tensor, fraction: float, truth: Box) -> float:
    box = threshold_box(photo, saliency, threshold=fraction).box
    return box_iou(box, truth) if box else 0.0
