"""Grad-CAM: how much each channel of a late layer matters on the whole, and where that channel is active.

    M = sl.grad_cam(model, images, "Egyptian cat")      # max(0, sum_k a_k h_kij),  a_k = mean_ij dS_c / dh_kij

At the last layer before global pooling the score is a sum over places, and the weighted activations are an account of
it: the class activation map of Zhou et al. (2016). Selvaraju et al. (2017) made it work at any layer and keep what
speaks for the class. One forward pass, and a short way back. Its cells are as coarse as the layer. Chapter 7.
"""

from collections.abc import Sequence

from torch import Tensor

from saliency_lib.methods.layers import LayerMethod, good_layers
from saliency_lib.methods.method import function
from saliency_lib.methods.recording import LayerGradient
from saliency_lib.targets import Layer


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
    weights = at.gradient.mean((2, 3), keepdim=True)
    return (weights * at.output).sum(1).relu()
