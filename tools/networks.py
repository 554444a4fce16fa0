"""The weights of the small networks of chapter 8, made anew: two that steer, one with several labels, a transformer.

    python -m tools.networks steering_convnet            # draw, train, print how good it is, write data/*.pt
    python -m tools.networks steering_convnet --check    # train to a temporary file: as good as the committed one?

What each is trained on, and for how long, stands in `RECIPES`. Half of all images are mirrored.
"""

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

import saliency_lib as sl
from saliency_lib.models import creature_vit, scene_convnet, steering_convnet
from saliency_lib.models.weights import data_file

SEED, HELD_OUT_SEED, HELD_OUT = 1, 2, 1000
RATE, DECAY = 2e-3, 0.05
LOSS_OF_QUALITY = 1.25
"""Trained again, a network may be wrong by so many times the error of the committed one, not more."""

Examples = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Recipe:
    """How one network is made: from (count, seed) to images and answers, and from outputs and answers to a loss.

    `error` is what is to be small on examples that were held out, in `unit`.
    """

    network: Callable[[], nn.Module]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    draw: Callable[[int, int], Examples]
    held_out: Callable[[int, int], Examples]
    loss: Callable[[Tensor, Tensor], Tensor]
    error: Callable[[Tensor, Tensor], float]
    unit: str
    examples: int
    epochs: int
    batch: int
    mirrored: Callable[[Tensor], Tensor] = lambda answers: answers
    jitter: int = 0


def _roads(shortcut: bool) -> Callable[[int, int], Examples]:
    def draw(count: int, seed: int) -> Examples:
        drawn = sl.roads(count, seed=seed, shortcut=shortcut)
        return drawn.images, drawn.angles

    return draw


def _creatures(count: int, seed: int) -> Examples:
    drawn = sl.creatures(count, seed=seed)
    return drawn.images, drawn.labels


def _scenes(count: int, seed: int) -> Examples:
    drawn = sl.scenes(count, seed=seed)
    return drawn.images, drawn.labels.float()


def _lacking_precision(scores: Tensor, labels: Tensor) -> float:
    """One minus the mean over labels of the average precision."""
    from sklearn.metrics import average_precision_score

    return 1 - float(average_precision_score(labels.numpy(), scores.numpy(), average="macro"))


def _steering(shortcut: bool) -> Recipe:
    return Recipe(
        network=steering_convnet.SteeringConvNet,
        mean=steering_convnet.MEAN,
        std=steering_convnet.STD,
        draw=_roads(shortcut),
        held_out=_roads(shortcut),
        loss=lambda angles, right: F.smooth_l1_loss(angles[:, 0], right),
        error=lambda angles, right: (angles[:, 0] - right).abs().mean().item(),
        unit="degrees of mean absolute error",
        examples=4000,
        epochs=8,
        batch=50,
        mirrored=lambda angles: -angles,
    )


RECIPES = {
    "steering_convnet": _steering(shortcut=False),
    "steering_convnet_shortcut": _steering(shortcut=True),
    "scene_convnet": Recipe(
        network=scene_convnet.SceneConvNet,
        mean=scene_convnet.MEAN,
        std=scene_convnet.STD,
        draw=_scenes,
        held_out=_scenes,
        loss=F.binary_cross_entropy_with_logits,
        error=_lacking_precision,
        unit="short of a mean average precision of 1",
        examples=6000,
        epochs=10,
        batch=100,
    ),
    "creature_vit": Recipe(
        network=creature_vit.creature_vit,
        mean=creature_vit.MEAN,
        std=creature_vit.STD,
        draw=_creatures,
        held_out=_creatures,
        loss=F.cross_entropy,
        error=lambda scores, labels: (scores.argmax(1) != labels).float().mean().item(),
        unit="of the drawings wrong",
        examples=8000,
        epochs=16,
        batch=100,
        jitter=4,
    ),
}


def train(recipe: Recipe, *, examples: int | None = None, epochs: int | None = None, seed: int = 0) -> nn.Module:
    """A network made after the recipe, in evaluation mode. The caller's random state stays as it is."""
    images, answers = recipe.draw(examples or recipe.examples, SEED)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = fresh(recipe)
        steps = (epochs or recipe.epochs) * (len(images) // recipe.batch)
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.2)
        order = torch.cat([torch.randperm(len(images)) for _ in range(-(-steps * recipe.batch // len(images)))])
        for chosen in tqdm(order.split(recipe.batch)[:steps], desc="training", unit="batch"):
            batch, right = altered(recipe, images[chosen], answers[chosen])
            loss = recipe.loss(network(normalized(recipe, batch)), right)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def fresh(recipe: Recipe) -> nn.Module:
    """The network before training; convolutional ones begin as He et al. (2015) advise, transformers as timm does."""
    network = recipe.network()
    if isinstance(network, steering_convnet.SteeringConvNet | scene_convnet.SceneConvNet):
        for values in network.parameters():
            if values.ndim == 1:
                nn.init.zeros_(values)
            elif len(values) > 10:  # a layer before a ReLU; the last layer stays as it is
                nn.init.kaiming_normal_(values, nonlinearity="relu")
    return network.to(memory_format=torch.channels_last)


def altered(recipe: Recipe, images: Tensor, answers: Tensor) -> Examples:
    """Half of the images mirrored, their answers with them; all moved a little, where the recipe says so."""
    mirror = torch.rand(len(images)) < 0.5
    shown, right = images.clone(), answers.clone()
    shown[mirror], right[mirror] = shown[mirror].flip(3), recipe.mirrored(right[mirror])
    if recipe.jitter:
        shown = shown.roll(torch.randint(-recipe.jitter, recipe.jitter + 1, (2,)).tolist(), (2, 3))
    return shown, right


def normalized(recipe: Recipe, images: Tensor) -> Tensor:
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (recipe.mean, recipe.std))
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def error(network: nn.Module, recipe: Recipe, count: int = HELD_OUT) -> float:
    """How wrong the network is on examples that it was not trained on."""
    images, answers = recipe.held_out(count, HELD_OUT_SEED)
    outputs = [network(normalized(recipe, batch)) for batch in images.split(250)]
    return recipe.error(torch.cat(outputs), answers)


def save(network: nn.Module, path: Path) -> str:
    """Write the weights as float16 and return the SHA-256 of the file."""
    torch.save({name: values.half().contiguous() for name, values in network.state_dict().items()}, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(command: list[str] | None = None) -> int:
    """Train, and write or check; the exit code is 1 if a check fails."""
    parser = argparse.ArgumentParser(prog="python -m tools.networks", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument(
        "--check",
        action="store_true",
        help="train to a temporary file and compare the errors on held-out examples: that of the new weights may be "
        f"{LOSS_OF_QUALITY} times that of the committed ones, not more. The weights themselves differ from machine to "
        "machine, because sums are rounded differently",
    )
    options = parser.parse_args(command)
    recipe, wall, cpu = RECIPES[options.name], time.perf_counter(), time.process_time()
    network = train(recipe)
    spent = f"{time.perf_counter() - wall:.0f} s, {time.process_time() - cpu:.0f} s of computing"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pt" if options.check else data_file(options.name)
        digest = save(network, path)
        size = path.stat().st_size
    reached = error(network, recipe)
    print(f"{reached:.4f} {recipe.unit}, on {HELD_OUT} held-out examples; {spent}; {size / 1000:.0f} kB")
    if options.check:
        committed = error(sl.load_model(options.name).cpu().network, recipe)
        print(f"{committed:.4f} with the committed weights")
        return int(reached > LOSS_OF_QUALITY * committed)
    print(f"SHA-256 {digest}: put it into the network's module and into data/README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
