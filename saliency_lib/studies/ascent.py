"""What does a class ask for? Ascent on the posterior, and on its logarithm, from gray."""

import torch
from torch import Tensor

from saliency_lib.studies.study import Case, Found, study

STEPS = 30


def _climbed(at: Case, *, logarithm: bool, rate: float | None) -> Tensor:
    """The posterior (N,) after some steps: of the gradient times `rate`, or of four gray levels where there is none."""
    rows = torch.arange(len(at.labels))
    x = torch.full_like(at.images, 0.5)
    for _ in range(STEPS):
        x = x.requires_grad_()
        S = at.model(x)
        number = (S.log_softmax(1) if logarithm else S.softmax(1))[rows, at.labels]
        (g,) = torch.autograd.grad(number.sum(), x)
        size = g.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-30)
        x = (x + (rate * g if rate else 4 / 255 * g / size)).detach()
    with torch.no_grad():
        return at.model(x).softmax(1)[rows, at.labels]


@study("more", count=12)
def logarithm_climbs_where_the_posterior_stays(at: Case) -> Found:
    """With steps in proportion to the gradient, ascent on log P brings P further in 30 steps than ascent on P.

    One rate for both, a half. Refuted if P is raised as much by its own gradient.
    """
    return Found(*(_climbed(at, logarithm=which, rate=0.5) for which in (True, False)))


@study("equal", margin=0.05, count=12)
def only_the_size_of_the_step_differs(at: Case) -> Found:
    """With steps of one length, ascent on P brings P as far in 30 steps as ascent on log P.

    The two gradients have one direction, and the factor P between their sizes. Refuted if the posteriors reached
    differ by more than 0.05 on the mean class.
    """
    return Found(*(_climbed(at, logarithm=which, rate=None) for which in (False, True)))
