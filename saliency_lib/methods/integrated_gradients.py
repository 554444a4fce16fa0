"""Integrated gradients: how is the difference in score between a baseline and the image shared among the pixels?

    A = sl.integrated_gradients(model, images, "Egyptian cat")
                                        # (I - I') * integral over a from 0 to 1 of dS_c/dI at I' + a (I - I')

The gradient at the image alone misses what made the score grow on the way: min(2 I, 1) is flat at I = 1, and yet the
pixel did all of it. Along the straight path from a baseline I' every step is seen, and by the fundamental theorem of
calculus the shares add up to S(I) - S(I'): completeness. Source: Sundararajan et al. (2017), section 3.

The integral is a sum over `steps` nodes by a quadrature. How far the sum is from complete is the test of it:
`completeness_gap`. From black, a network's score may be made almost at once: that of the cat in the sample photo rises
from 0.2 to 8.8 on the first twentieth of the path, and by 0.2 on all the rest. The default quadrature, `"graded"`,
therefore takes small steps near the baseline and large ones near the image. No quadrature is good for every photo: on
five of the sample photos 100 steps leave gaps of 0.05 to 5.0 percent (mean 1.8), those of Gauss and Legendre 0.09 to
5.4 (1.9), equal ones 1.1 to 6.9 (3.5). Look at the gap of yours.

Cost: `steps` forward and backward passes a baseline, and one forward pass that settles the class.

It fails by its baseline: a pixel that is like the baseline gets nothing, whatever it means, so that with black a black
cat has no share in its class. Several baselines (Sturmfels et al., 2020) average the choice, and do not end it. The
images on the path are pictures of nothing, and what gradients there say of the photo is an assumption.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Generator, Tensor, nn

from saliency_lib.checks import MANY, check_tensor, one_of, seed_of, whole
from saliency_lib.errors import SaliencyError
from saliency_lib.images import covering
from saliency_lib.methods.baselines import Baseline, baselines_of
from saliency_lib.methods.relu_rules import AnyRule
from saliency_lib.methods.versions import VersionMethod
from saliency_lib.targets import Target


def _midpoints(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (edges[1:] + edges[:-1]) / 2, np.diff(edges)


def _gauss_legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    x, w = np.polynomial.legendre.leggauss(n)
    return (1 + x) / 2, w / 2


QUADRATURES: dict[str, Callable[[int], tuple[np.ndarray, np.ndarray]]] = {
    "graded": lambda n: _midpoints((np.arange(n + 1) / n) ** 3),
    "midpoint": lambda n: _midpoints(np.arange(n + 1) / n),
    "gauss-legendre": _gauss_legendre,
}
"""From a number of steps to as many nodes in (0, 1), and their weights. The first two are the middles and the widths of
n cells, of one width or between the cubes of k / n."""


class IntegratedGradients(VersionMethod):
    """`integrated_gradients` for one target after another, with the same baselines."""

    name = "integrated-gradients"
    title = "integrated gradients"

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        *,
        baseline: Baseline = "black",
        steps: int = 50,
        quadrature: str = "graded",
        seed: int = 0,
        batch_size: int = 8,
        progress: bool | None = None,
        rule: AnyRule = None,
    ) -> None:
        super().__init__(model, images, batch_size=batch_size, progress=progress, rule=rule)
        most = 1000 if one_of("quadrature", quadrature, QUADRATURES) == "gauss-legendre" else MANY
        nodes, weights = QUADRATURES[quadrature](whole("steps", steps, 1, most))
        self.nodes, self.weights = nodes.tolist(), weights.tolist()
        random = Generator().manual_seed(seed_of(seed))
        self.baselines = baselines_of(baseline, self.I, random)

    def _path(self) -> Iterator[Tensor]:
        for base in self.baselines:
            for a in self.nodes:
                yield base + a * (self.I - base)

    def attribution(self, target: Target = None) -> Tensor:
        """(I - I') times the mean gradient on the path from I' to I, (N, C, H, W), the mean over the baselines."""
        total = torch.zeros_like(self.I)
        for seen in self.gradients(self._path(), len(self.baselines) * len(self.nodes), target):
            base, step = divmod(seen.version, len(self.nodes))
            way = self.I[seen.row] - self.baselines[base][seen.row]
            total[seen.row] += self.weights[step] / len(self.baselines) * way * seen.result
        return covering(total, self.images)

    def gap(self, attribution: Tensor, target: Target = None) -> Tensor:
        """|sum of the shares - D| / |D| for each image, with D = S(I) - mean S(I') what they should add up to, (N,)."""
        check_tensor("an attribution", attribution)
        if attribution.shape != self.I.shape or not attribution.is_floating_point():
            got = tuple(attribution.shape)
            raise SaliencyError(f"the attribution of images {tuple(self.I.shape)} has their shape, not {got}")
        S = torch.zeros(1 + len(self.baselines), len(self.I), dtype=torch.float64)
        for seen in self.numbers([self.I, *self.baselines], len(S), target):
            S[seen.version, seen.row] = seen.result
        D = S[0] - S[1:].mean(0)
        return (attribution.cpu().double().flatten(1).sum(1) - D).abs() / D.abs()


def integrated_gradients(
    model: nn.Module,
    images: Tensor,
    target: Target = None,
    *,
    baseline: Baseline = "black",
    steps: int = 50,
    quadrature: str = "graded",
    seed: int = 0,
    batch_size: int = 8,
    progress: bool | None = None,
    rule: AnyRule = None,
) -> Tensor:
    """Each pixel's share of S(I) - S(I'), (I - I') times the mean of dS/dI from I' to I: (N, C, H, W), signed.

    Sundararajan et al. (2017), equation 1; its unit is that of the score. The baseline I' is `"black"`, `"gray"`,
    `"blurred"` (a Gaussian of a twentieth of the shorter side), `"noise"`, images of your own, or a list of such, over
    which the mean is taken. `steps` nodes are laid by `quadrature`: `"graded"`, `"midpoint"` or `"gauss-legendre"`.
    Without a target the class is the top one of the image itself. One `seed` gives one result. `batch_size`,
    `progress`: see `smoothgrad`.

    Arguments and errors as in `input_gradient`; `SaliencyError` for settings that cannot be used.
    Reference: `saliency_lib/methods/integrated_gradients.py` says when it fails.
    """
    prepared = IntegratedGradients(
        model,
        images,
        baseline=baseline,
        steps=steps,
        quadrature=quadrature,
        seed=seed,
        batch_size=batch_size,
        progress=progress,
        rule=rule,
    )
    return prepared.attribution(target)


def completeness_gap(
    model: nn.Module,
    images: Tensor,
    attribution: Tensor,
    target: Target = None,
    *,
    baseline: Baseline = "black",
    seed: int = 0,
) -> Tensor:
    """How far shares are from adding up to D = S(I) - S(I'), as a part of it, |sum A - D| / |D|: (N,), 0 is complete.

    For attributions (N, C, H, W) by any method; baselines, seed, target and errors as in `integrated_gradients`.
    Sundararajan et al. (2017), section 5. Reference: `saliency_lib/methods/integrated_gradients.py`.
    """
    return IntegratedGradients(model, images, baseline=baseline, seed=seed, progress=False).gap(attribution, target)
