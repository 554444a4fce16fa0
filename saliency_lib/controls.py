"""What a map must beat: maps that know nothing of what is asked, or are asked something else.

    null = region_null(masks)                                  # the share of a region that an empty map would have
    CONTROLS["edges"](images)                                  # a map of the images alone, (N, H, W)
    explain(*otherwise("other-class", model, images, labels))  # the same method, asked something else

Maps of the images alone, which no network has a part in:

    uniform         every pixel alike
    center          a Gaussian in the middle: photographers put things there
    edges           the slope of the brightness (Sobel): what any detector of edges would show
    noise           random numbers: an order that nobody chose

The same method, asked something else; a number that stays says nothing of what was changed:

    other-class     for a random other class
    other-image     of another image, for the same class
    other-seed      of a network that was trained separately
    random-weights  of a network that was not trained

A number of a map is read beside that of its controls. Chapter 9 teaches it.
"""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from saliency_lib.checks import integer, one_of
from saliency_lib.errors import ImageError, ModelError, SaliencyError

WIDTH = 0.25
"""The standard deviation of the Gaussian in the middle, as a share of the image's sides."""

CLASSES = 5
"""So many random other classes stand for all."""


def uniform(images: Tensor) -> Tensor:
    """Every pixel alike, (N, H, W)."""
    return torch.ones_like(images[:, 0])


def center(images: Tensor) -> Tensor:
    """exp(-(x^2 + y^2) / (2 WIDTH^2)), x and y from -1/2 to 1/2 across the image: (N, H, W)."""
    N, _, H, W = images.shape
    y, x = ((torch.arange(side) + 0.5) / side - 0.5 for side in (H, W))
    return (-(y[:, None] ** 2 + x**2) / (2 * WIDTH**2)).exp().to(images).expand(N, H, W)


def edges(images: Tensor) -> Tensor:
    """The length of the slope of the brightness, by Sobel's two filters: (N, H, W)."""
    gray = F.pad(images.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    slope = torch.tensor([[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]]).to(images)
    both = F.conv2d(gray, torch.stack([slope, slope.T])[:, None])
    return both.square().sum(1).sqrt()


def noise(images: Tensor) -> Tensor:
    """Uniform random numbers, (N, H, W): other ones for other images, and the same for the same."""
    drawn = [torch.rand(images.shape[2:], generator=Generator().manual_seed(seed)) for seed in seeds(images)]
    return torch.stack(drawn).to(images)


CONTROLS: dict[str, Callable[[Tensor], Tensor]] = {
    "uniform": uniform,
    "center": center,
    "edges": edges,
    "noise": noise,
}
"""From images to maps that no network has a part in."""

OTHERWISE = {
    "other-class": "a random other class",
    "other-image": "another image",
    "other-seed": "a network trained separately",
    "random-weights": "an untrained network",
}
"""What the same method can be asked instead."""


def region_null(masks: Tensor) -> Tensor:
    """The share of a map that lies in regions (N, H, W) by no merit: the larger of uniform and center, (N,).

    The area of a region is no chance level: things stand in the middle, and so does what a map of nothing shows.
    """
    inside = masks.double()
    middle = center(inside[:, None])
    return torch.maximum(inside.mean((1, 2)), (middle * inside).sum((1, 2)) / middle.sum((1, 2)))


def seeds(images: Tensor) -> list[int]:
    """A number for each image that depends on its pixels alone, whatever batch it stands in."""
    return (images.double() * 255).round().long().flatten(1).sum(1).tolist()


def other_classes(labels: Tensor, known: int, count: int = CLASSES, seed: int = 0) -> Tensor:
    """`count` different random classes beside each label (N,) out of `known`, (count, N).

    They depend on label and seed alone, and not on the batch. Raises `SaliencyError` if there are not as many.
    """
    if integer("count", count, 1) >= known:
        raise SaliencyError(f"of {known} classes there are no {count} others")
    drawn = [
        torch.randperm(known - 1, generator=Generator().manual_seed(seed + 1_000_003 * label))[:count]
        for label in labels.tolist()
    ]
    rows = torch.stack(drawn, 1)
    return (rows + (rows >= labels.cpu())).to(labels.device)


def random_weights(model: nn.Module, seed: int = 0) -> nn.Module:
    """A copy of the network whose every layer is drawn anew, as PyTorch draws it before training.

    What belongs to no layer of PyTorch's, such as a class token, stays as it is. So do the model and the random state
    of the caller. Raises `ModelError` if no layer can be drawn anew.
    """
    untrained = copy.deepcopy(model)
    names = ("reset_parameters", "_reset_parameters")  # the second is that of nn.MultiheadAttention
    resets = [getattr(layer, name) for layer in untrained.modules() for name in names if hasattr(layer, name)]
    if not resets:
        raise ModelError("the model has no layer whose weights PyTorch can draw anew")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for reset in resets:
            reset()
    return untrained.requires_grad_(False)


class Question(NamedTuple):
    """Of which network, of which images (N, C, H, W), for which classes (N,) maps are asked."""

    model: Any
    images: Tensor
    labels: Tensor


def otherwise(
    control: str, model: nn.Module, images: Tensor, labels: Tensor, *, second: nn.Module | None = None, seed: int = 0
) -> Question:
    """What a method is asked instead: `explain(*otherwise("other-class", model, images, labels))`.

    `control` is one of `OTHERWISE`; `second` is the network of "other-seed". Raises `SaliencyError` where something is
    missing: a second network, another image.
    """
    one_of("control", control, OTHERWISE)
    if control == "other-image":
        if len(images) < 2:
            raise ImageError("there is no other image in a batch of one")
        return Question(model, images.roll(1, 0), labels)
    if control == "other-class":
        with torch.no_grad():
            known = model(images[:1]).shape[1]
        return Question(model, images, other_classes(labels, known, count=1, seed=seed)[0])
    if control == "random-weights":
        return Question(random_weights(model, seed), images, labels)
    if second is None:
        raise SaliencyError("a second network is needed, trained separately")
    return Question(second, images, labels)
