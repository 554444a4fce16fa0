"""Chapter 10's exercises accept the right answer and meet each typical mistake with its hint."""

import itertools

import pytest
import torch
from helpers import judged
from torch import Tensor

import saliency_lib as sl


@pytest.fixture(scope="module")
def owl() -> dict:
    model = sl.load_model("creature_convnet")
    return {"model": model, "image": sl.creatures(1, seed=5, kind="owl").images, "target": model.index("owl")}


def test_eyes() -> None:
    worth = {(): 0.0, ("left",): 2.0, ("right",): 1.0, ("left", "right"): 2.5}

    def adds(who: str) -> float:
        orders = list(itertools.permutations(("left", "right")))
        before = [order[: order.index(who)] for order in orders]
        return sum(worth[tuple(sorted((*b, who)))] - worth[b] for b in before) / len(orders)

    wrong = [
        ((2, 1, 1.75, 0.75), "not from none"),
        ((1, 2, 1.75, 0.75), "that is left"),
        ((1.5, 1, 1.75, 0.75), "the other one"),
        ((1.5, 0.5, 2, 1), "comes first"),
        ((1.5, 0.5, 1.5, 0.5), "add up to 2.5"),
        (2.5, "four numbers"),
    ]
    judged("ask-eyes", (1.5, 0.5, adds("left"), adds("right")), wrong)


def test_path() -> None:
    alpha = (torch.arange(1000).double() + 0.5) / 1000
    right = (3, 6, 3 * alpha.square().mean(), 0.5 * 12 * alpha.square().mean())
    wrong = [
        ((3, 12, 1, 2), "these are the derivatives"),
        ((3, 3, 1, 2), "24 x1 x2"),
        ((3, 6, 1, 4), "still to be multiplied"),
        ((3, 6, 0.75, 1.5), "not its mean"),
        ((3, 6, 3, 6), "add up to f"),
    ]
    judged("ask-path", right, wrong)


def test_expected() -> None:
    alphas = (torch.arange(1000) + 0.5) / 1000

    def share(base: float) -> float:
        return ((1 - base) * (2 * (base + alphas * (1 - base))).mean()).item()

    right = (share(0), share(0.5), (share(0) + share(0.5)) / 2, share(0.25))
    wrong = [
        ((2, 0.75, 0.875, 0.9375), "the derivative at 1"),
        ((1, 1.5, 0.875, 0.9375), "how long the way"),
        ((1, 1, 0.875, 0.9375), "f(1) - f(1/2)"),
        ((1, 0.75, 1.75, 0.9375), "mean of the two shares"),
        ((1, 0.75, 0.875, 0.875), "curved"),
        ((1, 0.75, 0.875, 0.5), "f(1/4)"),
    ]
    judged("ask-expected", right, wrong)


def test_two_baselines(owl: dict) -> None:
    model, I, c = owl["model"], owl["image"], owl["target"]

    def path_from(level: float) -> Tensor:
        """Slow and literal: one gradient after another."""
        base, total = torch.full_like(I, level), torch.zeros_like(I)
        for k in range(32):
            x = (base + (k + 0.5) / 32 * (I - base)).requires_grad_()
            total += torch.autograd.grad(model(x)[0, c], x)[0] / 32
        return (I - base) * total

    black, white = path_from(0), path_from(1)
    wrong = [
        (black + white, "take the mean"),
        (black, "one baseline only"),
        ((black - white) / 2, "mind the sign"),
        (black.flip(3), "middles of cells"),
        (0.3, "shaped like the image"),
    ]
    judged("ask-two-baselines", (black + white) / 2, wrong, **owl)


def test_pairs() -> None:
    weights = torch.tensor([1.0, 2.0, 0.5, 3.0, 0.2, 1.5])

    def v(z: Tensor) -> Tensor:
        return (z.float() @ weights).sqrt() + z[:, 0].float() * z[:, 3].float()

    def worth(shown: set[int]) -> float:
        return v(torch.tensor([[float(i in shown) for i in range(6)]])).item()

    everyone = set(range(6))
    right, lost, alone = (torch.zeros(6, 6) for _ in range(3))
    for i, j in itertools.permutations(range(6), 2):
        lost[i, j] = worth(everyone) - worth(everyone - {i, j})
        right[i, j] = worth(everyone) - worth(everyone - {i}) - worth(everyone - {j}) + worth(everyone - {i, j})
        alone[i, j] = worth({i, j}) - worth({i}) - worth({j}) + worth(set())
    wrong = [
        (-right, "the sign"),
        (lost, "without both"),
        (alone, "alone on gray"),
        (right + torch.eye(6), "the diagonal"),
        (torch.ones(6, 6), "four terms"),
        (1, "36 numbers"),
    ]
    judged("ask-pairs", right, wrong, v=v)


def test_samples(owl: dict) -> None:
    def difference(samples: int, centered: bool) -> float:
        asked = {"samples": samples, "centered": centered, "baseline": "gray", "batch_size": 50}
        first, second = (sl.rise(*owl.values(), seed=seed, **asked) for seed in (0, 1))
        return (first - second).square().mean().item() ** 0.5

    few, many, raw = difference(20, True), difference(320, True), difference(320, False)
    right = (few / many, raw / many)
    wrong = [
        ((many / few, right[1]), "at 20 masks over"),
        ((right[0] ** 2, right[1]), "root of the mean square"),
        ((right[0] + 2, right[1]), "both centered"),
        ((right[0], raw / few), "centered one of 320"),
        ((right[0], 1), "not centered over"),
    ]
    judged("ask-samples", right, wrong, **owl)
