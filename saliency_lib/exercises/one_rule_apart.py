"""The exercises of chapter 5: rules at the ReLU, and what they leave of the question."""

import math
from typing import Any

import torch
from torch import Tensor

from saliency_lib.exercises.check import NotYet, exercise, expect, near, number, numbers
from saliency_lib.methods.gradients import input_gradient
from saliency_lib.methods.maps import rank_correlation
from saliency_lib.methods.relu_rules import backprop, guided
from saliency_lib.models.model import Model
from saliency_lib.targets import unit

# every combination of signs of the signal g and of the pre-activation z, zeros included
SIGNS = torch.meshgrid(torch.tensor([-2.0, 0, 3]), torch.tensor([-1.0, 0, 4]), indexing="ij")
G, Z = (grid.flatten() for grid in SIGNS)


@exercise("rule-numbers")
def rule_numbers(answer: Any) -> None:
    """Guided backpropagation through the worked example, at x = (2, 1)."""
    given = numbers(answer, 2, "two numbers, one for each input")
    expect(given != [1, -1], "this is the gradient: guided drops the negative signal at the upper ReLU")
    expect(given != [0, 4], "this is the DeconvNet's: at the lower ReLU one of the units is off")
    expect(given != [-2, 6], "this is the answer at (1, 2): which units are on now?")
    expect(given == [4, 0], "go down the rows of the table in the worked example; only the last ReLU's z is another")


@exercise("rule-leaky")
def rule_leaky(answer: Any) -> None:
    """The cosine between two vectors of independent normal numbers whose negative entries were halved."""
    given = number(answer)
    expect(not near(given, 1 / math.pi, 0.002), "this is the full rectification: half of each negative entry is left")
    expect(
        not near(given, 0.25 / (2 * math.pi), 0.002), "this is the mean of the products: divide it by the mean square"
    )
    expect(not near(given, 2.25 / (1.25 * math.pi), 0.002), "what is negative stays negative: its mean is subtracted")
    expect(not near(given, 0.25 / math.pi, 0.002), "the mean square is more than one half: negative entries count, too")
    expect(
        near(given, 0.25 / (1.25 * math.pi), 0.001),
        "the square of the mean over the mean square, both over all entries",
    )


@exercise("rule-own")
def rule_own(answer: Any) -> None:
    """The rule that passes negative signals only, through active units."""
    given = _passed(answer, G, Z)
    expect(given[(G > 0) & (given != 0)].numel() == 0, "a positive signal came through")
    expect(given[(Z <= 0) & (given != 0)].numel() == 0, "a signal came through a unit that is off (z <= 0)")
    expect((given <= 0).all(), "the signal is to be passed on unchanged, with its sign")
    expect(torch.equal(given, G * (G < 0) * (Z > 0)), "where g < 0 and z > 0 the result is g itself")


@exercise("rule-few")
def rule_few(answer: Any) -> None:
    """A function of n that returns a rule: guided at the first n ReLUs that it meets, the gradient's afterwards."""
    expect(callable(answer), "the answer is a function of n")
    for n in (0, 2, 5):
        rule = answer(n)
        expect(callable(rule), "the function is to return a rule: a function of g and z")
        for place in range(8):
            given = _passed(rule, G, Z)
            wanted, name = (guided, "guided") if place < n else (backprop, "the gradient's")
            here = f"with n = {n}, the ReLU number {place + 1} from the top should follow {name} rule"
            expect(torch.equal(given, wanted(G, Z)), f"{here}: does every call of your function begin at the top?")


def _passed(rule: Any, g: Tensor, z: Tensor) -> Tensor:
    """What a reader's rule makes of these signals; says so if it is no rule."""
    expect(callable(rule), "the answer is a function of g and z")
    try:
        passed = rule(g.clone(), z.clone())
    except Exception as error:
        raise NotYet(f"called with two tensors, it raised {type(error).__name__}: {error}") from None
    expect(isinstance(passed, Tensor) and passed.shape == g.shape, "a rule returns a tensor shaped like g")
    expect(passed.dtype == g.dtype, "a rule returns the signal, not where it passes: multiply by g")
    return passed + 0.0  # no negative zeros


@exercise("rule-switches")
def rule_switches(answer: Any, model: Model, images: Tensor) -> None:
    """What a DeconvNet projects back from channel 7 of features.4, row 8, column 8, through an image's switches."""
    what = "one projection with its signs, (1, 3, 64, 64)"
    expect(isinstance(answer, Tensor) and answer.shape == images.shape, what)
    given = answer.detach().to(images.device)

    def same(rule: str, place: Any = (8, 8), channel: int = 7) -> bool:
        wanted = input_gradient(model, images, unit("features.4", channel, place), rule=rule)
        return torch.allclose(given, wanted, rtol=1e-3, atol=1e-5 * float(wanted.abs().max()))

    expect(not same("backprop"), "this is the gradient: the DeconvNet has another rule")
    expect(not same("guided"), "this is guided backpropagation: a DeconvNet does not ask which units are on")
    expect(not same("deconvnet", "max"), "this is the unit's strongest place: take row 8, column 8")
    expect(not (given >= 0).all(), "leave the signs: the absolute value is another picture")
    expect(same("deconvnet"), "one unit, channel 7 of features.4 at (8, 8), under the DeconvNet's rule")


@exercise("rule-passes")
def rule_passes(answer: Any) -> None:
    """A function of (model, images) that never calls the network, and whose maps are no more alike than by chance."""
    expect(callable(answer), "the answer is a function of (model, images)")
    images = torch.zeros(2, 3, 64, 64)
    maps = []
    for seed in (0, 1):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = _Silent()
        maps.append(answer(network, images))
        expect(not network.called, "it calls the network: a map that knows nothing does without")
    for given in maps:
        expect(
            isinstance(given, Tensor) and given.shape == (2, 64, 64), "two images of 64 x 64 pixels: maps (2, 64, 64)"
        )
    expect(not any((given == given[:, :1, :1]).all() for given in maps), "a map of one value has no order of pixels")
    alike = [abs(rank_correlation(a, b)) for a, b in zip(*maps, strict=True)]
    expect(max(alike) < 0.1, "asked of two networks, it gives maps that are alike: it would fail the check")


class _Silent(torch.nn.Module):
    """A network that remembers whether it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(8))
        self.called = False

    def forward(self, images: Tensor) -> Tensor:
        self.called = True
        return images.mean((1, 2, 3))[:, None] * self.weight
