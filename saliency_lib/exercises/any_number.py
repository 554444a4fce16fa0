"""The exercises of chapter 8: any number a network computes."""

from typing import Any

import torch
from torch import Tensor

from saliency_lib.datasets.creatures import Creatures
from saliency_lib.datasets.roads import Roads, roads
from saliency_lib.exercises.check import exercise, expect, near, number, numbers
from saliency_lib.methods.gradients import input_gradient
from saliency_lib.methods.layers import grad_cam
from saliency_lib.models.activations import tokens
from saliency_lib.models.model import Model
from saliency_lib.targets import unit, weighted


@exercise("number-balance")
def balance(answer: Any) -> None:
    """Contributions of f = 2a - b + 3 at (0.8, 0.9) from (0.5, 0.6), and what cancels, by pixels and by one block."""
    given = numbers(answer, 5, "five numbers: contributions of a and b, B, then the block's contribution and its B")
    expect(not near(given[0], 1.6), "a: the derivative times the *difference* from the reference")
    expect(near(given[0], 0.6), "a: its derivative is 2, and it has grown by 0.3")
    expect(not near(given[1], 0.3), "b: it has grown, and what does f do when b grows?")
    expect(near(given[1], -0.3), "b: its derivative is -1, and it has grown by 0.3")
    expect(near(given[2], 0.3), "B of the pixels: P is 0.6 and Q is 0.3 without its sign; the smaller of both cancels")
    expect(not near(given[3], 0.9), "the block: add up with the signs")
    expect(near(given[3], 0.3), "the block: the sum of both contributions, which is f(I) - f(R)")
    expect(near(given[4], 0), "B of the block: a single positive contribution has nothing that it cancels with")


@exercise("number-view")
def view(answer: Any, model: Model, images: Tensor) -> None:
    """The first and the last row of pixels on which the unit (8, 8) of `features.3` depends."""
    given = numbers(answer, 2, "two whole numbers: the first and the last row")
    rows = torch.zeros(images.shape[2], dtype=torch.bool)
    for channel in range(48):
        w = input_gradient(model, images, unit("features.3", channel, (8, 8)), rule="backprop")
        rows |= w.cpu().abs().amax((0, 1, 3)) > 0
    first, last = rows.nonzero()[0].item(), rows.nonzero()[-1].item()
    expect(given[0] < given[1], "the first row, then the last")
    expect(given[1] - given[0] <= last - first, "it sees less: is that the last convolution's input, or a mean?")
    expect(
        near(given[0], first) and near(given[1], last), "take all channels together, and several drawings: ReLUs hide"
    )


@exercise("number-rivals")
def rivals(answer: Any, model: Model, images: Tensor) -> None:
    """The gradient of the Egyptian cat's score less the mean of the lynx's and the tabby's."""
    right = input_gradient(model, images, weighted({"Egyptian cat": 1, "lynx": -0.5, "tabby": -0.5}), rule="backprop")
    what = f"one gradient, of shape {tuple(right.shape)}"
    expect(isinstance(answer, Tensor) and answer.shape == right.shape, what)

    def same(other: Tensor) -> bool:
        scale = other.abs().max().item()
        return bool((answer.detach().cpu() - other.cpu()).abs().max() < 1e-3 * scale)

    apart = weighted({"Egyptian cat": 1, "lynx": -1, "tabby": -1})
    expect(not same(input_gradient(model, images, apart, rule="backprop")), "the mean of two, not their sum")
    expect(not same(-right), "the cat's score counts for it, the others' against it")
    expect(same(right), "weights 1, -1/2 and -1/2, and the gradient rather than the map")


@exercise("number-moved")
def moved(answer: Any, model: Model, drawn: Roads) -> None:
    """The mean change of the angle, in degrees, if the left marking moves 0.3 m to the right; roads of seed 3."""
    given = number(answer, "one number: the mean change in degrees")
    count = len(drawn.images)
    with torch.no_grad():
        other = {meters: model(roads(count, seed=3, moved={"left marking": meters}).images) for meters in (0.3, -0.3)}
        change = {meters: (angles - model(drawn.images)).mean().item() for meters, angles in other.items()}
    expect(not near(given, -change[0.3], 0.02), "the angle after less the angle before, and right is positive")
    expect(not near(given, change[-0.3], 0.02), "this is a marking that moves to the left")
    expect(
        near(given, change[0.3], 0.02), "sl.roads(100, seed=3, moved={'left marking': 0.3}), and the mean over roads"
    )


@exercise("number-block")
def block(answer: Any, model: Model, drawn: Creatures) -> None:
    """The block, 0 to 3, whose `ln_1` gives the Grad-CAM that points at its creature most often."""
    given = number(answer, "the number of a block: 0, 1, 2 or 3")
    expect(given in (0, 1, 2, 3), "the number of a block: 0, 1, 2 or 3")
    hits = []
    for index in range(4):
        cam = grad_cam(model, drawn.images, layer=tokens(f"encoder.layers.encoder_layer_{index}.ln_1"))
        fine = cam.cpu().repeat_interleave(8, 1).repeat_interleave(8, 2).flatten(1)
        brightest = fine == fine.amax(1, keepdim=True)
        on = (brightest * drawn.masks.flatten(1)).sum(1) / brightest.sum(1)
        hits.append((on * (fine.amax(1) > 0)).mean().item())
    expect(
        hits[int(given)] == max(hits),
        f"it points at its creature {hits[int(given)]:.0%} of the time: others more often",
    )
