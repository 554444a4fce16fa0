"""What an image is compared with: no light, gray, itself without detail, noise, images of your own, or several."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from saliency_lib.checks import check_images, one_of
from saliency_lib.errors import ImageError, SaliencyError

Baseline = str | Tensor | Sequence[str | Tensor]


def blurred(I: Tensor) -> Tensor:
    """The images convolved with a Gaussian whose standard deviation is a twentieth of the shorter side."""
    from torchvision.transforms.functional import gaussian_blur  # here, because it takes a second to import

    sigma = min(I.shape[2:]) / 20
    return gaussian_blur(I, 2 * round(3 * sigma) + 1, sigma)


BASELINES: dict[str, Callable[[Tensor, Generator], Tensor]] = {
    "black": lambda I, random: torch.zeros_like(I),
    "gray": lambda I, random: torch.full_like(I, 0.5),
    "blurred": lambda I, random: blurred(I),
    "noise": lambda I, random: torch.rand(I.shape[1:], generator=random, dtype=torch.float64, device="cpu").to(I),
}
"""From images to baselines; the noise is uniform in [0, 1], and one for all images, so that none depends on another."""


def baselines_of(wanted: Baseline, I: Tensor, random: Generator) -> list[Tensor]:
    """The baselines of images I, each shaped like these. Raises `ImageError` or `SaliencyError` for what is none."""
    several: list[Any] = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
    if not several:
        raise SaliencyError("there is no baseline: name one, or several")
    return [_baseline(one, I, random).expand_as(I) for one in several]


def _baseline(wanted: str | Tensor, I: Tensor, random: Generator) -> Tensor:
    if isinstance(wanted, Tensor):
        if check_images(wanted).shape[1:] != I.shape[1:] or len(wanted) not in (1, len(I)):
            raise ImageError(f"expected a baseline of shape {tuple(I.shape)}, and got {tuple(wanted.shape)}")
        return wanted.detach().to(I)
    return BASELINES[one_of("baseline", wanted, BASELINES)](I, random)
