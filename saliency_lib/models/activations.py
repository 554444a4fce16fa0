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
    tokens fill a square. A layer that keeps its tokens as a map, channels last, (N, h, w, C), takes `skip=0`. Accepted
    wherever a layer is. Chapter 8 teaches it.
    """

    layer: nn.Module | str
    skip: int = 1
    grid: tuple[int, int] | None = None


def as_map(layer: Layer, output: Tensor, images: Tensor | None = None) -> Tensor:
    """A layer's output, or a tensor shaped like it, as the layer is meant to be seen: only `tokens` change anything.

    Raises `ModelError` if the tokens do not fill the grid, or, where the `images` are known, if the output is not one
    of each, or its channels come last and nobody said so.
    """
    if images is not None and (output.ndim == 0 or len(output) != len(images)):
        raise ModelError(f"a layer puts out one thing for each image, and this one {tuple(output.shape)}: name another")
    if not isinstance(layer, tokens):
        if images is not None and output.ndim == 4 and _channels_last(layer, output, images):
            raise ModelError(f"the layer puts out {tuple(output.shape)}, channels last: say sl.tokens(layer, skip=0)")
        return output
    skip = integer("skip", layer.skip, 0, error=ModelError)
    if output.ndim == 4 and skip == 0:
        return output.permute(0, 3, 1, 2)
    if output.ndim != 3:
        more = ", or with skip=0 (N, h, w, C)"
        raise ModelError(f"tokens have the shape (N, T, C){more}, and this layer puts out {tuple(output.shape)}")
    count = output.shape[1] - skip
    h, w = sides(check_size(layer.grid, ModelError)) if layer.grid else (math.isqrt(max(count, 0)),) * 2
    if h * w != count or count < 1:
        raise ModelError(f"{count} tokens do not fill a grid of {h} x {w}: say grid=(h, w), or another skip")
    return output[:, skip:].unflatten(1, (h, w)).permute(0, 3, 1, 2)


def _channels_last(layer: Layer, output: Tensor, images: Tensor) -> bool:
    """Whether a layer's output (N, a, b, c) has the proportions of the images if its channels are last, and only so."""
    if type(layer) in (nn.LayerNorm, nn.Linear):
        return True
    _, a, b, c = output.shape
    H, W = images.shape[2:]
    first, last = (b * W) / (c * H), (a * W) / (b * H)
    return abs(last - 1) <= 1 / min(a, b) and not 2 / 3 <= first <= 3 / 2


_WRAPPERS = ("_orig_mod.", "module.")
"""What torch.compile and DataParallel put before the names of a network's layers."""


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
    for name, module in list(names.items()):
        for wrapper in _WRAPPERS:
            names.setdefault(name.replace(wrapper, ""), module)
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
            kind = type(output).__name__
            raise ModelError(f"the output of a layer should be a tensor of numbers, and that of {name} is a {kind}")
        if module in met:
            raise ModelError(f"the network runs the layer {name} more than once: which one is meant?")
        starts = leaf and not (met and output.requires_grad)
        met[module] = output.detach().requires_grad_() if starts else output
        return met[module].clone()

    hooks = []
    try:
        for module in set(modules.values()):
            try:
                hooks.append(module.register_forward_hook(keep))
            except Exception as error:
                raise ModelError(f"{type(module).__name__} is a layer that cannot be looked into: {error}") from error
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()
    if len(met) < len(set(modules.values())):
        raise ModelError(
            "the network did not run every layer asked for: are they modules of this network? If it is compiled, "
            "use the network that you compiled"
        )
    outputs.update({layer: met[module] for layer, module in modules.items()})
