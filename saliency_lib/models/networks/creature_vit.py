"""A small vision transformer that knows the creatures of `creatures`: 64 patches of 8 x 8 pixels, four blocks.

It is torchvision's `VisionTransformer` in small: one convolution makes tokens of the patches, a class token and learned
positions join them, four blocks of attention and GELU follow, and the class token alone is read out. Its weights are in
the package; `python -m saliency_lib train creature_vit` trains it.
"""

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import nn

from saliency_lib.categories import Head
from saliency_lib.datasets.creatures import CATEGORIES, examples
from saliency_lib.models.model import Model
from saliency_lib.models.weights import load_trained

if TYPE_CHECKING:
    from torchvision.models import VisionTransformer

    from saliency_lib.models.training import Recipe

MEAN, STD = (0.48, 0.45, 0.44), (0.29, 0.27, 0.27)
SIZE, PATCH = 64, 8
SHA256 = {"creature_vit": "14483ec649da573509f32158c2d9e4b715e932cb6b757dcb9d7a25c2080289d3"}
NAMES = tuple(SHA256)


def vision_transformer(size: int, patch: int, blocks: int, classes: int = len(CATEGORIES)) -> "VisionTransformer":
    """Normalized images (N, 3, size, size) to scores (N, classes), by four heads of 16 numbers in each block."""
    from torchvision.models import VisionTransformer

    return VisionTransformer(size, patch, blocks, num_heads=4, hidden_dim=64, mlp_dim=128, num_classes=classes)


def creature_vit() -> nn.Module:
    """Normalized images (N, 3, 64, 64) to scores (N, 10)."""
    return vision_transformer(SIZE, PATCH, blocks=4)


def load(name: str) -> Model:
    """The trained network as a `Model`."""
    return Model(load_trained(creature_vit, name, SHA256[name]), MEAN, STD, Head("softmax", CATEGORIES), SIZE)


def recipe(name: str) -> "Recipe":
    """How it was trained."""
    from saliency_lib.models.training import Mirrored, Recipe, wrong_class

    return Recipe(
        network=creature_vit,
        mean=MEAN,
        std=STD,
        draw=examples,
        loss=F.cross_entropy,
        error=wrong_class,
        unit="of the drawings wrong",
        alter=Mirrored(jitter=4),
        examples=8000,
        epochs=16,
    )
