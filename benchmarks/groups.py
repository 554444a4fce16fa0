"""A group that anybody can see and that goes with a label: what accuracy, map and removal notice of it.

python -m benchmarks.groups                   trains what is not in data/groups.json yet (some minutes), and prints
python -m benchmarks.groups --tables          trains nothing

The group is the light: a drawing is as it is, by day, or `night` makes all of it dark and blue. It has no place in the
picture, as scenery, a camera, or the sex of a patient has none. In `tied` 95 in 100 owls are drawn at night, and 5 in
100 others; in `apart` half of each. Five seeds of either are trained on 900 drawings without companions, and asked:

accuracy      right answers in the four groups, on drawings that they have not seen
map           the lift of the owl in the saliency map of *owl*, at night
removal       R, equation (11.5), of all but the owl, against the owl
redrawing     how much the score of *owl* falls when the same drawing is shown by day, beside what it loses without
              the owl: the group's reliance, which needs somebody who can draw the same thing in another light
"""

import sys
from typing import Any

import torch
from torch import Tensor

import saliency_lib as sl
from benchmarks.cures import OWL, as_model, drawn
from benchmarks.shortcuts import EXAMPLES, SEEN, UNSEEN, answers
from benchmarks.trainings import Trainings
from saliency_lib.auditing.examination import examine
from saliency_lib.auditing.summary import summarize
from saliency_lib.models.networks.companion_convnet import among_companions
from saliency_lib.models.training import Recipe, train

LIGHT = torch.tensor([0.45, 0.5, 0.75]).view(-1, 1, 1)
SHARES = {"tied": (0.95, 0.05), "apart": (0.5, 0.5)}
SEEDS = range(5)
COLUMNS = ("owl night", "owl day", "other night", "other day", "lift", "R", "redrawn")


def night(images: Tensor) -> Tensor:
    """The same drawings in a dark, blue light."""
    return images * LIGHT


def lit(images: Tensor, labels: Tensor, owls: float, others: float) -> Tensor:
    """The drawings, of which these shares are shown at night; which ones is drawn once."""
    chance = torch.rand(len(labels), generator=torch.Generator().manual_seed(0))
    dark = chance < torch.where(labels == OWL, owls, others)
    return torch.where(dark.view(-1, 1, 1, 1), night(images), images)


def recipe(kind: str) -> Recipe:
    """How a network learns from drawings in two lights."""

    def draw(count: int, seed: int) -> tuple[Tensor, Tensor]:
        found = drawn((), count, seed)
        return lit(found.images, found.labels, *SHARES[kind]), found.labels

    return Recipe(**vars(among_companions({})) | {"draw": draw, "examples": EXAMPLES, "epochs": SEEN // EXAMPLES})


def redrawn(model: sl.Model, owls: sl.Companions, without: sl.Companions) -> float:
    """What day takes from the score of *owl* at night, as a share of that and of what the owl's absence takes."""
    with torch.no_grad():
        S, day, none = (
            model(images)[:, OWL].cpu() for images in (night(owls.images), owls.images, night(without.images))
        )
    light, owl = ((S - other).clamp_min(0).mean().item() for other in (day, none))
    return light / (light + owl) if light + owl else 0.5


def measure(kind: str, seed: int) -> dict[str, Any]:
    """One network: right answers by group, and what three ways of asking say of the light."""
    model = as_model(train(recipe(kind), seed=seed))
    found = drawn((), 450, UNSEEN)
    own: dict[str, float] = {}
    for light, images in (("night", night(found.images)), ("day", found.images)):
        right = answers(model, images) == found.labels
        own[f"owl {light}"] = right[found.labels == OWL].float().mean().item()
        own[f"other {light}"] = right[found.labels != OWL].float().mean().item()
    owls, without = (sl.companions(40, seed=UNSEEN, kind="owl", beside={}, without=some) for some in ((), ["creature"]))
    masks = {"object": owls.masks["creature"], "shortcut": ~owls.masks["creature"]}
    audit = summarize(examine(model, night(owls.images), OWL, masks))
    part = audit.regions["object"]
    own |= {"lift": part.saliency.mean / part.area.mean, "R": audit.reliance.mean}
    own["redrawn"] = redrawn(model, owls, without)
    return {"kind": kind, "seed": seed, **{key: round(value, 4) for key, value in own.items()}}


TRAININGS = Trainings("groups", __doc__ or "", "kind", list(SHARES), SEEDS, COLUMNS, measure, plain=("lift",))

if __name__ == "__main__":
    sys.exit(TRAININGS.main())
