"""What is compared: every method with its settings, the rules for ReLUs, and the controls that a map must beat.

    edges                   a control that no network has a part in (see `controls`)
    gradient:other-class    a method, asked something else

A metric that likes a map made without the network says nothing of what the network does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from saliency_lib.comparison.metric import GRAY
from saliency_lib.controls import CONTROLS, OTHERWISE, Question, otherwise
from saliency_lib.errors import SaliencyError
from saliency_lib.methods.gradients import Gradient
from saliency_lib.methods.maps import reduce_channels
from saliency_lib.methods.method import Method, find_method, method_names
from saliency_lib.models.load import load_model
from saliency_lib.models.model import Model

RULES = ("guided", "deconvnet")

SECOND = {
    "efficientnet_lite0": "efficientnet_lite1",
    "efficientnet_lite1": "efficientnet_lite0",
    "efficientnet_lite2": "efficientnet_lite0",
}
"""Networks that were trained separately on the same photographs; they are of one family, not of one architecture."""


@dataclass(frozen=True)
class Explainer:
    """A named way of making maps. It makes either a `method` with `settings`, or a map of the images alone.

    `otherwise` says what the method is asked instead of what one wants to know, `second` of which network.
    """

    name: str
    title: str
    method: type[Method] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    control: Callable[[Tensor], Tensor] | None = None
    otherwise: str | None = None
    second: Model | None = None

    def in_use(self) -> dict[str, Any]:
        """All settings of the method, the usual ones too, and what it is asked instead."""
        usual = {} if self.method is None else {name: one.default for name, one in self.method.settings().items()}
        return usual | self.settings | {"otherwise": self.otherwise}

    def maps(self, model: Model, images: Tensor, labels: Tensor, batch_size: int) -> Tensor:
        """A map of each image for its class, brought to the images' size: (N, H, W)."""
        if self.control is not None:
            return self.control(images)
        asked = self._asked(model, images, labels)
        found = self._prepared(asked.model, asked.images, batch_size).maps(asked.labels)
        size = images.shape[2:]
        return found if found.shape[1:] == size else F.interpolate(found[:, None].float(), size, mode="bilinear")[:, 0]

    def maps_and_shares(self, model: Model, images: Tensor, labels: Tensor, batch_size: int) -> tuple[Tensor, Tensor]:
        """The maps, and what each pixel is said to have of the score, compared with gray, both (N, H, W).

        A derivative w says w (I - gray); another attribution is a share itself; where there is none, the map is.
        """
        if self.method is None or not self.method.per_pixel():
            maps = self.maps(model, images, labels, batch_size)
            return maps, maps
        A = self.attribution(model, images, labels, batch_size)
        return reduce_channels(A), (A * (images.to(A) - GRAY) if self.method.derivative else A).sum(1)

    def attribution(self, model: Model, images: Tensor, labels: Tensor, batch_size: int) -> Tensor:
        """One number for each entry of the images, (N, C, H, W). Raises `SaliencyError` where a method makes none."""
        asked = self._asked(model, images, labels)
        return self._prepared(asked.model, asked.images, batch_size).attribution(asked.labels)

    def _asked(self, model: Model, images: Tensor, labels: Tensor) -> Question:
        asked = Question(model, images, labels)
        return asked if self.otherwise is None else otherwise(self.otherwise, *asked, second=self.second)

    def _prepared(self, model: Model, images: Tensor, batch_size: int) -> Method:
        assert self.method is not None
        given = {"batch_size": batch_size, "progress": False} | self.settings
        known = self.method.settings()
        return self.method(model, images, **{name: value for name, value in given.items() if name in known})


def explainers(model: Model) -> dict[str, Explainer]:
    """All that can be compared on this network, by name."""
    fitting = [name for name in method_names() if find_method(name).fits(model)]
    return {name: _explainer(name) for name in [*fitting, *RULES, *CONTROLS]}


def _explainer(name: str) -> Explainer:
    """A method, a rule or a control by its name."""
    if name in CONTROLS:
        return Explainer(name, f"control: {name}", control=CONTROLS[name])
    if name in RULES:
        return Explainer(name, f"{name} rule", Gradient, {"rule": name})
    method = find_method(name)
    return Explainer(name, method.title, method, dict(method.quick))


def find_explainers(names: list[str] | None, model: Model, model_name: str) -> list[Explainer]:
    """Those of these names, or all. `METHOD:CONTROL` is a method, asked something else.

    Raises `SaliencyError` if there is none of a name, or no second network for it.
    """
    return [_found(name, model, model_name) for name in names] if names else list(explainers(model).values())


def _found(name: str, model: Model, model_name: str) -> Explainer:
    method, colon, control = name.partition(":")
    known = method in (*RULES, *CONTROLS) or (method in method_names() and find_method(method).fits(model))
    if not known:
        fitting = ", ".join(explainers(model))
        raise SaliencyError(f"there is no method {name!r} for {model_name}: use some of {fitting}")
    found = _explainer(method)
    if not colon:
        return found
    if found.method is None or control not in OTHERWISE:
        raise SaliencyError(f"{name!r} asks nothing else: write METHOD:CONTROL, a control of {', '.join(OTHERWISE)}")
    if control == "other-seed" and model_name not in SECOND:
        raise SaliencyError(f"there is no second {model_name}, trained separately")
    second = load_model(SECOND[model_name]) if control == "other-seed" else None
    title = f"{found.title}, of {OTHERWISE[control]}"
    return replace(found, name=name, title=title, otherwise=control, second=second)
