"""What an image is compared with: no light, gray, itself without detail, noise, images of your own, or several."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from saliency_lib.checks import ANY, Form, check_images, one_of
from saliency_lib.errors import ImageError, SaliencyError

Baseline = str | Tensor | Sequence[str | Tensor]


def blurred(I: Tensor) -> Tensor:
    """The images convolved with a Gaussian whose standard deviation is a twentieth of the shorter side."""
    return gaussian(I, min(I.shape[2:]) / 20, "reflect")


def gaussian(images: Tensor, sigma: float, border: str) -> Tensor:
    """Images (N, C, *grid) convolved with a Gaussian of `sigma` pixels, axis by axis, cut off at three of these."""
    radius = math.ceil(3 * sigma) if border == "replicate" else round(3 * sigma)
    x = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-0.5 * (x / sigma) ** 2) if sigma else (x == 0).to(images)
    kernel = (kernel / kernel.sum()).view(1, 1, -1)
    for axis in range(2, images.ndim):
        lines = images.movedim(axis, -1)
        padded = F.pad(lines.reshape(-1, 1, lines.shape[-1]), [radius, radius], mode=border)
        images = F.conv1d(padded, kernel).view(lines.shape).movedim(-1, axis)
    return images


BASELINES: dict[str, Callable[[Tensor, Generator, Form], Tensor]] = {
    "black": lambda I, random, form: torch.full_like(I, form.low),
    "gray": lambda I, random, form: torch.full_like(I, (form.low + form.high) / 2),
    "blurred": lambda I, random, form: blurred(I),
    "noise": lambda I, random, form: form.low + (form.high - form.low) * noise(I, random),
}
"""From images to baselines: the least value of their range, its middle, themselves without detail, uniform noise."""


def noise(I: Tensor, random: Generator) -> Tensor:
    """Numbers in [0, 1], the same for all images, so that none depends on another."""
    return torch.rand(I.shape[1:], generator=random, dtype=torch.float64, device="cpu").to(I)


def baselines_of(wanted: Baseline, I: Tensor, random: Generator, form: Form = ANY) -> list[Tensor]:
    """The baselines of images I, each shaped like these. Raises `ImageError` or `SaliencyError` for what is none."""
    several: list[Any] = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
    if not several:
        raise SaliencyError("there is no baseline: name one, or several")
    return [_baseline(one, I, random, form).expand_as(I) for one in several]


def _baseline(wanted: str | Tensor, I: Tensor, random: Generator, form: Form) -> Tensor:
    if isinstance(wanted, Tensor):
        if check_images(wanted, form).shape[1:] != I.shape[1:] or len(wanted) not in (1, len(I)):
            raise ImageError(f"expected a baseline of shape {tuple(I.shape)}, and got {tuple(wanted.shape)}")
        return wanted.detach().to(I)
    return BASELINES[one_of("baseline", wanted, BASELINES)](I, random, form)
