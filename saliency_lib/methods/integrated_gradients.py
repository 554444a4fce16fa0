"""Integrated gradients: how is the difference in score between a baseline and the image shared among the pixels?

    A = sl.integrated_gradients(model, images, "Egyptian cat")
                                        # (I - I') * integral over a from 0 to 1 of dS_c/dI at I' + a (I - I')

The gradient at the image alone misses what made the score grow on the way: min(2 I, 1) is flat at I = 1, and yet the
pixel did all of it. Along the straight path from a baseline I' every step is seen, and by the fundamental theorem of
calculus the shares add up to S(I) - S(I'): completeness. Source: Sundararajan et al. (2017), section 3.

The integral is a sum over `steps` nodes by a quadrature. How far the sum is from complete is the test of it:
`completeness_gap`. From black, a network's score may be made almost at once: that of the cat in the sample photo rises
from 0.2 to 8.8 on the first twentieth of the path, and by 0.2 on all the rest. The default quadrature, `"graded"`,
therefore takes small steps near the baseline and large ones near the image. `"adaptive"` looks, after each round of
eight steps, where the shares found so far miss the known rise of the score by most, and steps there. With 100 steps it
leaves gaps of 0.1 to 0.8 percent on five of the sample photos (mean 0.5), the graded ones 0.05 to 5.0 (1.8), those of
Gauss and Legendre 0.09 to 5.4 (1.9), equal ones 1.1 to 6.9 (3.5). With 25 or fewer it has no time to look, and the
graded ones are the better. Look at the gap of yours. The adaptive one stands on trapezoids, and on what few integrals
offer: the integral of the slope dS/da over a cell is known, it is S at its end less S at its beginning, and S comes
with every slope for nothing. So each trapezoid's error is known too, and the next nodes halve the cells that err most.

The gap is one number, the shares are many, and errors of single pixels cancel in their sum. Pixel by pixel the adaptive
steps err *more*: fifty leave shares that lie nearly 9 percent of their length from those of 600 graded steps on three
sample photos, fifty graded ones 5 to 6 (two studies in `studies/paths.py` ask this of more photographs). So take them
where the sum has to come out, and the graded ones where the map is what counts.

Cost: `steps` forward and backward passes a baseline, and one forward pass that settles the class. The adaptive one
keeps a gradient for each step.

It fails by its baseline: a pixel that is like the baseline gets nothing, whatever it means, so that with black a black
cat has no share in its class. Several baselines (Sturmfels et al., 2020) average the choice, and do not end it. The
images on the path are pictures of nothing, and what gradients there say of the photo is an assumption.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Generator, Tensor, nn

from saliency_lib.checks import MANY, Images, check_tensor, integer, one_of, seed_of
from saliency_lib.errors import SaliencyError
from saliency_lib.images import with_part
from saliency_lib.methods.baselines import Baseline, baselines_of
from saliency_lib.methods.method import function
from saliency_lib.methods.perturbations import PerturbationMethod
from saliency_lib.methods.relu_rules import AnyRule
from saliency_lib.progress import progress_bar
from saliency_lib.targets import Target


class IntegratedGradients(PerturbationMethod):
    """Each pixel's share of S(I) - S(I'), (I - I') times the mean of dS/dI from I' to I: (N, C, H, W), signed.

    Sundararajan et al. (2017), equation 1; its unit is that of the score. The baseline I' is `"black"`, `"gray"`,
    `"blurred"` (a Gaussian of a twentieth of the shorter side), `"noise"`, images of your own, or a list of such, over
    which the mean is taken. `steps` nodes are laid by `quadrature`: `"graded"`, `"midpoint"`, `"gauss-legendre"` or
    `"adaptive"`, which at 100 steps left the smallest gap in the mean of five sample photos. Without a target the class
    is the top one of the image itself. One `seed` gives one result. `batch_size`, `progress`: see `smoothgrad`.

    Arguments and errors as in `input_gradient`; `SaliencyError` for settings that cannot be used.
    Reference: `saliency_lib/methods/integrated_gradients.py` says when it fails.
    """

    name, title = "integrated-gradients", "integrated gradients"

    baseline: Baseline = "black"
    steps: int = 50
    quadrature: str = "graded"
    seed: int = 0
    rule: AnyRule = None

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("quadrature", self.quadrature, (*FIXED, "adaptive"))
        many = self.quadrature in ("graded", "midpoint")  # the others take time or memory
        self.steps = integer("steps", self.steps, 1 + (self.quadrature == "adaptive"), MANY if many else 1000)
        random = Generator().manual_seed(seed_of(self.seed))
        self.baselines = baselines_of(self.baseline, self.I, random, self.form)

    def attribution(self, target: Target = None) -> Tensor:
        """(I - I') times the mean gradient on the path from I' to I, (N, C, H, W), the mean over the baselines."""
        total = self._adaptive(target) if self.quadrature == "adaptive" else self._fixed(target)
        return with_part(total / len(self.baselines), self.images)

    def _fixed(self, target: Target) -> Tensor:
        nodes, weights = (row.tolist() for row in FIXED[self.quadrature](self.steps))
        path = (base + a * (self.I - base) for base in self.baselines for a in nodes)
        total = torch.zeros_like(self.I)
        for seen in self.gradients(path, len(self.baselines) * self.steps, target):
            base, step = divmod(seen.version, self.steps)
            total[seen.row] += weights[step] * (self.I[seen.row] - self.baselines[base][seen.row]) * seen.gradient
        return total

    def _adaptive(self, target: Target) -> Tensor:
        total = torch.zeros_like(self.I)
        for start in self.baselines:
            for row in range(len(self.I)):
                total[row] += self._along(row, start[row], target)
        return total

    def _along(self, row: int, start: Tensor, target: Target) -> Tensor:
        """The integral of (I - I') dS/dI for one image and one baseline, by nodes that are found as it goes."""
        way = self.I[row] - start
        nodes: list[float] = []
        S: list[float] = []
        slopes: list[float] = []
        gradients: list[Tensor] = []
        for first in progress_bar(range(rounds(self.steps)), rounds(self.steps), "round", self.progress):
            new = next_nodes(nodes, S, slopes, min(MORE, self.steps - len(nodes))) if first else first_nodes(self.steps)
            for seen in self.gradients_of(((i, row, start + a * way) for i, a in enumerate(new)), target):
                S.append(seen.S.item())
                slopes.append((way.cpu().double() * seen.gradient.cpu()).sum().item())
                gradients.append(seen.gradient)
            nodes += new
        total = torch.zeros_like(way)
        for weight, gradient in zip(trapezoids(nodes).tolist(), gradients, strict=True):
            total += weight * way * gradient
        return total

    def gap(self, attribution: Tensor, target: Target = None) -> Tensor:
        """|sum of the shares - D| / |D| for each image, with D = S(I) - mean S(I') what they should add up to, (N,)."""
        check_tensor("an attribution", attribution)
        if attribution.shape != self.I.shape or not attribution.is_floating_point():
            got = tuple(attribution.shape)
            raise SaliencyError(f"the attribution of images {tuple(self.I.shape)} has their shape, not {got}")
        S = torch.zeros(1 + len(self.baselines), len(self.I), dtype=torch.float64)
        for seen in self.numbers([self.I, *self.baselines], len(S), target):
            S[seen.version, seen.row] = seen.S
        D = S[0] - S[1:].mean(0)
        return (attribution.cpu().double().flatten(1).sum(1) - D).abs() / D.abs()


integrated_gradients = function(IntegratedGradients)


def completeness_gap(
    model: nn.Module,
    images: Images,
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


# --- quadratures: where on the way from 0 to 1 an integrand is asked, and what each answer counts ---------------------


def _midpoints(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (edges[1:] + edges[:-1]) / 2, np.diff(edges)


def _gauss_legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    x, w = np.polynomial.legendre.leggauss(n)
    return (1 + x) / 2, w / 2


FIXED: dict[str, Callable[[int], tuple[np.ndarray, np.ndarray]]] = {
    "graded": lambda n: _midpoints((np.arange(n + 1) / n) ** 3),
    "midpoint": lambda n: _midpoints(np.arange(n + 1) / n),
    "gauss-legendre": _gauss_legendre,
}
"""From a number of steps to as many nodes in (0, 1), and their weights. The first two are the middles and the widths of
n cells, of one width or between the cubes of k / n."""

FIRST, MORE = 9, 8
"""Nodes of the adaptive one's first round, and of each round after it."""


def rounds(steps: int) -> int:
    """How many rounds it takes to find so many nodes."""
    return 1 + math.ceil(max(0, steps - FIRST) / MORE)


def first_nodes(steps: int) -> list[float]:
    """The ends of [0, 1] and cubes between them, at most `FIRST` in all."""
    return (np.linspace(0, 1, min(steps, FIRST)) ** 3).tolist()


def next_nodes(nodes: Sequence[float], S: Sequence[float], slopes: Sequence[float], count: int) -> list[float]:
    """The middles of the `count` cells, or of all, where trapezoids err most; of those that err alike, of the widest.

    The nodes come in any order, with S(a) and its slope dS/da at each.
    """
    order = np.argsort(nodes)
    a, values, d = (np.asarray(row, dtype=np.float64)[order] for row in (nodes, S, slopes))
    errors = np.abs(np.diff(a) * (d[1:] + d[:-1]) / 2 - np.diff(values))
    worst = np.lexsort((-np.diff(a), -errors))[:count]
    return ((a[1:] + a[:-1]) / 2)[np.sort(worst)].tolist()


def trapezoids(nodes: Sequence[float]) -> np.ndarray:
    """What each node counts, in whichever order they come: half the way from its left neighbor to its right one."""
    order = np.argsort(nodes)
    halves = np.diff(np.asarray(nodes)[order]) / 2
    weights = np.empty(len(nodes))
    weights[order] = np.append(halves, 0) + np.insert(halves, 0, 0)
    return weights
