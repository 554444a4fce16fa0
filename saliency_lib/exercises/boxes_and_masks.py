"""The exercises of the chapter *Boxes and masks*: rows of a detector, edges, rims, and what is taken away."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_lib.auditing.removal import removed
from saliency_lib.exercises.check import exercise, expect, letters, near, number, numbers
from saliency_lib.methods.gradients import input_gradient
from saliency_lib.models.detections import Detection, box_ious, box_number


@exercise("boxes-suppression")
def boxes_suppression(answer: Any) -> None:
    """Which of four candidates are reported."""
    given = letters(answer)
    expect("D" not in given, "what has each candidate to have before it is compared with others?")
    expect("A" in given, "nothing suppresses the surest of a label")
    expect("B" not in given, "A and B share 80 of 120 pixels")
    expect("C" in given, "C is compared with what was kept, and B was not")


@exercise("boxes-unit")
def boxes_unit(answer: Any) -> None:
    """The move of the left edge and the growth of the width, in pixels."""
    move, growth = numbers(answer, 2, "two numbers: the move of the left edge, and the growth of the width")
    expect(not near(move, 0.005, 1e-4), "e_0 is in cells of 8 pixels")
    expect(not near(move, 0.4, 1e-3), "this is per unit of pixel value: how far did the pixel brighten?")
    expect(near(move, 0.04, 1e-3), "8 times the derivative, times the change of the pixel")
    expect(not near(growth, 0.024, 1e-3), "the width is a difference: which edge has the minus?")
    expect(not near(growth, 0.056, 1e-3), "grows it, or does it shrink?")
    expect(near(growth, -0.056, 1e-3), "the width is right minus left, and so is its change")


@exercise("boxes-width")
def boxes_width(answer: Any, model: nn.Module, images: Tensor, found: Detection) -> None:
    """The gradient of the width of a box, (1, 3, 96, 96)."""
    expect(isinstance(answer, Tensor) and answer.shape == images.shape, "a gradient in the shape of the image")
    right, left = (input_gradient(model, images, box_number(found, edge)) for edge in ("right", "left"))

    def alike(wanted: Tensor) -> bool:
        return bool((answer - wanted).abs().max() <= 0.01 * wanted.abs().max())

    expect(not alike(left - right), "this is how the box gets narrower")
    expect(not alike(left + right), "this moves both edges the same way")
    expect(not alike(right) and not alike(left), "this is one edge: a width has two")
    expect(alike(right - left), "sl.weighted takes pairs of a target and its weight")


@exercise("boxes-likeness")
def boxes_likeness(answer: Any, model: nn.Module, images: Tensor, hidden: Tensor, found: Detection) -> None:
    """The likeness s of D-RISE, of what is found in the hidden image to one candidate of the whole one."""
    given = number(answer)
    with torch.no_grad():
        target, output = model(images)[0, found.candidate], model(hidden)[0]
    overlap = box_ious(target[:4], output[:, :4])
    P = output[:, 4:].sigmoid()
    alike = F.cosine_similarity(P, target[None, 4:].sigmoid(), dim=1)
    products = overlap * alike * P.amax(1)
    right = products.max().item()
    apart = (overlap.max() * alike.max() * P.max()).item()
    expect(not near(given, apart, 1e-3) or near(apart, right, 2e-3), "the maximum is that of the product, not of each")
    no_surety = (overlap * alike).max().item()
    expect(not near(given, no_surety, 1e-3) or near(no_surety, right, 2e-3), "how sure is the candidate?")
    row = products[found.candidate].item()
    expect(not near(given, row, 1e-3) or near(row, right, 2e-3), "any candidate of the hidden image may be the best")
    expect(near(given, right, 1e-3), "overlap times cosine of the probabilities times the largest of them; the maximum")


@exercise("boxes-rim")
def boxes_rim(answer: Any, rim: Tensor) -> None:
    """A target of a segmentation: the mean over a rim of label 3 minus background."""
    expect(callable(answer), "a function from the output (N, 11, 96, 96) to (N,) numbers")
    output = torch.randn(len(rim), 11, *rim.shape[1:], generator=torch.Generator().manual_seed(0))
    given = answer(output)
    expect(isinstance(given, Tensor) and given.shape == (len(rim),), "one number for each image")
    difference, count = output[:, 3] - output[:, 10], rim.sum((1, 2))
    right = (difference * rim).sum((1, 2)) / count

    def alike(wanted: Tensor) -> bool:
        return bool((given - wanted).abs().max() <= 1e-3 * (1 + wanted.abs().max()))

    expect(not alike(difference.mean((1, 2))), "this is the mean over the whole image")
    expect(not alike((difference * rim).mean((1, 2))), "divide by the pixels of the rim, not of the image")
    expect(not alike(right * count), "this is the sum: a long rim would count more")
    expect(not alike((output[:, 3] * rim).sum((1, 2)) / count), "minus the background's score")
    expect(alike(right), "(score of 3 - score of 10) times rim, added up over rows and columns, by the rim's pixels")


@exercise("boxes-outside")
def boxes_outside(answer: Any) -> None:
    """What follows from a map of which a third lies outside the box."""
    given = letters(answer)
    expect("A" not in given, "used is what matters when it is gone: who took it away?")
    expect("B" not in given, "the picture without its surroundings was not made")
    expect("D" not in given, "whether a box is right is a question to the truth, not to a map")
    expect(given == {"C"}, "one of the four is what a gradient says")


@exercise("boxes-neighbor")
def boxes_neighbor(answer: Any, model: nn.Module, images: Tensor, masks: Tensor, found: Sequence[Detection]) -> None:
    """The mean change of the first box's score when the second creature is taken away by inpainting."""
    given = number(answer)
    target = box_number(found)
    with torch.no_grad():
        before, after = (target(model(some)) for some in (images, removed(images, masks, "inpainting")))
    right, typical = (after - before).mean().item(), before.mean().item()
    expect(abs(given) < typical / 2, "by how much it *changes*: after minus before, and of the first box")
    expect(near(given, right, 0.01), "take away by sl.removed(..., 'inpainting'), and subtract: after - before")
