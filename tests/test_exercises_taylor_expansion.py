"""Chapter 2's exercises accept the right answer and meet each typical mistake with its hint."""

import torch
from helpers import judged
from torch import Tensor, nn

WIDTHS = (8, 16, 32, 64)


def test_two_pixels() -> None:
    first, second = (1, 3, -1.5), (0, 0, 0.5)
    wrong = [
        (((2, 2, -1.5), second, 4), "w at (0.9, 0.6)"),
        (((1, 3, 1.2), second, 4), "this is the score"),
        ((first, (1, 3, -1.5), 4), "w at (0.2, 0.3)"),
        ((first, (0, 0, -1.5), 4), "b at (0.2, 0.3)"),
        ((first, second, 3), "four pairs"),
        ((first, second, 2), "count the pieces"),
        (4, "the answer is"),
    ]
    judged("taylor-two-pixels", (first, second, 4), wrong)


def test_order() -> None:
    judged(
        "taylor-order", 2.98, [(1.0, "subtract w'delta"), (2.0, "measure"), (0.0, "logarithmic"), (4.1, "whole number")]
    )


def network(width: int) -> nn.Module:
    """Two layers of units with seeded random weights, in float64."""
    torch.manual_seed(width)
    layers = [nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)]
    return nn.Sequential(*layers).double().requires_grad_(False)


def first_flip(net: nn.Module, start: Tensor, direction: Tensor, layers: int = 2) -> Tensor:
    """By bisection: the largest radius, in gray levels, below which no unit has flipped on any of the walks (N,)."""

    def states(images: Tensor) -> Tensor:
        first = net[0](images)
        return torch.cat([first, net[2](net[1](first))][:layers], -1) > 0

    inside, outside = torch.zeros(len(start), 1).double(), torch.full((len(start), 1), 1e3).double()
    for _ in range(60):
        middle = (inside + outside) / 2
        same = (states(start + middle / 255 * direction) == states(start)).all(-1, keepdim=True)
        inside, outside = middle.where(same, inside), outside.where(same, middle)
    return inside[:, 0]


def test_radius() -> None:
    starts = torch.rand(50, 64, dtype=torch.float64)
    start = starts.repeat_interleave(20, 0)
    direction = torch.randn(1000, 64, dtype=torch.float64)
    nets = [network(width) for width in WIDTHS]
    right = [first_flip(net, start, direction).median().item() for net in nets]
    both = [torch.minimum(first_flip(n, start, direction), first_flip(n, start, -direction)).median() for n in nets]
    first = [first_flip(net, start, direction, layers=1).median().item() for net in nets]
    wrong = [
        ([r / 255 for r in right], "1/255"),
        (both, "both directions"),
        (first, "two layers"),
        ([-r for r in right], "positive"),
        ([r * 1.5 for r in right], "the smallest"),
        (-0.9, "four radii"),
    ]
    judged("taylor-radius", right, wrong, train=network, starts=starts)


def test_account() -> None:
    """The split is recomputed by autograd: every constant is a leaf."""
    I = torch.tensor([0.5, 0.5], dtype=torch.float64, requires_grad=True)
    hidden, last = (torch.tensor(b, dtype=torch.float64, requires_grad=True) for b in ([1.0, -0.5], 0.25))
    z = torch.stack([2 * I[0] - I[1], I[0] + I[1]]) + hidden
    S = 3 * z[0].relu() - 2 * z[1].relu() + last
    leaves = (I, hidden, last)
    w, *rest = torch.autograd.grad(S, leaves)
    parts = [(slope * leaf).sum().item() for slope, leaf in zip((w, *rest), leaves, strict=True)]
    assert abs(sum(parts) - S.item()) < 1e-12
    right = (*parts, (-w * (1 - I)).sum().item())
    wrong = [
        ((3.75, 4, 0.25, 0.5), "this is the score"),
        ((0.5, 4, 0.25, 0.5), "both units are on"),
        ((-0.5, 0.5, 0.25, 0.5), "weight of its unit"),
        ((-0.5, 2, 0.25, 0.5), "is positive"),
        ((-0.5, 3, 0.25, 0.5), "the derivative of S"),
        ((-0.5, 4, 0, 0.5), "the last bias"),
        ((-0.5, 4, 0.25, -0.5), "turns its sign"),
        ((-0.5, 4, 0.25, 1), "-w'J"),
        (4, "four numbers"),
    ]
    judged("taylor-account", right, wrong)


def test_budgets() -> None:
    weights = torch.randn(1, 3, 8, 8).double()
    flat, count = weights.flatten(), weights.numel()
    cheapest = [flat.sign() / flat.abs().sum(), flat / flat.norm() ** 2]
    single = torch.zeros(count).double()
    single[flat.abs().argmax()] = 1 / flat[flat.abs().argmax()]
    for delta in (*cheapest, single):
        assert abs(flat @ delta - 1) < 1e-12
    most, mean, one = (
        255 * size
        for size in (
            cheapest[0].abs().max().item(),
            cheapest[1].square().mean().sqrt().item(),
            single.abs().max().item(),
        )
    )
    wrong = [
        ((most / 255, mean / 255, one / 255), "units of 1"),
        ((3 * most, mean, one), "three channels"),
        ((1.2 * most, mean, one), "the sum of |w|"),
        ((most, mean * count**0.5, one), "Euclidean length"),
        ((most, 1.2 * mean, one), "along w"),
        ((most, mean, 0.5 * one), "largest |w|"),
        (most, "three numbers"),
    ]
    judged("taylor-budgets", (most, mean, one), wrong, weights=weights)
