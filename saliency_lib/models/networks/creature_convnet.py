"""A small network in the manner of 2013, trained on `creatures`: its weights are part of the package.

Convolutions, ReLUs and max-pooling, then fully connected layers, and no normalization of any kind: the paper's network
in small. `python -m saliency_lib train creature_convnet` trains it in less than three minutes.

Its training is adversarial: each batch is first moved a little in the direction that raises the loss most. Such
networks have cleaner input gradients and class images than ordinary ones (Engstrom et al., 2019). What this network
shows so clearly, one that was trained in the usual way shows less clearly; with `--plain` the command makes that one.
"""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_lib.categories import Head
from saliency_lib.datasets.creatures import CATEGORIES, examples
from saliency_lib.models.model import Layers, Model
from saliency_lib.models.weights import load_trained

if TYPE_CHECKING:
    from saliency_lib.models.training import Recipe

SHA256 = {"creature_convnet": "5c083567e5e29112bf4a8558ea33bba4b196313b292cd101add7d81b6fe42472"}
NAMES = tuple(SHA256)
MEAN, STD = (0.48, 0.45, 0.44), (0.29, 0.27, 0.27)
SIZE = 64
LAYERS = Layers(("features.4", "features.7"), any_size=False)


class CreatureConvNet(nn.Module):
    """Normalized images (N, 3, 64, 64) to scores (N, 10): three convolutions, two fully connected layers."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 24, 8, stride=2, padding=3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(24, 48, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(48, 48, 3, padding=1),
            nn.ReLU(),
        )
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(48 * 8 * 8, 128), nn.ReLU(), nn.Linear(128, 10))

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images))


def load(name: str) -> Model:
    """The trained network as a `Model`. Raises `ModelError` if its weights are missing or damaged."""
    network = load_trained(CreatureConvNet, name, SHA256[name])
    return Model(network, MEAN, STD, Head("softmax", CATEGORIES), SIZE, LAYERS)


def begun() -> nn.Module:
    """The network before training.

    Weights that no drawing ever uses keep their first values, and a class image would show these: they begin small.
    """
    network = CreatureConvNet().to(memory_format=torch.channels_last)
    spreads = {"classifier.1.weight": 0.004, "classifier.3.weight": 0.1}
    for name, values in network.named_parameters():
        if values.ndim == 1:
            nn.init.zeros_(values)
        elif name in spreads:
            nn.init.normal_(values, std=spreads[name])
        else:
            nn.init.kaiming_normal_(values, nonlinearity="relu")
    return network


def recipe(name: str) -> "Recipe":
    """How it was trained: on drawings that are moved toward a higher loss."""
    from saliency_lib.models.training import Adversarial, Recipe, wrong_class

    return Recipe(
        network=begun,
        mean=MEAN,
        std=STD,
        draw=examples,
        loss=F.cross_entropy,
        error=wrong_class,
        unit="of the drawings wrong",
        alter=Adversarial(),
        examples=8000,
        epochs=10,
        held_out=5000,
        decay=2.0,
    )
