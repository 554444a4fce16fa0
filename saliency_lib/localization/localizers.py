"""The ways of finding an object that an evaluation compares: each from images to a box for every class asked for.

A localizer looks at a batch once (`Localizer.look`: the method's forward pass) and is then asked for one class an image
after another (`View.find`: one backward pass each, back to the first layer that it needs and no further).
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from saliency_lib.checks import one_of
from saliency_lib.localization.boxes import Box
from saliency_lib.localization.extent import ObjectExtent, otsu_box
from saliency_lib.localization.localize import localize, threshold_box
from saliency_lib.methods.gradients import Gradient
from saliency_lib.methods.layers import GRID, GradCam, LayerSaliency, spread
from saliency_lib.methods.method import Method
from saliency_lib.methods.object_map import AveragedObjectMap, ObjectMap
from saliency_lib.models.forward import ask, evaluation_mode
from saliency_lib.models.model import layers_known


class Found(NamedTuple):
    """Where one class is in one image: a box and the point `(x, y)` of the map's maximum, both in pixels."""

    box: Box
    point: tuple[float, float]


class Blind(Method):
    """No method at all: the network is asked what it sees, and nobody looks where."""

    def __post_init__(self) -> None:
        with evaluation_mode(self.model):
            self.answer = ask(self.model, self.images)


@dataclass(frozen=True)
class Localizer:
    """A named way of finding objects: a method, what is done to its map, and how a box is made of that.

    `box` makes a box of a photo, a map of all of it, and the `settings`.
    """

    name: str
    title: str
    method: type[Method]
    box: Callable[..., Box | None]
    settings: dict[str, Any] = field(default_factory=dict)
    refine: Callable[[Tensor, float], Tensor] = lambda maps, shift: maps

    def digest(self, model: str, size: Any) -> str:
        """Eight digits that differ wherever a setting does on which the results depend."""
        text = json.dumps([self.name, self.settings, model, size], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def look(self, model: nn.Module, images: Tensor) -> "View":
        """One forward pass over a batch of images (N, C, H, W), each of them a whole photo."""
        return View(self, self.method(model, images), layers_known(model).shift)


@dataclass(frozen=True)
class View:
    """A batch that a localizer has looked at."""

    localizer: Localizer
    prepared: Method
    shift: float

    @property
    def scores(self) -> Tensor:
        """The class scores (N, K)."""
        return self.prepared.answer.scores.detach()

    def maps(self, classes: Tensor) -> Tensor | None:
        """The map (N, h, w) of one class for each image, or None where the method makes none."""
        if isinstance(self.prepared, Blind):
            return None
        return self.localizer.refine(self.prepared.maps(classes), self.shift).cpu()

    def find(self, photos: Sequence[Image.Image | None], classes: Tensor) -> list[Found | None]:
        """Where the class of each photo is; nowhere for a photo that is None."""
        maps = self.maps(classes)
        return [
            None if photo is None else locate(self.localizer, photo, None if maps is None else maps[i])
            for i, photo in enumerate(photos)
        ]


def locate(localizer: Localizer, photo: Image.Image, saliency: Tensor | None) -> Found:
    """Box and point for a photo and its map; all of the photo, and its middle, where nothing is found."""
    whole, center = (0, 0, photo.width, photo.height), (photo.width / 2, photo.height / 2)
    box = localizer.box(photo, saliency, **localizer.settings) or whole
    if saliency is None or not saliency.max() > saliency.min():
        return Found(box, center)
    (height, width), at = saliency.shape, int(saliency.argmax())
    return Found(box, ((at % width + 0.5) * photo.width / width, (at // width + 0.5) * photo.height / height))


def _fixed(photo: Image.Image, saliency: None, *, margin: float) -> Box:
    """What is left without a margin, a fraction of each side."""
    x, y = round(margin * photo.width), round(margin * photo.height)
    return x, y, photo.width - x, photo.height - y


def _cut(photo: Image.Image, saliency: Tensor, **settings: Any) -> Box | None:
    return localize(photo, saliency, part="whole", **settings).box


def _threshold(photo: Image.Image, saliency: Tensor, **settings: Any) -> Box | None:
    return threshold_box(photo, saliency, part="whole", **settings).box


def _on_grid(maps: Tensor, shift: float) -> Tensor:
    return F.interpolate(maps[:, None], (GRID, GRID), mode="bilinear")[:, 0]


SEEDS = {"foreground": 0.95, "background": 0.30, "size": 112}

LOCALIZERS = {
    localizer.name: localizer
    for localizer in (
        Localizer("whole-image", "the whole image", Blind, _fixed, {"margin": 0.0}),
        Localizer("centered-box", "a centered box", Blind, _fixed, {"margin": 0.14}),
        Localizer("pixel-graphcut", "the paper's recipe: gradient at the pixels, GraphCut", Gradient, _cut, SEEDS),
        Localizer(
            "layer-graphcut",
            "its rescue: gradient at block 13, GraphCut",
            LayerSaliency,
            _cut,
            SEEDS | {"foreground": 0.80},  # this map is sure of more
            refine=lambda maps, shift: spread(maps, shift=shift),
        ),
        Localizer(
            "grad-cam",
            "Grad-CAM at the last layer, threshold",
            GradCam,
            _threshold,
            {"threshold": 0.30},
            refine=_on_grid,
        ),
        Localizer(
            "object-map",
            "object map: Grad-CAM and gradients at blocks 13 and 10, threshold",
            ObjectMap,
            _threshold,
            {"threshold": 0.35},
        ),
        Localizer(
            "object-map-averaged",
            "the same, mean over mirror image and two scales",
            AveragedObjectMap,
            _threshold,
            {"threshold": 0.35},
        ),
        Localizer(
            "object-extent",
            "the object map, spread over cells that look alike, Otsu's threshold",
            ObjectExtent,
            otsu_box,
        ),
    )
}

DEFAULT = "object-map"


def find_localizer(name: str) -> Localizer:
    """A localizer by its name. Raises `SaliencyError` if there is none, naming all."""
    return LOCALIZERS[one_of("method", name, LOCALIZERS)]
