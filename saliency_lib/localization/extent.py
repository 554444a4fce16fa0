"""Where does the object end? The object map knows the place. Cells that look alike share what it says.

    find_localizer("object-extent").look(model, images).find([photo], classes)
    python -m saliency_lib localize dog.jpg --method object-extent --out box.png

Let v_i be the network's own middle features in cell i, centered over the picture, z_i the picture's color there, and

    K_ij = max(0, cos(v_i, v_j))^2 (1 + exp(-|z_i - z_j|^2 / 2 s^2)),      T_ij = K_ij / sum_k K_ik .

T is one step of a random walk: from a cell to those that look like it. A map M becomes TM, in which each cell has the
mean over all that look like it. Two maps take this step: the object map O, and O times what each cell adds to the
score, r_i = max(0, sum_f A_fi dS/dA_fi), which is finer and less sure. With each divided by its maximum,

    Q = O + TO + T(O r) .

The box goes around the largest piece above the threshold that splits the values of Q best in two (Otsu, 1979): no
threshold is chosen. One forward and one backward pass, as for the object map, but back to an earlier layer. The parts
were chosen on 150 photos of ILSVRC. On 150 others its boxes are closer to the true ones than the object map's, and no
more often right (`benchmarks/localization_trials.py`). Chapter 7 teaches it.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from saliency_lib.errors import ModelError
from saliency_lib.localization.boxes import Box
from saliency_lib.localization.localize import threshold_box
from saliency_lib.methods.gradients import LayerGradient
from saliency_lib.methods.layers import spread
from saliency_lib.methods.object_map import OneView
from saliency_lib.models.model import layers_known
from saliency_lib.targets import Layer

COLOR = 0.2
"""The s of the equation: how far apart two colors in [0, 1]^3 are that still count as near."""

SMOOTHING = 2.0
"""Standard deviation, in cells of the common grid, of the Gaussian that smooths the contributions r."""


class ObjectExtent(OneView):
    """The map Q (N, 56, 56) for one target after another, values >= 0.

    Raises `ModelError` if no layer with middle features is known for the model.
    """

    def chosen(self) -> Sequence[Layer]:
        """The layer of the middle features, then those of the object map."""
        middle = layers_known(self.model).middle
        if not middle:
            raise ModelError("a layer with middle features is not known for this network: use object-map")
        return [middle, *super().chosen()]

    def combine(self, gradients: Sequence[LayerGradient]) -> Tensor:
        """O + TO + T(O r), each divided by its maximum."""
        middle, *others = gradients
        O = super().combine(others)
        r = spread((middle.output * middle.gradient).sum(1).relu(), shift=self.shift, smoothing=SMOOTHING)
        T = walk(middle.output, self.recording.I.detach().to(middle.output))
        maps = (O, step(T, O, middle.output), step(T, O * r, middle.output))
        return torch.stack([of_maximum_one(M) for M in maps]).sum(0)


def walk(features: Tensor, images: Tensor) -> Tensor:
    """The step T (N, hw, hw) of the random walk over the cells of features (N, C, h, w); its rows sum to one.

    Images (N, 3, H, W) in [0, 1] give the colors. From a cell whose features are the mean of all it goes nowhere.
    """
    v = features.flatten(2)
    v = F.normalize(v - v.mean(2, keepdim=True), dim=1)
    z = F.adaptive_avg_pool2d(images, (features.shape[2], features.shape[3])).flatten(2).mT
    near = torch.exp(-torch.cdist(z, z).square() / (2 * COLOR**2))
    K = (v.mT @ v).relu().square() * (1 + near)
    K = K + 1e-9 * torch.eye(K.shape[1]).to(K)  # a cell is like itself, even where it is like no other
    return K / K.sum(2, keepdim=True)


def step(T: Tensor, maps: Tensor, features: Tensor) -> Tensor:
    """TM for maps M (N, s, s), on their own grid: brought to the cells of the features and back."""
    cells = F.adaptive_avg_pool2d(maps[:, None], (features.shape[2], features.shape[3]))
    moved = (T @ cells.flatten(2).mT).mT.view_as(cells)
    return F.interpolate(moved, maps.shape[1:], mode="bilinear")[:, 0]


def of_maximum_one(maps: Tensor) -> Tensor:
    """Maps (N, h, w) divided by their maxima; a map of zeros stays one."""
    return maps / maps.amax((1, 2), keepdim=True).clamp(min=1e-30)


def otsu(values: Tensor) -> float:
    """The threshold that splits values best in two (Otsu, 1979): the variance between the two parts is the largest.

    With a share w of the values above it, and the means m and n of the two parts, that is w (1 - w) (m - n)^2. It lies
    in the middle between two neighboring values.
    """
    ordered = values.detach().flatten().double().cpu().sort(descending=True).values
    count, sums = len(ordered), ordered.cumsum(0)
    if count < 2:
        return float(ordered[0])
    k = torch.arange(1, count, dtype=torch.float64)
    between = k * (count - k) * (sums[:-1] / k - (sums[-1] - sums[:-1]) / (count - k)).square()
    at = int(between.argmax())
    return float(ordered[at] + ordered[at + 1]) / 2


def otsu_box(photo: Image.Image, saliency: Tensor) -> Box | None:
    """The box around the largest piece of a map above `otsu`'s threshold; None in a map that is nowhere positive.

    The map (h, w) is one of the whole photo, values >= 0. Errors as in `threshold_box`.
    """
    top = float(saliency.max())
    fraction = otsu(saliency) / top if top > 0 else 1.0
    return threshold_box(photo, saliency, part="whole", threshold=fraction).box
