"""LIME: which superpixels raise the score, in the linear model that fits best around the image?

    M = sl.lime(model, images, "Egyptian cat")      # M_ij = the coefficient of the superpixel that (i, j) belongs to

Random coalitions z in {0, 1}^K of the K superpixels are shown, each piece with probability 1/2 and the others painted
over, and a ridge regression explains their scores by what is shown,

    argmin over b, c of  sum_z pi(z) (S(I_z) - b - c z)^2 + alpha |c|^2,     pi(z) = exp(-D(z)^2 / sigma^2),

where D(z) = 1 - sqrt(|z| / K) is the cosine distance of z from the whole image. The regression is scikit-learn's.
Source: Ribeiro et al. (2016), section 3.4, equation 1; they choose few pieces first, by the lasso, and this does not.

Cost: `samples` forward passes, and one that settles the class; no derivative, so that any network will do. It fails
where pieces act together (a sum of single effects has no place for that); where K is not much smaller than `samples`;
and by its choices: another seed, another sigma or another number of superpixels is another map. With 50 superpixels the
coalitions have about 25 pieces, and pi differs so little among them that "locally" means little.
"""

from typing import ClassVar

import numpy as np
import torch
from torch import Generator, Tensor

from saliency_lib.checks import MANY, integer, number
from saliency_lib.methods.method import function
from saliency_lib.methods.superpixels import SuperpixelMethod

SMALLEST = 1e-3
"""Least sigma: a narrower weight leaves the image itself alone."""


class Lime(SuperpixelMethod):
    """By how much the score rises if the pixel's superpixel is shown, in a linear model around the image: (N, H, W).

    Ribeiro et al. (2016), section 3.4: a ridge regression with penalty `alpha` on `samples` random coalitions,
    weighted by exp(-D^2 / sigma^2). Signed; its unit is that of the score. Pieces that are not shown have the pixels of
    `baseline`, see `integrated_gradients` (one, not several). `segments` (N, H, W) are pieces of your own, numbered
    from 0; else SLIC finds about `superpixels` of them. Without a target the class is the top one of the image itself.
    One `seed` gives one result. `batch_size`, `progress`: see `smoothgrad`.

    Images, target and errors as in `input_gradient`, but the network need not be differentiable; `SaliencyError` for
    settings that cannot be used. Reference: `saliency_lib/methods/lime.py` says when it fails.
    """

    name, title = "lime", "LIME"
    quick: ClassVar = {"samples": 200}

    samples: int = 500
    sigma: float = 0.25
    alpha: float = 1.0

    def __post_init__(self) -> None:
        self.samples = integer("samples", self.samples, 2, MANY)
        self.sigma, self.alpha = number("sigma", self.sigma, SMALLEST), number("alpha", self.alpha, 0)
        super().__post_init__()

    def draw(self, count: int, random: Generator) -> Tensor:
        """The whole image, and random halves of its pieces."""
        shown = torch.rand(self.samples, count, generator=random, device="cpu") < 0.5
        shown[0] = True
        return shown.to(self.I.device)

    def weigh(self, shown: np.ndarray, S: np.ndarray) -> np.ndarray:
        """The coefficients c of the ridge regression."""
        from sklearn.linear_model import Ridge  # here, because it takes a second to import

        distance = 1 - np.sqrt(shown.mean(1))
        closeness = np.exp(-((distance / self.sigma) ** 2))
        return Ridge(alpha=self.alpha).fit(shown.astype(float), S, sample_weight=closeness).coef_


lime = function(Lime)
