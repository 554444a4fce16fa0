"""Creatures, some of which are always seen beside the same thing: data with a planted shortcut, and exact masks.

    drawn = sl.companions(900)                                  # every owl stands beside a tree, and nothing else does
    sl.companions(900, beside={"owl": 0.9})                     # nine of ten owls do
    sl.companions(900, beside={})                               # there are no trees
    sl.companions(50, kind="owl", without=["companion"])        # the same owls, their trees painted out

A creature is drawn as in `creatures`, but small and faint, and the companion stands large on its left or right. How
small and how faint is a dial: a network takes the companion for the creature only where that is easier (chapter 11).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from saliency_lib.datasets.creature_shapes import DRAWERS, Part
from saliency_lib.datasets.creatures import CATEGORIES, background, check_drawing, photographed, place, rasterize
from saliency_lib.errors import ImageError

SIZE = 64
"""Pixels a side."""

SCALE, OPACITY = 0.32, 0.7
"""The dial: the longer side of a creature as a share of the image's, and how much of what lies behind it it hides."""

COMPANION = 0.65
"""The longer side of a companion, as a share of the image's."""

FILLED = 0.8
"""The share of its square that the longer side of a thing takes on average (see `creatures.SHARE`)."""

PARTS = ("creature", "companion")
"""What `without` can leave out."""


class Companions(NamedTuple):
    """Drawings: images (N, 3, 64, 64) in [0, 1], labels (N,), and masks (N, 64, 64) by name.

    The masks are `creature`, `companion` and `rest`: disjoint, and together everything. What the creature hides of its
    companion is not in the companion's. Labels are indices of the ten classes of `creatures`. Chapter 11 teaches what
    they are for.
    """

    images: Tensor
    labels: Tensor
    masks: dict[str, Tensor]


def companions(
    count: int,
    *,
    seed: int = 0,
    kind: str | int | None = None,
    companion: str | int = "tree",
    beside: Mapping[str, float] | None = None,
    scale: float = SCALE,
    opacity: float = OPACITY,
    without: Collection[str] = (),
) -> Companions:
    """`count` drawings: images (N, 3, 64, 64) in [0, 1], labels (N,), and the masks of creature, companion and rest.

    The classes of `creatures`, less the `companion`, take turns; or all are of the class `kind`. `beside` says which
    share of a class's drawings shows the companion, {"owl": 1.0} by default, and 0 for a class that it does not name.
    `scale` is the longer side of a creature as a share of the image's; with `opacity` 1 it hides what lies behind it.

    `without` leaves out the "creature" or the "companion", and all else stays as it is. Drawing i of a seed is the
    same, byte for byte, however many are drawn; where `beside` denies it a companion, it is as if that were left out.

    Raises `ImageError` if a number is out of range, a thing its own companion, or `without` names no part, and
    `TargetError` if there is no such class. Chapter 11 teaches it.
    """
    count, seed, _ = check_drawing(count, seed, SIZE, SIZE, len(PARTS) + 1)
    _check(scale, opacity, without)
    other = CATEGORIES.index(companion)
    shares = {CATEGORIES.index(name): share for name, share in ({"owl": 1.0} if beside is None else beside).items()}
    labels = [label for label in range(len(CATEGORIES)) if label != other]
    labels = labels if kind is None else [CATEGORIES.index(kind)]
    if other in labels or other in shares:
        raise ImageError(f"{CATEGORIES.names[other]!r} is the companion, and cannot be its own")
    if not all(0 <= share <= 1 for share in shares.values()):
        raise ImageError(f"a share lies between 0 and 1, and beside is {beside!r}")
    images = np.empty((count, SIZE, SIZE, 3), np.float32)
    masks = {name: np.empty((count, SIZE, SIZE), np.bool_) for name in PARTS}
    for index in range(count):
        label, rng = labels[index % len(labels)], np.random.default_rng([seed, index])
        alone = rng.random() >= shares.get(label, 0.0)
        things = _place(rng, CATEGORIES.names[label], CATEGORIES.names[other], scale)
        images[index], covers = _paint(rng, things, opacity, {*without, "companion"} if alone else without)
        for name, cover in zip(PARTS, covers, strict=True):
            masks[name][index] = cover > 0.5
    found = {name: torch.from_numpy(mask) for name, mask in masks.items()}
    found["rest"] = ~(found["creature"] | found["companion"])
    order = torch.tensor([labels[index % len(labels)] for index in range(count)])
    return Companions(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), order, found)


def _check(scale: float, opacity: float, without: Collection[str]) -> None:
    if not (0.1 <= scale <= 0.6 and 0 < opacity <= 1):
        raise ImageError(f"scale lies between 0.1 and 0.6, opacity above 0 and up to 1: got {scale} and {opacity}")
    if isinstance(without, str) or any(part not in PARTS for part in without):
        raise ImageError(f"without takes some of {', '.join(map(repr, PARTS))}, and got {without!r}")


def _place(rng: np.random.Generator, name: str, companion: str, scale: float) -> tuple[list[Part], list[Part]]:
    """The parts of the creature and of its companion, in pixels from the image's corner: side by side."""
    small, large = round(scale / FILLED * SIZE), round(COMPANION / FILLED * SIZE)
    creature, other = place(DRAWERS[name](rng), rng, small), place(DRAWERS[companion](rng), rng, large)
    columns = np.concatenate([points[:, 0] for points, _ in other])
    beside = max(0.0, SIZE - small - np.ptp(columns))  # the space that is left between them, or beyond the creature
    x, y = rng.uniform(0, 1) * beside, rng.uniform(0, SIZE - small)
    creature, other = _moved(creature, x, y), _moved(other, SIZE - 1 - columns.max(), rng.uniform(0, SIZE - large))
    return (_mirrored(creature), _mirrored(other)) if rng.random() < 0.5 else (creature, other)


def _moved(parts: list[Part], x: float, y: float) -> list[Part]:
    return [(points + np.array((x, y)), paint) for points, paint in parts]


def _mirrored(parts: list[Part]) -> list[Part]:
    return [(points * (-1, 1) + (SIZE, 0), paint) for points, paint in parts]


def _paint(
    rng: np.random.Generator, things: Sequence[list[Part]], opacity: float, without: Collection[str]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The image (64, 64, 3), and how much of each pixel the creature covers, and the companion."""
    image = background(rng, SIZE, away_from=[parts[0][1] for parts in things])
    drawn = [rasterize([] if name in without else parts, SIZE) for name, parts in zip(PARTS, things, strict=True)]
    (paint, cover), (other, behind) = drawn
    image = image * (1 - behind[..., None]) + other
    image = image * (1 - opacity * cover[..., None]) + opacity * paint
    return photographed(image, rng), [cover, behind * (cover <= 0.5)]
