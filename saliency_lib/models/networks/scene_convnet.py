"""A network that gives several labels to one image: which of ten creatures are in a scene of `scenes`.

Four convolutions, the mean over all positions, and one linear layer whose ten scores go through a sigmoid each. Its
weights are in the package; `python -m saliency_lib train scene_convnet` trains it.
"""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_lib.categories import Head
from saliency_lib.datasets.creatures import CATEGORIES
from saliency_lib.datasets.scenes import SIZE, scenes
from saliency_lib.models.model import Layers, Model
from saliency_lib.models.weights import load_trained

if TYPE_CHECKING:
    from saliency_lib.models.training import Recipe

MEAN, STD = (0.48, 0.45, 0.44), (0.27, 0.26, 0.26)
SHA256 = {"scene_convnet": "793dc87de179b4765667ca21eb4fc65479139acf125a5dd7b429bf3a960892df"}
NAMES = tuple(SHA256)
LAYERS = Layers(("features.5", "features.7", "features.9"))


class SceneConvNet(nn.Module):
    """Normalized scenes (N, 3, 96, 96) to scores (N, 10), one for each label, before the sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 24, 6, stride=2, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(24, 48, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(48, 96, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(96, 96, 3, padding=1),
            nn.ReLU(),
        )
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, 10))

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images))


def load(name: str) -> Model:
    """The trained network as a `Model` with ten labels that hold each by itself."""
    network = load_trained(SceneConvNet, name, SHA256[name])
    return Model(network, MEAN, STD, Head("sigmoid", CATEGORIES), SIZE, LAYERS)


def recipe(name: str) -> "Recipe":
    """How it was trained."""
    from saliency_lib.models.training import Mirrored, Recipe, begun

    return Recipe(
        network=begun(SceneConvNet),
        mean=MEAN,
        std=STD,
        draw=examples,
        loss=F.binary_cross_entropy_with_logits,
        error=lacking_precision,
        unit="short of a mean average precision of 1",
        alter=Mirrored(),
        examples=6000,
        epochs=10,
    )


def examples(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """So many scenes with their labels, as numbers."""
    drawn = scenes(count, seed=seed)
    return drawn.images, drawn.labels.float()


def lacking_precision(scores: Tensor, labels: Tensor) -> float:
    """One minus the mean over labels of the average precision: that of the first k images, over all true ones."""
    true = labels.gather(0, scores.argsort(0, descending=True))
    precision = true.cumsum(0) / torch.arange(1, len(true) + 1)[:, None]
    return 1 - ((precision * true).sum(0) / true.sum(0)).mean().item()
