"""What does the gradient foretell?"""

import copy

import torch
from torch import Generator, Tensor

from saliency_lib.controls import edges
from saliency_lib.methods.gradients import input_gradient
from saliency_lib.models.model import Model
from saliency_lib.studies.study import Case, Found, study


def scores_of(model: Model, images: Tensor, labels: Tensor) -> Tensor:
    """S_c of each image, (N,)."""
    with torch.no_grad():
        return model(images).gather(1, labels.to(images.device)[:, None])[:, 0]


def _linear_part(at: Case, zero: float) -> Tensor:
    """w (I - zero), (N,): what the tangent plane at I says that the image has of the score."""
    return (at.gradient().double() * (at.images - zero).double()).flatten(1).sum(1)


@study("less")
def linear_part_is_small(at: Case) -> Found:
    """The linear part w I, black being zero, is less than half of the score in size.

    Refuted if |w I / S| is one half or more on the median photo; the share is cut off at 2, where S is near zero.
    """
    share = (_linear_part(at, 0.0) / at.S.double()).abs().clamp(max=2)
    return Found(share, torch.full_like(share, 0.5))


@study("more")
def linear_part_hangs_on_the_origin(at: Case) -> Found:
    """Calling white zero instead of black changes w I by more than w I itself.

    Refuted if the mean change |w I - w (I - 1)| is no larger than |w I|: then "the linear part" means something.
    """
    black, white = (_linear_part(at, zero) for zero in (0.0, 1.0))
    return Found((black - white).abs(), black.abs())


@study("less", count=30)
def remainder_along_gradient_is_no_square(at: Case) -> Found:
    """Along w the remainder of the tangent plane grows more slowly than the square of the step.

    The order is the slope of log |remainder| from a tenth of a gray level to one (root mean square). Refuted if it is
    2, as it is for a function without kinks. In double precision.
    """
    model, I = copy.deepcopy(at.model).double(), at.images.double()
    w = input_gradient(model, I, at.labels)
    unit = w / w.square().mean((1, 2, 3), keepdim=True).sqrt()
    S = scores_of(model, I, at.labels)

    def remainder(r: float) -> Tensor:
        steps = [sign * r / 255 * unit for sign in (1, -1)]
        errors = [scores_of(model, I + d, at.labels) - S - (w * d).flatten(1).sum(1) for d in steps]
        return torch.stack(errors).square().mean(0).sqrt()

    order = (remainder(1.0) / remainder(0.1)).log10()
    return Found(order, torch.full_like(order, 2.0))


@study("more", count=42)
def salient_pixels_move_the_score(at: Case) -> Found:
    """One gray level, up or down at random, moves the score more at the most salient 5 percent than at the edges.

    Refuted if the root mean square change over eight throws is no larger than at the 5 percent of strongest edges.
    """
    random = Generator().manual_seed(0)
    found = []
    for M in (at.map(), edges(at.images)):
        where = M.flatten(1).quantile(0.95, 1)[:, None, None] <= M
        coins = [torch.randint(0, 2, at.images.shape[1:], generator=random) * 2 - 1 for _ in range(8)]
        moved = [scores_of(at.model, at.images + where[:, None] * coin / 255, at.labels) - at.S for coin in coins]
        found.append(torch.stack(moved).square().mean(0).sqrt())
    return Found(*found)
