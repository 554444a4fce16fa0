"""A network is run as it is: nothing of the caller's changes, and what goes wrong is said in one sentence."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from saliency_lib.categories import CLASSES, Head
from saliency_lib.checks import check_inputs, check_tensor, listed, rows_of
from saliency_lib.errors import ImageError, ModelError, SaliencyError
from saliency_lib.models.activations import as_map, find_layer, watched
from saliency_lib.targets import Answer, Layer

_switching = threading.Lock()
_switched: dict[
    int, tuple[int, list[nn.Module]]
] = {}  # how many use a model now, and which modules of it were training


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """`model` without dropout and batch statistics; what was training goes back to it afterwards, on errors too.

    Of several threads that use one model at a time, the last one to leave switches it back.
    """
    with _switching:
        users, training = _switched.get(id(model), (0, []))
        if not users and isinstance(model, nn.Module):
            training = [module for module in model.modules() if module.training]
        _switched[id(model)] = users + 1, training
        for module in training:
            module.training = False
    try:
        yield
    finally:
        with _switching:
            users, training = _switched.pop(id(model))
            if users > 1:
                _switched[id(model)] = users - 1, training
            else:
                for module in training:
                    module.training = True


@contextmanager
def differentiating(model: nn.Module) -> Iterator[None]:
    """`model` in evaluation mode and gradients on, whatever the caller has switched off."""
    with evaluation_mode(model), torch.inference_mode(False), torch.enable_grad():
        yield


def ask(model: nn.Module, images: Any, layers: Sequence[Layer] = (), *, leaf: bool = False) -> Answer:
    """What `model` says of `images`, and what these layers put out on the way: the one place where a network is called.

    `images` may be `(images, table, ...)`. The model gets copies, because it may work in place. With `leaf` the graph
    starts at the first of the layers. Raises `ModelError` if the model cannot run on these images, lets them depend on
    each other, or does not run each layer exactly once.
    """
    inputs = images if isinstance(images, tuple) else (images,)
    images = inputs[0]
    with watched(model, layers, leaf=leaf) as outputs:
        output = _run(model, inputs)
    if len(images) > 1 and not _apart(model, inputs):
        raise ModelError(
            "the network lets the images of a batch depend on each other, as batch norm without running statistics "
            "does: pass them one by one, with batch_size=1 where a method has one"
        )
    kinds = {layer: type(find_layer(model, layer)) for layer in outputs}
    inner = {layer: as_map(layer, h, images, kinds[layer]) for layer, h in outputs.items()}
    return Answer(output, head_of(model), inner, len(images), outputs, images.ndim - 2)


@torch.no_grad()
def activations(model: nn.Module, images: Tensor, layers: Sequence[Layer]) -> dict[Layer, Tensor]:
    """What these layers put out for the images: from each layer, as it was named, to a tensor (N, C, h, w) or (N, C).

    `layers` are modules, names of modules, or `tokens`. The model runs once, in evaluation mode, and is not changed.
    Raises `ImageError` for bad images, `ModelError` for a layer that is not there or not met exactly once. Chapter 5
    uses it.
    """
    layers = listed("layers", list(layers) if isinstance(layers, Mapping) else layers, ModelError)
    with evaluation_mode(model):
        inner = ask(model, check_inputs(images), layers).inner
    return {layer: h.detach() for layer, h in inner.items()}


def head_of(model: nn.Module) -> Head:
    """What the model's outputs mean, if it says so: else classes without names."""
    head = getattr(model, "head", None)
    return head if isinstance(head, Head) else CLASSES


_known_apart: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()
_known_placeless: WeakSet[nn.Module] = WeakSet()


@torch.no_grad()
def _apart(model: nn.Module, inputs: tuple[Any, ...]) -> bool:
    """Whether the network says of an image alone what it says of it beside its negative; tried once for each model."""
    if model not in _known_apart:
        one, (first, *held) = rows_of(inputs, slice(1)), rows_of(inputs, [0, 0])
        beside = torch.cat([first[:1], 1 - first[1:]]), *held
        try:
            alone, again, both = _several(model, [one, one, beside])
        except ModelError:  # it runs on batches of one size only
            if inputs[0].ndim == 3:
                shape = tuple(inputs[0].shape)
                raise ImageError(
                    f"{shape} are {shape[0]} signals, and the model runs on none alone; if they are one "
                    "image, add the batch dimension with images[None]"
                ) from None
            return True
        _known_apart[model] = _alike(alone, both, 1) or not _alike(alone, again, 1)  # the last: it is random
    return _known_apart[model]


@torch.no_grad()
def check_places(model: nn.Module, inputs: tuple[Any, ...], answer: Answer) -> None:
    """Raise `ModelError` if the network tells images by their place in the batch, as one that holds a table does.

    Tried once for each model, as `_apart` is.
    """
    back = list(range(len(inputs[0])))[::-1]
    if len(back) > 1 and model not in _known_placeless:
        again, turned = _several(model, [inputs, rows_of(inputs, back)])
        if not _alike(answer.output, _turned(turned, back), len(back)) and _alike(answer.output, again, len(back)):
            raise ModelError(
                "the network tells the images by their place in the batch, and of their versions batch_size come at a "
                "time: hand over what belongs to each image, as (images, table)"
            )
        _known_placeless.add(model)


def _several(model: nn.Module, asked: list[tuple[Any, ...]]) -> list[Any]:
    """The network's outputs for several batches; the random numbers that it draws are given back."""
    images = asked[0][0]
    with torch.random.fork_rng([images.device] if images.is_cuda else []):
        return [_run(model, inputs) for inputs in asked]


def _turned(output: Any, rows: list[int]) -> Any:
    """An output with its rows in another order, as far as it has these."""
    return tree_map(lambda value: value[rows] if _is_plain(value) and len(value) == len(rows) else value, output)


def _alike(a: Any, b: Any, count: int) -> bool:
    """Whether what an output has for each of `count` images is what the first rows of another have."""
    for x, y in zip(tree_leaves(a), tree_leaves(b), strict=False):
        if _is_plain(x) and _is_plain(y) and x.numel() and len(x) == count and x.shape[1:] == y.shape[1:]:
            x, y = x.nan_to_num(), y[:count].nan_to_num()
            if (x - y).abs().max() > 4 * torch.finfo(x.dtype).eps ** 0.5 * x.abs().max():
                return False
    return True


def _is_plain(value: object) -> bool:
    """Whether this holds a number, or several, for each image."""
    try:
        return check_tensor("an output", value).is_floating_point() and value.ndim > 0  # type: ignore[attr-defined]
    except SaliencyError:
        return False


def _run(model: nn.Module, inputs: tuple[Any, ...]) -> Any:
    try:
        return model(*tree_map(lambda value: value.clone() if isinstance(value, Tensor) else value, inputs))
    except SaliencyError:
        raise
    except Exception as error:  # the network is somebody's own code
        first_line = str(error).strip().split("\n", 1)[0] or type(error).__name__
        hint = "; one image wants its batch dimension, images[None]" if inputs[0].ndim == 3 else ""
        shape = tuple(inputs[0].shape)
        raise ModelError(f"the model cannot run on images of shape {shape}: {first_line}{hint}") from error
