"""Which priors, and how to climb: the paper's recipe, and the one that chapter 6 arrives at."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from saliency_lib.checks import number, one_of, short_repr
from saliency_lib.class_images.optimizers import Adam, Gradient
from saliency_lib.class_images.parameterizations import Colors, Fourier, Parameterization, Sigmoid
from saliency_lib.class_images.priors import Crop, Noise, Prior
from saliency_lib.errors import SaliencyError

OPTIMIZERS: dict[str, type[Gradient | Adam]] = {"gradient": Gradient, "adam": Adam}


@dataclass(frozen=True)
class Recipe:
    """A set of priors, and the ascent that was tried with them."""

    priors: tuple[Prior, ...]
    optimizer: str
    step_size: float
    l2: float
    start: str = "zeros"
    steps: int = 160


PAPER = Recipe((), "gradient", step_size=0.5, l2=0.01)
"""Section 2 and nothing else. The paper names neither the step size nor the weight of the penalty: these are ours."""

COORDINATES = Recipe((), "adam", step_size=0.05, l2=0.0)
"""How to climb in the coordinates of a `Parameterization`, whose derivatives have scales of their own."""

RECOMMENDED = replace(
    COORDINATES,
    step_size=0.03,
    start="noise",
    steps=320,
    priors=(Fourier(decay=1.35, contrast=1.0), Colors(), Sigmoid(), Crop(0.3, 1.0), Noise(0.3)),
)
"""The priors that chapter 6 arrives at, which says how their numbers were chosen."""


def recipe_of(
    priors: str | Sequence[Prior], optimizer: str | None, step_size: float | None, l2: float | None
) -> Recipe:
    """The recipe that these arguments of `class_image` mean. Raises `SaliencyError` if they mean none."""
    recipe = RECOMMENDED if isinstance(priors, str) and priors == "recommended" else _of_priors(priors)
    if optimizer is not None:
        one_of("optimizer", optimizer, OPTIMIZERS)
    return replace(
        recipe,
        optimizer=optimizer or recipe.optimizer,
        step_size=recipe.step_size if step_size is None else number("step_size", step_size, 0),
        l2=recipe.l2 if l2 is None else number("l2", l2, 0),
    )


def _of_priors(priors: str | Sequence[Prior]) -> Recipe:
    several = isinstance(priors, Sequence) and not isinstance(priors, str)
    chosen: tuple[Any, ...] = tuple(priors) if several else (priors,)
    if not all(isinstance(prior, Prior) for prior in chosen):
        raise SaliencyError(
            f'priors are objects of saliency_lib.class_images, or "recommended", and not {short_repr(priors)}'
        )
    maps = [prior for prior in chosen if isinstance(prior, Parameterization)]
    projections = [prior for prior in chosen if type(prior).project is not Prior.project]
    if maps and projections:
        raise SaliencyError(
            f"{type(projections[0]).__name__} changes pixels, and with {type(maps[0]).__name__} nobody climbs pixels: "
            "use Sigmoid instead"
        )
    return replace(COORDINATES if maps else PAPER, priors=chosen)
