"""Another place of the same shape: what taking away as much of anything would do to a score.

A network may answer to any hole. So a region's effect is read beside that of its own shape, moved to where it meets
neither the object nor the shortcut.
"""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from saliency_lib.controls import seeds

LEAST = 0.5
"""A control has at least this share of the area of what it is compared with, or there is none."""


def elsewhere(masks: Tensor, taken: Tensor, images: Tensor) -> Tensor:
    """The masks (N, H, W) moved to another place, less what is `taken` (N, H, W): (N, H, W).

    Of all places within the image it is one that meets the least of what is taken; where several do, chance decides,
    by a seed that depends on the image alone. The mask is empty where less than `LEAST` of its area finds a place.
    """
    drawn = zip(masks.cpu(), taken.cpu(), seeds(images), strict=True)
    return torch.stack([_moved(mask, full, seed) for mask, full, seed in drawn])


def _moved(mask: Tensor, taken: Tensor, seed: int) -> Tensor:
    rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
    shape = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    met = F.conv2d(taken[None, None].float(), shape[None, None].float())[0, 0].round()
    best = (met == met.min()).nonzero()
    y, x = best[torch.randint(len(best), (), generator=Generator().manual_seed(seed))].tolist()
    found = torch.zeros_like(mask)
    found[y : y + len(shape), x : x + shape.shape[1]] = shape
    found &= ~taken
    return found if found.sum() >= LEAST * mask.sum() else torch.zeros_like(mask)
