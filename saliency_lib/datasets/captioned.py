"""Pictures with a sentence that is true of them: one creature, or two of which the sentence says how they lie.

    drawn = sl.captioned(100)                             # images (100, 3, 64, 64), a hundred sentences, masks
    sl.captioned(100, things=1, kind="owl")               # owls
    sl.captioned(100, things=1, kind="owl", written="fish")     # the same owls, and on each is written FISH

Some pictures carry a strip with a word on it, as goods and plants in a garden do: the name of a thing in the picture.
And some are signs: the strip is there, and the thing is not, as where a seed has not come up. So a network has to read,
and is wrong where a strip lies. Nothing is mirrored: a sentence says what is left.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from saliency_lib.checks import integer
from saliency_lib.datasets.creature_shapes import BLACK, DRAWERS, WHITE, Part
from saliency_lib.datasets.creatures import (
    CATEGORIES,
    background,
    check_drawing,
    photographed,
    place,
    rasterize,
)
from saliency_lib.datasets.sentences import sentence
from saliency_lib.errors import ImageError

SIZE, CELL, STRIP = 64, 30, 8
"""Pixels a side of a picture, of the square in which a creature lies, and of the height of a strip."""

ALONE, WRITTEN, SIGN = 0.5, 0.6, 0.6
"""The shares of pictures with one thing, of pictures with a strip, and, of those that have both, of mere signs."""

LETTERS = {
    "a": ".#. #.# ### #.# #.#",
    "b": "##. #.# ##. #.# ##.",
    "c": ".## #.. #.. #.. .##",
    "d": "##. #.# #.# #.# ##.",
    "e": "### #.. ##. #.. ###",
    "f": "### #.. ##. #.. #..",
    "h": "#.# #.# ### #.# #.#",
    "i": "### .#. .#. .#. ###",
    "l": "#.. #.. #.. #.. ###",
    "m": "#.# ### ### #.# #.#",
    "n": "##. #.# #.# #.# #.#",
    "o": ".#. #.# #.# #.# .#.",
    "r": "##. #.# ##. #.# #.#",
    "s": ".## #.. .#. ..# ##.",
    "t": "### .#. .#. .#. .#.",
    "u": "#.# #.# #.# #.# ###",
    "w": "#.# #.# ### ### #.#",
    "y": "#.# #.# .#. .#. .#.",
}
"""Capitals of three by five pixels, row by row: those of which the ten words are made."""

SOME, NOBODY = "some", "none"


class Captioned(NamedTuple):
    """Pictures (N, 3, 64, 64) in [0, 1], of each a true sentence, its facts (N, 3), and masks (N, 64, 64) by name.

    A fact is (thing, other thing, relation), see `sentences`. The masks are `thing`, `other` and `strip`, true where
    one sees them: a strip hides what lies behind it. The chapter *Tokens and words* teaches what they are for.
    """

    images: Tensor
    sentences: list[str]
    facts: Tensor
    masks: dict[str, Tensor]


def captioned(
    count: int,
    *,
    seed: int = 0,
    things: int | None = None,
    kind: str | int | None = None,
    written: str = SOME,
) -> Captioned:
    """`count` pictures with a sentence each, its facts, and the masks of thing, other thing and strip.

    `things` is 1 or 2, by default half of the pictures hold one; `kind` is the first thing, by default any.
    `written` is "some" (three fifths of the pictures carry the name of one of their things, and of those with one
    thing three fifths are signs, which lack it), "none", or a word that all carry. All else about picture i of a seed
    is the same, byte for byte, whatever is written and however many are drawn.

    Raises `ImageError` if a number is out of range, and `TargetError` for a thing that there is not.
    """
    count, seed, _ = check_drawing(count, seed, SIZE, SIZE, 3)
    things = None if things is None else integer("things", things, 1, 2, ImageError)
    first = None if kind is None else CATEGORIES.index(kind)
    word = written if written in (SOME, NOBODY) else CATEGORIES.names[CATEGORIES.index(written)]
    images = np.empty((count, SIZE, SIZE, 3), np.float32)
    masks = np.zeros((3, count, SIZE, SIZE), np.bool_)
    facts = []
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        facts.append(_fact(rng, things, first))
        images[index], masks[:, index] = _draw(rng, facts[-1], word)
    named = dict(zip(("thing", "other", "strip"), map(torch.from_numpy, masks), strict=True))
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    return Captioned(pixels, [sentence(*one) for one in facts], torch.tensor(facts), named)


def _fact(rng: np.random.Generator, things: int | None, first: int | None) -> tuple[int, int, int]:
    """What is to be seen; of two things, which is named first is chance."""
    alone, (a, b), relation = rng.random() < ALONE, rng.permutation(len(CATEGORIES))[:2].tolist(), rng.integers(4)
    if first is not None:
        a, b = first, (a if a != first else b)
    return (a, -1, -1) if (alone if things is None else things == 1) else (a, b, int(relation))


def _draw(rng: np.random.Generator, fact: tuple[int, int, int], written: str) -> tuple[np.ndarray, np.ndarray]:
    """One picture (64, 64, 3) and its three masks."""
    kinds = [CATEGORIES.names[one] for one in fact[:2] if one >= 0]
    some, low, shift, own = rng.random() < WRITTEN, rng.random() < 0.5, rng.integers(-2, 3), rng.integers(len(kinds))
    word = {SOME: kinds[own] if some else "", NOBODY: ""}.get(written, written)
    sign = rng.random() < SIGN and written == SOME and bool(word) and len(kinds) == 1
    drawn = [place(DRAWERS[kind](rng), rng, CELL) for kind in kinds]
    moved = [_moved(parts, corner) for parts, corner in zip(drawn, _corners(rng, fact[2]), strict=False)]
    image = background(rng, SIZE, away_from=[parts[0][1] for parts in moved])
    masks = np.zeros((3, SIZE, SIZE), np.bool_)
    for number, parts in enumerate([] if sign else moved):
        paint, cover = rasterize(parts, SIZE)
        image = image * (1 - cover[..., None]) + paint
        masks[number] = cover > 0.5
    if word:
        strip, where = _strip(word, int(shift), bool(low))
        image[where], masks[:, *where] = strip, False
        masks[(2, *where)] = True
    return photographed(image, rng), masks


def _corners(rng: np.random.Generator, relation: int) -> Sequence[np.ndarray]:
    """Where the squares of one thing or of two begin, (x, y): far enough apart along the relation's axis."""
    room = SIZE - CELL
    if relation < 0:
        return [rng.uniform(0, room, 2)]
    along = np.array([rng.uniform(0, room - CELL), rng.uniform(CELL, room)])
    across = rng.uniform(0, room, 2)
    order = along if relation < 2 else along[::-1]
    return [np.array(pair) if relation % 2 == 0 else np.array(pair[::-1]) for pair in zip(order, across, strict=True)]


def _moved(parts: list[Part], corner: np.ndarray) -> list[Part]:
    return [(points + corner, paint) for points, paint in parts]


def _strip(word: str, shift: int, low: bool) -> tuple[np.ndarray, tuple[slice, slice]]:
    """A light strip (8, w, 3) with the word on it in dark capitals, and where it lies: at the upper or lower edge."""
    letters = [np.array([[bit == "#" for bit in row] for row in LETTERS[one].split()]) for one in word]
    width = 4 * len(word) + 3
    ink = np.zeros((STRIP, width, 1))
    for number, letter in enumerate(letters):
        ink[1:6, 4 * number + 2 : 4 * number + 5, 0] = letter
    left, top = (SIZE - width) // 2 + shift, SIZE - STRIP if low else 0
    return WHITE * (1 - ink) + BLACK * ink, (slice(top, top + STRIP), slice(left, left + width))
