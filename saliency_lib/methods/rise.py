"""RISE: how high is the score on average, when the pixel is among those that are shown?

    M = sl.rise(model, images, "Egyptian cat")      # M_ij = sum over masks m of S(I_m) m_ij  /  (p * number of masks)

A coarse grid of cells is drawn, each shown with probability p; enlarged bilinearly to a little more than the image and
cropped at random, it is a mask m in [0, 1] with soft edges, and I_m = m I + (1 - m) I'. Where m is 0 or 1, the sum
comes to E[S(I_m) | pixel ij is shown]. No derivative is needed, and no piece has to be chosen: the grid lies elsewhere
in every mask. Source: Petsiuk et al. (2018), section 3, equation 6; I' is black there.

Cost: `samples` forward passes (4000 in the paper, 8000 for a deeper network), and one that settles the class.

It fails where samples are few: the error is that of a mean, and does not begin at zero. Since M holds the mean score of
all masks at every pixel, S = 10 + noise gives a map of 10 times how often a pixel was shown. `centered` takes the mean
score off first, which leaves the same map but for a constant, with less noise: M is then how much higher the score is
when the pixel is shown. Masked photos are pictures of nothing, and cells as large as a seventh find nothing smaller.
"""

from collections.abc import Iterator
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from saliency_lib.checks import MANY, flag, integer, number, seed_of
from saliency_lib.errors import SaliencyError
from saliency_lib.images import each
from saliency_lib.methods.baselines import Baseline, baselines_of
from saliency_lib.methods.method import function
from saliency_lib.methods.perturbations import PerturbationMethod
from saliency_lib.targets import Target


class Rise(PerturbationMethod):
    """The mean score of randomly masked images in which the pixel is shown, sum_m S(I_m) m_ij / (p n): (N, *grid).

    Petsiuk et al. (2018), equation 6; its unit is that of the score. Masks are grids of `cells` a side, each cell
    shown with `probability`, enlarged and moved at random; what is hidden has the pixels of `baseline`, see
    `integrated_gradients` (one, not several). `centered` takes the mean score of all masks off first. Without a target
    the class is the top one of the image itself. One `seed` gives one result. `batch_size`, `progress`: see
    `smoothgrad`.

    Images, target and errors as in `input_gradient`, but the network need not be differentiable; `SaliencyError` for
    settings that cannot be used. Reference: `saliency_lib/methods/rise.py` says when it fails.
    """

    name, title = "rise", "RISE"
    quick: ClassVar = {"samples": 200}

    samples: int = 1000
    cells: int = 7
    probability: float = 0.5
    baseline: Baseline = "black"
    centered: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        self.samples, self.seed = integer("samples", self.samples, 2, MANY), seed_of(self.seed)
        self.probability, self.centered = number("probability", self.probability, 0, 1), flag("centered", self.centered)
        if not 0 < self.probability < 1:
            raise SaliencyError("the probability that a cell is shown lies between 0 and 1, and is neither")
        super().__post_init__()
        self.cells = integer("cells", self.cells, 1, min(self.I.shape[2:]))
        random = Generator().manual_seed(self.seed)
        several = baselines_of(self.baseline, self.I, random, self.form)
        if len(several) > 1:
            raise SaliencyError("what is hidden has the pixels of one baseline, and not of several")
        self.hidden = several[0]

    def masks(self) -> Iterator[Tensor]:
        """The masks (*grid), one after another; all images get the same, so that none depends on another."""
        random = Generator().manual_seed(self.seed)
        sides = self.I.shape[2:]
        steps = [-(-side // self.cells) for side in sides]
        size = [(self.cells + 1) * step for step in steps]
        mode = ("linear", "bilinear", "trilinear")[len(sides) - 1]
        for _ in range(self.samples):
            grid = torch.rand([self.cells] * len(sides), generator=random) < self.probability
            large = F.interpolate(grid.float()[None, None], size, mode=mode)[0, 0]
            corner = [int(torch.randint(0, step + 1, (), generator=random)) for step in steps]
            yield large[tuple(slice(at, at + side) for at, side in zip(corner, sides, strict=True))].to(self.I)

    def _maps(self, target: Target) -> Tensor:
        versions = (m * self.I + (1 - m) * self.hidden for m in self.masks())
        S = torch.empty(self.samples, len(self.I), dtype=self.I.dtype)
        for seen in self.numbers(versions, self.samples, target):
            S[seen.version, seen.row] = seen.S
        if self.centered:
            S = S - S.mean(0)
        total = torch.zeros_like(self.I[:, 0])
        for m, of_images in zip(self.masks(), S.to(total), strict=True):
            total += each(of_images, total) * m
        return total / (self.probability * self.samples)


rise = function(Rise)
