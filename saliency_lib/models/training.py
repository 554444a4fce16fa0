"""How a network is made after a `Recipe`. Those of the networks of this package stand in their files, `networks`.

    python -m saliency_lib train creature_convnet --out FILE.pt    # train, print how wrong it is, write the weights
    python -m saliency_lib train creature_convnet --check          # is a new one as good as the one that is installed?

What happens to the examples of a batch before the network learns from them is a recipe's `alter`: `Adversarial` makes
them hard, `Mirrored` shows them from both sides.
"""

import hashlib
import importlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from saliency_lib import files
from saliency_lib.checks import one_of
from saliency_lib.errors import ModelError
from saliency_lib.models.load import device, installed
from saliency_lib.progress import progress_bar

SEED, HELD_OUT_SEED = 1, 2

Examples = tuple[Tensor, Tensor]
"""Images (N, C, H, W) and their answers (N, ...)."""
Loss = Callable[[Tensor, Tensor], Tensor]
"""From outputs, or from images, and answers to the number that training lowers."""
Alter = Callable[[Loss, Tensor, Tensor, float], Examples]
"""From the loss, a batch and how far training has come, 0 to 1, to the batch that is learned from."""


def keep(values: Tensor) -> Tensor:
    """The values as they are."""
    return values


@dataclass(frozen=True)
class Adversarial:
    """Each image is made faint at random, gets noise, and is moved one step toward a higher loss.

    The step has a length of up to `reach` in the direction in which the loss grows fastest (Goodfellow et al., 2015, in
    the Euclidean norm); `faintest` is the least contrast, `noise` the largest deviation, in units of pixel values. The
    first makes the network see something in an image that is almost gray, where the paper's ascent starts; the last
    makes its gradients clean.
    """

    faintest: float = 0.3
    noise: float = 0.2
    reach: float = 8.0

    def __call__(self, loss: Loss, images: Tensor, answers: Tensor, ramp: float) -> Examples:
        """The altered images, less the mean color, and the same answers; `reach` counts as far as `ramp`, 0 to 1."""
        strength = self.faintest + (1 - self.faintest) * _random(images)
        noise = torch.randn(images.shape).to(images.device) * _random(images) * self.noise
        images = (strength * images + noise).contiguous(memory_format=torch.channels_last)
        if self.reach * ramp == 0:
            return images, answers
        images.requires_grad_(True)
        (gradient,) = torch.autograd.grad(loss(images, answers), images)
        direction = gradient / gradient.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, 1, 1, 1)
        return images.detach() + self.reach * ramp * strength * _random(images) * direction, answers


@dataclass(frozen=True)
class Mirrored:
    """Half of the images are mirrored, and `answers` says what becomes of their answers.

    All images of a batch are moved by the same whole number of pixels, at most `jitter`, around the edges.
    """

    answers: Callable[[Tensor], Tensor] = keep
    jitter: int = 0

    def __call__(self, loss: Loss, images: Tensor, answers: Tensor, ramp: float) -> Examples:
        """The altered images, less the mean color, and their answers."""
        mirrored = (torch.rand(len(images)) < 0.5).to(images.device)
        images, answers = images.clone(), answers.clone()
        images[mirrored], answers[mirrored] = images[mirrored].flip(3), self.answers(answers[mirrored])
        if self.jitter:
            images = images.roll(torch.randint(-self.jitter, self.jitter + 1, (2,)).tolist(), (2, 3))
        return images.contiguous(memory_format=torch.channels_last), answers


@dataclass(frozen=True)
class Jittered:
    """All images of a batch are moved by the same whole number of pixels, at most `jitter`, around the edges."""

    jitter: int

    def __call__(self, loss: Loss, images: Tensor, answers: Tensor, ramp: float) -> Examples:
        """The altered images, less the mean color, and the same answers."""
        moved = images.roll(torch.randint(-self.jitter, self.jitter + 1, (2,)).tolist(), (2, 3))
        return moved.contiguous(memory_format=torch.channels_last), answers


def of_images(network: nn.Module, images: Tensor, answers: Tensor) -> Tensor:
    """What the network puts out for the images, whatever the answers."""
    return network(images)


@dataclass(frozen=True)
class Recipe:
    """What a network is trained on, toward what, and how.

    `draw(count, seed)` gives images in [0, 1] with their answers. `loss` is a number for outputs and answers; `error`
    says in `unit` how wrong the network is on examples that were held out. `rate` and `decay` are those of AdamW.
    `outputs` says how the network is run, where it is shown the answers too, to choose among them.
    """

    network: Callable[[], nn.Module]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    draw: Callable[[int, int], Examples]
    loss: Loss
    error: Callable[[Tensor, Tensor], float]
    unit: str
    alter: Alter
    examples: int
    epochs: int
    batch: int = 100
    held_out: int = 1000
    rate: float = 2e-3
    decay: float = 0.05
    outputs: Callable[[nn.Module, Tensor, Tensor], Tensor] = of_images

    def loss_of(self, network: nn.Module) -> Loss:
        """The loss of a network for images less the mean color."""
        std = torch.tensor(self.std).view(-1, 1, 1)
        return lambda images, answers: self.loss(
            self.outputs(network, images / std.to(images.device), answers), answers
        )


def trainable() -> list[str]:
    """The networks of this package that it trains itself."""
    return [name for name, module in installed().items() if hasattr(importlib.import_module(module), "recipe")]


def find_recipe(name: str) -> Recipe:
    """How a network of this package was made. Raises `ModelError` if there is none of that name."""
    return importlib.import_module(installed()[one_of("network to train", name, trainable(), ModelError)]).recipe(name)


def wrong_class(scores: Tensor, labels: Tensor) -> float:
    """The share of images whose label is not the class of the highest score."""
    return (scores.argmax(1) != labels).float().mean().item()


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


def train(recipe: Recipe, *, seed: int = 0) -> nn.Module:
    """The network, trained on `device()`, in evaluation mode. The caller's random state stays as it is."""
    images, answers = recipe.draw(recipe.examples, SEED)
    images = images - torch.tensor(recipe.mean).view(-1, 1, 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = recipe.network().to(memory_format=torch.channels_last).to(device())
        loss = recipe.loss_of(network)
        steps = recipe.epochs * (len(images) // recipe.batch)
        optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps, pct_start=0.2)
        order = torch.cat([torch.randperm(len(images)) for _ in range(recipe.epochs)])
        for step, chosen in enumerate(progress_bar(order.split(recipe.batch)[:steps], steps, "batch")):
            some, wanted = images[chosen].to(device()), answers[chosen].to(device())
            altered, answered = recipe.alter(loss, some, wanted, min(1, step / (0.3 * steps)))
            value = loss(altered, answered)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def _random(images: Tensor) -> Tensor:
    """A number in [0, 1) for each image, (N, 1, 1, 1), the same on every device."""
    return torch.rand(len(images), 1, 1, 1).to(images.device)


@torch.no_grad()
def error(network: nn.Module, recipe: Recipe, *, count: int | None = None, seed: int = HELD_OUT_SEED) -> float:
    """How wrong the network is on examples that it was not trained on, in `recipe.unit`."""
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (recipe.mean, recipe.std))
    images, answers = recipe.draw(count or recipe.held_out, seed)
    where = next(network.parameters()).device
    shown = answers.to(where)
    outputs = [recipe.outputs(network, ((some - mean) / std).to(where), shown).cpu() for some in images.split(250)]
    return recipe.error(torch.cat(outputs), answers)


def save(network: nn.Module, path: Path) -> tuple[str, int]:
    """Write the weights as float16; returns the SHA-256 of the file, and its bytes."""
    weights = {name: values.half().cpu().contiguous() for name, values in network.state_dict().items()}
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    content = buffer.getvalue()
    files.write(path, content)
    return hashlib.sha256(content).hexdigest(), len(content)
