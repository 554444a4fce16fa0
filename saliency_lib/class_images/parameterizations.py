"""Images as functions of other coordinates, which `class_image` climbs instead of the pixels.

    z -> Fourier() -> Colors() -> Sigmoid() -> I = x - mean

The set of images stays the same (but for `Sigmoid`, which has no others than those within black and white). What
changes is which images are near: a step of one length leads elsewhere. Chapter 6 shows how much that matters.
"""

import math
from functools import cache

import torch
from torch import Tensor

from saliency_lib.checks import number
from saliency_lib.class_images.priors import Prior
from saliency_lib.errors import ImageError


class Parameterization(Prior):
    """The image as a function of coordinates. Several are applied one after another, in the order of the priors.

    The last gives I, the pixels less the mean. Each maps 0 to 0: the zero image has the coordinates zero.
    """

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the coordinates of images of this shape."""
        return shape

    def image(self, coordinates: Tensor, mean: Tensor) -> Tensor:
        """What has these coordinates. `mean`, (1, 3, 1, 1), will be added to the last one's result."""
        raise NotImplementedError


class Fourier(Parameterization):
    r"""Waves instead of pixels: $u = \mathcal F^{-1}(a\, z)$, each wave as strong as it is in photographs.

    In a photograph the amplitude of a wave falls as one over its frequency f, in cycles per pixel. Here
    $a \propto 1 / f^d$, where d is `decay`; the constant wave counts as the slowest other one. The coordinates are
    scaled so that independent standard normal ones give images of mean square `contrast` squared. The coordinates
    hold the real and the imaginary part of each wave. Needs an even width. Olah, Mordvintsev and Schubert (2017).
    """

    def __init__(self, decay: float = 1.0, contrast: float = 1.0) -> None:
        self.decay = number("decay", decay, 0)
        self.contrast = number("contrast", contrast, 0)

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """(N, 3, H, W // 2 + 1, 2): the other half of the waves of a real image follows from these."""
        if shape[-1] % 2:
            raise ImageError(f"Fourier needs images of even width, and theirs is {shape[-1]}")
        return *shape[:-1], shape[-1] // 2 + 1, 2

    def image(self, coordinates: Tensor, mean: Tensor) -> Tensor:
        """The sum of the waves, (N, 3, H, W)."""
        *others, half = coordinates.shape[2:-1]
        grid = (*others, 2 * (half - 1))
        waves = torch.view_as_complex(coordinates) * (self.contrast * _amplitudes(grid, self.decay).to(coordinates))
        return torch.fft.irfftn(waves, s=grid, dim=list(range(2, 2 + len(grid))), norm="ortho")


@cache
def _amplitudes(grid: tuple[int, ...], decay: float) -> Tensor:
    """1 / f^decay for each wave of the half space, scaled as `Fourier` says."""
    axes = [*map(torch.fft.fftfreq, grid[:-1]), torch.fft.rfftfreq(grid[-1])]
    f = torch.stack(torch.meshgrid(*axes, indexing="ij")).square().sum(0).sqrt()
    amplitudes = f.clamp(min=1 / max(grid)) ** -decay
    power = torch.ones(len(axes[-1]))  # at both ends, a wave and its mirror image are one: only their mean counts
    power[1:-1] = 4  # the others stand for their mirror image too, and have a real and an imaginary part
    power = (power * amplitudes**2).sum() / math.prod(grid)
    return amplitudes / power.sqrt()


class Colors(Parameterization):
    """Three uncorrelated colors instead of red, green and blue: $u = A z$, where $A A^T$ is the colors' covariance.

    In photographs the three channels rise and fall together: most of the variance is light against dark. A was
    measured on seven photos and stands here as numbers, so that a class image does not change when a sample photo does.
    Its longest column has length 1. Olah, Mordvintsev and Schubert (2017).
    """

    def image(self, coordinates: Tensor, mean: Tensor) -> Tensor:
        """A z at each pixel; of gray images there is one color only, and z is returned."""
        if coordinates.shape[1] == 1:
            return coordinates
        if coordinates.shape[1] != 3:
            raise ImageError(f"Colors are red, green and blue, and these images have {coordinates.shape[1]} channels")
        return (COLOR_AXES.to(coordinates) @ coordinates.flatten(2)).view_as(coordinates)


# Principal axes of the colors of seven photos (a cat, a cup, a rocket, an astronaut, a motorcycle, a tower, a dahlia):
# columns as long as the standard deviations, with all digits that float32 has.
COLOR_AXES = torch.tensor(
    [
        [0.0284637781, -0.321783544, -0.627589242],
        [-0.0872720225, 0.0912587858, -0.571200774],
        [0.0604633629, 0.283204794, -0.529019299],
    ],
    dtype=torch.float64,
)


class Sigmoid(Parameterization):
    r"""Pixels strictly within black and white: $x = \sigma(4u + \sigma^{-1}(\mu))$, where $\mu$ is the mean.

    For gray $\mu$ and small u this is $x = \mu + u$, which is what the 4 is for. $\mu$ is taken to lie between 0.01 and
    0.99.
    """

    def image(self, coordinates: Tensor, mean: Tensor) -> Tensor:
        """x less the mean."""
        return torch.sigmoid(4 * coordinates + mean.logit(1e-2)) - mean.clamp(1e-2, 1 - 1e-2)
