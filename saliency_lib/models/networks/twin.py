"""Small networks that differ in one thing, for studies of what training and architecture do: four kinds, by seeds.

    twin_max_0       convolutions, ReLUs, max-pools, one linear layer
    twin_stride_0    the same with a strided convolution and a ReLU in the place of each max-pool
    twin_skips_0     the same as the first, and every second convolution adds its input to its output
    twin_robust_0    the first, trained on drawings that are moved toward a higher loss (see `Adversarial`)

They name `creatures` of 32 pixels. Their weights are no part of the package: `load_model` trains a twin in some seconds
when it is asked for the first time, always from the same drawings and seed, and keeps the weights beside torch.hub's.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_lib.categories import Head
from saliency_lib.datasets.creatures import CATEGORIES, creatures
from saliency_lib.models.model import Model

if TYPE_CHECKING:
    from saliency_lib.models.training import Recipe

KINDS = ("max", "stride", "skips", "robust")
SEEDS = 5
NAMES: tuple[str, ...] = ()
EXTRA = tuple(f"twin_{kind}_{seed}" for kind in KINDS for seed in range(SEEDS))
MEAN, STD = (0.48, 0.45, 0.44), (0.29, 0.27, 0.27)
SIZE = 32


class Body(nn.Module):
    """A convolution and its ReLU, which may add its input."""

    def __init__(self, channels: int, skips: bool) -> None:
        super().__init__()
        self.skips, self.conv, self.relu = skips, nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.conv(x))
        return x + y if self.skips else y


class Twin(nn.Sequential):
    """Normalized images (N, 3, 32, 32) to scores (N, 10): four convolutions, halved after two of them."""

    def __init__(self, kind: str) -> None:
        def half(channels: int) -> nn.Module:
            if kind != "stride":
                return nn.MaxPool2d(2)
            return nn.Sequential(nn.Conv2d(channels, channels, 2, stride=2), nn.ReLU())

        def stage(inputs: int, channels: int, kernel: int) -> list[nn.Module]:
            conv = nn.Conv2d(inputs, channels, kernel, padding=kernel // 2)
            return [conv, nn.ReLU(), half(channels), Body(channels, kind == "skips")]

        super().__init__(*stage(3, 12, 5), *stage(12, 24, 3), nn.Flatten(), nn.Linear(24 * 8 * 8, 10))


def second(name: str, which: str) -> str:
    """The twin to compare with: of the next "seed", or of the same seed and another kind."""
    _, kind, seed = name.split("_")
    return f"twin_{kind}_{(int(seed) + 1) % SEEDS}" if which == "seed" else f"twin_{which}_{seed}"


@cache
def _examples(count: int, seed: int) -> tuple[Tensor, Tensor]:
    drawn = creatures(count, seed=seed, size=SIZE)
    return drawn.images, drawn.labels


def recipe(name: str) -> "Recipe":
    """How it is trained: on 2000 drawings, eight times over."""
    from saliency_lib.models.training import Adversarial, Recipe, begun, wrong_class

    kind = name.split("_")[1]
    return Recipe(
        network=begun(lambda: Twin(kind)),
        mean=MEAN,
        std=STD,
        draw=_examples,
        loss=F.cross_entropy,
        error=wrong_class,
        unit="of the drawings wrong",
        alter=Adversarial(faintest=1.0, noise=0.0, reach=4.0 if kind == "robust" else 0.0),
        examples=2000,
        epochs=8,
        held_out=500,
    )


def load(name: str) -> Model:
    """The trained twin as a `Model`."""
    from saliency_lib.models.training import train

    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    kept = Path(torch.hub.get_dir()) / "saliency_lib" / f"{name}-{digest}.pt"
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        if not kept.exists():
            trained = train(recipe(name), seed=int(name[-1]))
            kept.parent.mkdir(parents=True, exist_ok=True)
            torch.save(trained.state_dict(), part := kept.with_suffix(".part"))
            part.replace(kept)
        network = Twin(name.split("_")[1])
    network.load_state_dict(torch.load(kept, map_location="cpu", weights_only=True))
    return Model(network.eval(), MEAN, STD, Head("softmax", CATEGORIES), SIZE)
