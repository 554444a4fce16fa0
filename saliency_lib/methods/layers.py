"""The same derivative, taken at a layer inside the network instead of at the pixels.

    M = sl.layer_saliency(model, images, layer, "Egyptian cat")     # M_ij = max_k |dS_c / dh_kij|,  (N, h, w)
    M = sl.object_map(model, images, "Egyptian cat")                # where the object is,           (N, 56, 56)

The gradient of a modern network is noisy at the pixels. Taken at a middle or late layer h, the paper's own formula
gives a smooth map that covers the object, for less computation. Chapter 5 tells that story.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from saliency_lib.errors import ModelError
from saliency_lib.images import check_images
from saliency_lib.methods.maps import reduce_channels
from saliency_lib.models.load import EMBEDDED
from saliency_lib.models.running import class_scores, differentiating
from saliency_lib.targets import Target, categories_of, select

GRID = 56
"""Cells a side in an object map: those of EfficientNet-Lite0's early layers, 4 pixels each."""

SMOOTHING = 1.0
"""Standard deviation, in cells of the grid, of the Gaussian that takes the corners off upsampled cells."""

EMBEDDED_SHIFT = 0.35
"""By how much of a cell Lite0's deep cells lie further right and down than the middle of their share.

TensorFlow's "same" padding puts its odd zero at the end: every convolution of stride 2 moves its outputs by half an
input pixel, (1 - 2^-n) / 2 of a cell after n of them, almost a half. That is where the kernels lie; the trained weights
lean back, and by the network's own gradient the center of what a cell sees is about 0.1 further (a test measures it).
This is between the two.
"""

EMBEDDED_LAYERS = ("blocks.4.2", "blocks.5.2", "bn2")
"""Inverted-residual blocks 10 and 13 (counted from 0), and what global pooling averages."""


class LayerGradient(NamedTuple):
    """What a layer put out for each image, h of shape (N, C, H, W), and dS_c / dh, shaped alike."""

    output: Tensor
    gradient: Tensor


class Recording:
    """One forward pass, kept so that the gradients at some layers can be asked for again and again, class by class.

    `layers` are modules of the network with outputs (N, C, H, W); without any, the images themselves are the layer.
    The pass up to the first of them builds no graph, so that a gradient there costs less than one at the pixels.
    `scores` are the class scores (N, K).

    Raises `ModelError` if a layer is not met exactly once, or has another kind of output, and what `input_gradient`
    raises.
    """

    def __init__(self, model: nn.Module, images: Tensor, layers: Sequence[nn.Module] = ()) -> None:
        if not isinstance(model, nn.Module) or not all(isinstance(layer, nn.Module) for layer in layers):
            raise ModelError("expected a network and layers of it, each a torch.nn.Module")
        outputs: dict[nn.Module, Tensor] = {}

        def keep(layer: nn.Module, inputs: object, output: object) -> Tensor:
            name = type(layer).__name__
            if not isinstance(output, Tensor) or output.ndim != 4:
                raise ModelError(f"the output of a layer should be (N, C, H, W), and that of {name} is not")
            if layer in outputs:
                raise ModelError(f"the network runs the layer {name} more than once: which one is meant?")
            follows = outputs and output.requires_grad
            outputs[layer] = output if follows else output.detach().requires_grad_()
            return outputs[layer].clone()  # what runs next may work in place

        hooks = [layer.register_forward_hook(keep) for layer in set(layers)]
        try:
            with differentiating(model):
                I = check_images(images).detach().clone()
                self.scores = class_scores(model, I if layers else I.requires_grad_())
        finally:
            for hook in hooks:
                hook.remove()
        if len(outputs) < len(set(layers)):
            raise ModelError("the network did not run every layer asked for: are they modules of this network?")
        self.outputs = [outputs[layer] for layer in layers] or [I]
        self.categories = categories_of(model)

    def gradients(self, target: Target = None) -> list[LayerGradient]:
        """For each layer its output h and dS_c / dh for the class c that `target` means."""
        with torch.inference_mode(False), torch.enable_grad():
            S = select(self.scores, target, self.categories).sum()
            if not S.requires_grad:
                raise ModelError("the score does not depend on the layer, or the model detaches it")
            gradients = torch.autograd.grad(S, self.outputs, retain_graph=True, allow_unused=True)
        if any(gradient is None for gradient in gradients):
            raise ModelError("the score does not depend on one of the layers")
        return [LayerGradient(h.detach(), g) for h, g in zip(self.outputs, gradients, strict=True)]


def layer_saliency(model: nn.Module, images: Tensor, layer: nn.Module, target: Target = None) -> Tensor:
    """The paper's saliency at a layer h in place of the pixels, M_ij = max_k |dS_c / dh_kij|: (N, h, w), values >= 0.

    `layer` is a module of the network whose output is (N, C, h, w); its cell (i, j) stands for a part of the image.
    Images, target and errors as in `input_gradient`; `ModelError` also for a layer that cannot be used. Chapter 5
    teaches it.
    """
    (at,) = Recording(model, images, [layer]).gradients(target)
    return reduce_channels(at.gradient)


def grad_cam(model: nn.Module, images: Tensor, target: Target = None, layer: nn.Module | None = None) -> Tensor:
    """Grad-CAM (Selvaraju et al., 2017), max(0, sum_k a_k h_kij) with a_k = mean_ij dS_c / dh_kij: (N, h, w).

    `layer` h is by default EfficientNet-Lite0's last, what global pooling averages; there Grad-CAM is the class
    activation map of Zhou et al. (2016), divided by the number of cells. Errors as in `layer_saliency`. Chapter 5
    compares it.
    """
    (at,) = Recording(model, images, [layer or embedded_layers(model, "pass layer=, a module of yours")[-1]]).gradients(
        target
    )
    return activation_map(at)


def object_map(
    model: nn.Module, images: Tensor, target: Target = None, *, layers: Sequence[nn.Module] | None = None
) -> Tensor:
    """Where the object of a class is: Grad-CAM at the network's end plus the paper's formula at blocks 13 and 10.

    The three maps are brought to one grid of 56 x 56 cells, each at its true position, smoothed by a Gaussian of one
    cell, divided by their means, and added: (N, 56, 56), values >= 0. Grad-CAM knows the class best, the gradients
    know the extent. For other networks than EfficientNet-Lite0, `layers` names modules in their place, the last for
    Grad-CAM. Errors as in `layer_saliency`. Chapter 5 teaches it.
    """
    chosen = list(layers) if layers else embedded_layers(model, "pass layers=, modules of yours")
    return combine(Recording(model, images, chosen).gradients(target), shift_of(model))


def combine(gradients: Sequence[LayerGradient], shift: float) -> Tensor:
    """The maps at several layers as one: `object_map` after the backward pass. `shift` as in `spread`."""
    maps = [activation_map(gradients[-1]), *(reduce_channels(at.gradient) for at in gradients[:-1])]
    parts = [spread(M, shift=shift) for M in maps]
    return torch.stack([M / M.mean((1, 2), keepdim=True).clamp(min=1e-12) for M in parts]).sum(0)


def activation_map(at: LayerGradient) -> Tensor:
    """Grad-CAM from a layer's output and gradient."""
    weights = at.gradient.mean((2, 3), keepdim=True)
    return (weights * at.output).sum(1).relu()


def spread(saliency: Tensor, size: int = GRID, *, shift: float = 0.0, smoothing: float = SMOOTHING) -> Tensor:
    """A map of cells (N, h, w) on a finer grid (N, size, size), by linear interpolation and a Gaussian.

    Cell i is taken to lie at (i + 1/2 + shift) / h of the image.
    """
    rows, columns = (_spreading(cells, size, smoothing, shift).to(saliency) for cells in saliency.shape[1:])
    return rows @ saliency @ columns.T


def _spreading(cells: int, size: int, smoothing: float, shift: float) -> Tensor:
    """The matrix (size, cells) that interpolates linearly between the positions of cells, and smooths."""
    at = ((torch.arange(size, dtype=torch.float64) + 0.5) / size * cells - 0.5 - shift).clamp(0, cells - 1)
    interpolation = (1 - (at[:, None] - torch.arange(cells)).abs()).clamp(min=0)
    if not smoothing:
        return interpolation
    distance = torch.arange(size, dtype=torch.float64)[:, None] - torch.arange(size)
    gaussian = torch.exp(-0.5 * (distance / smoothing) ** 2)
    return gaussian / gaussian.sum(1, keepdim=True) @ interpolation


def is_embedded(model: nn.Module) -> bool:
    """Whether this is EfficientNet-Lite0, whose layers we know."""
    return getattr(getattr(model, "network", model), "architecture", None) == EMBEDDED


def shift_of(model: nn.Module) -> float:
    """The `shift` of `spread` for a network's deep layers; of others than Lite0 it is not known."""
    return EMBEDDED_SHIFT if is_embedded(model) else 0.0


def embedded_layers(model: nn.Module, advice: str) -> list[nn.Module]:
    """The layers of EfficientNet-Lite0 that serve localization. Raises `ModelError` for others, with the advice."""
    if not is_embedded(model):
        raise ModelError(f"good layers are known for {EMBEDDED} only: {advice}")
    network = getattr(model, "network", model)
    assert isinstance(network, nn.Module)
    return [network.get_submodule(name) for name in EMBEDDED_LAYERS]
