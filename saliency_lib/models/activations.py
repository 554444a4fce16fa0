"""What the layers of a network put out, by module or by name, and a transformer's tokens as if they were a map.

sl.activations(model, images, ["blocks.4.2"])["blocks.4.2"]                     # (N, C, h, w)
sl.grad_cam(vit, images, layer=sl.tokens("encoder.layers.encoder_layer_11"))    # (N, 14, 14)
sl.grad_cam(twins, images, layer=sl.at("encoder", call=1))                      # where the network runs it once more
"""

import copy
import difflib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from saliency_lib.checks import check_size, integer, one_of
from saliency_lib.errors import ModelError
from saliency_lib.images import sides
from saliency_lib.targets import Layer


class at(NamedTuple):
    """A layer of which more has to be said: which call of it, which part of what it puts out, where its channels are.

    `call` counts from 0 the times that the network runs the layer, where that is more than once; `item` is the index or
    the key of the tensor that is meant in a tuple, a list or a dict; `channels` is `"first"`, (N, C, ...), or `"last"`,
    (N, ..., C), where the shape does not tell. Accepted wherever a layer is. The page *Your own network* shows it.
    """

    layer: nn.Module | str
    call: int | None = None
    item: int | str | None = None
    channels: str | None = None


class tokens(NamedTuple):
    """A layer that puts out tokens (N, T, C), seen as a map (N, C, h, w): those after the first `skip`, row by row.

    A vision transformer's first token belongs to no part of the image, hence `skip=1`. `grid` is (h, w); by default the
    tokens fill a square, and of a signal a line; of a volume it has to be said. A layer that keeps its tokens as a map,
    channels last, (N, h, w, C), takes `skip=0`. Accepted wherever a layer is. Chapter 8 teaches it.
    """

    layer: nn.Module | str | at
    skip: int = 1
    grid: tuple[int, ...] | None = None


def as_map(layer: Layer, output: Tensor, images: Tensor, kind: type | None = None) -> Tensor:
    """A layer's output, or a tensor shaped like it, as the layer is meant to be seen: only `tokens`, `at` change it.

    Raises `ModelError` if the tokens do not fill the grid, if the output is not one of each of the images, or, where
    the `kind` of module is known, if nobody said where its channels are, and the shape does not tell.
    """
    if output.ndim == 0 or len(output) != len(images):
        raise ModelError(f"a layer puts out one thing for each image, and this one {tuple(output.shape)}: name another")
    if isinstance(layer, tokens):
        return _laid_out(layer, output, images.ndim - 2)
    said = layer.channels if isinstance(layer, at) else None
    place = said and one_of("place", said, ("first", "last"), ModelError)
    if said is None and kind is not None and output.ndim > 2:
        found = _channels(kind, output, images)
        if found != "first":
            hint = "channels last: say sl.tokens(layer, skip=0)" if found else "say sl.at(layer, channels='first')"
            raise ModelError(f"the layer puts out {tuple(output.shape)}, {hint} or sl.at(layer, channels='last')")
    return output.movedim(-1, 1) if place == "last" else output


def _laid_out(layer: tokens, output: Tensor, axes: int) -> Tensor:
    """Tokens as a map."""
    skip = integer("skip", layer.skip, 0, error=ModelError)
    if output.ndim == axes + 2 and skip == 0:
        return output.movedim(-1, 1)
    if output.ndim != 3:
        more = ", or with skip=0 (N, h, w, C)"
        raise ModelError(f"tokens have the shape (N, T, C){more}, and this layer puts out {tuple(output.shape)}")
    count = output.shape[1] - skip
    usual = {1: (count,), 2: (math.isqrt(max(count, 0)),) * 2}.get(axes, ())
    grid = sides(check_size(layer.grid, ModelError, None)) if layer.grid else usual
    if math.prod(grid) != count or count < 1 or not grid:
        shape = " x ".join(map(str, grid)) or "unknown sides"
        raise ModelError(f"{count} tokens do not fill a grid of {shape}: say grid=(h, w), or another skip")
    return output[:, skip:].unflatten(1, grid).movedim(-1, 1)


_FIRST = (
    *(nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm, nn.modules.pooling._MaxPoolNd),
    *(nn.modules.pooling._AvgPoolNd, nn.modules.pooling._AdaptiveAvgPoolNd, nn.modules.pooling._AdaptiveMaxPoolNd),
)
_LAST = (nn.LayerNorm, nn.Linear)


def _channels(kind: type, output: Tensor, images: Tensor) -> str | None:
    """Where a layer keeps its channels, "first" or "last", as far as it can be told.

    No axis of a layer's grid is longer than the image's; cells of images are about as wide as they are high.
    """
    if issubclass(kind, _FIRST) or output.ndim < images.ndim:
        return "first"
    if issubclass(kind, _LAST):
        return "last"
    grid, first, last = images.shape[2:], output.shape[2:], output.shape[1:-1]
    if output.ndim != images.ndim:
        return "first" if output.ndim == 4 else None
    fit_first, fit_last = (all(a <= b for a, b in zip(own, grid, strict=True)) for own in (first, last))
    if fit_first != fit_last or len(grid) != 2:
        return "first" if fit_first and not fit_last else "last" if fit_last and not fit_first else None
    as_first, as_last = ((own[0] * grid[1]) / (own[1] * grid[0]) for own in (first, last))
    return "last" if abs(as_last - 1) <= 1 / min(last) and not 2 / 3 <= as_first <= 3 / 2 else "first"


_WRAPPERS = ("_orig_mod.", "module.")
"""What torch.compile and DataParallel put before the names of a network's layers."""


def find_layer(model: nn.Module, layer: Layer) -> nn.Module:
    """The module that `layer` means: itself, or the one of this name in the model or in the network that it wraps.

    Raises `ModelError` if there is none, naming the nearest.
    """
    if isinstance(layer, tokens | at):
        return find_layer(model, layer.layer)
    if isinstance(layer, nn.Module):
        return layer
    if not isinstance(layer, str):
        raise ModelError(f"a layer is a module, its name, sl.at(...) or sl.tokens(...), not {type(layer).__name__}")
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
    meant = {layer: _meant(model, layer) for layer in layers}
    wanted = {(module, call) for module, call, _ in meant.values()}
    calls: Counter[nn.Module] = Counter()
    met: dict[Any, Tensor] = {}
    outputs: dict[Layer, Tensor] = {}

    def keep(module: nn.Module, inputs: object, output: Any) -> Any:
        number, name = calls[module], type(module).__name__
        calls[module] += 1
        if (module, None) in wanted and number:
            raise ModelError(f"the network runs the layer {name} more than once: say which, sl.at(layer, call=0)")
        if leaf and not torch.is_grad_enabled():
            raise ModelError(f"the layer {name} runs under no_grad, as in a reentrant checkpoint: use_reentrant=False")
        for of, call, item in meant.values():
            if of is module and call in (None, number):
                found = _item(output, item, name)
                starts = leaf and not (met and found.requires_grad)
                found = met.setdefault((module, call, item), found.detach().requires_grad_() if starts else found)
                output = _exchanged(output, item, found.clone())
        return output

    hooks = []
    try:
        for module in {module for module, _ in wanted}:
            try:
                hooks.append(module.register_forward_hook(keep))
            except Exception as error:
                raise ModelError(f"{type(module).__name__} is a layer that cannot be looked into: {error}") from error
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()
    for module, call, item in meant.values():
        if (module, call, item) not in met:
            raise ModelError(
                f"the network runs the layer {type(module).__name__} {calls[module]} times, counted from 0"
                if calls[module]
                else "the network did not run every layer asked for: are they modules of this network? If it is "
                "compiled, use the network that you compiled"
            )
    outputs.update({layer: met[found] for layer, found in meant.items()})


def _meant(model: nn.Module, layer: Layer) -> tuple[nn.Module, int | None, int | str | None]:
    """The module of a layer, which call of it, and which part of its output."""
    inside = layer.layer if isinstance(layer, tokens) else layer
    call, item = (inside.call, inside.item) if isinstance(inside, at) else (None, None)
    return find_layer(model, layer), None if call is None else integer("call", call, 0, error=ModelError), item


def _item(output: Any, item: int | str | None, name: str) -> Tensor:
    """The tensor of numbers in a layer's output that is meant."""
    hint = ""
    if item is not None:
        try:
            output = output[item]
        except Exception:
            raise ModelError(f"the output of {name} is a {type(output).__name__} and has no {item!r}") from None
    elif isinstance(output, tuple | list | Mapping):
        hint = f": say which part, sl.at(layer, item={next(iter(output), 0) if isinstance(output, Mapping) else 0!r})"
    if not isinstance(output, Tensor) or not output.is_floating_point():
        kind = type(output).__name__
        raise ModelError(f"the output of a layer should be a tensor of numbers, and that of {name} is a {kind}{hint}")
    return output


def _exchanged(output: Any, item: int | str | None, part: Tensor) -> Any:
    """A layer's output with this part in its place."""
    if item is None:
        return part
    if isinstance(output, tuple):
        parts = [part if i == item % len(output) else one for i, one in enumerate(output)]
        return type(output)(*parts) if hasattr(output, "_fields") else tuple(parts)
    changed = copy.copy(output)
    changed[item] = part
    return changed
