"""The exercises of chapter 9: a test has a null."""

from typing import Any

import torch
from torch import Tensor

from saliency_lib.exercises.check import exercise, expect, near, number, numbers
from saliency_lib.models.forward import activations
from saliency_lib.models.model import Model
from saliency_lib.statistics import photos_needed


@exercise("believe-deletion")
def deletion(answer: Any) -> None:
    """The areas under two curves of five scores each, by the trapezoidal rule, eq. (9.3)."""
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
    """Infidelity of the shares (1, 1) for 2 x1 + x2, as they are and with the best factor, eq. (9.4)."""
    given = numbers(answer, 3, "three numbers: the infidelity, the best factor a, the relative infidelity")
    expect(not near(given[0], 1), "the infidelity is a mean over the two pixels, and this is the sum")
    expect(near(given[0], 0.5), "the infidelity: the falls are 2 and 1, and 1 is foretold for both")
    expect(not near(given[1], 2 / 3), "the best a is sum of told times fall over sum of told squared, not the reverse")
    expect(near(given[1], 1.5), "the best a: which multiple of (1, 1) is nearest to (2, 1)?")
    expect(not near(given[2], 0.25), "relative: divide by the mean of the squared falls")
    expect(near(given[2], 0.1), "relative: the infidelity with the best a, over the mean of the squared falls")


@exercise("believe-suppressor")
def suppressor(answer: Any) -> None:
    """The best weights of x1 = s + d and x2 = d + e for s, all of variance 1, and the covariances with s."""
    given = numbers(answer, 4, "four numbers: the weights of x1 and x2, then the pattern of both")
    expect(
        not (near(given[0], 1) and near(given[1], -1)),
        "weights: this would do without e; with it, minus x2 takes the noise e along",
    )
    expect(
        not (near(given[0], 0.5) and near(given[1], 0)),
        "weights: this is x1 alone; what x2 knows of d can be taken off",
    )
    expect(
        near(given[0], 2 / 3) and near(given[1], -1 / 3),
        "weights: solve C w = a, C = ((2, 1), (1, 2)), as x1 and x2 share d, and a the covariances with s",
    )
    expect(not near(given[3], 1), "pattern: x2 = d + e, and neither has anything to do with s")
    expect(near(given[2], 1) and near(given[3], 0), "pattern: the covariance of s + d with s, and of d + e with s")


@exercise("believe-pointing")
def pointing(answer: Any, maps: Tensor, masks: Tensor) -> None:
    """How much more often maps hit their mask than the middle does, and how often only the map does."""
    given = numbers(answer, 2, "two numbers: the difference of the two rates, and a number of drawings")
    hit = masks.flatten(1).gather(1, maps.flatten(1).argmax(1, keepdim=True))[:, 0].bool()
    middle = masks[:, masks.shape[1] // 2, masks.shape[2] // 2].bool()
    difference, only = (hit.float() - middle.float()).mean().item(), int((hit & ~middle).sum())
    exact = near(given[0], difference)
    expect(
        exact or not near(given[0], hit.float().mean().item()), "this is the map's own rate: take off that of the null"
    )
    expect(exact or not near(given[0], difference * len(maps)), "this is a count: divide by the number of drawings")
    expect(exact, "the rate of the maps, less the share of the masks that hold the middle pixel")
    expect(near(given[1], only), "on how many drawings does the map hit where the middle does not?")


@exercise("believe-power")
def power(answer: Any, differences: Tensor) -> None:
    """How many drawings find half the difference with 80 % certainty."""
    given = number(answer, "one number: how many drawings")
    mean, deviation = differences.mean().item(), differences.std().item()
    right = photos_needed(mean / 2, deviation)
    expect(not near(given, photos_needed(mean, deviation), 0.5), "this finds the whole difference, and half is asked")
    expect(
        not near(given, 2 * photos_needed(mean, deviation), 1.5), "half the difference takes more than twice as many"
    )
    expect(near(given, right, 1), "((1.96 + 0.84) times the deviation over the difference to be found) squared")


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
