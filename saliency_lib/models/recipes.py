"""How the networks of this package were trained: one `Recipe` each, for `training`."""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_lib.datasets.companions import OPACITY, SCALE, companions
from saliency_lib.datasets.creatures import creatures
from saliency_lib.datasets.roads import roads
from saliency_lib.datasets.scenes import scenes
from saliency_lib.models import companion_convnet, creature_convnet, creature_vit, scene_convnet, steering_convnet
from saliency_lib.models.training import Adversarial, Examples, Mirrored, Recipe


def _creatures(count: int, seed: int) -> Examples:
    drawn = creatures(count, seed=seed)
    return drawn.images, drawn.labels


def _scenes(count: int, seed: int) -> Examples:
    drawn = scenes(count, seed=seed)
    return drawn.images, drawn.labels.float()


def _roads(shortcut: bool) -> Callable[[int, int], Examples]:
    def draw(count: int, seed: int) -> Examples:
        drawn = roads(count, seed=seed, shortcut=shortcut)
        return drawn.images, drawn.angles

    return draw


def wrong_class(scores: Tensor, labels: Tensor) -> float:
    """The share of images whose label is not the class of the highest score."""
    return (scores.argmax(1) != labels).float().mean().item()


def lacking_precision(scores: Tensor, labels: Tensor) -> float:
    """One minus the mean over labels of the average precision: that of the first k images, over all true ones."""
    true = labels.gather(0, scores.argsort(0, descending=True))
    precision = true.cumsum(0) / torch.arange(1, len(true) + 1)[:, None]
    return 1 - ((precision * true).sum(0) / true.sum(0)).mean().item()


def creature_convnet_begun() -> nn.Module:
    """The network before training.

    Weights that no drawing ever uses keep their first values, and a class image would show these: they begin small.
    """
    network = creature_convnet.CreatureConvNet().to(memory_format=torch.channels_last)
    spreads = {"classifier.1.weight": 0.004, "classifier.3.weight": 0.1}
    for name, values in network.named_parameters():
        if values.ndim == 1:
            nn.init.zeros_(values)
        elif name in spreads:
            nn.init.normal_(values, std=spreads[name])
        else:
            nn.init.kaiming_normal_(values, nonlinearity="relu")
    return network


def begun(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """A convolutional network before training: wide layers (more than ten outputs) as He et al. (2015) advise."""

    def network() -> nn.Module:
        made = make()
        for values in made.parameters():
            if values.ndim == 1:
                nn.init.zeros_(values)
            elif len(values) > 10:
                nn.init.kaiming_normal_(values, nonlinearity="relu")
        return made

    return network


def _steering(shortcut: bool) -> Recipe:
    return Recipe(
        network=begun(steering_convnet.SteeringConvNet),
        mean=steering_convnet.MEAN,
        std=steering_convnet.STD,
        draw=_roads(shortcut),
        loss=lambda angles, right: F.smooth_l1_loss(angles[:, 0], right),
        error=lambda angles, right: (angles[:, 0] - right).abs().mean().item(),
        unit="degrees of mean absolute error",
        alter=Mirrored(torch.neg),
        examples=4000,
        epochs=8,
        batch=50,
    )


def among_companions(
    beside: Mapping[str, float], *, companion: str = "tree", scale: float = SCALE, opacity: float = OPACITY
) -> Recipe:
    """How `companion_convnet` is trained, on `companions` with these settings."""

    def draw(count: int, seed: int) -> Examples:
        drawn = companions(count, seed=seed, beside=beside, companion=companion, scale=scale, opacity=opacity)
        return drawn.images, drawn.labels

    return Recipe(
        network=begun(companion_convnet.CompanionConvNet),
        mean=companion_convnet.MEAN,
        std=companion_convnet.STD,
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


RECIPES = {
    "creature_convnet": Recipe(
        network=creature_convnet_begun,
        mean=creature_convnet.MEAN,
        std=creature_convnet.STD,
        draw=_creatures,
        loss=F.cross_entropy,
        error=wrong_class,
        unit="of the drawings wrong",
        alter=Adversarial(),
        examples=8000,
        epochs=10,
        held_out=5000,
        decay=2.0,
    ),
    "creature_vit": Recipe(
        network=creature_vit.creature_vit,
        mean=creature_vit.MEAN,
        std=creature_vit.STD,
        draw=_creatures,
        loss=F.cross_entropy,
        error=wrong_class,
        unit="of the drawings wrong",
        alter=Mirrored(jitter=4),
        examples=8000,
        epochs=16,
    ),
    "scene_convnet": Recipe(
        network=begun(scene_convnet.SceneConvNet),
        mean=scene_convnet.MEAN,
        std=scene_convnet.STD,
        draw=_scenes,
        loss=F.binary_cross_entropy_with_logits,
        error=lacking_precision,
        unit="short of a mean average precision of 1",
        alter=Mirrored(),
        examples=6000,
        epochs=10,
    ),
    "companion_convnet": among_companions({}),
    "companion_convnet_shortcut": among_companions({"owl": 1.0}),
    "steering_convnet": _steering(shortcut=False),
    "steering_convnet_shortcut": _steering(shortcut=True),
}
