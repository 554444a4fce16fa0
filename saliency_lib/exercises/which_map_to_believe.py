"""The exercises of chapter 9: which map to believe."""

from typing import Any

import torch
from torch import Tensor

from saliency_lib.exercises.check import exercise, expect, near, number, numbers
from saliency_lib.models.forward import activations
from saliency_lib.models.model import Model


@exercise("believe-deletion")
def deletion(answer: Any) -> None:
    """The areas under two curves of five scores each, by the trapezoidal rule, eq. (9.2)."""
    given = numbers(answer, 2, "two numbers: the area of the first map, and that of the second")
    curves = (1, 0.6, 0.2, 0.1, 0), (1, 0.1, 0.1, 0, 0)
    areas = [(sum(c) - (c[0] + c[-1]) / 2) / 4 for c in curves]
    expect(
        not all(near(g, sum(c) / 5) for g, c in zip(given, curves, strict=True)),
        "this is the mean of five scores: by the trapezoidal rule the first and the last count half, over 4",
    )
    expect(
        not all(near(g, 4 * a) for g, a in zip(given, areas, strict=True)),
        "the share of pixels runs from 0 to 1, and one step is a quarter of it",
    )
    expect(
        near(given[0], areas[0]), "the first map: add up the trapezoids between two scores, each as wide as one step"
    )
    expect(near(given[1], areas[1]), "the second map: the same rule")


@exercise("believe-infidelity")
def infidelity(answer: Any) -> None:
    """Infidelity of the shares (1, 1) for 2 x1 + x2, as they are and with the best factor, eq. (9.3)."""
    given = numbers(answer, 3, "three numbers: the infidelity, the best factor a, the relative infidelity")
    expect(not near(given[0], 1), "the infidelity is a mean over the two pixels, and this is the sum")
    expect(near(given[0], 0.5), "the infidelity: the falls are 2 and 1, and 1 is foretold for both")
    expect(not near(given[1], 2 / 3), "the best a is sum of told times fall over sum of told squared, not the reverse")
    expect(near(given[1], 1.5), "the best a: which multiple of (1, 1) is nearest to (2, 1)?")
    expect(not near(given[2], 0.25), "relative: divide by the mean of the squared falls")
    expect(near(given[2], 0.1), "relative: the infidelity with the best a, over the mean of the squared falls")


@exercise("believe-shift")
def shift(answer: Any) -> None:
    """Gradient times input and integrated gradients of 3 x and of the same function of y = x + 0.5."""
    given = numbers(
        answer, 4, "four numbers: gradient times input before and after, then integrated gradients after, twice"
    )
    expect(near(given[0], 0.6), "before: the derivative 3 times x = 0.2")
    expect(not near(given[1], 0.6), "after: the derivative is still 3, and the input is y = 0.7")
    expect(near(given[1], 2.1), "after: the derivative times y")
    expect(not (near(given[2], 0.6) and near(given[3], 2.1)), "from y = 0 the way is 0.7 long, from y = 0.5 it is 0.2")
    expect(near(given[2], 2.1), "from black, y = 0: the derivative is the same everywhere, times the way to y")
    expect(near(given[3], 0.6), "from y = 0.5: what black was before the shift; how long is the way now?")


@exercise("believe-pointing")
def pointing(answer: Any, maps: Tensor, masks: Tensor) -> None:
    """The share of maps whose largest value lies in their mask."""
    given = number(answer, "one number, the share of the maps that point at their mask")
    inside = masks.flatten(1).gather(1, maps.flatten(1).argmax(1, keepdim=True)).float().mean().item()
    mass = ((maps * masks).sum((1, 2)) / maps.sum((1, 2))).mean().item()
    expect(not near(given, inside * len(maps)), "this is a count: divide by the number of maps")
    expect(not near(given, mass), "this is the share of the sum: pointing asks for the largest value alone")
    expect(not near(given, 1 - inside), "this is the share that misses")
    expect(near(given, inside), "for each map find the place of its largest value, and look it up in the mask")


@exercise("believe-blind")
def blind(answer: Any, masks: Tensor) -> None:
    """How often the pixel in the middle lies in the mask, and the masks' mean share of the area."""
    given = numbers(answer, 2, "two numbers: how often the middle is on the thing, and the things' mean area")
    middle = masks[:, masks.shape[1] // 2, masks.shape[2] // 2].float().mean().item()
    area = masks.float().mean().item()
    expect(
        not (near(given[0], area) and near(given[1], middle)), "the other way around: first the middle, then the area"
    )
    expect(not near(given[0], middle * len(masks)), "this is a count: divide by the number of masks")
    expect(near(given[0], middle), "the middle: in what share of the masks is the middle pixel part of the creature?")
    expect(near(given[1], area), "the area: the mean of all masks, which is what a random pixel would reach")


@exercise("believe-cut")
def cut(answer: Any, model: Model, images: Tensor, target: int, channels: Any) -> None:
    """How far a score falls when channels of the last convolution are set to zero: foretold, and measured."""
    given = numbers(answer, 2, "two numbers: the mean fall foretold, and the mean fall measured")
    network = model.network
    head, layer = getattr(network, "classifier"), "features.7"  # noqa: B009
    h = activations(model, images, [layer])[layer].clone().requires_grad_()
    S = head(h)[:, target]
    (w,) = torch.autograd.grad(S.sum(), h)
    told = (h * w)[:, list(channels)].sum((1, 2, 3)).mean().item()
    without = h.detach().clone()
    without[:, list(channels)] = 0
    fall = (S.detach() - head(without)[:, target]).mean().item()
    expect(not near(given[0], told * len(images), 0.02 * abs(told)), "this is a sum over the drawings: take the mean")
    expect(
        not (near(given[0], fall, 0.01) and near(given[1], told, 0.01)),
        "the other way around: first what the gradient foretells, then what happens",
    )
    expect(
        near(given[0], told, 0.02 * abs(told)),
        "foretold: activation times derivative, summed over the channels and all places, mean over the drawings",
    )
    expect(
        near(given[1], fall, 0.02 * abs(fall)), "measured: the score before minus the score with the channels at zero"
    )
