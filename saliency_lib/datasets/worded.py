"""Drawings with the words that they were drawn from, for models that draw: one creature, or two side by side.

    drawn = sl.worded(8)               # images (8, 3, 32, 32), eight times one word, masks (8, 1, 32, 32)
    drawn = sl.worded(8, things=2)     # images (8, 3, 32, 64), eight times two words, masks (8, 2, 32, 64)

Each creature is drawn as in `creatures`, in a square of its own. The words do not say which of two lies on the left.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from saliency_lib.checks import integer
from saliency_lib.datasets.creature_shapes import DRAWERS
from saliency_lib.datasets.creatures import CATEGORIES, background, check_drawing, photographed, place, rasterize
from saliency_lib.errors import ImageError

SIDE = 32
"""Pixels a side of the square in which a creature lies."""


class Worded(NamedTuple):
    """Drawings: images (N, 3, 32, 32 K) in [0, 1], of each its K words, from left to right, and masks (N, K, 32, 32 K).

    A mask is true where the thing of that word is. The chapter *The same gradient draws* teaches what they are for.
    """

    images: Tensor
    words: list[tuple[str, ...]]
    masks: Tensor


def worded(count: int, *, seed: int = 0, things: int = 1) -> Worded:
    """`count` drawings of one thing, or of two side by side, with their words and the exact mask of each thing.

    Words are drawn by chance, each of the ten names equally often; two of one name are two things that are alike in
    kind. Drawing i of a seed is the same, byte for byte, however many are drawn.

    Raises `ImageError` if `count` or `seed` is no whole number or too small, or `things` neither 1 nor 2. The chapter
    *The same gradient draws* teaches it.
    """
    things = integer("things", things, 1, 2, ImageError)
    count, seed, _ = check_drawing(count, seed, 2 * SIDE, SIDE, things)
    images = np.empty((count, SIDE, SIDE * things, 3), np.float32)
    masks = np.empty((count, things, SIDE, SIDE * things), np.bool_)
    words = []
    for index in range(count):
        rng = np.random.default_rng([seed, index, things])
        words.append(tuple(CATEGORIES.names[label] for label in rng.integers(0, len(CATEGORIES), things)))
        images[index], masks[index] = _draw(words[-1], rng)
    return Worded(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), words, torch.from_numpy(masks))


def _draw(words: tuple[str, ...], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One drawing (32, 32 K, 3) and its masks (K, 32, 32 K)."""
    drawn = [place(DRAWERS[word](rng), rng, SIDE) for word in words]
    width = SIDE * len(words)
    image = background(rng, width, away_from=[parts[0][1] for parts in drawn])[:SIDE]
    masks = np.zeros((len(words), SIDE, width), np.bool_)
    for number, parts in enumerate(drawn):
        paint, cover = rasterize(parts, SIDE)
        columns = slice(number * SIDE, (number + 1) * SIDE)
        image[:, columns] = image[:, columns] * (1 - cover[..., None]) + paint
        masks[number, :, columns] = cover > 0.5
    return photographed(image, rng), masks
