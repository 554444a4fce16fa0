"""The exercises of the chapter on diffusion accept the right answer and meet each typical mistake with its hint."""

import math

import pytest
import torch
from helpers import judged

import saliency_lib as sl
from saliency_lib.diffusion.sampler import begin, step
from saliency_lib.diffusion.schedule import mixed


@pytest.fixture(scope="module")
def model() -> sl.Diffusion:
    return sl.load_diffusion()


def test_diffusion_gaussian() -> None:
    half = math.sqrt(0.5)
    wrong = [((2, 2 * half), "sign"), ((-4, 1), "variance"), ((-2, 2 / half), "all of x_t"), ((-1, 1), "density")]
    judged("diffusion-gaussian", (-2, 2 * half), wrong)


def test_diffusion_step() -> None:
    alpha = math.cos(math.pi / 6)
    judged("diffusion-step", 0.25 / alpha, [(0.5, "sigma"), (0.25, "divide"), (0.5 / alpha, "sine"), (1, "put t")])


def test_diffusion_guided_mean() -> None:
    wrong = [((1, 1), "s = 1"), ((4, 1), "once"), ((2, 1), "zero"), ((3, 3), "steeply"), (3, "two numbers")]
    judged("diffusion-guided-mean", (3, 1), wrong)


def test_diffusion_rather(model: sl.Diffusion) -> None:
    x, t = begin(2, seed=3), 0.6
    owl, tree, nothing = (model.predict(x, t, [said] * 2) for said in ("the owl", "the tree", ""))
    wrong = [
        (tree.score - owl.score, "a tree rather"),
        (owl.score, "alone"),
        (owl.score - nothing.score, "just anything"),
        (owl.eps - tree.eps, "noises"),
        ((owl.score - tree.score)[0], "shape"),
        (owl.clean - tree.clean, ".score"),
    ]
    judged("diffusion-rather", owl.score - tree.score, wrong, model=model, x=x, t=t)


def test_diffusion_halfway(model: sl.Diffusion) -> None:
    start = sl.worded(2, seed=5).images
    fresh, half = begin(2, seed=1), torch.full((2,), 0.5)

    def on(x: torch.Tensor, said: str) -> torch.Tensor:
        for k in range(20):
            x = step(x, model.predict(x, 0.5 - k / 40, [said] * 2), 0.5 - (k + 1) / 40)
        return (x + 1) / 2

    drowned = mixed(2 * start - 1, fresh, half)
    right = on(drowned, "the snail").clamp(0, 1)
    wrong = [
        (on(fresh, "the snail").clamp(0, 1), "nothing left"),
        (on(mixed(start, fresh, half), "the snail").clamp(0, 1), "-1 to 1"),
        (on(drowned, "").clamp(0, 1), "nobody said"),
        (2 * right - 1, "[0, 1]"),
        (right[0], "shape"),
        (start, "20 steps"),
    ]
    judged("diffusion-halfway", right, wrong, model=model, start=start)


def test_diffusion_attention() -> None:
    judged("diffusion-attention", "C", [("A", "mixed in"), ("BC", "another map"), ("CD", "no thing"), (3, "letters")])


def test_diffusion_likeness() -> None:
    judged("diffusion-likeness", "C", [("A", "pushes up"), ("BC", "strong colors"), ("D", "a crowd"), ("", "letters")])
