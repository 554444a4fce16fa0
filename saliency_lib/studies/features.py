"""What does a layer's map stand on?"""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from saliency_lib.localization.boxes import Box, bounding_box, box_iou, largest_component
from saliency_lib.methods.gradients import Recording, input_gradient
from saliency_lib.studies.layer_maps import last_layer, last_weights
from saliency_lib.studies.study import Case, Found, study
from saliency_lib.targets import Answer, Objective

MIDDLE = "blocks.5.2"
"""The layer of the EfficientNets whose gradient the book draws."""


def boxes_of(maps: Tensor, at: Case) -> list[Box | None]:
    """The box of the largest piece of each map (N, h, w) above 0.35 of its maximum, in pixels of the images."""
    fine = F.interpolate(maps[:, None], at.images.shape[2:], mode="bilinear")[:, 0]
    return [bounding_box(largest_component(0.35 * M.max() <= M)) for M in fine]


def overlap(some: list[Box | None], more: list[Box | None]) -> Tensor:
    """The IoU of each pair of boxes, (N,)."""
    return torch.tensor([box_iou(a, b) if a and b else 0.0 for a, b in zip(some, more, strict=True)])


def in_two_units(at: Case) -> tuple[list[Box | None], list[Box | None]]:
    """The boxes of max |dS/dh_k| at a middle layer, and with each feature in units of a random size, exp(N(0, 1))."""
    asked = at.once("middle", lambda: Recording(at.model, at.images, [MIDDLE]).at_layers(at.labels)[0])
    found = asked.gradient.abs()
    units = torch.randn(found.shape[1], generator=Generator().manual_seed(0)).exp()[:, None, None]
    return boxes_of(found.amax(1), at), boxes_of((found * units).amax(1), at)


class MiddleCell(Objective):
    """A target: what the middle cell of the last layer has of the class activation map."""

    def __init__(self, at: Case) -> None:
        self.layers = (last_layer(at.model),)
        self.weight = last_weights(at)

    def numbers(self, answer: Answer) -> Tensor:
        h = answer.inner[self.layers[0]]
        return (self.weight * h[:, :, h.shape[2] // 2, h.shape[3] // 2]).sum(1)


@study("equal", margin=0.02, masks=True, count=60)
def layer_saliency_reads_as_before(at: Case) -> Found:
    """Boxes of the gradient at a layer overlap the object as well when the layer's features come in other units.

    The map max |dS/dh_k| is drawn again with h_k measured in units of random size, a factor of e either way. Refuted if
    the mean IoU differs by more than 0.02.
    """
    plain, rescaled = in_two_units(at)
    truth = [bounding_box(mask) for mask in at.objects]
    return Found(overlap(rescaled, truth), overlap(plain, truth))


@study("less", count=60)
def other_units_make_other_boxes(at: Case) -> Found:
    """The boxes of a layer's gradient in two choices of units overlap each other by less than 0.9 on the mean photo.

    Refuted if the IoU of the two boxes of one photo is 0.9 or more.
    """
    value = overlap(*in_two_units(at))
    return Found(value, torch.full_like(value, 0.9))


@study("less", count=60)
def own_square_has_little_of_a_cell(at: Case) -> Found:
    """Of the gradient of the middle cell of the last layer, less than a tenth lies in the cell's own 32 pixels.

    Refuted if the share of |dS/dI| in the square is a tenth or more on the mean photo.
    """
    w = input_gradient(at.model, at.images, MiddleCell(at)).abs().sum(1)
    side = w.shape[1]
    cells = -(-side // 32)
    start = (cells // 2) * 32
    inside = w[:, start : start + 32, start : start + 32].sum((1, 2)) / w.sum((1, 2))
    return Found(inside, torch.full_like(inside, 0.1))
