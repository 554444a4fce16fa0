"""A data set that draws itself: ten creatures and plants, each with the exact mask of the thing that was drawn.

    drawings = sl.creatures(1000)        # images (1000, 3, 64, 64) in [0, 1], labels (1000,), masks (1000, 64, 64)
    sl.creatures(8, kind="owl", seed=3)  # eight owls

Every thing is a list of flat polygons, from back to front, in a square of its own with x to the right and y down. It is
tilted, scaled and placed at random, painted `FINE` times finer than the image, and averaged down; the mask comes from
the very same polygons. (OpenCV paints every fine pixel that an outline touches: 1/8 of a pixel more, all around.)
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from saliency_lib.categories import Categories
from saliency_lib.checks import check_room, integer, short_repr
from saliency_lib.datasets.creature_shapes import DRAWERS, WHITE, Color, Part, color, ellipse, stroke
from saliency_lib.errors import ImageError

FINE = 4
"""The painting has this many times more rows and columns than the image that is made of it."""

SHARE = (0.7, 0.9)
"""The longer side of the thing's bounding box, as a share of the image's side, lies between these."""

CATEGORIES = Categories(tuple(DRAWERS))
"""The ten classes, in alphabetical order."""


class Creatures(NamedTuple):
    """Drawings: images (N, 3, H, W) in [0, 1], labels (N,), and masks (N, H, W), true where the thing is.

    Chapter 6 teaches what they are for.
    """

    images: Tensor
    labels: Tensor
    masks: Tensor


def creatures(count: int, *, seed: int = 0, size: int = 64, kind: str | int | None = None) -> Creatures:
    """`count` drawings: images (N, 3, size, size) in [0, 1], labels (N,), and masks (N, size, size) of the things.

    The classes take turns, so that ten drawings in a row hold each of them once; or all are of the class `kind`, a name
    or an index. A pixel belongs to the mask if the thing covers more than half of it. Drawing i of a seed is the same,
    byte for byte, however many are drawn.

    Raises `ImageError` if `count`, `seed` or `size` is no whole number or too small, and `TargetError` if there is no
    class `kind`. Chapter 6 teaches it.
    """
    count, seed, size = check_drawing(count, seed, size, 16)
    labels = [index % len(CATEGORIES) if kind is None else CATEGORIES.index(kind) for index in range(count)]
    images = np.empty((count, size, size, 3), np.float32)
    masks = np.empty((count, size, size), np.bool_)
    for index, label in enumerate(labels):
        images[index], masks[index] = _draw(label, np.random.default_rng([seed, index]), size)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    return Creatures(pixels, torch.tensor(labels), torch.from_numpy(masks))


def check_drawing(count: int, seed: int, size: int, least: int, masks: int = 1) -> tuple[int, int, int]:
    """Count, seed and side of drawings with so many masks. Raises `ImageError` for what is none, or takes too much."""
    count, size = integer("count", count, 1, error=ImageError), integer("size", size, least, error=ImageError)
    check_room(
        f"{short_repr(count)} drawings of {short_repr(size)} pixels a side", count * size**2 * (12 + masks), ImageError
    )
    return count, integer("seed", seed, 0, error=ImageError), size


def _draw(label: int, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """One drawing (size, size, 3) and its mask."""
    parts = place(DRAWERS[CATEGORIES.names[label]](rng), rng, size)
    ground = background(rng, size, away_from=[parts[0][1]])
    paint, cover = rasterize(parts, size)
    return photographed(ground * (1 - cover[..., None]) + paint, rng), cover > 0.5


def photographed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The image in a light of its own, with a little noise."""
    image = image * rng.uniform(0.85, 1.1) + rng.normal(0, 0.02, image.shape)
    return np.clip(image, 0, 1).astype(np.float32)


def rasterize(parts: list[Part], size: int) -> tuple[np.ndarray, np.ndarray]:
    """The color times the coverage (size, size, 3), and the coverage (size, size) of the parts in each pixel."""
    import cv2

    canvas = np.zeros((size * FINE, size * FINE, 4), np.float32)
    for points, paint in parts:
        # A fine pixel's center has whole-number coordinates in OpenCV, and lies half a fine pixel inside in ours.
        corners = np.rint((points * FINE - 0.5) * 256).astype(np.int32)
        cv2.fillPoly(canvas, [corners], (*map(float, paint), 1.0), lineType=cv2.LINE_8, shift=8)
    small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)  # the mean of each pixel's fine pixels
    return small[..., :3], small[..., 3]


def place(parts: list[Part], rng: np.random.Generator, size: int) -> list[Part]:
    """The parts, tilted, scaled and moved to where they lie wholly in the image, in pixels from its corner."""
    angle = rng.normal(0, 0.08)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = [points @ turn for points, _ in parts]
    low, high = (bound(np.concatenate(turned), axis=0) for bound in (np.min, np.max))
    scale = rng.uniform(*SHARE) * size / (high - low).max()
    room = size - scale * (high - low)
    corner = room * rng.uniform(0.2, 0.8, 2)
    return [((points - low) * scale + corner, paint) for points, (_, paint) in zip(turned, parts, strict=True)]


def background(rng: np.random.Generator, size: int, away_from: Sequence[Color]) -> np.ndarray:
    """Clouds of color with a few strokes and disks, on the whole unlike the colors of the things."""
    import cv2

    while True:
        base = color(rng.random(), rng.uniform(0, 0.7), rng.uniform(0.15, 0.95))
        if all(np.linalg.norm(base - paint) > 0.45 / len(away_from) ** 0.5 for paint in away_from):
            break
    cells = int(rng.integers(2, 7))
    grid = (base + rng.normal(0, 0.12, (cells, cells, 3))).astype(np.float32)
    ground = cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
    clutter = []
    for _ in range(rng.integers(0, 8)):
        start, angle = rng.uniform(0, size, 2), rng.uniform(0, 2 * np.pi)
        end = start + rng.uniform(0.05, 0.5) * size * np.array([np.cos(angle), np.sin(angle)])
        radius = rng.uniform(0.02, 0.09) * size
        shape = ellipse(start[0], start[1], radius, radius) if rng.random() < 0.5 else stroke([start, end], radius)
        clutter.append((shape, base + rng.normal(0, 0.25, 3) if rng.random() < 0.6 else rng.uniform(0, 1) * WHITE))
    paint, cover = rasterize(clutter, size)
    return np.clip(ground * (1 - cover[..., None]) + paint, 0, 1)


def examples(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Images and labels, as networks are trained on them."""
    drawn = creatures(count, seed=seed)
    return drawn.images, drawn.labels
