"""Where the object of a class is: a late layer knows the class best, earlier ones know the extent. Add them up.

    M = sl.object_map(model, images, "Egyptian cat")      # (N, 56, 56)

Grad-CAM at the network's end is sure of the class, and of the part that tells it. The paper's formula at middle layers
covers more of the object, less surely. Three maps of mean one, on one grid, added: the book's own best, found on 300
photos of ILSVRC (chapter 7 says how, and how far to trust it). One forward pass, and one backward pass of a third.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from saliency_lib.checks import Form, check_inputs, check_room, flag, listed, numbers
from saliency_lib.errors import ModelError
from saliency_lib.images import each
from saliency_lib.methods.gradients import LayerGradient
from saliency_lib.methods.layers import LayerMethod, activation_map, good_layers, spread
from saliency_lib.methods.maps import reduce_channels
from saliency_lib.methods.method import Method, function
from saliency_lib.methods.relu_rules import AnyRule
from saliency_lib.models.model import form_of
from saliency_lib.targets import Layer, Target


class OneView(LayerMethod):
    layers: Sequence[Layer] | None = None

    def chosen(self) -> Sequence[Layer]:
        """Those given, or all that are known."""
        given = () if self.layers is None else listed("layers", self.layers, ModelError)
        return given or good_layers(self.model)

    def combine(self, gradients: Sequence[LayerGradient]) -> Tensor:
        """Grad-CAM at the last layer plus the saliencies at the others, each of mean one, on one grid."""
        maps = [activation_map(gradients[-1]), *(reduce_channels(at.gradient) for at in gradients[:-1])]
        parts = [spread(M, shift=self.shift) for M in maps]
        return torch.stack([M / each(M.flatten(1).mean(1), M).clamp(min=1e-12) for M in parts]).sum(0)


class ObjectMap(Method):
    """Where the object of a class is: Grad-CAM at the network's end plus the paper's formula at earlier layers.

    The maps are brought to one grid of 56 x 56 cells, each shifted by a share of its cell that is one for all layers
    (found on boxes, see chapter 7), smoothed by a Gaussian of one cell, divided by their means, and added:
    (N, 56, 56), values >= 0. `layers` are by default those known for the model, for EfficientNet-Lite0 its blocks 10
    and 13 and what global pooling averages; the last is for Grad-CAM.

    With several `scales` (factors of the images' sides), or with `mirror`, the map is the mean over these views and
    their mirror images, at the cost of all of them. Without a target the class is then the top one of the first view.

    Arguments and errors as in `layer_saliency`; `SaliencyError` for scales that are none. Chapter 7 teaches it.
    """

    name, title = "object-map", "object map: Grad-CAM and gradients at earlier layers"
    needs_layers = True

    layers: Sequence[Layer] | None = None
    scales: Sequence[float] = (1,)
    mirror: bool = False
    rule: AnyRule = None

    def __post_init__(self) -> None:
        scales = numbers("scales, factors of the images' sides,", self.scales, least=1e-3, most=100)
        form = form_of(self.model)
        images, *held = check_inputs(self.images, form)
        self.mirror = flag("mirror", self.mirror)
        self.views: list[tuple[OneView, bool]] = []
        for view in (_resize(images, scale, form) for scale in scales):
            for mirrored in (False, True)[: 1 + self.mirror]:
                seen = view.flip(-1) if mirrored else view
                view_of = OneView(self.model, (seen, *held), layers=self.layers, rule=self.rule)
                self.views.append((view_of, mirrored))
        self.answer = self.views[0][0].answer

    def _maps(self, target: Target) -> Tensor:
        if target is None and len(self.views) > 1:
            target = self.answer.scores.argmax(1)
        maps = [M.flip(-1) if mirrored else M for M, mirrored in ((v.maps(target), m) for v, m in self.views)]
        return torch.stack(maps).mean(0)


class AveragedObjectMap(ObjectMap):
    """`object_map` as the mean over mirror image and two scales."""

    name, title = "object-map-averaged", "object map, mean over mirror image and two scales"
    resizes = True

    scales: Sequence[float] = (1, 288 / 224)
    mirror: bool = True


object_map = function(ObjectMap)


def _resize(images: Tensor, scale: float, form: Form) -> Tensor:
    """Images (N, C, *grid) with all sides times `scale`, in whole pixels and in their range; at scale 1 themselves."""
    if scale == 1:
        return images
    grid = [max(1, round(side * scale)) for side in images.shape[2:]]
    check_room(f"images of {' x '.join(map(str, grid))} pixels", math.prod(grid) * images.shape[:2].numel() * 4)
    how = {1: {"mode": "linear"}, 2: {"mode": "bicubic", "antialias": True}, 3: {"mode": "trilinear"}}[len(grid)]
    wide = images if images.dtype.itemsize > 2 else images.float()  # torch does not have it for half precision
    return F.interpolate(wide, grid, **how).clamp(form.low, form.high).to(images.dtype)  # type: ignore[arg-type]
