"""SHAP: what is each superpixel's fair share of the score, if they come in every order?

    M = sl.shap(model, images, "Egyptian cat")      # M_ij = the Shapley value of the superpixel that (i, j) belongs to

The pieces are players, and a coalition z of them earns v(z) = S(I_z), the score of the image in which the others are
painted over. Player j's Shapley value is what it adds to the coalition before it, on average over all orders:

    phi_j = sum over z without j of  |z|! (K - |z| - 1)! / K!  (v(z + j) - v(z)).

The shares add up to S(I) - S(I'), a piece that never changes anything gets nothing, alike pieces get alike shares, and
the shares in a sum of two scores are the sums of the shares: nothing else has all four properties (Shapley, 1953).

The same numbers solve a least-squares problem, with the weight k(z) = (K - 1) / (C(K, |z|) |z| (K - |z|)) and the sum
given (Lundberg and Lee, 2017, theorem 2: KernelSHAP). If no more than `samples` coalitions exist, all are shown, and
the shares are exact: up to eight pieces with 500 samples. Else coalitions are drawn by that weight, each with its
complement (Covert and Lee, 2021). The regression is scikit-learn's.

Cost: up to `samples` forward passes, and three more for the class, the whole and the empty image; no derivative. It
fails as occlusion does: an image with holes is a picture of nothing, and what the baseline means to the network is in
every share. With few samples the shares are noisy: compare two seeds. And fair is not the same as relevant.
"""

from math import comb
from typing import ClassVar

import numpy as np
import torch
from torch import Generator, Tensor

from saliency_lib.checks import MANY, integer
from saliency_lib.errors import SaliencyError
from saliency_lib.methods.method import function
from saliency_lib.methods.superpixels import SuperpixelMethod


class Shap(SuperpixelMethod):
    """The Shapley value of the pixel's superpixel, its share in S(I) - S(I'): (N, H, W), signed.

    Lundberg and Lee (2017), theorem 2, KernelSHAP: exact if no more than `samples` coalitions of the superpixels exist,
    else an estimate from as many that are drawn. Every pixel has its whole superpixel's share, in the unit of the
    score. Pieces that are not shown have the pixels of `baseline`; `segments`, `superpixels`, `seed`, `batch_size` and
    `progress` as in `lime`.

    Images, target and errors as in `input_gradient`, but the network need not be differentiable; `SaliencyError` for
    settings that cannot be used. Reference: `saliency_lib/methods/shap.py` says when it fails.
    """

    name, title = "shap", "SHAP"
    quick: ClassVar = {"samples": 200}

    samples: int = 500

    def __post_init__(self) -> None:
        self.samples = integer("samples", self.samples, 2, MANY)
        super().__post_init__()

    def draw(self, count: int, random: Generator) -> Tensor:
        """None, all, and either every coalition between them or as many as are wanted, drawn by the kernel."""
        ends = torch.tensor([[False] * count, [True] * count])
        if 2**count - 2 <= self.samples:
            between = torch.arange(1, 2**count - 1)[:, None] >> torch.arange(count) & 1 > 0
        elif self.samples < 2 * count:
            raise SaliencyError(f"{self.samples} samples are too few for {count} superpixels: take {2 * count} or more")
        else:
            between = _pairs(count, self.samples // 2, random)
        return torch.cat([ends, between]).to(self.I.device)

    def weigh(self, shown: np.ndarray, S: np.ndarray) -> np.ndarray:
        """The shares that add up to S(I) - S(I'), and explain the other coalitions best."""
        from sklearn.linear_model import LinearRegression  # here, because it takes a second to import

        none, whole = S[:2]
        z, worth, count = shown[2:].astype(float), S[2:] - none, shown.shape[1]
        if count == 1:
            return np.array([whole - none])
        every = len(z) == 2**count - 2  # drawn ones have the weight by how often they come
        weight = np.array([_kernel(count, int(size)) for size in z.sum(1)]) if every else None
        # The last share is what the others leave, which turns a sum that is given into one unknown less.
        last = z[:, -1]
        model = LinearRegression(fit_intercept=False)
        others = model.fit(z[:, :-1] - last[:, None], worth - last * (whole - none), sample_weight=weight).coef_
        return np.append(others, whole - none - others.sum())


def _kernel(count: int, size: int) -> float:
    """The weight of one coalition of this size (Lundberg and Lee, 2017, theorem 2)."""
    return (count - 1) / (comb(count, size) * size * (count - size))


def _pairs(count: int, pairs: int, random: Generator) -> Tensor:
    """Coalitions drawn by the kernel, each followed by its complement."""
    sizes = torch.arange(1, count)
    chances = 1 / (sizes * (count - sizes)).double()  # of a size: the kernel times the number of such coalitions
    drawn = sizes[torch.multinomial(chances, pairs, replacement=True, generator=random)]
    places = torch.rand(pairs, count, generator=random, device="cpu").argsort(1).argsort(1)
    shown = places < drawn[:, None]
    return torch.stack([shown, ~shown], 1).flatten(0, 1)


shap = function(Shap)
