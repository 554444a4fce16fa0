"""What is known of images before any class is asked for: four ways of saying it to `class_image`.

    a penalty            TotalVariation()                      is taken off the score
    a transform          Jitter(), Scale(), Crop(), Rotate(),  the network sees the image moved, sized, cut, turned,
                         Blur(), Noise()                       blurred, or with noise
    a projection         PixelRange()                          brings the image back after each step
    a parameterization   Fourier(), Colors(), Sigmoid()        the image is a function of other coordinates

A prior of your own is a subclass of `Prior` that replaces `penalty(images)`, `transform(images, random, done)` or
`project(images)`. Images are (N, C, H, W) in pixel values, where 0 is black and 1 is white, and may leave that range. A
transform draws its random numbers once for the whole batch: what becomes of an image does not depend on its neighbors.
Parameterizations have a file of their own.

Chapter 6 teaches them all.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from saliency_lib.checks import integer, number
from saliency_lib.errors import ImageError
from saliency_lib.methods.baselines import gaussian


class Prior:
    """Nothing is known: no penalty, no transform, no projection. Subclasses replace one of the three."""

    def penalty(self, images: Tensor) -> Tensor | float:
        """What is taken off the objective: (N,) numbers, in units of the score."""
        return 0.0

    def transform(self, images: Tensor, random: Generator, done: float = 0.0) -> Tensor:
        """What the network gets to see of the images when the share `done` of the steps, in [0, 1), has been taken."""
        return images

    def project(self, images: Tensor) -> Tensor:
        """The images that are allowed, nearest to these. Not for images that have a `Parameterization`."""
        return images


class TotalVariation(Prior):
    r"""A penalty on differences between neighbors, in units of the score per pixel value.

    `weight` times (the mean of $|x_{i+1,j}-x_{ij}|$ plus the mean of $|x_{i,j+1}-x_{ij}|$).
    Rudin, Osher and Fatemi (1992); for images of networks, Mahendran and Vedaldi (2015).
    """

    def __init__(self, weight: float = 50.0) -> None:
        self.weight = number("weight", weight, 0)

    def penalty(self, images: Tensor) -> Tensor:
        """The weighted mean, for each image its own."""
        steps = [images.diff(dim=axis).abs().flatten(1).mean(1) for axis in range(2, images.ndim)]
        return self.weight * torch.stack(steps).sum(0)


class Jitter(Prior):
    """A transform: shifts by whole pixels, each axis by up to `pixels`; gray comes in at the border.

    What lies near the border is often out of sight, so things come to lie inside. The DeepDream notebook of
    Mordvintsev, Tyka and Olah (2015) shifts so at each step.
    """

    def __init__(self, pixels: int = 16) -> None:
        self.pixels = integer("pixels", pixels, 0)

    def transform(self, images: Tensor, random: Generator, done: float = 0.0) -> Tensor:
        """The images, shifted."""
        grid = images.shape[2:]
        shifts = torch.randint(-self.pixels, self.pixels + 1, (len(grid),), generator=random).tolist()
        moves = [max(-side, min(shift, side)) for shift, side in zip(shifts, grid, strict=True)]
        return F.pad(images - 0.5, [sign * move for move in reversed(moves) for sign in (1, -1)]) + 0.5


class Scale(Prior):
    """A transform: the image resized by a factor between `low` and `high`, bilinearly.

    The network sees images of other sizes, and a step costs less where they are smaller. `keep_size` is for networks
    that take one size only: it cuts off what is too much, and fills up with a reflection what is missing. Olah,
    Mordvintsev and Schubert (2017).
    """

    def __init__(self, low: float = 0.85, high: float = 1.15, *, keep_size: bool = False) -> None:
        self.low = number("low", low, 0.01)
        self.high = number("high", high, low)
        self.keep_size = keep_size

    def transform(self, images: Tensor, random: Generator, done: float = 0.0) -> Tensor:
        """The images, resized."""
        factor = self.low + (self.high - self.low) * torch.rand((), generator=random).item()
        if self.keep_size:
            return warp(images, 0, factor)
        return resized(images, [max(round(factor * side), 1) for side in images.shape[2:]])


class Crop(Prior):
    """A transform: a window of the image, enlarged to the size of the whole, bilinearly.

    The window's sides are between `low` and `high` times the image's, and it lies anywhere. So each part has to
    convince the network, and not only the whole. A random resized crop that keeps the aspect; torchvision's takes
    shares of the area, this one of the side. Fel et al. (2023).
    """

    def __init__(self, low: float = 0.4, high: float = 1.0) -> None:
        self.low = number("low", low, 0.01)
        self.high = number("high", high, low, 1)

    def transform(self, images: Tensor, random: Generator, done: float = 0.0) -> Tensor:
        """The windows, enlarged."""
        whole, window = images.shape[2:], images
        factor = self.low + (self.high - self.low) * torch.rand((), generator=random).item()
        for axis, side in enumerate(whole, start=2):
            kept = max(round(factor * side), 1)
            window = window.narrow(axis, int(torch.randint(side - kept + 1, (), generator=random)), kept)
        return resized(window, list(whole))


def resized(images: Tensor, grid: list[int]) -> Tensor:
    """Images (N, C, *grid) of another size, by linear interpolation along each axis."""
    modes = {1: "linear", 2: "bilinear", 3: "trilinear"}
    return F.interpolate(images, grid, mode=modes[len(grid)], align_corners=False)


class Rotate(Prior):
    """A transform: turns about the center by up to `degrees` either way; a reflection fills the corners."""

    def __init__(self, degrees: float = 8.0) -> None:
        self.degrees = number("degrees", degrees, 0)

    def transform(self, images: Tensor, random: Generator, done: float = 0.0) -> Tensor:
        """The images, turned."""
        turn = 2 * torch.rand((), generator=random).item() - 1
        return warp(images, math.radians(turn * self.degrees), 1)


def warp(images: Tensor, angle: float, factor: float) -> Tensor:
    """The images turned by `angle` (radians, clockwise) and made `factor` times as large, about their center."""
    if images.ndim != 4:
        raise ImageError(f"images (N, C, H, W) are turned, and not {tuple(images.shape)}")
    height, width = images.shape[2:]
    cos, sin = math.cos(angle) / factor, math.sin(angle) / factor
    ratio = height / width  # grid_sample's coordinates go from -1 to 1 on both axes
    matrix = images.new_tensor([[[cos, sin * ratio, 0], [-sin / ratio, cos, 0]]])
    grid = F.affine_grid(matrix.expand(len(images), 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


class Blur(Prior):
    """A transform: convolution with a Gaussian of `sigma` pixels, so that fine detail gains nothing.

    Yosinski et al. (2015) blur the image itself now and then; here the network sees every image blurred.
    """

    def __init__(self, sigma: float = 1.0) -> None:
        self.sigma = number("sigma", sigma, 0)

    def transform(self, images: Tensor, random: Generator, done: float = 0.0) -> Tensor:
        """The images, blurred."""
        return gaussian(images, self.sigma, "replicate")


class Noise(Prior):
    """A transform: Gaussian noise of standard deviation `sigma * (1 - done)`, which fades by the end of the ascent.

    What drowns in noise gains nothing. At first only large shapes of strong contrast stand out; details come as the
    noise goes. Fel et al. (2023) have noise among their transforms.
    """

    def __init__(self, sigma: float = 0.2) -> None:
        self.sigma = number("sigma", sigma, 0)

    def transform(self, images: Tensor, random: Generator, done: float = 0.0) -> Tensor:
        """The images, with noise: one for all of them."""
        noise = torch.randn(images.shape[1:], generator=random, dtype=images.dtype)
        return images + self.sigma * (1 - done) * noise.to(images.device)


class PixelRange(Prior):
    """A projection: pixels below 0 become 0, pixels above 1 become 1.

    Many tutorials do it; the paper does not speak of it.
    """

    def project(self, images: Tensor) -> Tensor:
        """The nearest images in [0, 1]."""
        return images.clamp(0, 1)
