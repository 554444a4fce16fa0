"""How like are drawn pictures to real ones? As a crowd (Frechet), and one by one (the nearest of those learned from).

    d^2 = | m - m' |^2 + tr(C + C' - 2 (C C')^(1/2))

is the distance of two crowds of features with means m, m' and covariances C, C', as if both were Gaussian (Heusel et
al., 2017). Of few pictures it is too large: it is read beside that of two real crowds of the same size.
"""

import torch
from torch import Tensor

from saliency_lib.errors import ImageError


def frechet(features: Tensor, others: Tensor) -> float:
    """The squared Frechet distance of two sets of features, (N, D) and (M, D). Raises `ImageError` for only one."""
    if features.ndim != 2 or others.ndim != 2 or min(len(features), len(others)) < 2:
        raise ImageError("expected two sets of features, (N, D) and (M, D), of two pictures or more")
    first, second = features.double(), others.double()
    apart = (first.mean(0) - second.mean(0)).square().sum()
    C, D = first.T.cov(), second.T.cov()
    values, vectors = torch.linalg.eigh(C)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    between = torch.linalg.eigvalsh(root @ D @ root).clamp_min(0).sqrt().sum()
    return (apart + C.trace() + D.trace() - 2 * between).item()


def nearest(images: Tensor, learned: Tensor) -> tuple[Tensor, Tensor]:
    """Of each picture (N, 3, H, W) the nearest of those learned from, (M, 3, H, W), or its mirror image: (N, 3, H, W).

    Nearest in pixels; beside it the root mean squared difference (N,).
    """
    both = torch.cat([learned, learned.flip(3)])
    distances = torch.cdist(images.flatten(1), both.flatten(1)) / images[0].numel() ** 0.5
    found = distances.min(1)
    return both[found.indices], found.values
