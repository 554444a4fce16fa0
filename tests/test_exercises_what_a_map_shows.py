"""Chapter 4's exercises accept the right answer and meet each typical mistake with its hint."""

import torch
from helpers import judged, small_network
from torch import Tensor

import saliency_lib as sl


def test_share() -> None:
    wrong = [
        ((0.25, 2, 4), "share of the area"),
        ((0.2, 2, 4), "four pixels"),
        ((0.5, 0.5, 4), "not the reverse"),
        ((0.5, 1.5, 4), "divide the share"),
        ((0.5, 2, 1), "entirely"),
        (0.5, "three numbers"),
    ]
    judged("shows-share", (0.5, 2, 4), wrong)


def test_stride() -> None:
    pixels = torch.ones(1, 1, 16, 16, requires_grad=True)
    read = torch.nn.functional.conv2d(pixels, torch.ones(1, 1, 3, 3), stride=2, padding=1)
    (count,) = torch.autograd.grad(read.sum(), pixels)
    right = [*(count[0, 0, y, x].item() for y, x in ((4, 4), (4, 5), (5, 5))), 32]
    wrong = [
        ((9, 9, 9, 32), "skips"),
        ((4, 2, 1, 32), "both even"),
        ((1, 1, 1, 32), "one odd"),
        ((1, 2, 3, 32), "multiply"),
        ((1, 2, 4, 10), "doubles"),
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


def test_crops() -> None:
    counts = torch.zeros(256, 256)
    for y, x in ((0, 0), (0, 32), (32, 0), (32, 32), (16, 16)):
        counts[y : y + 224, x : x + 224] += 2
    right = [counts[i, j].item() for i, j in ((0, 0), (128, 128), (20, 40))]
    wrong = [
        ((1, 5, 3), "mirror image"),
        ((10, 10, 10), "one corner's crop"),
        ((4, 10, 6), "begin at row 0"),
        ((2, 8, 6), "in the middle"),
        ((2, 10, 10), "not at 32"),
    ]
    judged("shows-crops", right, wrong)


def test_average() -> None:
    """Against maps made of a common part and independent noise."""
    common, noise = torch.randn(50_000), torch.randn(2, 10, 50_000)
    maps = 0.38**0.5 * common + 0.62**0.5 * noise
    right = torch.corrcoef(maps.mean(1))[0, 1].item()
    wrong = [(3.8, "at most 1"), (0.38, "one map"), (0.038, "not the agreement"), (0.66, "*variance*"), (0.5, "share")]
    judged("shows-average", round(right, 2), wrong)
