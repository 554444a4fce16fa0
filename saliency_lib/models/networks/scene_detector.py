"""A detector: which creatures are in a scene of `scenes`, and the box around each.

One stage, without anchors, in the manner of FCOS (Tian et al., 2019), less its branch for centerness and all levels but
one. At each of 12 x 12 places it gives a box and ten scores: 2016 numbers, of which `detections` reports a few. A
*backbone* makes cells of 8 and of 16 pixels, a *neck* adds the latter to the former, a *head* reads both from a cell
and its neighbors. `python -m saliency_lib train scene_detector` trains it in 250 seconds of one core.

Trained with seed 0 (which is kept) or 1, its mean average precision on 500 scenes that it never saw is 0.999, at an
overlap of one half. There boxes of the usual size in the right quarter reach 1; at three quarters they reach 0.22, and
this network 0.997 (150 scenes of seed 4).
"""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_lib.categories import Head
from saliency_lib.datasets.creatures import CATEGORIES
from saliency_lib.datasets.scenes import SIZE, scenes
from saliency_lib.models.detections import average_precisions, box_ious, reported, true_boxes
from saliency_lib.models.model import Layers, Model
from saliency_lib.models.weights import load_trained

if TYPE_CHECKING:
    from saliency_lib.models.training import Recipe

MEAN, STD = (0.48, 0.45, 0.44), (0.27, 0.26, 0.26)
SHA256 = {"scene_detector": "b56018e3ac421b893779da492e3dd057d14113de1da2b9f17f8d924bff69922b"}
NAMES = tuple(SHA256)
LAYERS = Layers(("neck.1",), any_size=False)
HEAD = Head("sigmoid", CATEGORIES)

STRIDE, CELLS = 8, 12
HALF = 20.0
"""Half the side of the box that a head whose outputs are all zero would give, in pixels: that of a common thing."""
REACH = 12.0
"""A place is to find a thing if it lies in its box, and so many pixels from the box's middle, or fewer."""
RARE = -4.0
"""The scores before training: a label is where it is asked for about once in fifty times."""


def _convolution(before: int, after: int, size: int = 3, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(before, after, size, stride, (size - 1) // 2), nn.ReLU()]


class SceneDetector(nn.Module):
    """Normalized scenes (N, 3, 96, 96) to candidates (N, 144, 14): `(x0, y0, x1, y1)` in pixels, and ten scores.

    The scores are those before the sigmoid; candidate 12 i + j belongs to the cell of 8 pixels in row i, column j.
    """

    centers: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            *_convolution(3, 24, 6, 2),
            *_convolution(24, 32, stride=2),
            *_convolution(32, 64),
            *_convolution(64, 96, stride=2),
            *_convolution(96, 96),
        )
        self.deep = nn.Sequential(*_convolution(96, 112, stride=2))
        self.lateral, self.top = nn.Conv2d(96, 64, 1), nn.Conv2d(112, 64, 1)
        self.neck = nn.Sequential(*_convolution(64, 64))
        self.score, self.edges = nn.Conv2d(64, 10, 3, padding=1), nn.Conv2d(64, 4, 3, padding=1)
        middle = (torch.arange(CELLS) + 0.5) * STRIDE
        y, x = torch.meshgrid(middle, middle, indexing="ij")
        self.register_buffer("centers", torch.stack([x, y, x, y], 2).flatten(0, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        near = self.backbone(images)
        wide = F.interpolate(self.top(self.deep(near)), scale_factor=2.0, mode="nearest")
        cells = self.neck(self.lateral(near) + wide)
        edges, scores = self.edges(cells).flatten(2).mT, self.score(cells).flatten(2).mT
        usual = self.centers + HALF * torch.tensor([-1.0, -1, 1, 1]).to(self.centers)
        return torch.cat([usual + STRIDE * edges, scores], 2)


def load(name: str) -> Model:
    """The trained network as a `Model` whose ten labels hold each by itself, at each candidate."""
    return Model(load_trained(SceneDetector, name, SHA256[name]), MEAN, STD, HEAD, SIZE, LAYERS)


def recipe(name: str) -> "Recipe":
    """How it was trained."""
    from saliency_lib.models.training import Mirrored, Recipe, begun

    def network() -> nn.Module:
        made = begun(SceneDetector)()
        values = made.state_dict()
        nn.init.constant_(values["score.bias"], RARE)
        for name in ("score.weight", "edges.weight"):
            nn.init.normal_(values[name], std=0.01)
        return made

    return Recipe(
        network=network,
        mean=MEAN,
        std=STD,
        draw=_examples,
        loss=loss,
        error=lacking_precision,
        unit="short of a mean average precision of 1, at an overlap of one half",
        alter=Mirrored(_mirrored),
        examples=3000,
        epochs=12,
        batch=50,
        rate=2e-3,
    )


def _examples(count: int, seed: int) -> tuple[Tensor, Tensor]:
    drawn = scenes(count, seed=seed)
    return drawn.images, true_boxes(drawn.masks)


def _mirrored(boxes: Tensor) -> Tensor:
    """Boxes (N, 10, 4) in the mirrored scenes."""
    x0, y0, x1, y1 = boxes.unbind(2)
    return torch.stack([SIZE - x1, y0, SIZE - x0, y1], 2)


def wanted(boxes: Tensor, centers: Tensor) -> Tensor:
    """Which candidate is to find which thing, (N, candidates, 10), for boxes (N, 10, 4) that are nan where none is."""
    x, y = centers[:, 0, None], centers[:, 1, None]
    x0, y0, x1, y1 = boxes[:, None].unbind(3)
    inside = (x0 < x) & (x < x1) & (y0 < y) & (y < y1)
    return inside & ((x - (x0 + x1) / 2).abs() <= REACH) & ((y - (y0 + y1) / 2).abs() <= REACH)


def loss(outputs: Tensor, boxes: Tensor) -> Tensor:
    """The focal loss of all scores (Lin et al., 2017); where there is a thing, also of its edges and their overlap."""
    middle = (torch.arange(CELLS) + 0.5).to(outputs) * STRIDE
    centers = torch.cartesian_prod(middle, middle).flip(1)
    right = wanted(boxes, centers)
    scores, truth = outputs[..., 4:], right.float()
    wrong = (scores.sigmoid() - truth).abs()
    focal = (wrong**2 * F.binary_cross_entropy_with_logits(scores, truth, reduction="none")).sum()
    image, place, label = right.nonzero(as_tuple=True)
    given, true = outputs[image, place, :4], boxes[image, label]
    edges = F.smooth_l1_loss(given / STRIDE, true / STRIDE, beta=0.2, reduction="none").sum()
    return (focal + edges + (1 - box_ious(given, true)).sum()) / max(1, len(image))


def lacking_precision(outputs: Tensor, boxes: Tensor) -> float:
    """One minus the mean average precision of what is reported with a probability of 2 % or more."""
    precisions = average_precisions(reported(outputs, HEAD, threshold=0.02), boxes)
    return 1 - sum(precisions) / len(precisions)
