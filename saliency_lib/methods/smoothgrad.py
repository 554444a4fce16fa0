"""SmoothGrad: where would a change matter, on average over pictures that look the same?

    w = sl.smoothgrad(model, images, "Egyptian cat")        # mean_s dS_c / dI (I + e_s),  e_s ~ N(0, sigma^2)

The gradient of a deep ReLU network jumps from one picture to its neighbors, which no eye tells apart. The mean over
neighbors is the gradient of a smoother function, the score averaged over the noise:
E[dS/dI (I + e)] = d/dI E[S(I + e)]. `squared` averages the squares instead: signs that differ from sample to sample
then do not cancel, and large gradients count for more.

The samples estimate that mean, with an error that they tell themselves: the deviation among them over the root of their
number, entry by entry.

    found = sl.find_method("smoothgrad")(model, images)
    w, error = found.attribution("Egyptian cat"), found.standard_error

Source: Smilkov et al. (2017), section 2; sigma is a share of the range of the image's values, and section 3 finds 10 to
20 percent best. The square: Hooker et al. (2019).

Cost: `samples` forward and backward passes, and one forward pass that settles the class. Its error falls as one over
the root of the samples only. It fails where noise takes the network to pictures of another kind: what comes out is then
the gradient there. A smoother map is no proof that it says more about the network.
"""

from collections.abc import Iterator
from dataclasses import field

import torch
from torch import Generator, Tensor

from saliency_lib.checks import MANY, flag, integer, number, seed_of
from saliency_lib.images import each, with_part
from saliency_lib.methods.method import function
from saliency_lib.methods.perturbations import PerturbationMethod
from saliency_lib.methods.relu_rules import AnyRule
from saliency_lib.targets import Target


class SmoothGrad(PerturbationMethod):
    """The mean gradient over noisy copies, 1/n sum_s dS_c/dI (I + e_s), e_s ~ N(0, sigma^2): (N, C, H, W).

    Smilkov et al. (2017), section 2; with `squared` the mean of the squares (Hooker et al., 2019). sigma
    is `noise` times the range of the image's own values; noisy pixels may leave [0, 1]. Without a target the class is
    the top one of the image itself. One `seed` gives one result. At most `batch_size` copies are in memory; `progress`
    shows a bar, by default where there is somebody to see it.

    Arguments and errors as in `input_gradient`; `SaliencyError` for settings that cannot be used.
    Reference: `saliency_lib/methods/smoothgrad.py` says when it fails.
    """

    name, title, derivative = "smoothgrad", "SmoothGrad", True

    samples: int = 50
    noise: float = 0.15
    squared: bool = False
    seed: int = 0
    rule: AnyRule = None
    standard_error: Tensor = field(init=False)
    """Of the attribution made last, (N, C, H, W): nan where there is one sample only."""

    def __post_init__(self) -> None:
        self.samples, self.seed = integer("samples", self.samples, 1, MANY), seed_of(self.seed)
        self.squared = flag("squared", self.squared)
        self.noise = number("noise, a share of the range of the image's values,", self.noise, 0)
        super().__post_init__()

    def noisy(self) -> Iterator[Tensor]:
        """The images with noise, sample by sample; all images get the same, so that none depends on another."""
        random = Generator().manual_seed(self.seed)
        low, high = (each(value, self.I) for value in self.I.flatten(1).aminmax(dim=1))
        for _ in range(self.samples):
            e = torch.randn(self.I.shape[1:], generator=random, dtype=torch.float32, device="cpu")
            yield self.I + self.noise * (high - low) * e.to(self.I)

    def attribution(self, target: Target = None) -> Tensor:
        """The mean over the samples of dS / dI or, for the square, of its square, (N, C, H, W)."""
        total, squares, n = torch.zeros_like(self.I), torch.zeros_like(self.I), self.samples
        for seen in self.gradients(self.noisy(), n, target):
            value = seen.gradient.square() if self.squared else seen.gradient
            total[seen.row] += value
            squares[seen.row] += value.square()
        mean = total / n
        variance = (squares / n - mean.square()).clamp(min=0)
        self.standard_error = (variance / (n - 1)).sqrt() if n > 1 else torch.full_like(mean, torch.nan)
        return with_part(mean, self.images)


class SmoothGradSquared(SmoothGrad):
    """`smoothgrad` with the squares of the gradients."""

    name, title, derivative = "smoothgrad-squared", "SmoothGrad, squares", False

    squared: bool = True


smoothgrad = function(SmoothGrad)
