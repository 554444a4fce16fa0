"""Chapter 5's exercises accept the right answer and meet each typical mistake with its hint."""

import math
from collections.abc import Callable

import torch
from helpers import judged
from torch import Tensor

import saliency_lib as sl

Rule = Callable[[Tensor, Tensor], Tensor]


def test_rule_numbers() -> None:
    wrong = [
        ((1, -1), "the gradient"),
        ((0, 4), "DeconvNet"),
        ((-2, 6), "(1, 2)"),
        ((4, 4), "rows"),
        (4, "two numbers"),
    ]
    judged("rule-numbers", (4, 0), wrong)


def test_rule_leaky() -> None:
    """Against many numbers."""
    a, b = torch.randn(2, 4_000_000, generator=torch.Generator().manual_seed(0)).double()
    right = torch.cosine_similarity(*(torch.where(x > 0, x, x / 2) for x in (a, b)), dim=0).item()
    wrong = [
        (1 / math.pi, "full rectification"),
        (0.0398, "mean square"),
        (0.573, "subtracted"),
        (0.0796, "count, too"),
        (0.5, "over all entries"),
        ("1/pi", "one number"),
    ]
    judged("rule-leaky", round(right, 3), wrong)


def test_rule_own() -> None:
    wrong = [
        (lambda g, z: g * (z > 0) * (g > 0), "positive signal"),
        (lambda g, z: g * (g < 0), "off"),
        (lambda g, z: -g * (z > 0) * (g < 0), "with its sign"),
        (lambda g, z: (z > 0) * (g < 0), "multiply by g"),
        (lambda g, z: g[z > 0], "shaped like g"),
        (lambda g: g, "TypeError"),
        (0.99, "function"),
    ]
    judged("rule-own", lambda g, z: g * (z > 0) * (g < 0), wrong)


def counting(first: int, *, shared: list[int] | None = None) -> Rule:
    """Guided at the first ReLUs; with `shared` calls the count goes on where another rule left it."""
    calls = [] if shared is None else shared

    def rule(g: Tensor, z: Tensor) -> Tensor:
        calls.append(1)
        return g * (z > 0) * ((g > 0) | (len(calls) > first))

    return rule


def reversed_counting(first: int) -> Rule:
    """The gradient's rule at the first ReLUs, and guided below."""
    calls: list[int] = []

    def rule(g: Tensor, z: Tensor) -> Tensor:
        calls.append(1)
        return g * (z > 0) * ((g > 0) | (len(calls) <= first))

    return rule


def test_rule_few() -> None:
    calls: list[int] = []
    wrong = [
        (lambda n: counting(n + 1), "n = 0, the ReLU number 1"),
        (reversed_counting, "n = 0, the ReLU number 1"),
        (lambda n: counting(n, shared=calls), "begin at the top"),
        (lambda n: lambda g, z: g * (z > 0) * (g > 0), "the gradient's rule"),
        ([0.55, 0.61, 0.65, 0.84, 0.96, 0.98], "function of n"),
        (lambda n: 0.9, "return a rule"),
    ]
    judged("rule-few", counting, wrong)


def test_rule_switches() -> None:
    model = sl.load_model("creature_convnet")
    images = sl.creatures(1, seed=5).images
    asked = sl.unit("features.4", 7, (8, 8))
    backs = {rule: sl.input_gradient(model, images, asked, rule=rule) for rule in ("backprop", "deconvnet", "guided")}
    # the same through the first layers alone
    x = images.clone().requires_grad_()
    h = model.network.features[:5]((x - model.mean) / model.std)
    right = sl.gradient(h[0, 7, 8, 8], x, rule="deconvnet")
    strongest = sl.input_gradient(model, images, sl.unit("features.4", 7, "max"), rule="deconvnet")
    wrong = [
        (backs["backprop"], "the gradient"),
        (backs["guided"], "which units are on"),
        (strongest, "strongest place"),
        (right.abs(), "signs"),
        (right.flip(3), "under the DeconvNet's rule"),
        (0.5, "one projection"),
    ]
    judged("rule-switches", right, wrong, model=model, images=images)


def test_rule_passes() -> None:
    def drawn_once(model: torch.nn.Module, images: Tensor) -> Tensor:
        return torch.rand(len(images), 64, 64, generator=torch.Generator().manual_seed(0))

    def asks(model: torch.nn.Module, images: Tensor) -> Tensor:
        return model(images)[:, 0].view(-1, 1, 1) + torch.rand(len(images), 64, 64)

    wrong = [
        (drawn_once, "alike"),
        (asks, "calls the network"),
        (lambda model, images: torch.zeros(2, 64, 64), "order of pixels"),
        (lambda model, images: torch.rand(2, 3, 64, 64), "maps (2, 64, 64)"),
        (0.02, "function of"),
    ]
    judged("rule-passes", lambda model, images: torch.rand(2, 64, 64), wrong)
