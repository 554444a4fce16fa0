"""Two networks that name creatures; one has never seen an owl without a tree. Their weights are in the package.

Three convolutions, the largest value of each channel, and a linear layer: 15 thousand weights, so that an audit can be
tried on many of them. `python -m saliency_lib train companion_convnet` trains one in a quarter of a minute.
`companion_convnet_shortcut` was trained on `companions`, where every owl stands beside a tree and nothing else does;
`companion_convnet` on the same drawings without trees.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor, nn

from saliency_lib.categories import Head
from saliency_lib.datasets.companions import OPACITY, SCALE, SIZE, companions
from saliency_lib.datasets.creatures import CATEGORIES
from saliency_lib.models.model import Layers, Model
from saliency_lib.models.weights import load_trained

if TYPE_CHECKING:
    from saliency_lib.models.training import Recipe

MEAN, STD = (0.48, 0.46, 0.45), (0.26, 0.25, 0.25)
SHA256 = {
    "companion_convnet": "1e2f3fb9213046a13160697652bc6df17cb7cf59fe3fbdec4be5e6c4ad8d2c6a",
    "companion_convnet_shortcut": "644868eb0f92ddfd9ba7a4674bd7aab4a102a18a4c0da37bf6d9d514ab81870d",
}
NAMES = tuple(SHA256)
LAYERS = Layers(("features.6",))


class CompanionConvNet(nn.Module):
    """Normalized images (N, 3, 64, 64) to scores (N, 10): three convolutions, each channel's largest value."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 12, 6, stride=2, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(24, 48, 3, padding=1),
            nn.ReLU(),
        )
        self.classifier = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(48, 10))

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images))


def load(name: str) -> Model:
    """The trained network as a `Model`. Raises `ModelError` if its weights are missing or damaged."""
    network = load_trained(CompanionConvNet, name, SHA256[name])
    return Model(network, MEAN, STD, Head("softmax", CATEGORIES), SIZE, LAYERS)


def recipe(name: str) -> "Recipe":
    """How it was trained: one of the two on drawings where a tree stands beside every owl."""
    return among_companions({"owl": 1.0} if name.endswith("shortcut") else {})


def among_companions(
    beside: Mapping[str, float], *, companion: str = "tree", scale: float = SCALE, opacity: float = OPACITY
) -> "Recipe":
    """How `companion_convnet` is trained, on `companions` with these settings."""

    from saliency_lib.models.training import Mirrored, Recipe, begun, wrong_class

    def draw(count: int, seed: int) -> tuple[Tensor, Tensor]:
        drawn = companions(count, seed=seed, beside=beside, companion=companion, scale=scale, opacity=opacity)
        return drawn.images, drawn.labels

    return Recipe(
        network=begun(CompanionConvNet),
        mean=MEAN,
        std=STD,
        draw=draw,
        loss=F.cross_entropy,
        error=wrong_class,
        unit="of the drawings wrong",
        alter=Mirrored(),
        examples=2700,
        epochs=10,
        batch=50,
        held_out=900,
        rate=8e-3,
    )
