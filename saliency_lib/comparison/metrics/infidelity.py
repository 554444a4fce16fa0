"""Does a map foretell how far the score falls? Random squares are painted gray, and the shares in them are added up."""

from functools import lru_cache
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from saliency_lib.checks import integer
from saliency_lib.comparison.metric import GRAY, Examined, Metric, numbers
from saliency_lib.targets import Target

SQUARES = 50


def falls(
    model: nn.Module, images: Tensor, target: Target = None, *, squares: int = 50, seed: int = 0, batch_size: int = 8
) -> tuple[Tensor, Tensor]:
    """Random squares P (squares, H, W), and how far S falls when each is painted gray, S(I) - S(I_P): (squares, N).

    Their sides are a seventh to a half of the image's shorter side, each length as often.
    """
    P = _squares(integer("squares", squares, 1), integer("seed", seed, 0), *images.shape[2:]).to(images.device)
    versions = (torch.where(square, GRAY, images) for square in P)
    S = numbers(model, images, (images, *versions), 1 + len(P), target, batch_size)
    return P, S[0] - S[1:]


@lru_cache(maxsize=4)
def _squares(count: int, seed: int, H: int, W: int) -> Tensor:
    """One set of masks for all images of a size, (count, H, W)."""
    random = Generator().manual_seed(seed)
    P = torch.zeros(count, H, W, dtype=torch.bool)
    for square in P:
        side = int(torch.randint(max(1, min(H, W) // 7), min(H, W) // 2 + 1, (), generator=random))
        y, x = (int(torch.randint(0, length - side + 1, (), generator=random)) for length in (H, W))
        square[y : y + side, x : x + side] = True
    return P


def infidelity(shares: Tensor, P: Tensor, fall: Tensor, *, relative: bool = True) -> Tensor:
    """How badly the shares (N, H, W) of the pixels foretell the `falls`: (N,), 0 is best.

    The mean over P of (a sum_P shares - fall)^2. With a = 1 that is the infidelity of Yeh et al. (2019), definition
    2.1, for the perturbation that grays P. `relative` takes the best a for each image, so that maps in any unit
    compare, and divides by the mean of fall^2: 1 then says that the map foretells nothing.
    """
    told = torch.einsum("nhw,phw->pn", shares.double(), P.double())
    fall = fall.to(told)
    if not relative:
        return (told - fall).square().mean(0)
    a = (told * fall).sum(0) / told.square().sum(0).clamp(min=1e-300)
    return (a * told - fall).square().mean(0) / fall.square().mean(0).clamp(min=1e-300)


class Infidelity(Metric):
    """`infidelity` of the class's score."""

    name, title, best = "infidelity", "falls that are not foretold", "low"
    settings: ClassVar = {"squares": SQUARES}

    def measure(self, at: Examined) -> Tensor:
        def compute() -> tuple[Tensor, Tensor]:
            return falls(at.model, at.images, at.labels, squares=SQUARES, batch_size=at.batch_size)

        return infidelity(at.shares, *at.once("falls", compute))
