"""A network is run as it is: nothing of the caller's changes, and what goes wrong is said in one sentence."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from saliency_lib.categories import CLASSES, Head
from saliency_lib.checks import check_images, check_tensor, listed
from saliency_lib.errors import ModelError, SaliencyError
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
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    with _switching:
        users, training = _switched.get(id(model), (0, [module for module in modules if module.training]))
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


def ask(model: nn.Module, images: Tensor, layers: Sequence[Layer] = (), *, leaf: bool = False) -> Answer:
    """What `model` says of `images`, and what these layers put out on the way: the one place where a network is called.

    It is handed a copy, because it may work in place. With `leaf` the graph starts at the first of the layers. Raises
    `ModelError` if the model cannot run on these images, lets them depend on each other, or does not run each layer
    exactly once.
    """
    with watched(model, layers, leaf=leaf) as outputs:
        output = _run(model, images)
    if len(images) > 1 and not _apart(model, images):
        raise ModelError(
            "the network lets the images of a batch depend on each other, as batch norm without running statistics "
            "does: pass them one by one, with batch_size=1 where a method has one"
        )
    kinds = {layer: type(find_layer(model, layer)) for layer in outputs}
    inner = {layer: as_map(layer, h, images, kinds[layer]) for layer, h in outputs.items()}
    return Answer(output, head_of(model), inner, len(images), outputs)


@torch.no_grad()
def activations(model: nn.Module, images: Tensor, layers: Sequence[Layer]) -> dict[Layer, Tensor]:
    """What these layers put out for the images: from each layer, as it was named, to a tensor (N, C, h, w) or (N, C).

    `layers` are modules, names of modules, or `tokens`. The model runs once, in evaluation mode, and is not changed.
    Raises `ImageError` for bad images, `ModelError` for a layer that is not there or not met exactly once. Chapter 5
    uses it.
    """
    layers = listed("layers", list(layers) if isinstance(layers, Mapping) else layers, ModelError)
    with evaluation_mode(model):
        inner = ask(model, check_images(images), layers).inner
    return {layer: h.detach() for layer, h in inner.items()}


def class_scores(model: nn.Module, images: Tensor) -> Tensor:
    """The unnormalized scores S_c(I) of shape (N, K) that `model` gives to `images`.

    Raises `ModelError` if the output is not a floating-point tensor of that shape.
    """
    return ask(model, images).scores


def head_of(model: nn.Module) -> Head:
    """What the model's outputs mean, if it says so: else classes without names."""
    head = getattr(model, "head", None)
    return head if isinstance(head, Head) else CLASSES


_known_apart: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


@torch.no_grad()
def _apart(model: nn.Module, images: Tensor) -> bool:
    """Whether the network says of an image alone what it says of it beside its negative; tried once for each model."""
    if model not in _known_apart:
        one = images[:1].detach()
        devices = [one.device] if one.is_cuda else []
        with torch.random.fork_rng(devices):
            try:
                alone, again, beside = (_run(model, x) for x in (one, one, torch.cat([one, 1 - one])))
            except ModelError:  # it runs on batches of one size only
                return True
        _known_apart[model] = _alike(alone, beside) or not _alike(alone, again)  # the last: it is random
    return _known_apart[model]


def _alike(a: Any, b: Any) -> bool:
    """Whether all tensors in an output, as far as they belong to the first image, are those of another."""
    for x, y in zip(tree_leaves(a), tree_leaves(b), strict=False):
        if _is_plain(x) and _is_plain(y) and len(x) == 1:
            x, y = x.nan_to_num(), y[:1].nan_to_num()
            if (
                x.shape == y.shape
                and x.numel()
                and (x - y).abs().max() > 4 * torch.finfo(x.dtype).eps ** 0.5 * x.abs().max()
            ):
                return False
    return True


def _is_plain(value: object) -> bool:
    """Whether this holds a number, or several, for each image."""
    try:
        return check_tensor("an output", value).is_floating_point() and value.ndim > 0  # type: ignore[attr-defined]
    except SaliencyError:
        return False


def _run(model: nn.Module, images: Tensor) -> Any:
    try:
        return model(images.clone())
    except SaliencyError:
        raise
    except Exception as error:  # the network is somebody's own code
        first_line = str(error).strip().split("\n", 1)[0] or type(error).__name__
        raise ModelError(f"the model cannot run on images of shape {tuple(images.shape)}: {first_line}") from error
