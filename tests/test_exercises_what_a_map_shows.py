"""Chapter 4's exercises accept the right answer and meet each typical mistake with its hint."""

import math

import torch
from helpers import judged, small_network
from torch import Tensor

import saliency_lib as sl


def test_null() -> None:
    M = torch.tensor([[1.0, 1, 1, 1], [1, 3, 4, 1], [1, 4, 4, 2], [1, 2, 2, 1]])
    middle = torch.tensor([1.0, 2, 2, 1]).outer(torch.tensor([1.0, 2, 2, 1]))
    share, null = ((m[1:3, 1:3].sum() / m.sum()).item() for m in (M, middle))
    wrong = [
        ((0.25, 0.44, 0.56), "the sum inside"),
        ((0.5, 0.25, 2), "uniform map's share"),
        ((0.5, 0.5, 1), "the weights inside"),
        ((0.5, 0.44, 0.89), "not the reverse"),
        ((0.5, 0.44, 2), "divide the share"),
        (0.5, "three numbers"),
    ]
    judged("shows-null", (share, null, share / null), wrong)


def test_stride() -> None:
    pixels = torch.ones(1, 1, 16, 16, requires_grad=True)
    read = torch.nn.functional.conv2d(pixels, torch.ones(1, 1, 3, 3), stride=2, padding=1)
    (count,) = torch.autograd.grad(read.sum(), pixels)
    right = [*(count[0, 0, y, x].item() for y, x in ((4, 4), (4, 5), (5, 5))), 8]
    wrong = [
        ((9, 9, 9, 8), "skips"),
        ((4, 2, 1, 8), "both even"),
        ((1, 1, 1, 8), "one odd"),
        ((1, 2, 3, 8), "multiply"),
        ((1, 2, 4, 6), "doubles"),
        ((1, 2, 4, 16), "how many pixels"),
    ]
    judged("shows-stride", right, wrong)


def test_steps() -> None:
    model = sl.as_classifier(small_network(size=224), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    photo = torch.rand(1, 3, 256, 256)

    def average(sign: int) -> Tensor:
        """Slow and literal: each window's map, pixel by pixel where it belongs."""
        total = torch.zeros(256, 256)
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                m = sl.saliency_map(model, photo[..., 16 + dy : 240 + dy, 16 + dx : 240 + dx], 2)[0]
                total[16 + sign * dy : 240 + sign * dy, 16 + sign * dx : 240 + sign * dx] += m
        return total[16:240, 16:240] / 9

    single = sl.saliency_map(model, photo[..., 16:240, 16:240], 2)[0]
    wrong = [
        (average(0), "averaged where they are"),
        (average(-1), "wrong way"),
        (9 * average(1), "divide by nine"),
        (single, "in the middle alone"),
        (average(1).flip(0), "nine windows"),
        (0.7, "one map"),
    ]
    judged("shows-steps", average(1), wrong, model=model, photo=photo, target=2)


def test_average() -> None:
    """Against maps made of a common part and independent noise."""
    common, noise = torch.randn(50_000), torch.randn(2, 10, 50_000)
    maps = 0.38**0.5 * common + 0.62**0.5 * noise
    right = torch.corrcoef(maps.mean(1))[0, 1].item()
    wrong = [(3.8, "at most 1"), (0.38, "one map"), (0.038, "not the agreement"), (0.66, "*variance*"), (0.5, "share")]
    judged("shows-average", round(right, 2), wrong)


def test_controls() -> None:
    """The null computed pixel by pixel."""
    around = [(i + 0.5) / 224 - 0.5 for i in range(224)]
    bell = torch.tensor([math.exp(-(x**2) * 8) for x in around]).double()
    middle = (bell[4:84].sum() * bell[10:80].sum() / bell.sum() ** 2).item()
    right = max(80 * 70 / 224**2, middle)
    wrong = [(middle, "the larger"), (11.2, "percent"), (5600, "of how many"), (0.5, "two maps")]
    judged("shows-controls", right, wrong)


def test_lungs() -> None:
    wrong = [
        (1.38, "share of the area"),
        (0.94, "edges are a control"),
        (1.016, "another finding"),
        (0.968, "not the reverse"),
        (2, "larger of the uniform"),
    ]
    judged("shows-lungs", 1.03, wrong)
