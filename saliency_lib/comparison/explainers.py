"""What is compared: every method with its settings, the rules of chapter 4, and maps that know nothing of the network.

The last ones are controls. A metric that likes a map made without the network says nothing of what the network does.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from saliency_lib.comparison.map_metrics import GRAY
from saliency_lib.errors import SaliencyError
from saliency_lib.methods.gradients import Gradient
from saliency_lib.methods.maps import reduce_channels
from saliency_lib.methods.method import Method, methods
from saliency_lib.methods.smoothgrad import SmoothGrad
from saliency_lib.models.model import Model, layers_known

SETTINGS: dict[str, dict[str, Any]] = {"lime": {"samples": 200}, "shap": {"samples": 200}}
"""What differs from the functions' own defaults, so that many images are done in bearable time."""

LAYERS = {"creature_convnet": ("features.7",)}
"""Where Grad-CAM and its like look in networks that do not say so themselves: the last map before the linear layers."""


@dataclass(frozen=True)
class Explainer:
    """A named way of making maps. It makes either a `method` with `settings`, or a map of the images alone."""

    name: str
    title: str
    method: type[Method] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    control: Callable[[Tensor], Tensor] | None = None

    def maps(self, model: Model, images: Tensor, labels: Tensor, batch_size: int) -> Tensor:
        """A map of each image for its class, brought to the images' size: (N, H, W)."""
        if self.control is not None:
            return self.control(images)
        found = self._prepared(model, images, batch_size).maps(labels)
        size = images.shape[2:]
        return found if found.shape[1:] == size else F.interpolate(found[:, None].float(), size, mode="bilinear")[:, 0]

    def maps_and_shares(self, model: Model, images: Tensor, labels: Tensor, batch_size: int) -> tuple[Tensor, Tensor]:
        """The maps, and what each pixel is said to have of the score, compared with gray, both (N, H, W).

        A derivative w says w (I - gray); another attribution is a share itself; where there is none, the map is.
        """
        if self.method is None or self.method.attribution is Method.attribution:
            maps = self.maps(model, images, labels, batch_size)
            return maps, maps
        A = self._prepared(model, images, batch_size).attribution(labels)
        derivative = self.method in (Gradient, SmoothGrad)
        return reduce_channels(A), (A * (images.to(A) - GRAY) if derivative else A).sum(1)

    def _prepared(self, model: Model, images: Tensor, batch_size: int) -> Method:
        assert self.method is not None
        given = {"batch_size": batch_size, "progress": False} | self.settings
        known = inspect.signature(self.method).parameters
        return self.method(model, images, **{name: value for name, value in given.items() if name in known})


def explainers(model: Model, model_name: str) -> dict[str, Explainer]:
    """All that can be compared on this network, by name."""
    found = []
    for name, method in methods().items():
        settings = SETTINGS.get(name, {})
        if "layers" in inspect.signature(method).parameters and not layers_known(model).localization:
            if name != "grad-cam" or model_name not in LAYERS:
                continue
            settings = {"layers": LAYERS[model_name]}
        found.append(Explainer(name, method.title, method, settings))
    found += [Explainer(rule, f"{rule} rule", Gradient, {"rule": rule}) for rule in ("guided", "deconvnet")]
    found += [Explainer(name, title, control=of) for name, (title, of) in CONTROLS.items()]
    return {one.name: one for one in found}


def find_explainers(names: list[str] | None, model: Model, model_name: str) -> list[Explainer]:
    """Those of these names, or all. Raises `SaliencyError` if there is none of a name."""
    known = explainers(model, model_name)
    for name in names or ():
        if name not in known:
            raise SaliencyError(f"there is no method {name!r} for {model_name}: use some of {', '.join(known)}")
    return [known[name] for name in names or known]


def _noise(images: Tensor) -> Tensor:
    """Other numbers for other images, and the same for the same."""
    seeds = (images.double() * 255).round().long().flatten(1).sum(1).tolist()
    drawn = [torch.rand(images.shape[2:], generator=Generator().manual_seed(seed), device="cpu") for seed in seeds]
    return torch.stack(drawn).to(images)


def _center(images: Tensor) -> Tensor:
    N, _, H, W = images.shape
    y, x = ((torch.arange(side) + 0.5) / side - 0.5 for side in (H, W))
    return (-8 * (y[:, None] ** 2 + x**2)).exp().to(images).expand(N, H, W)


def _edges(images: Tensor) -> Tensor:
    gray = F.pad(images.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    slope = torch.tensor([[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]]).to(images)
    both = F.conv2d(gray, torch.stack([slope, slope.T])[:, None])
    return both.square().sum(1).sqrt()


CONTROLS: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "edges": ("control: edges of the image (Sobel)", _edges),
    "center": ("control: the middle of the image", _center),
    "noise": ("control: random numbers", _noise),
}
"""Maps that no network has a part in."""
