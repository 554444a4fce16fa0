"""Where does the object end? The object map knows the place. Cells that look alike share what it says.

    find_localizer("object-extent").look(model, images).find([photo], classes)
    python -m saliency_lib localize dog.jpg --method object-extent --out box.png

Let h_i be the network's own middle features in cell i, centered over the picture, c_i the picture's color there, and

    A_ij = max(0, cos(h_i, h_j))^2 (1 + exp(-|c_i - c_j|^2 / 2 s^2)),      P_ij = A_ij / sum_k A_ik .

P is one step of a random walk: from a cell to those that look like it. A map M becomes PM, in which each cell has the
mean over all that look like it. Two maps take this step: the object map O, and O times what each cell adds to the
score, g_i = max(0, sum_f h_fi dS/dh_fi), which is finer and less sure. With each divided by its maximum,

    E = O + PO + P(O g) .

The box goes around the largest piece above the threshold that splits the values of E best in two (Otsu, 1979): no
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
"""Standard deviation, in cells of the common grid, of the Gaussian that smooths the contributions g."""


class ObjectExtent(OneView):
    """The map E (N, 56, 56) for one target after another, values >= 0.

    Raises `ModelError` if no layer with middle features is known for the model.
    """

    def chosen(self) -> Sequence[Layer]:
        """The layer of the middle features, then those of the object map."""
        middle = layers_known(self.model).middle
        if not middle:
            raise ModelError("a layer with middle features is not known for this network: use object-map")
        return [middle, *super().chosen()]

    def combine(self, gradients: Sequence[LayerGradient]) -> Tensor:
        """O + PO + P(O g), each divided by its maximum."""
        middle, *others = gradients
        O = super().combine(others)
        g = spread((middle.output * middle.gradient).sum(1).relu(), shift=self.shift, smoothing=SMOOTHING)
        P = walk(middle.output, self.images.to(middle.output))
        maps = (O, step(P, O, middle.output), step(P, O * g, middle.output))
        return torch.stack([of_maximum_one(M) for M in maps]).sum(0)


def walk(features: Tensor, images: Tensor) -> Tensor:
    """The step P (N, hw, hw) of the random walk over the cells of features (N, C, h, w); its rows sum to one.

    Images (N, 3, H, W) in [0, 1] give the colors. From a cell whose features are the mean of all it goes nowhere.
    """
    x = features.flatten(2)
    x = F.normalize(x - x.mean(2, keepdim=True), dim=1)
    c = F.adaptive_avg_pool2d(images, (features.shape[2], features.shape[3])).flatten(2).mT
    near = torch.exp(-torch.cdist(c, c).square() / (2 * COLOR**2))
    A = (x.mT @ x).relu().square() * (1 + near)
    A = A + 1e-9 * torch.eye(A.shape[1]).to(A)  # a cell is like itself, even where it is like no other
    return A / A.sum(2, keepdim=True)


def step(P: Tensor, maps: Tensor, features: Tensor) -> Tensor:
    """PM for maps M (N, s, s), on their own grid: brought to the cells of the features and back."""
    cells = F.adaptive_avg_pool2d(maps[:, None], (features.shape[2], features.shape[3]))
    moved = (P @ cells.flatten(2).mT).mT.view_as(cells)
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
