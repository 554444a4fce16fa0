"""Where the object of a class is: a late layer knows the class best, earlier ones know the extent. Add them up.

    M = sl.object_map(model, images, "Egyptian cat")      # (N, 56, 56)

Grad-CAM at the network's end is sure of the class, and of the part that tells it. The paper's formula at middle layers
covers more of the object, less surely. Three maps of mean one, on one grid, added: the book's own best, found on 300
photos of ILSVRC (chapter 5 says how, and how far to trust it). One forward pass, and one backward pass of a third.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saliency_lib.methods.grad_cam import activation_map
from saliency_lib.methods.layers import LayerMethod, spread
from saliency_lib.methods.maps import reduce_channels
from saliency_lib.methods.recording import LayerGradient
from saliency_lib.methods.relu_rules import AnyRule
from saliency_lib.targets import Layer, Target


class ObjectMap(LayerMethod):
    """`object_map` for one target after another."""

    name = "object-map"
    title = "object map: Grad-CAM and gradients at earlier layers"
    default = slice(None)

    def combine(self, gradients: Sequence[LayerGradient]) -> Tensor:
        """Grad-CAM at the last layer plus the saliencies at the others, each of mean one, on one grid."""
        maps = [activation_map(gradients[-1]), *(reduce_channels(at.gradient) for at in gradients[:-1])]
        parts = [spread(M, shift=self.shift) for M in maps]
        return torch.stack([M / M.mean((1, 2), keepdim=True).clamp(min=1e-12) for M in parts]).sum(0)


def object_map(
    model: nn.Module,
    images: Tensor,
    target: Target = None,
    *,
    layers: Sequence[Layer] | None = None,
    rule: AnyRule = None,
) -> Tensor:
    """Where the object of a class is: Grad-CAM at the network's end plus the paper's formula at earlier layers.

    The maps are brought to one grid of 56 x 56 cells, each at its true position, smoothed by a Gaussian of one cell,
    divided by their means, and added: (N, 56, 56), values >= 0. `layers` are by default those known for the model, for
    EfficientNet-Lite0 its blocks 10 and 13 and what global pooling averages; the last is for Grad-CAM. Arguments and
    errors as in `layer_saliency`. Chapter 5 teaches it.
    """
    return ObjectMap(model, images, layers=layers, rule=rule).maps(target)
