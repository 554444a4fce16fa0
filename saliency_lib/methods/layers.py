"""The same derivative, taken at a layer inside the network instead of at the pixels.

    M = sl.layer_saliency(model, images, "Egyptian cat", layer="blocks.5.2")   # M_ij = max_k |dS_c / dh_kij|, (N, h, w)

The gradient of a modern network is noisy at the pixels. Taken at a middle or late layer h, the paper's own formula
gives a smooth map that covers the object, for less computation. Chapter 7 tells that story.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saliency_lib.checks import listed
from saliency_lib.errors import ModelError
from saliency_lib.images import covering
from saliency_lib.methods.maps import reduce_channels
from saliency_lib.methods.method import Method
from saliency_lib.methods.recording import LayerGradient, Recording
from saliency_lib.methods.relu_rules import AnyRule
from saliency_lib.models.model import layers_known
from saliency_lib.targets import Layer, Target, layers_of

GRID = 56
"""Cells a side of the common grid of maps: those of EfficientNet-Lite0's early layers, 4 pixels each."""

SMOOTHING = 1.0
"""Standard deviation, in cells of the grid, of the Gaussian that takes the corners off upsampled cells."""


class LayerMethod(Method):
    """What the methods at layers share: a forward pass, and the gradients at the layers chosen.

    A subclass says by `default` which of the layers that are known to serve localization it takes where none are given,
    and by `combine` what it makes of the gradients.
    """

    default: slice

    def __init__(
        self, model: nn.Module, images: Tensor, *, layers: Sequence[Layer] | None = None, rule: AnyRule = None
    ) -> None:
        self.model, self.images, self.rule = model, images, rule
        given = () if layers is None else listed("layers", layers, ModelError)
        self.layers = tuple(given or good_layers(model)[self.default])
        self.shift = layers_known(model).shift
        self.recording = Recording(model, images, self.layers, rule=rule)
        self.answer = self.recording.answer

    def combine(self, gradients: Sequence[LayerGradient]) -> Tensor:
        """The map (N, h, w) that the layers' outputs and gradients give."""
        raise NotImplementedError

    def _maps(self, target: Target) -> Tensor:
        if not self.recording.watches(target):
            watch = layers_of(target)
            self.recording = Recording(self.model, self.images, self.layers, rule=self.rule, watch=watch)
        return self.combine(self.recording.gradients(target))


class LayerSaliency(LayerMethod):
    """`layer_saliency` for one target after another; by default at the next to last of the layers known."""

    name = "layer-saliency"
    title = "gradient at a layer"
    default = slice(-2, -1)

    def combine(self, gradients: Sequence[LayerGradient]) -> Tensor:
        """M_ij = max_k |dS / dh_kij|."""
        return reduce_channels(gradients[0].gradient)


def layer_saliency(
    model: nn.Module, images: Tensor, target: Target = None, *, layer: Layer, rule: AnyRule = None
) -> Tensor:
    """The paper's saliency at a layer h in place of the pixels, M_ij = max_k |dS_c / dh_kij|: (N, h, w), values >= 0.

    `layer` is a module of the network whose output is (N, C, h, w), its name, or `sl.tokens(...)`; its cell (i, j)
    stands for a part of the image. Images, target, rule and errors as in `input_gradient`; `ModelError` also for a
    layer that cannot be used. Chapter 7 teaches it.
    """
    return LayerSaliency(model, images, layers=[layer], rule=rule).maps(target)


def good_layers(model: nn.Module) -> tuple[Layer, ...]:
    """The layers that are known to serve localization. Raises `ModelError` if none are known for this network."""
    known = layers_known(model).localization
    if not known:
        raise ModelError("good layers are not known for this network: name one (layer=), a module or its name")
    return known


def spread(saliency: Tensor, size: int = GRID, *, shift: float = 0.0, smoothing: float = SMOOTHING) -> Tensor:
    """A map of cells (N, h, w) on a finer grid (N, size, size), by linear interpolation and a Gaussian.

    Cell i is taken to lie at (i + 1/2 + shift) / h of the image.
    """
    rows, columns = (_spreading(cells, size, smoothing, shift).to(saliency) for cells in saliency.shape[1:])
    return covering(rows @ saliency @ columns.T, saliency)


def _spreading(cells: int, size: int, smoothing: float, shift: float) -> Tensor:
    """The matrix (size, cells) that interpolates linearly between the positions of cells, and smooths."""
    at = ((torch.arange(size, dtype=torch.float64) + 0.5) / size * cells - 0.5 - shift).clamp(0, cells - 1)
    interpolation = (1 - (at[:, None] - torch.arange(cells)).abs()).clamp(min=0)
    if not smoothing:
        return interpolation
    distance = torch.arange(size, dtype=torch.float64)[:, None] - torch.arange(size)
    gaussian = torch.exp(-0.5 * (distance / smoothing) ** 2)
    return gaussian / gaussian.sum(1, keepdim=True) @ interpolation
