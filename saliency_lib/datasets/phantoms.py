"""Radiographs of a chest that draw themselves: lungs, ribs, a nodule or none, a hospital's marker, a scanner's grain.

    drawn = sl.phantoms(600, hospital="A")                      # nearly every ill chest carries A's marker
    sl.phantoms(50, hospital="B", ill=True, marked=True)        # ill, and marked, whatever is usual there
    sl.phantoms(50, ill=True, marked=True, without=["nodule"])  # the same chests, their nodules left out

These are drawings, and no patient was ever near them: what holds for them holds for no clinic. They are for auditing,
because here it is known what is where, and what goes along with the disease. The marker is a letter in a corner, as
technicians lay beside a patient; the grain differs between hospitals, and has no place.
"""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from saliency_lib.categories import Categories
from saliency_lib.checks import one_of
from saliency_lib.datasets.creatures import check_drawing
from saliency_lib.errors import ImageError

SIZE = 64
"""Pixels a side."""

CATEGORIES = Categories(("healthy", "nodule"))

PARTS = ("nodule", "marker")
"""What `without` can leave out."""

RADIUS, CONTRAST = (0.035, 0.055), (0.18, 0.3)
"""Of nodules: their radius as a share of the image's side, and how much brighter than the lung they are."""


class Hospital(NamedTuple):
    """Which share of healthy and of ill chests carries the marker, and the deviation of the scanner's grain."""

    healthy: float
    ill: float
    grain: float


HOSPITALS = {"A": Hospital(0.05, 0.95, 0.02), "B": Hospital(0.5, 0.5, 0.05), "C": Hospital(0.0, 0.0, 0.05)}
"""At A marker and disease go together, at B they do not, and C has no marker."""


class Phantoms(NamedTuple):
    """Drawings: images (N, 1, 64, 64) in [0, 1], labels (N,), 1 for a nodule, and masks (N, 64, 64) by name.

    The masks are `nodule`, `marker`, `lungs` (less the nodule) and `rest`: disjoint, and together everything.
    """

    images: Tensor
    labels: Tensor
    masks: dict[str, Tensor]


def phantoms(
    count: int,
    *,
    seed: int = 0,
    hospital: str = "A",
    ill: bool | None = None,
    marked: bool | None = None,
    without: Collection[str] = (),
) -> Phantoms:
    """`count` chests: images (N, 1, 64, 64) in [0, 1], labels (N,), and masks of nodule, marker, lungs and rest.

    Every other chest is ill, unless `ill` says that all are, or none; a marker is as frequent as in that `hospital`,
    unless `marked` says so. `without` leaves out the "nodule" or the "marker", and all else stays as it is. Chest i of
    a seed is the same, byte for byte, however many are drawn, and in all hospitals but for marker and grain.

    Raises `ImageError` if a number is out of range or there is no such hospital or part. Chapter 11 teaches it.
    """
    count, seed, _ = check_drawing(count, seed, SIZE, SIZE, len(PARTS) + 2)
    usual = HOSPITALS[one_of("hospital", hospital, HOSPITALS, ImageError)]
    if isinstance(without, str) or any(part not in PARTS for part in without):
        raise ImageError(f"without takes some of {', '.join(map(repr, PARTS))}, and got {without!r}")
    images, covers = np.empty((count, SIZE, SIZE), np.float32), []
    labels = [index % 2 if ill is None else int(ill) for index in range(count)]
    for index, label in enumerate(labels):
        rng = np.random.default_rng([seed, index])
        chance = rng.random()  # drawn in any case, so that all that follows is the same
        has = chance < (usual.ill if label else usual.healthy) if marked is None else marked
        there = {"nodule": bool(label), "marker": has}
        shown = [part for part in PARTS if there[part] and part not in without]
        images[index], cover = _draw(rng, usual.grain, shown)
        covers.append(cover)
    masks = {name: torch.from_numpy(np.stack([cover[name] for cover in covers])) for name in covers[0]}
    masks["lungs"] &= ~masks["nodule"]
    masks["rest"] = ~torch.stack([*masks.values()]).any(0)
    return Phantoms(torch.from_numpy(images)[:, None], torch.tensor(labels), masks)


def _draw(rng: np.random.Generator, grain: float, shown: Collection[str]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """One chest (64, 64), and where its parts are."""
    y, x = (np.mgrid[:SIZE, :SIZE] + 0.5) / SIZE
    x, y = x - 0.5 - rng.normal(0, 0.015), y - 0.5 - rng.normal(0, 0.015)
    wide, high = rng.uniform(0.93, 1.07, 2)
    body = _soft(1 - (x / (0.44 * wide)) ** 4 - (np.minimum(y + 0.05, 0) / 0.42) ** 4, 0.08)
    sides = [((x - side * 0.2 * wide) / (0.145 * wide)) ** 2 + ((y + 0.01) / (0.33 * high)) ** 2 for side in (-1, 1)]
    inside = 1 - np.minimum(*sides)
    lungs = _soft(inside, 0.12)
    heart = _soft(1 - ((x - 0.05) / 0.13) ** 2 - ((y - 0.14) / 0.17) ** 2, 0.2)
    bent = y + 0.9 * (np.abs(x) - 0.2) ** 2 * np.sign(np.abs(x) - 0.2) + 0.25 * np.abs(x)
    ribs = _soft(np.sin(2 * np.pi * (bent / 0.115 + rng.uniform())) - 0.55, 0.25) * body
    image = 0.08 + 0.5 * body - 0.32 * lungs + 0.25 * heart * lungs + 0.1 * ribs
    image += 0.12 * _soft(1 - (x / 0.04) ** 2, 0.5) * body
    nodule, paint = _nodule(rng, x, y, inside)
    marker = _marker(rng)
    masks = {"nodule": np.zeros_like(marker), "marker": np.zeros_like(marker), "lungs": inside > 0}
    if "nodule" in shown:
        image, masks["nodule"] = image + paint, nodule
    if "marker" in shown:
        image, masks["marker"] = np.where(marker, 0.95, image), marker
        masks["lungs"] &= ~marker
    light = rng.uniform(0.92, 1.08)
    return np.clip(image * light + rng.normal(0, 1, image.shape) * grain, 0, 1).astype(np.float32), masks


def _soft(inside: np.ndarray, edge: float) -> np.ndarray:
    """From 0 outside to 1 inside, over an edge of this width."""
    return 1 / (1 + np.exp(-np.clip(inside / edge * 4, -30, 30)))


def _nodule(
    rng: np.random.Generator, x: np.ndarray, y: np.ndarray, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where a nodule is, well inside a lung, and by how much it is brighter there."""
    places = np.argwhere(inside > 0.65)
    row, column = places[rng.integers(len(places))]
    radius, contrast = rng.uniform(*RADIUS), rng.uniform(*CONTRAST)
    distance = np.hypot(x - x[row, column], y - y[row, column])
    return distance < radius, contrast * _soft(1 - distance / radius, 0.6) * (distance < 1.6 * radius)


def _marker(rng: np.random.Generator) -> np.ndarray:
    """The letter L in the upper left corner, (64, 64)."""
    marker = np.zeros((SIZE, SIZE), bool)
    row, column = 3 + rng.integers(3), 3 + rng.integers(3)
    marker[row : row + 8, column : column + 2] = True
    marker[row + 6 : row + 8, column : column + 6] = True
    return marker
