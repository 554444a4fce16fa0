"""One forward pass, kept, so that derivatives can be asked for target by target."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from saliency_lib.checks import check_images
from saliency_lib.errors import ModelError
from saliency_lib.methods.relu_rules import AnyRule, following
from saliency_lib.models.activations import as_map, find_layer, watched
from saliency_lib.models.model import channels_of
from saliency_lib.models.running import ask, derivatives, differentiating
from saliency_lib.targets import Answer, Layer, Target, layers_of, select


class LayerGradient(NamedTuple):
    """What a layer put out for each image, h of shape (N, C, H, W), and dS / dh, shaped alike."""

    output: Tensor
    gradient: Tensor


class Recording:
    """A batch that a network has looked at once; `gradients(target)` goes back as often as one likes.

    `layers` are where to differentiate; without any, at the pixels. The pass up to the first of them builds no graph,
    so that a gradient there costs less than one at the pixels. `watch` are layers that the targets will look at. `rule`
    is what the ReLUs do on the way back (see `relu_rule`).

    Raises `ModelError` if a layer is not met exactly once, or has another kind of output than a map, and what
    `input_gradient` raises.
    """

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        layers: Sequence[Layer] = (),
        *,
        rule: AnyRule = None,
        watch: Sequence[Layer] = (),
    ) -> None:
        self.layers = tuple(layers)
        with differentiating(model), watched(model, [*self.layers, *watch], leaf=bool(layers)) as met:
            I = check_images(images, channels_of(model)).detach().clone()
            with following(rule):
                answer = ask(model, I if layers else I.requires_grad_())
        self.sources = [met[layer] for layer in self.layers] or [I]
        for layer in self.layers:
            if as_map(layer, met[layer]).ndim != 4:
                name = type(find_layer(model, layer)).__name__
                raise ModelError(f"the output of a layer should be (N, C, H, W), and that of {name} is not")
        inner = {layer: as_map(layer, h) for layer, h in met.items()}
        self.answer = Answer(answer.output, answer.head, inner, len(I))

    def watches(self, target: Target) -> bool:
        """Whether the layers that a target looks at were watched."""
        return all(layer in self.answer.inner for layer in layers_of(target))

    def gradients(self, target: Target = None) -> list[LayerGradient]:
        """For each layer its output h and dS / dh for the numbers S that `target` means."""
        with torch.inference_mode(False), torch.enable_grad():
            S = select(self.answer, target).sum()  # an image's number depends on that image alone
            if not S.requires_grad:
                raise ModelError("the score does not depend on the layer, or the model detaches it")
            gradients = derivatives(S, self.sources, keep=True)
        if any(gradient is None for gradient in gradients):
            raise ModelError("the score does not depend on one of the layers")
        views = self.layers or (None,)
        return [
            LayerGradient(as_map(view, h).detach(), as_map(view, g))
            for view, h, g in zip(views, self.sources, gradients, strict=True)
        ]
