"""The exercises of chapter 11: is it looking at the right thing?"""

from typing import Any

import torch
from torch import Tensor

from saliency_lib.auditing.removal import removed
from saliency_lib.datasets.companions import companions
from saliency_lib.datasets.creatures import CATEGORIES
from saliency_lib.datasets.watermark import watermark
from saliency_lib.exercises.check import exercise, expect, near, number, numbers
from saliency_lib.models.model import Model


@exercise("audit-reliance")
def reliance(answer: Any) -> None:
    """R for changes of -0.5, +0.3, -0.1 without the shortcut and -2, -1, -3 without the object."""
    given = number(answer)
    s, o = 0.6 / 3, 6 / 3
    expect(not near(given, 0.1 / 2.1), "a rise counts as 0, and does not make up for the falls on other images")
    expect(not near(given, 0.3 / 2.3), "only falls count: where the score rises, the shortcut distracts")
    expect(not near(given, s / o), "R is a share of both together, not a ratio of the two")
    expect(not near(given, o / (s + o)), "this is the object's share")
    expect(near(given, s / (s + o)), "the mean fall without the shortcut, over the sum of both mean falls")


@exercise("audit-cancel")
def cancel(answer: Any) -> None:
    """Forecast and bound, the right of eq. (11.2) and of (11.3), for w = (2, -2) and pixels that go from 0.5 to 0.1."""
    given = numbers(answer, 2, "two numbers: the forecast, and the bound")
    expect(not near(given[0], -1.6), "the forecast: a weight has a sign")
    expect(near(given[0], 0), "the forecast: each weight times the change of its own pixel, added up")
    expect(not near(given[1], 0), "the bound: sizes do not cancel")
    expect(not near(given[1], 4), "the bound: the map times the change of the pixels, not the map alone")
    expect(near(given[1], 1.6), "the bound: 2 times 0.4, twice")


@exercise("audit-fish")
def fish(answer: Any, model: Model) -> None:
    """The share of 100 fish beside a tree, seed 40, that the network calls owls."""
    given = number(answer, "one number from 0 to 1")
    drawn = {
        name: companions(100, seed=40, kind="fish", beside=beside)
        for name, beside in (("beside", {"fish": 1.0}), ("alone", {}))
    }
    called = {name: _called(model, some.images, "owl") for name, some in drawn.items()}
    expect(0 <= given <= 1, "a share lies between 0 and 1")
    still = _called(model, drawn["beside"].images, "fish")
    expect(not near(given, still), "this is how many are still called fish: owls were asked for")
    expect(not near(given, called["alone"]), "there are no trees: beside={'fish': 1.0}")
    expect(near(given, called["beside"]), "sl.companions(100, seed=40, kind='fish', beside={'fish': 1.0})")


def _called(model: Model, images: Tensor, name: str) -> float:
    with torch.no_grad():
        return (model(images).argmax(1) == CATEGORIES.index(name)).float().mean().item()


@exercise("audit-row")
def row(answer: Any, model: Model, images: Tensor) -> None:
    """The row, among 0, 0.2, 0.4, 0.6 and 0.8, at which a watermark raises the score of carton most."""
    given = number(answer, "one of 0, 0.2, 0.4, 0.6 and 0.8")
    rows = (0.0, 0.2, 0.4, 0.6, 0.8)
    carton = model.index("carton")
    with torch.no_grad():
        rise = {r: model(watermark(images, row=r).images)[:, carton].mean().item() for r in rows}
    expect(any(near(given, r) for r in rows), "one of 0, 0.2, 0.4, 0.6 and 0.8")
    best = max(rise, key=lambda r: rise[r])
    expect(near(given, best), "the mean score of carton over the photos, for each of the five: take the largest")


@exercise("audit-rival")
def rival(answer: Any, model: Model, images: Tensor, mask: Tensor) -> None:
    """The change of the score of bobsled less that of football helmet if the helmet becomes its surroundings' mean."""
    given = number(answer)
    with torch.no_grad():
        changes = (model(removed(images, mask, "mean")) - model(images))[0]
    bobsled = changes[model.index("bobsled")].item()
    change = bobsled - changes[model.index("football helmet")].item()
    expect(not near(given, -change, 0.01), "the score after less the score before")
    expect(not near(given, bobsled, 0.01), "this is the bobsled alone: subtract what the rival's score does")
    expect(near(given, change, 0.01), "the difference of the two scores, without the helmet less with it")


@exercise("audit-interaction")
def interaction(answer: Any) -> None:
    """Interaction and Shapley's share of the tree, for 6 with both, 5 without it, 4 without the owl, 1 without both."""
    given = numbers(answer, 2, "two numbers: the interaction, and the share of the tree")
    expect(not near(given[0], -3), "the interaction: the score without both is added")
    expect(not near(given[0], 2), "the interaction: less than nothing where either suffices")
    expect(near(given[0], -2), "the interaction: the score, less that without each, plus that without both")
    expect(not near(given[1], 1), "the share: this is the effect alone; half of the interaction is missing")
    expect(not near(given[1], 0), "the share: half of the interaction is subtracted, and it is negative")
    expect(not near(given[1], 3), "the share: half of the interaction, not all of it, or is it the owl's?")
    expect(near(given[1], 2), "the share: the tree's effect, less half of the interaction")
