"""Integrated gradients from few steps: do steps that leave a small gap leave a small error?"""

from torch import Tensor

from saliency_lib.methods.integrated_gradients import completeness_gap, integrated_gradients
from saliency_lib.studies.study import Case, Found, study

FEW, MANY = 50, 150
"""Steps that are judged, and graded steps that stand for the integral."""


def shares(at: Case, quadrature: str, steps: int = FEW) -> Tensor:
    """The shares of the images' pixels, (N, C, H, W), by so many steps from black."""

    def compute() -> Tensor:
        return integrated_gradients(
            at.model, at.images, at.labels, steps=steps, quadrature=quadrature, progress=False
        ).double()

    return at.once(("shares", quadrature, steps), compute)


def error(at: Case, quadrature: str) -> Tensor:
    """How far they lie from those of many steps, as a part of the length of these, (N,)."""
    exact = shares(at, "graded", MANY).flatten(1)
    return (shares(at, quadrature).flatten(1) - exact).norm(dim=1) / exact.norm(dim=1)


@study("more", count=10)
def adaptive_steps_miss_the_shares(at: Case) -> Found:
    """Fifty adaptive steps leave a larger error of the shares, pixel by pixel, than fifty graded ones.

    The error is the distance from the shares of 150 graded steps over their length. Refuted if it is no larger on the
    mean photo.
    """
    return Found(error(at, "adaptive"), error(at, "graded"))


@study("less", count=10)
def adaptive_steps_close_the_gap(at: Case) -> Found:
    """Fifty adaptive steps leave a smaller completeness gap than fifty graded ones.

    Counted up to one, which is the whole of the difference. Refuted if it is no smaller on the mean photo.
    """
    gaps = (
        completeness_gap(at.model, at.images, shares(at, way), at.labels).clamp(max=1) for way in ("adaptive", "graded")
    )
    return Found(*gaps)
