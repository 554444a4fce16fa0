"""Zeiler and Fergus's deconvolutional network, built explicitly: a network run backward, layer by layer.

    R = sl.deconvnet_reconstruction(model, images, "Egyptian cat")      # (N, 3, H, W)

Every layer has an inverse of a kind: a convolution goes back by the transposed convolution (the same filters, flipped),
a max-pool by putting each value back where the maximum was (its *switch*), a ReLU by rectifying once more. Section 4 of
the paper: the first two are exactly the gradient; only the ReLU differs. `input_gradient(..., rule="deconvnet")`
computes the same tensor by changing that one step of backpropagation.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_lib.checks import check_images
from saliency_lib.errors import ModelError, TargetError
from saliency_lib.images import with_part
from saliency_lib.methods.relu_rules import AnyRule, Rule, as_rule, downstream
from saliency_lib.models.forward import ask, evaluation_mode, head_of
from saliency_lib.models.model import Model, form_of
from saliency_lib.targets import Target, class_indices, is_class

NO_SEQUENCE = "the network is no plain sequence of its layers: a DeconvNet cannot be built for it"

KINDS = (nn.Conv2d, nn.MaxPool2d, nn.ReLU, nn.Linear, nn.AdaptiveAvgPool2d, nn.Flatten, nn.Dropout, nn.Identity)
"""The layers that have an inverse of a kind."""


@torch.no_grad()
def deconvnet_reconstruction(
    model: nn.Module, images: Tensor, target: Target = None, *, rule: AnyRule = "deconvnet"
) -> Tensor:
    """What a DeconvNet attached to the network reconstructs in pixel space from one class score: (N, 3, H, W).

    The network must be a plain sequence of convolutions, ReLUs, max-pools, adaptive average pools, dropout and linear
    layers, such as AlexNet or VGG, alone or in a `Model`. The signal at the top is 1 at the target class and 0
    elsewhere; at the bottom the normalization is undone, so that the unit is that of `input_gradient`. `rule` is what
    happens at a ReLU: `"deconvnet"` gives the reconstruction of Zeiler and Fergus (2014), `"backprop"` the gradient.

    Raises `ModelError` if the network has other layers or is no sequence, or a layer computes something else than its
    class does (a hook, or a subclass that scales its weights), and the errors of `input_gradient`. A target
    function is not accepted, since a reconstruction starts from a unit. Chapter 5 teaches it.
    """
    if not is_class(target):
        raise TargetError("a reconstruction starts from the score of a class, not from a function")
    with evaluation_mode(model):
        images = check_images(images, form_of(model)._replace(axes=2)).clone()  # a network may work in place
        scores = ask(model, images.clone()).scores
        layers = list(sequence(model))
        inputs, top = run_forward(layers, normalized(model, images))
    if top.shape != scores.shape or not torch.allclose(top, scores, rtol=1e-3, atol=1e-4):
        raise ModelError(NO_SEQUENCE)
    classes = class_indices(scores, target, head_of(model))
    R = F.one_hot(classes, scores.shape[1]).to(scores.dtype)
    for layer, x in zip(reversed(layers), reversed(inputs), strict=True):
        R = step_back(layer, x, R, as_rule(rule).function)
    if not R.isfinite().all():
        raise ModelError("the reconstruction is infinite or NaN: look at the rule, and at the weights")
    return with_part((R / model.std if isinstance(model, Model) else R).to(images.device), images)


def normalized(model: nn.Module, images: Tensor) -> Tensor:
    """What the first layer is given."""
    return (images.to(model.mean.device) - model.mean) / model.std if isinstance(model, Model) else images


def sequence(model: nn.Module) -> Iterator[nn.Module]:
    """The layers of a network in the order in which they are registered, flattening before the first linear one."""
    flat = False
    for layer in model.modules():
        if isinstance(layer, nn.Linear) and not flat:
            flat = True
            yield nn.Flatten()
        if not list(layer.children()) and not isinstance(layer, nn.Flatten):
            yield layer


def run_forward(layers: list[nn.Module], x: Tensor) -> tuple[list[Tensor], Tensor]:
    """The input of every layer, and the output of the last. Clones, because a ReLU may overwrite what it is given."""
    inputs = []
    for layer in layers:
        inputs.append(x)
        try:
            x = layer(x.clone())
        except Exception:  # the layers of a network that branches do not fit one behind the other
            raise ModelError(NO_SEQUENCE) from None
        check_layer(layer, inputs[-1], x)
    return inputs, x


def check_layer(layer: nn.Module, x: Tensor, output: Tensor) -> None:
    """Raise `ModelError` if a layer does not put out what one of its class does: `step_back` would undo another one."""
    kind: Any = next((kind for kind in KINDS if isinstance(layer, kind)), None)
    if kind is not None and not torch.allclose(kind.forward(layer, x.clone()), output, rtol=1e-3, atol=1e-6):
        raise ModelError(f"{type(layer).__name__} does not compute what {kind.__name__} does: it has no inverse here")


def step_back(layer: nn.Module, x: Tensor, R: Tensor, rule: Rule) -> Tensor:
    """From the reconstruction R of a layer's output to that of its input, x being what that input was."""
    match layer:
        case nn.Conv2d():
            return transposed_convolution(layer, x, R)
        case nn.MaxPool2d():
            return unpool(layer, x, R)
        case nn.ReLU():
            return downstream(rule, R, x.clamp(min=0))  # a ReLU keeps no more of its input
        case nn.Linear():
            return R @ layer.weight
        case nn.AdaptiveAvgPool2d():
            return spread(x, R)
        case nn.Flatten():
            return R.reshape(x.shape)
        case nn.Dropout() | nn.Identity():
            return R
    raise ModelError(
        f"a DeconvNet is defined for convolution, ReLU, pooling and linear layers, not {type(layer).__name__}"
    )


def transposed_convolution(layer: nn.Conv2d, x: Tensor, R: Tensor) -> Tensor:
    """Convolution with the flipped filters: each output hands its value to the inputs it was computed from."""
    if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
        raise ModelError(f"a DeconvNet takes convolutions with numbers for zero padding, not {layer.padding!r}")
    kept = [
        (n - 1) * s - 2 * p + d * (k - 1) + 1
        for n, s, p, d, k in zip(
            R.shape[2:], layer.stride, layer.padding, layer.dilation, layer.kernel_size, strict=True
        )
    ]
    missed = [size - n for size, n in zip(x.shape[2:], kept, strict=True)]  # rows that a stride left unread
    return F.conv_transpose2d(
        R, layer.weight, None, layer.stride, layer.padding, missed, layer.groups, layer.dilation
    )  # fmt: skip


def unpool(layer: nn.MaxPool2d, x: Tensor, R: Tensor) -> Tensor:
    """Each value back to its switch, the place of the maximum; where windows that overlap share one, they add up."""
    switches = F.max_pool2d(
        x, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode, return_indices=True
    )[1]
    empty = torch.zeros_like(x).flatten(2)
    return empty.scatter_add(2, switches.flatten(2), R.flatten(2)).view_as(x)


def spread(x: Tensor, R: Tensor) -> Tensor:
    """Each value in equal parts to the window that an adaptive average pool took the mean of."""
    (height, width), (rows, columns) = x.shape[2:], R.shape[2:]
    back = torch.zeros_like(x)
    for i in range(rows):
        for j in range(columns):
            window = (..., _window(i, rows, height), _window(j, columns, width))
            back[window] += R[..., i, j, None, None] / back[window][0, 0].numel()
    return back


def _window(index: int, count: int, size: int) -> slice:
    return slice(index * size // count, -(-(index + 1) * size // count))
