"""The ways of finding an object that an evaluation compares: each from images to a box for every class asked for.

A method looks at a batch once (`Method.look`: one forward pass) and is then asked for one class an image after another
(`View.find`: one backward pass each, back to the first layer that it needs and no further).
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from saliency_lib.errors import SaliencyError
from saliency_lib.localization.boxes import Box, localize, threshold_box
from saliency_lib.methods.layers import (
    GRID,
    LayerGradient,
    Recording,
    activation_map,
    combine,
    embedded_layers,
    shift_of,
    spread,
)
from saliency_lib.methods.maps import reduce_channels


class Found(NamedTuple):
    """Where one class is in one image: a box and the point `(x, y)` of the map's maximum, both in pixels."""

    box: Box
    point: tuple[float, float]


@dataclass(frozen=True)
class Method:
    """A named way of finding objects, with its settings.

    `layers` says at which modules of a network it differentiates, and is None where it looks at no network; without any
    modules it differentiates at the pixels. `map` makes maps (N, h, w) of the layers' gradients, and `box` a box of a
    photo and a map.
    """

    name: str
    title: str
    layers: Callable[[nn.Module], Sequence[nn.Module]] | None
    map: Callable[[Sequence[LayerGradient], float], Tensor]
    box: Callable[..., Box | None]
    settings: dict[str, Any] = field(default_factory=dict)

    def digest(self, model: str, size: int) -> str:
        """Eight digits that differ wherever a setting does on which the results depend."""
        text = json.dumps([self.name, self.settings, model, size], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def look(self, model: nn.Module, images: Tensor) -> "View":
        """One forward pass over a batch of images (N, 3, H, W), each of them a whole photo."""
        return View(self, Recording(model, images, self.layers(model) if self.layers else ()), shift_of(model))


@dataclass(frozen=True)
class View:
    """A batch that a method has looked at."""

    method: Method
    recording: Recording
    shift: float

    @property
    def scores(self) -> Tensor:
        """The class scores (N, K)."""
        return self.recording.scores.detach()

    def maps(self, classes: Tensor) -> Tensor | None:
        """The map (N, h, w) of one class for each image, or None where the method makes none."""
        if self.method.layers is None:
            return None
        return self.method.map(self.recording.gradients(classes), self.shift).cpu()

    def find(self, photos: Sequence[Image.Image | None], classes: Tensor) -> list[Found | None]:
        """Where the class of each photo is; nowhere for a photo that is None."""
        maps = self.maps(classes)
        return [
            None if photo is None else locate(self.method, photo, None if maps is None else maps[i])
            for i, photo in enumerate(photos)
        ]


def locate(method: Method, photo: Image.Image, saliency: Tensor | None) -> Found:
    """Box and point for a photo and its map; all of the photo, and its middle, where nothing is found."""
    whole, center = (0, 0, photo.width, photo.height), (photo.width / 2, photo.height / 2)
    box = method.box(photo, saliency, **method.settings) or whole
    if saliency is None or not saliency.max() > saliency.min():
        return Found(box, center)
    (height, width), at = saliency.shape, int(saliency.argmax())
    return Found(box, ((at % width + 0.5) * photo.width / width, (at // width + 0.5) * photo.height / height))


def _fixed(photo: Image.Image, saliency: None, *, margin: float) -> Box:
    """What is left without a margin, a fraction of each side."""
    x, y = round(margin * photo.width), round(margin * photo.height)
    return x, y, photo.width - x, photo.height - y


def _cut(photo: Image.Image, saliency: Tensor, **settings: Any) -> Box | None:
    return localize(photo, saliency, **settings).box


def _threshold(photo: Image.Image, saliency: Tensor, **settings: Any) -> Box | None:
    return threshold_box(photo, saliency, **settings).box


def _one_layer(index: int) -> Callable[[nn.Module], Sequence[nn.Module]]:
    return lambda model: [embedded_layers(model, "use the method pixel-graphcut")[index]]


def _no_map(gradients: Sequence[LayerGradient], shift: float) -> Tensor:
    raise NotImplementedError("a method that looks at no network has no map")


SEEDS = {"foreground": 0.95, "background": 0.30, "size": 112}

METHODS = {
    method.name: method
    for method in (
        Method("whole-image", "the whole image", None, _no_map, _fixed, {"margin": 0.0}),
        Method("centered-box", "a centered box", None, _no_map, _fixed, {"margin": 0.14}),
        Method(
            "pixel-graphcut",
            "the paper's recipe: gradient at the pixels, GraphCut",
            lambda model: (),
            lambda at, shift: reduce_channels(at[0].gradient),
            _cut,
            SEEDS,
        ),
        Method(
            "layer-graphcut",
            "its rescue: gradient at block 13, GraphCut",
            _one_layer(1),
            lambda at, shift: spread(reduce_channels(at[0].gradient), shift=shift),
            _cut,
            SEEDS | {"foreground": 0.80},  # this map is sure of more
        ),
        Method(
            "grad-cam",
            "Grad-CAM at the last layer, threshold",
            _one_layer(-1),
            lambda at, shift: F.interpolate(activation_map(at[0])[:, None], (GRID, GRID), mode="bilinear")[:, 0],
            _threshold,
            {"threshold": 0.30},
        ),
        Method(
            "object-map",
            "object map: Grad-CAM and gradients at blocks 13 and 10, threshold",
            lambda model: embedded_layers(model, "use the method pixel-graphcut"),
            combine,
            _threshold,
            {"threshold": 0.35},
        ),
    )
}

DEFAULT = "object-map"


def find_method(name: str) -> Method:
    """A method by its name. Raises `SaliencyError` if there is none, naming all."""
    if name not in METHODS:
        raise SaliencyError(f"there is no method {name!r}: use {', '.join(METHODS)}")
    return METHODS[name]
