"""A watermark in the manner of photo agencies: a line of large, thin, half transparent characters across the image.

    marked = sl.watermark(images)       # images (N, 3, H, W), and where the strokes are, masks (N, H, W)

Networks trained on ImageNet take such a line for a sign of the class *carton* (Li et al., 2023). The characters are
drawn stroke by stroke, so that no font is needed: three times 木箱, "wooden box".
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from saliency_lib.checks import check_images, number
from saliency_lib.errors import ImageError

Strokes = list[list[tuple[float, float]]]
"""Lines through points (x, y), in a square from 0 to 1 with y down."""

FINE = 8
"""The line is painted so many times finer than the image, and averaged down."""

WIDTH, MARGIN = 0.04, 0.05
"""How wide a stroke is, and the space around a character, as shares of the character's side."""


def _fitted(strokes: Strokes, x: float, y: float, width: float, height: float) -> Strokes:
    return [[(x + u * width, y + v * height) for u, v in stroke] for stroke in strokes]


TREE: Strokes = [
    [(0.06, 0.36), (0.94, 0.36)],
    [(0.5, 0.04), (0.5, 0.98)],
    [(0.48, 0.38), (0.3, 0.66), (0.04, 0.86)],
    [(0.52, 0.38), (0.7, 0.64), (0.96, 0.84)],
]
EYE: Strokes = [
    [(0.12, 0.04), (0.12, 0.98)],
    [(0.12, 0.06), (0.88, 0.06), (0.88, 0.98)],
    *([(0.12, y), (0.88, y)] for y in (0.36, 0.64, 0.92)),
]
BAMBOO: Strokes = [[(0.4, 0.0), (0.1, 0.7)], [(0.3, 0.3), (0.95, 0.3)], [(0.6, 0.4), (0.72, 0.85)]]
BOX: Strokes = [
    *_fitted(BAMBOO, 0.02, 0.0, 0.46, 0.3),
    *_fitted(BAMBOO, 0.5, 0.0, 0.46, 0.3),
    *_fitted(TREE, 0.0, 0.3, 0.5, 0.7),
    *_fitted(EYE, 0.5, 0.34, 0.5, 0.64),
]
LINE = (TREE, BOX) * 3
"""The characters, from the left."""


class Watermarked(NamedTuple):
    """Images (N, C, H, W) with a watermark, and masks (N, H, W), true where a pixel holds any of its strokes."""

    images: Tensor
    masks: Tensor


def watermark(images: Tensor, *, opacity: float = 0.5, row: float = 0.4) -> Watermarked:
    """The images (N, C, H, W) in [0, 1] with a white watermark across them, and masks (N, H, W) of it.

    `opacity` is that of its strokes, in [0, 1]; its upper edge lies at `row`, a share of the height. Raises
    `ImageError` if images or numbers cannot be used. Chapter 11 teaches it.
    """
    check_images(images)
    number("opacity", opacity, 0, 1, ImageError)
    number("row", row, 0, 1, ImageError)
    cover = _cover(images.shape[2], images.shape[3], row).to(images)
    masks = (cover > 0).expand(len(images), -1, -1).clone()
    return Watermarked(images * (1 - opacity * cover) + opacity * cover, masks)


def _cover(height: int, width: int, row: float) -> Tensor:
    """How much of each pixel the strokes cover, (H, W)."""
    import cv2

    canvas = np.zeros((height * FINE, width * FINE), np.float32)
    side = width / len(LINE)
    inner = (1 - 2 * MARGIN) * side
    for place, strokes in enumerate(LINE):
        for stroke in _fitted(strokes, (place + MARGIN) * side, row * height, inner, inner):
            points = np.rint(np.array(stroke) * FINE).astype(np.int32)
            cv2.polylines(canvas, [points], False, 1.0, max(1, round(WIDTH * side * FINE)), cv2.LINE_8)
    return torch.from_numpy(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA))
