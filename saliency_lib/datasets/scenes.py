"""Scenes of up to four creatures, for networks that give several labels to one image.

    drawn = sl.scenes(1000)     # images (1000, 3, 96, 96), labels (1000, 10), masks (1000, 10, 96, 96)

Each creature is drawn as in `creatures`, in a quarter of the scene that is its own; no class comes twice.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from saliency_lib.datasets.creature_shapes import DRAWERS
from saliency_lib.datasets.creatures import CATEGORIES, background, check_drawing, photographed, place, rasterize

SIZE, CELL = 96, 48
"""Pixels a side of a scene, and of the square in which a creature lies."""


class Scenes(NamedTuple):
    """Scenes: images (N, 3, 96, 96) in [0, 1], labels (N, 10), and masks (N, 10, 96, 96), one for each class.

    A label is true if a creature of that class is in the scene, a mask true where it is. Chapter 8 teaches what they
    are for.
    """

    images: Tensor
    labels: Tensor
    masks: Tensor


def scenes(count: int, *, seed: int = 0) -> Scenes:
    """`count` scenes: images (N, 3, 96, 96) in [0, 1], labels (N, 10), and masks (N, 10, 96, 96) of the creatures.

    The ten classes are those of `creatures`, in their order. A scene holds none, one, two, three or four of them, each
    number equally often by chance. A pixel belongs to a mask if the creature covers more than half of it. Drawing i of
    a seed is the same, byte for byte, however many are drawn.

    Raises `ImageError` if `count` or `seed` is no whole number or too small. Chapter 8 teaches it.
    """
    count, seed, _ = check_drawing(count, seed, SIZE, SIZE, len(CATEGORIES))
    images = np.empty((count, SIZE, SIZE, 3), np.float32)
    masks = np.zeros((count, len(CATEGORIES), SIZE, SIZE), np.bool_)
    for index in range(count):
        images[index], masks[index] = _draw(np.random.default_rng([seed, index]))
    pixels, shown = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(masks)
    return Scenes(pixels, shown.flatten(2).any(2), shown)


def _draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One scene (96, 96, 3) and its masks (10, 96, 96)."""
    number = rng.integers(0, 5)
    labels, cells = rng.permutation(len(CATEGORIES))[:number], rng.permutation(4)[:number]
    things = [place(DRAWERS[CATEGORIES.names[label]](rng), rng, CELL) for label in labels]
    image = background(rng, SIZE, away_from=[parts[0][1] for parts in things])
    masks = np.zeros((len(CATEGORIES), SIZE, SIZE), np.bool_)
    for label, cell, parts in zip(labels, cells, things, strict=True):
        paint, cover = rasterize(parts, CELL)
        rows, columns = (slice(at * CELL, (at + 1) * CELL) for at in divmod(int(cell), 2))
        image[rows, columns] = image[rows, columns] * (1 - cover[..., None]) + paint
        masks[label, rows, columns] = cover > 0.5
    return photographed(image, rng), masks
