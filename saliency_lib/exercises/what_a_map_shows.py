"""The exercises of chapter 4: what a saliency map shows, and what it does not."""

from typing import Any

import torch
from torch import Tensor

from saliency_lib.exercises.check import exercise, expect, near, number, numbers
from saliency_lib.methods.gradients import saliency_map
from saliency_lib.models.model import Model


@exercise("shows-share")
def share(answer: Any) -> None:
    """The share of a map's sum in a box, its lift, and the largest lift, eq. (4.1)."""
    given = numbers(answer, 3, "three numbers: the share, the lift, the largest possible lift")
    inside, total, area = 2 + 6 + 4 + 3, 30, 4 / 16
    expect(not near(given[0], area), "the share: this is the box's share of the area")
    expect(not near(given[0], 6 / total), "the share: the box holds four pixels, and the brightest is one of them")
    expect(near(given[0], inside / total), "the share: the sum inside the box over the sum of all 16")
    expect(not near(given[1], area / given[0]), "the lift: the map's share over the area's, not the reverse")
    expect(near(given[1], inside / total / area), "the lift: divide the share by the box's share of the area")
    expect(near(given[2], 1 / area), "the largest lift: which share has a map that lies in the box entirely?")


@exercise("shows-stride")
def stride(answer: Any) -> None:
    """How often a 3 x 3 convolution with stride 2 reads each kind of pixel, and the period of five of them."""
    given = numbers(answer, 4, "four numbers: three counts, then a number of pixels")
    expect(
        not all(near(count, 9) for count in given[:3]), "nine is without stride: the kernel skips every second pixel"
    )
    expect(not near(given[0], 4), "both even: a kernel is centered there, and where are its neighbors' centers?")
    expect(near(given[0], 1), "both even: count along one axis first, a kernel reads the centers' rows -1, 0 and +1")
    expect(near(given[1], 2), "one odd: along the odd axis two kernels read it, along the even axis how many?")
    expect(near(given[2], 4), "both odd: the counts of the two axes multiply")
    expect(not near(given[3], 10), "the period: five layers with stride 2 do not add up, each doubles")
    expect(near(given[3], 2**5), "the period: a step of one position after the last layer is how many pixels?")


@exercise("shows-steps")
def steps(answer: Any, model: Model, photo: Tensor, target: Any) -> None:
    """The mean of nine saliency maps of windows one pixel apart, each moved back; compared away from the border."""
    what = "one map, (224, 224): the average of nine"
    expect(isinstance(answer, Tensor) and answer.numel() == 224**2, what)
    given = answer.detach().cpu().view(224, 224)
    maps = {}
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            window = photo[..., 16 + dy : 240 + dy, 16 + dx : 240 + dx]
            maps[dy, dx] = saliency_map(model, window, target)[0].cpu()

    def same(sign: int, times: float = 1 / 9) -> bool:
        rolled = [m.roll((sign * dy, sign * dx), (0, 1)) for (dy, dx), m in maps.items()]
        wanted = times * torch.stack(rolled).sum(0)
        return torch.allclose(given[4:-4, 4:-4], wanted[4:-4, 4:-4], rtol=1e-2, atol=1e-3 * float(wanted.max()))

    expect(not same(0), "the maps were averaged where they are: move each back by its step first")
    expect(
        not same(-1),
        "the maps were moved the wrong way: the map of a window at (17, 17) belongs one pixel further down and right",
    )
    expect(not same(1, 1), "this is the sum: divide by nine")
    expect(not torch.allclose(given, maps[0, 0], rtol=1e-2, atol=1e-4), "this is the window in the middle alone")
    expect(same(1), "nine windows, one map each, every map put back where its window was cut out")


@exercise("shows-crops")
def crops(answer: Any) -> None:
    """How many of the ten crops of 224 in 256 pixels cover the pixels (0, 0), (128, 128) and (20, 40)."""
    given = numbers(answer, 3, "three whole numbers, one for each pixel")
    corners = [(0, 0), (0, 32), (32, 0), (32, 32), (16, 16)]
    single = [sum(y <= i < y + 224 and x <= j < x + 224 for y, x in corners) for i, j in ((0, 0), (128, 128), (20, 40))]
    expect(given != single, "these are five: each crop comes with its mirror image")
    expect(not near(given[0], 10), "the corner pixel lies in one corner's crop only")
    expect(near(given[0], 2 * single[0]), "(0, 0): which crops begin at row 0 and column 0?")
    expect(near(given[1], 10), "(128, 128) lies in the middle of all of them")
    expect(near(given[2], 2 * single[2]), "(20, 40): its row is in the crops that begin at row 0 or 16, not at 32")


@exercise("shows-average")
def average(answer: Any) -> None:
    """Agreement of averages over ten maps with independent noise, where single maps agree to 0.38."""
    given = number(answer)
    expect(given <= 1, "a correlation is at most 1: noise shrinks, the common part stays")
    expect(not near(given, 0.38), "this is one map: the noise of an average of ten is smaller")
    expect(not near(given, 0.038, 0.002), "the noise is divided by ten, not the agreement")
    expect(not near(given, 0.38 / (0.38 + 0.62 / 10**0.5), 0.01), "the *variance* of the noise is divided by ten")
    right = 0.38 / (0.38 + 0.62 / 10)
    expect(near(given, right, 0.01), "the common part's share of the variance, once the noise's is divided by ten")
