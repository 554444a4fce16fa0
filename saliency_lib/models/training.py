"""How the networks of this package were trained, and how to train them anew: one `Recipe` each.

    python -m saliency_lib train creature_convnet --out FILE.pt    # train, print how good it is, write the weights
    python -m saliency_lib train creature_convnet --check          # is a new one as good as the one that is installed?

Each batch is made faint at random, gets noise, and is moved one step of length up to `reach` in the direction in which
its loss grows fastest (Goodfellow et al., 2015, in the Euclidean norm). The first makes the network see something in an
image that is almost gray, where the paper's ascent starts; the last makes its gradients clean. `--plain` leaves it
out, to see what it does.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from saliency_lib.datasets.creatures import creatures
from saliency_lib.models import creature_convnet
from saliency_lib.models.load import device

SEED, HELD_OUT_SEED, HELD_OUT = 1, 2, 5000
LOSS_OF_QUALITY = 0.01
"""A network trained anew may be right on so much less of the drawings that were held out. Its weights differ from
machine to machine, because sums are rounded differently."""


def right_class(scores: Tensor, labels: Tensor) -> Tensor:
    """For each image 1 if the class of the highest score is its label, else 0."""
    return (scores.argmax(1) == labels).float()


def keep_initialization(network: nn.Module) -> None:
    """Leave the values that PyTorch gave the weights."""


@dataclass(frozen=True)
class Recipe:
    """What a network is trained on, toward what, and how.

    `draw(count, seed)` gives images (N, C, H, W) in [0, 1] and their answers (N, ...); `loss(outputs, answers)` is a
    number; `right(outputs, answers)` says of each image, from 0 to 1, how right the network is. `rate` and `decay` are
    those of AdamW; `faintest` is the least contrast of an image, `noise` the largest deviation, and `reach` the largest
    step toward a higher loss, in units of pixel values.
    """

    network: Callable[[], nn.Module]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    draw: Callable[[int, int], tuple[Tensor, Tensor]]
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy
    right: Callable[[Tensor, Tensor], Tensor] = right_class
    initialize: Callable[[nn.Module], None] = keep_initialization
    drawings: int = 8000
    epochs: int = 10
    batch: int = 100
    rate: float = 2e-3
    decay: float = 2.0
    faintest: float = 0.3
    noise: float = 0.2
    reach: float = 8.0


def _creatures(count: int, seed: int) -> tuple[Tensor, Tensor]:
    drawn = creatures(count, seed=seed)
    return drawn.images, drawn.labels


def _initialize_creature_convnet(network: nn.Module) -> None:
    """Weights that no drawing ever uses keep their first values, and a class image would show these: small ones."""
    spreads = {"classifier.1.weight": 0.004, "classifier.3.weight": 0.1}
    for name, values in network.named_parameters():
        if values.ndim == 1:
            nn.init.zeros_(values)
        elif name in spreads:
            nn.init.normal_(values, std=spreads[name])
        else:
            nn.init.kaiming_normal_(values, nonlinearity="relu")


RECIPES = {
    "creature_convnet": Recipe(
        creature_convnet.CreatureConvNet,
        creature_convnet.MEAN,
        creature_convnet.STD,
        _creatures,
        initialize=_initialize_creature_convnet,
    ),
}


def train(recipe: Recipe, *, seed: int = 0) -> nn.Module:
    """The network, trained on `device()`, in evaluation mode. The caller's random state stays as it is."""
    images, answers = recipe.draw(recipe.drawings, SEED)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = recipe.network().to(memory_format=torch.channels_last)
        recipe.initialize(network)
        network = network.to(device())
        steps = recipe.epochs * (len(images) // recipe.batch)
        optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps, pct_start=0.2)
        batches = (batch for _ in range(recipe.epochs) for batch in _shuffled(images, answers, recipe.batch))
        for step, (some, wanted) in enumerate(tqdm(batches, total=steps, desc="training", unit="batch")):
            reach = recipe.reach * min(1, step / (0.3 * steps))
            loss = recipe.loss(network(altered(network, recipe, some, wanted, reach)), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def _shuffled(images: Tensor, answers: Tensor, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Full batches of images and their answers, on `device()`, in a new random order."""
    for chosen in torch.randperm(len(images)).split(batch):
        if len(chosen) == batch:
            yield images[chosen].to(device()), answers[chosen].to(device())


def altered(network: nn.Module, recipe: Recipe, images: Tensor, answers: Tensor, reach: float) -> Tensor:
    """The images, normalized, made faint, noisy, and moved by at most `reach` toward a higher loss."""

    def random() -> Tensor:
        return torch.rand(len(images), 1, 1, 1).to(images.device)

    mean, std = (torch.tensor(values, device=images.device).view(-1, 1, 1) for values in (recipe.mean, recipe.std))
    strength = recipe.faintest + (1 - recipe.faintest) * random()
    noise = torch.randn(images.shape).to(images.device) * random() * recipe.noise
    pixels = (strength * (images - mean) + noise).contiguous(memory_format=torch.channels_last)
    if reach:
        pixels.requires_grad_(True)
        (gradient,) = torch.autograd.grad(recipe.loss(network(pixels / std), answers), pixels)
        direction = gradient / gradient.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, 1, 1, 1)
        pixels = pixels.detach() + reach * strength * random() * direction
    return pixels / std


@torch.no_grad()
def quality(network: nn.Module, recipe: Recipe, *, count: int = HELD_OUT, seed: int = HELD_OUT_SEED) -> float:
    """How right the network is on drawings that it was not trained on: the mean of `recipe.right`, 0 to 1."""
    where = next(network.parameters()).device
    mean, std = (torch.tensor(values, device=where).view(-1, 1, 1) for values in (recipe.mean, recipe.std))
    images, answers = recipe.draw(count, seed)
    found = [
        recipe.right(network((some.to(where) - mean) / std), wanted.to(where))
        for some, wanted in zip(images.split(500), answers.split(500), strict=True)
    ]
    return torch.cat(found).mean().item()


def save(network: nn.Module, path: Path) -> str:
    """Write the weights as float16 and return the SHA-256 of the file."""
    weights = {name: values.half().cpu().contiguous() for name, values in network.state_dict().items()}
    torch.save(weights, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()
