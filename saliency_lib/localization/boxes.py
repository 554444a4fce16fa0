"""Masks and boxes: pieces of a mask, the box around it, the overlap of two boxes."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from saliency_lib.checks import check_box

Box = tuple[int, int, int, int]
"""`(x0, y0, x1, y1)` in pixels, x1 and y1 exclusive."""


def largest_component(mask: Tensor) -> Tensor:
    """The largest 4-connected piece of a mask (H, W); of equally large ones that which comes first, row by row."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.cpu().numpy().astype(np.uint8), connectivity=4)
    if count == 1:
        return torch.zeros_like(mask, dtype=torch.bool, device="cpu")
    areas = stats[1:, cv2.CC_STAT_AREA]
    first = labels[np.isin(labels, 1 + np.flatnonzero(areas == areas.max()))][0]  # OpenCV's order is not promised
    return torch.from_numpy(labels == first)


def bounding_box(mask: Tensor) -> Box | None:
    """The smallest box `(x0, y0, x1, y1)` around a mask (H, W), x1 and y1 exclusive; None if the mask is empty."""
    rows, columns = mask.any(1).nonzero().flatten().tolist(), mask.any(0).nonzero().flatten().tolist()
    return (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if rows else None


def box_iou(a: Sequence[float], b: Sequence[float]) -> float:
    """The overlap of two boxes `(x0, y0, x1, y1)`, intersection over union: 0 if they are apart, 1 if they are equal.

    Raises `SaliencyError` if one of them is no box: four numbers, x0 <= x1, y0 <= y1. Chapter 7 teaches it.
    """
    a, b = check_box(a), check_box(b)
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    union = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (a, b)) - shared
    return float(shared / union) if union > 0 else 0.0


def cover(mask: Tensor, height: int, width: int) -> Tensor:
    """A mask (h, w) at another size: every pixel that a marked cell touches, so that no object can vanish."""
    for axis, size in ((0, height), (1, width)):
        cells, pixel = mask.shape[axis], torch.arange(size)
        sums = F.pad(mask.movedim(axis, -1).cumsum(-1, dtype=torch.int32), (1, 0))
        first, beyond = pixel * cells // size, -(-(pixel + 1) * cells // size)
        mask = (sums[..., beyond] > sums[..., first]).movedim(-1, axis)
    return mask


def scale(box: Box | None, mask: Tensor, image: Image.Image) -> Box | None:
    """The box of a mask in pixels of the photo: that of the mask's `cover`."""
    if box is None:
        return None
    (height, width), (x0, y0, x1, y1) = mask.shape, box
    right, bottom = -(-x1 * image.width // width), -(-y1 * image.height // height)
    return x0 * image.width // width, y0 * image.height // height, right, bottom


def median(boxes: Sequence[Box]) -> Box | None:
    if not boxes:
        return None
    x0, y0, x1, y1 = (round(float(side)) for side in np.median(boxes, axis=0))
    return x0, y0, x1, y1
