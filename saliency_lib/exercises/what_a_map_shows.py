"""The exercises of chapter 4: what a saliency map shows, and what it does not."""

from typing import Any

import torch
from torch import Tensor

from saliency_lib.comparison.metrics.on_the_object import mass
from saliency_lib.controls import center, region_null
from saliency_lib.exercises.check import exercise, expect, near, number, numbers
from saliency_lib.methods.gradients import saliency_map
from saliency_lib.models.model import Model


@exercise("shows-null")
def null(answer: Any) -> None:
    """The share of a map's sum in the middle of 4 x 4 pixels, its null, and its lift, eq. (4.1)."""
    given = numbers(answer, 3, "three numbers: the share, the null, the lift")
    share, area, middle = 15 / 30, 4 / 16, 16 / 36
    expect(near(given[0], share), "the share: the sum inside the box over the sum of all 16")
    expect(not near(given[1], area), "the null: this is the uniform map's share; what is the centered map's?")
    expect(near(given[1], middle), "the null: the weights inside the box over all weights, if that is the larger share")
    expect(not near(given[2], middle / share), "the lift: the map's share over the null, not the reverse")
    expect(near(given[2], share / middle), "the lift: divide the share by the null")


@exercise("shows-stride")
def stride(answer: Any) -> None:
    """How often a 3 x 3 convolution with stride 2 reads each kind of pixel, and the period of three of them."""
    given = numbers(answer, 4, "four numbers: three counts, then a number of pixels")
    expect(
        not all(near(count, 9) for count in given[:3]), "nine is without stride: the kernel skips every second pixel"
    )
    expect(not near(given[0], 4), "both even: a kernel is centered there, and where are its neighbors' centers?")
    expect(near(given[0], 1), "both even: count along one axis first, a kernel reads the centers' rows -1, 0 and +1")
    expect(near(given[1], 2), "one odd: along the odd axis two kernels read it, along the even axis how many?")
    expect(near(given[2], 4), "both odd: the counts of the two axes multiply")
    expect(not near(given[3], 6), "the period: three layers with stride 2 do not add up, each doubles")
    expect(near(given[3], 2**3), "the period: a step of one position after the last layer is how many pixels?")


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


@exercise("shows-controls")
def controls(answer: Any) -> None:
    """The null of a box that is not in the middle: rows 4 to 84, columns 10 to 80 of 224 x 224 pixels."""
    given = number(answer)
    mask = torch.zeros(1, 224, 224, dtype=torch.bool)
    mask[0, 4:84, 10:80] = True
    area, middle = mask.double().mean().item(), mass(center(mask[:, None].double()), mask).item()
    expect(not near(given, middle, 0.001), "this is the centered map's share: is it the larger of the two?")
    expect(not near(given, 100 * area, 0.1), "a share, not percent")
    expect(not near(given, 5600, 0.5), "these are the box's pixels: of how many?")
    expect(near(given, area, 0.001) and near(given, region_null(mask).item(), 0.001), "the larger of two maps' shares")


@exercise("shows-lungs")
def lungs(answer: Any) -> None:
    """The lift of a share of 62 % in a region of 45 % of the area that holds 60 % of a centered map."""
    given = number(answer)
    expect(not near(given, 0.62 / 0.45), "this divides by the share of the area: which null is larger?")
    expect(not near(given, 0.62 / 0.66), "edges are a control; the null of a region knows no image at all")
    expect(not near(given, 0.62 / 0.61, 0.003), "another finding is a control; the null of a region is of empty maps")
    expect(not near(given, 0.60 / 0.62, 0.003), "the map's share over the null, not the reverse")
    expect(near(given, 0.62 / 0.60), "the map's share over the larger of the uniform and the centered map's")
