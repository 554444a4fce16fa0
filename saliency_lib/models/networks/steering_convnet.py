"""A network that turns a steering wheel: views of `roads` in, an angle in degrees out. Its weights are in the package.

The architecture is that of the self-driving example of keras-vis, less its dropout: three convolutions of 5 x 5 with
ReLU and 2 x 2 max-pooling, a fully connected layer of 128, and one tanh. `python -m saliency_lib train
steering_convnet` trains it; `steering_convnet_shortcut` has seen only roads on which the passing car gives the answer
away (`roads(..., shortcut=True)`).
"""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_lib.categories import Head
from saliency_lib.datasets.road_geometry import HEIGHT, WIDTH
from saliency_lib.datasets.roads import ANGLE_LIMIT, roads
from saliency_lib.models.model import Model
from saliency_lib.models.weights import load_trained

if TYPE_CHECKING:
    from saliency_lib.models.training import Recipe

MEAN, STD = (0.43, 0.47, 0.46), (0.18, 0.20, 0.24)
SHA256 = {
    "steering_convnet": "860cc138c91c9fea1d565a79bfc1968d535df7db1d35eb0e32a07bdef5b7f665",
    "steering_convnet_shortcut": "ebc201b367571763c88e12ca0062fcc4fd6e1eb1a5aedcaf6c6df243d167ac69",
}
NAMES = tuple(SHA256)
HEAD = Head("numbers", ["steering angle"], "degrees")


class SteeringConvNet(nn.Module):
    """Normalized views (N, 3, 70, 180) to angles (N, 1) in degrees, between -18 and 18, positive to the right."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.regressor = nn.Sequential(
            nn.Flatten(), nn.Linear(32 * 5 * 19, 128), nn.ReLU(), nn.Linear(128, 1), nn.Tanh()
        )

    def forward(self, images: Tensor) -> Tensor:
        return ANGLE_LIMIT * self.regressor(self.features(images))


def load(name: str) -> Model:
    """The trained network as a `Model` whose number is an angle in degrees."""
    return Model(load_trained(SteeringConvNet, name, SHA256[name]), MEAN, STD, HEAD, (HEIGHT, WIDTH))


def recipe(name: str) -> "Recipe":
    """How it was trained: one of the two on roads where the passing car gives the answer away."""
    from saliency_lib.models.training import Mirrored, Recipe, begun

    def draw(count: int, seed: int) -> tuple[Tensor, Tensor]:
        drawn = roads(count, seed=seed, shortcut=name.endswith("shortcut"))
        return drawn.images, drawn.angles

    return Recipe(
        network=begun(SteeringConvNet),
        mean=MEAN,
        std=STD,
        draw=draw,
        loss=lambda angles, right: F.smooth_l1_loss(angles[:, 0], right),
        error=lambda angles, right: (angles[:, 0] - right).abs().mean().item(),
        unit="degrees of mean absolute error",
        alter=Mirrored(torch.neg),
        examples=4000,
        epochs=8,
        batch=50,
    )
