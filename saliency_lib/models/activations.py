"""What the layers of a network put out, by module or by name, and a transformer's tokens as if they were a map.

sl.activations(model, images, ["blocks.4.2"])["blocks.4.2"]                     # (N, C, h, w)
sl.grad_cam(vit, images, layer=sl.tokens("encoder.layers.encoder_layer_11"))    # (N, 14, 14)
"""

import difflib
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from torch import Tensor, nn

from saliency_lib.checks import check_size, integer
from saliency_lib.errors import ModelError
from saliency_lib.images import sides
from saliency_lib.targets import Layer


class tokens(NamedTuple):
    """A layer that puts out tokens (N, T, C), seen as a map (N, C, h, w): those after the first `skip`, row by row.

    A vision transformer's first token belongs to no part of the image, hence `skip=1`. `grid` is (h, w); by default the
    tokens fill a square. Accepted wherever a layer is. Chapter 8 teaches it.
    """

    layer: nn.Module | str
    skip: int = 1
    grid: tuple[int, int] | None = None


def as_map(layer: Layer, output: Tensor) -> Tensor:
    """A layer's output, or a tensor shaped like it, as the layer is meant to be seen: only `tokens` change anything.

    Raises `ModelError` if the tokens do not fill the grid.
    """
    if not isinstance(layer, tokens):
        return output
    if output.ndim != 3:
        raise ModelError(f"tokens have the shape (N, T, C), and this layer puts out {tuple(output.shape)}")
    count = output.shape[1] - integer("skip", layer.skip, 0, error=ModelError)
    h, w = sides(check_size(layer.grid, ModelError)) if layer.grid else (math.isqrt(max(count, 0)),) * 2
    if h * w != count or count < 1:
        raise ModelError(f"{count} tokens do not fill a grid of {h} x {w}: say grid=(h, w), or another skip")
    return output[:, layer.skip :].unflatten(1, (h, w)).permute(0, 3, 1, 2)


def find_layer(model: nn.Module, layer: Layer) -> nn.Module:
    """The module that `layer` means: itself, or the one of this name in the model or in the network that it wraps.

    Raises `ModelError` if there is none, naming the nearest.
    """
    if isinstance(layer, tokens):
        return find_layer(model, layer.layer)
    if isinstance(layer, nn.Module):
        return layer
    if not isinstance(layer, str):
        raise ModelError(f"a layer is a module, its name or sl.tokens(...), not {type(layer).__name__}")
    network = getattr(model, "network", None)
    roots = [root for root in (model, network) if isinstance(root, nn.Module)]
    names = {name: module for root in roots for name, module in root.named_modules() if name}
    if layer not in names:
        near = difflib.get_close_matches(layer, names, n=5, cutoff=0.3)
        raise ModelError(f"there is no layer {layer!r} in the network; near it are {', '.join(near) or 'none'}")
    return names[layer]


@contextmanager
def watched(model: nn.Module, layers: Sequence[Layer], *, leaf: bool = False) -> Iterator[dict[Layer, Tensor]]:
    """The outputs of these layers in the forward pass that is run inside this context, filled in as they come.

    With `leaf` the first layer that is met starts the graph: the pass up to there builds none, and a derivative by its
    output costs less than one by the pixels. Each layer is handed on as a copy, because what runs next may work in
    place. At the end raises `ModelError` if a layer was not met exactly once, or puts out something else than a tensor.
    """
    if not isinstance(model, nn.Module):
        raise ModelError(f"expected a torch.nn.Module, and got {type(model).__name__}")
    modules = {layer: find_layer(model, layer) for layer in layers}
    met: dict[nn.Module, Tensor] = {}
    outputs: dict[Layer, Tensor] = {}

    def keep(module: nn.Module, inputs: object, output: object) -> Tensor:
        name = type(module).__name__
        if not isinstance(output, Tensor) or not output.is_floating_point():
            raise ModelError(f"the output of a layer should be a tensor, and that of {name} is none")
        if module in met:
            raise ModelError(f"the network runs the layer {name} more than once: which one is meant?")
        starts = leaf and not (met and output.requires_grad)
        met[module] = output.detach().requires_grad_() if starts else output
        return met[module].clone()

    hooks = [module.register_forward_hook(keep) for module in set(modules.values())]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()
    if len(met) < len(set(modules.values())):
        raise ModelError("the network did not run every layer asked for: are they modules of this network?")
    outputs.update({layer: met[module] for layer, module in modules.items()})
