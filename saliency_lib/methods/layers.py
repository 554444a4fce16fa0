"""The same derivative, taken at a layer inside the network instead of at the pixels.

    M = sl.layer_saliency(model, images, "Egyptian cat", layer="blocks.5.2")   # M_ij = max_k |dS_c / dh_kij|, (N, h, w)
    M = sl.grad_cam(model, images, "Egyptian cat")      # max(0, sum_k a_k h_kij),  a_k = mean_ij dS_c / dh_kij

The gradient of a modern network is noisy at the pixels. Taken at a middle or late layer h, the paper's own formula
gives a smooth map that covers the object, for less computation.

Grad-CAM asks how much each channel of a late layer matters on the whole, and where that channel is active. At the last
layer before global pooling the score is a sum over places, and the weighted activations are an account of it: the class
activation map of Zhou et al. (2016). Selvaraju et al. (2017) made it work at any layer and keep what speaks for the
class. One forward pass, and a short way back; cells as coarse as the layer. Chapter 7 tells both stories.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saliency_lib.errors import ModelError
from saliency_lib.images import with_part
from saliency_lib.methods.gradients import LayerGradient, Recording
from saliency_lib.methods.maps import reduce_channels
from saliency_lib.methods.method import Method, function
from saliency_lib.methods.relu_rules import AnyRule
from saliency_lib.models.model import layers_known
from saliency_lib.targets import Layer, Target

GRID = 56
"""Cells a side of the common grid of maps: those of EfficientNet-Lite0's early layers, 4 pixels each."""

SMOOTHING = 1.0
"""Standard deviation, in cells of the grid, of the Gaussian that takes the corners off upsampled cells."""


class LayerMethod(Method):
    """What the methods at layers share: a forward pass, and the gradients at the layers chosen.

    A subclass says by `chosen` at which layers, and by `combine` what it makes of the gradients.
    """

    needs_layers = True

    rule: AnyRule = None

    def __post_init__(self) -> None:
        self.where = tuple(self.chosen())
        self.shift = layers_known(self.model).shift
        self.recording = Recording(self.model, self.images, self.where, rule=self.rule)
        self.answer = self.recording.answer

    def chosen(self) -> Sequence[Layer]:
        """The layers that were given, or some of those that are known, which are one or more."""
        raise NotImplementedError

    def combine(self, gradients: Sequence[LayerGradient]) -> Tensor:
        """The map (N, h, w) that the layers' outputs and gradients give."""
        raise NotImplementedError

    def _maps(self, target: Target) -> Tensor:
        self.recording = self.recording.watching(target)
        return self.combine(self.recording.at_layers(target))


class LayerSaliency(LayerMethod):
    """The paper's saliency at a layer h in place of the pixels, M_ij = max_k |dS_c / dh_kij|: (N, h, w), values >= 0.

    `layer` is a module of the network whose output is (N, C, h, w), its name, or `sl.tokens(...)`, by default the next
    to last of those known for the model; its cell (i, j) stands for a part of the image. Images, target, rule and
    errors as in `input_gradient`; `ModelError` also for a layer that cannot be used. Chapter 7 teaches it.
    """

    name, title = "layer-saliency", "gradient at a layer"

    layer: Layer | None = None

    def chosen(self) -> Sequence[Layer]:
        """The one given, or the next to last of those known, or the only one."""
        return good_layers(self.model)[-2:][:1] if self.layer is None else [self.layer]

    def combine(self, gradients: Sequence[LayerGradient]) -> Tensor:
        """M_ij = max_k |dS / dh_kij|."""
        return reduce_channels(gradients[0].gradient)


layer_saliency = function(LayerSaliency)


class GradCam(LayerMethod):
    """Grad-CAM (Selvaraju et al., 2017), max(0, sum_k a_k h_kij) with a_k = mean_ij dS_c / dh_kij: (N, h, w).

    `layer` h is by default the last of those known for the model, for EfficientNet-Lite0 what global pooling averages;
    there Grad-CAM is the class activation map of Zhou et al. (2016), divided by the number of cells and cut off at 0.
    Arguments and errors as in `layer_saliency`. Chapter 7 compares it.
    """

    name, title = "grad-cam", "Grad-CAM"

    layer: Layer | None = None

    def chosen(self) -> Sequence[Layer]:
        """The one given, or the last of those known."""
        return good_layers(self.model)[-1:] if self.layer is None else [self.layer]

    def combine(self, gradients: Sequence[LayerGradient]) -> Tensor:
        """max(0, sum_k a_k h_kij)."""
        return activation_map(gradients[0])


grad_cam = function(GradCam)


def activation_map(at: LayerGradient) -> Tensor:
    """Grad-CAM from a layer's output and gradient."""
    weights = at.gradient.mean([*range(2, at.gradient.ndim)], keepdim=True)
    return (weights * at.output).sum(1).relu()


def good_layers(model: nn.Module) -> tuple[Layer, ...]:
    """The layers that are known to serve localization. Raises `ModelError` if none are known for this network."""
    known = layers_known(model).localization
    if not known:
        raise ModelError("good layers are not known for this network: name one (layer=), a module or its name")
    return known


def spread(saliency: Tensor, size: int = GRID, *, shift: float = 0.0, smoothing: float = SMOOTHING) -> Tensor:
    """A map of cells (N, h, w) on a finer grid, `size` on each axis, by linear interpolation and a Gaussian.

    Cell i is taken to lie at (i + 1/2 + shift) / h of the image.
    """
    fine = saliency
    for axis in range(1, fine.ndim):
        spreading = _spreading(fine.shape[axis], size, smoothing, shift).to(fine)
        fine = (fine.movedim(axis, -1) @ spreading.T).movedim(-1, axis)
    return with_part(fine, saliency)


def _spreading(cells: int, size: int, smoothing: float, shift: float) -> Tensor:
    """The matrix (size, cells) that interpolates linearly between the positions of cells, and smooths."""
    at = ((torch.arange(size, dtype=torch.float64) + 0.5) / size * cells - 0.5 - shift).clamp(0, cells - 1)
    interpolation = (1 - (at[:, None] - torch.arange(cells)).abs()).clamp(min=0)
    if not smoothing:
        return interpolation
    distance = torch.arange(size, dtype=torch.float64)[:, None] - torch.arange(size)
    gaussian = torch.exp(-0.5 * (distance / smoothing) ** 2)
    return gaussian / gaussian.sum(1, keepdim=True) @ interpolation
