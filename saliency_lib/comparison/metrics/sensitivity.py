"""How far does a map move when the image moves by next to nothing?"""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Generator, Tensor

from saliency_lib.checks import integer
from saliency_lib.comparison.metric import Examined, Metric

RADIUS, MOVES = 0.02, 3


def sensitivity(
    explain: Callable[[Tensor], Tensor], images: Tensor, *, radius: float = 0.02, samples: int = 3, seed: int = 0
) -> Tensor:
    """max over small d of |M(I + d) - M(I)| / |M(I)|, in the Euclidean norm: (N,), 0 is steadiest.

    Yeh et al. (2019), definition 2.2, which does not divide by |M(I)|. With `samples` of d, uniform in
    [-radius, radius] at each entry and one for all images; pixels stay in [0, 1]. `explain` makes maps (N, ...) of
    images. The class should not be chosen anew.
    """
    random = Generator().manual_seed(integer("seed", seed, 0))
    M = explain(images).flatten(1).double()
    worst = torch.zeros(len(M), dtype=M.dtype, device=M.device)
    for _ in range(integer("samples", samples, 1)):
        d = radius * (2 * torch.rand(images.shape[1:], generator=random, dtype=torch.float64, device="cpu") - 1)
        moved = explain((images + d.to(images)).clamp(0, 1)).flatten(1).double()
        worst = torch.maximum(worst, (moved - M).norm(dim=1) / M.norm(dim=1).clamp(min=1e-300))
    return worst


class Sensitivity(Metric):
    """`sensitivity`; it makes every map four times, and is measured on request only."""

    name, title, best, usual = "sensitivity", "how far the map moves with the image", "low", False
    settings: ClassVar = {"radius": RADIUS, "samples": MOVES}

    def measure(self, at: Examined) -> Tensor:
        return sensitivity(at.explain, at.images, radius=RADIUS, samples=MOVES)
