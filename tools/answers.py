"""What a check says to every answer, as a table that a page can read.

No check is written a second time: it is run. The numbers that it is given note every comparison that is made with them,
and where its outcome would change. A box of answers is cut there, to the last bit of a float, until nothing that is
compared changes within a box: its one verdict stands in the table. So it goes for every check that needs nothing beside
an answer of numbers, letters or three digits. The others have no table.
"""

import importlib
import inspect
import math
import operator
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations, pairwise, product
from typing import Any
from unittest.mock import patch

CHECKS: Any = importlib.import_module("saliency_lib.exercises.check")
LARGEST = 1.7e308
COARSE, FINE, MOST = 20, 500, 2000
"""Answers tried in each box, for what no comparison shows; in a box where something shows; the verdicts of a table."""
WORDS = ["".join(some) for count in range(1, 5) for some in combinations("ABCD", count)]
WORDS += ["".join(digits) for digits in product("01", repeat=3)]

Node = int | list[Any]
"""The number of a verdict, or `[i, border, below, rest]` by number i of an answer; by whether it is whole at None."""


@dataclass(frozen=True)
class Table:
    """The verdicts by number, the first for what is no answer, "" for a right one; what is asked for; the way to them.

    `tree` leads from `count` numbers to a verdict, or `words` does from a text, where `count` is 0.
    """

    says: list[str]
    count: int = 0
    tree: Node = 0
    words: dict[str, int] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """What kind of thing the answer is, in words."""
        return self.says[0].removeprefix("the answer is ")


class Asked(Exception):
    """A check has asked for so many numbers."""


class Hidden(Exception):
    """A verdict depends on an answer otherwise than by comparisons, or in too many ways."""


class Seen(float):
    """Number i of an answer plus a constant, or the size of that: it notes where each comparison would change."""

    i: int
    offset: float
    size: bool
    of: Callable[[float], float]
    notes: list[tuple[int, float | None]]

    @classmethod
    def first(cls, value: float, i: int, notes: list[tuple[int, float | None]]) -> "Seen":
        """Number i itself."""
        made = cls(value)
        made.i, made.notes, made.offset, made.size, made.of = i, notes, 0, False, lambda x: x
        return made

    def then(self, step: Callable[[float], float], offset: float = 0, *, size: bool = False) -> "Seen":
        """What a step makes of it."""
        made, of = Seen.first(step(float(self)), self.i, self.notes), self.of
        made.offset, made.size, made.of = self.offset + offset, size, lambda x: step(of(x))
        return made

    def __abs__(self) -> "Seen":
        return self.then(abs, size=True)

    def __add__(self, other: Any) -> Any:
        if self.size or isinstance(other, Seen):
            return float(self) + float(other)
        return self.then(lambda x: x + other, other)

    def __sub__(self, other: Any) -> Any:
        return float(self) - float(other) if isinstance(other, Seen) else self + -other

    __radd__ = __add__

    def compare(self, other: Any, way: Callable[[Any, Any], bool]) -> bool:
        """The outcome of a comparison; noted is each border at which it changes."""
        if isinstance(other, Whole):
            self.notes.append((self.i, None))
        elif isinstance(other, int | float) and not isinstance(other, Seen):
            for level in sorted({float(other), -float(other)}) if self.size else [float(other)]:
                place, width = level - self.offset, 1e-9 * (1 + abs(level) + abs(self.offset))
                found = borders(lambda x: way(self.of(x), other), [place - width, place, place + width])
                self.notes += [(self.i, border) for border in found]
        return way(float(self), other)

    def __eq__(self, other: object) -> bool:
        return self.compare(other, operator.eq)

    def __ne__(self, other: object) -> bool:
        return self.compare(other, operator.ne)

    def __lt__(self, other: Any) -> bool:
        return self.compare(other, operator.lt)

    def __le__(self, other: Any) -> bool:
        return self.compare(other, operator.le)

    def __gt__(self, other: Any) -> bool:
        return self.compare(other, operator.gt)

    def __ge__(self, other: Any) -> bool:
        return self.compare(other, operator.ge)

    __hash__ = float.__hash__


class Whole(int):
    """A number of an answer without its fraction."""


def borders(outcome: Callable[[float], Any], places: Sequence[float]) -> list[float]:
    """Where an outcome changes between neighboring places: the first float at which it is the new one."""
    found = []
    for low, high in pairwise(places):
        old = outcome(low)
        if old == outcome(high):
            continue
        while math.nextafter(low, high) < high:
            middle = low + (high - low) / 2
            low, high = (middle, high) if outcome(middle) == old else (low, middle)
        found.append(high)
    return found


@dataclass(frozen=True)
class Box:
    """All answers whose numbers lie within two bounds each, and are whole, or not, where that is known."""

    bounds: tuple[tuple[float, float], ...]
    whole: dict[int, bool] = field(default_factory=dict)

    def draw(self, share: Callable[[], float]) -> list[float] | None:
        """An answer in the box, each number that share of the way up; None if there is no whole number in it."""
        found = []
        for i, (low, high) in enumerate(self.bounds):
            bottom, top = max(low, min(high, 0) - 1e4), min(high, max(low, 0) + 1e4)
            value = bottom + share() * (top - bottom)
            if self.whole.get(i):
                value = float(min(math.ceil(value), math.floor(high)))
                if value < low:
                    return None
            found.append(value)
        return found

    def cut(self, i: int, border: float | None) -> tuple["Box", "Box"]:
        """What lies below a border of number i, and the rest; or what is whole, and the rest."""
        if border is None:
            return Box(self.bounds, {**self.whole, i: True}), Box(self.bounds, {**self.whole, i: False})
        low, high = self.bounds[i]
        parts = (low, math.nextafter(border, -math.inf)), (border, high)
        below, rest = ((*self.bounds[:i], part, *self.bounds[i + 1 :]) for part in parts)
        return Box(below, self.whole), Box(rest, self.whole)

    def holds(self, i: int, border: float | None) -> bool:
        """Whether a border leaves something of the box on both sides."""
        low, high = self.bounds[i]
        return low < high and (i not in self.whole if border is None else low < border <= high)


@cache
def table(name: str) -> Table | None:
    """The table of an exercise; None if its check needs more than the answer, or asks for something else."""
    judge = CHECKS._load(name)
    if len(inspect.signature(judge).parameters) > 1:
        return None
    none = said(judge, object())
    says = {none: 0}
    try:
        count = asked(judge)
        if not count:
            return words(judge, says)
        tree = grow(judge, Box(((-LARGEST, LARGEST),) * count), says)
        return Table(list(says), count, tree)
    except Hidden:
        return None


def said(judge: Callable[[Any], None], answer: Any) -> str:
    """What a check says to an answer; nothing to a right one."""
    try:
        judge(answer)
    except CHECKS.NotYet as hint:
        return str(hint)
    return ""


def asked(judge: Callable[[Any], None]) -> int:
    """How many numbers a check asks for; 0 if it asks for none."""

    def numbers(answer: Any, count: int, what: str) -> list[float]:
        raise Asked(count)

    try:
        with replaced(judge, numbers):
            judge(object())
    except Asked as found:
        return found.args[0]
    except CHECKS.NotYet:
        pass
    return 0


@contextmanager
def replaced(judge: Callable[[Any], None], numbers: Callable[..., Any]) -> Iterator[None]:
    """In here another function hands a check its numbers."""
    own = {"int": Whole} | ({"numbers": numbers} if "numbers" in judge.__globals__ else {})
    with patch.object(CHECKS, "numbers", numbers), patch.dict(judge.__globals__, own):
        yield


def words(judge: Callable[[Any], None], says: dict[str, int]) -> Table:
    """The table of a check of letters or digits: every text that it might take is tried."""
    known = {word: says.setdefault(said(judge, word), len(says)) for word in WORDS}
    if not any(known.values()):
        raise Hidden
    return Table(list(says), words={word: number for word, number in known.items() if number})


def grow(judge: Callable[[Any], None], box: Box, says: dict[str, int]) -> Node:
    """The tree of a box."""
    ratio = random.Random(0)
    with replaced(judge, lambda answer, count, what: answer):

        def seen(answer: list[float]) -> tuple[str, list[tuple[int, float | None]]]:
            notes: list[tuple[int, float | None]] = []
            return said(judge, [Seen.first(value, i, notes) for i, value in enumerate(answer)]), notes

        def number(text: str) -> int:
            if len(says) > MOST:
                raise Hidden
            return says.setdefault(text, len(says))

        def node(box: Box) -> Node | None:
            answer = box.draw(lambda: 0.381966)
            if answer is None:
                return None
            text, notes = seen(answer)
            for i, border in notes:
                if box.holds(i, border):
                    below, rest = (node(part) for part in box.cut(i, border))
                    # where one part is empty, or both say the same, nobody has to ask
                    return (
                        rest if below is None or below == rest else below if rest is None else [i, border, below, rest]
                    )
            same = all(said(judge, box.draw(ratio.random) or answer) == text for _ in range(COARSE))
            if not same and (sum(low < high for low, high in box.bounds) > 1 or box.whole):
                raise Hidden
            return number(text) if same else line(box)

        def line(box: Box) -> Node:
            """A box of one dimension, in which a verdict depends on more than comparisons."""
            i = next(i for i, (low, high) in enumerate(box.bounds) if low < high)

            def at(value: float) -> str:
                return said(judge, [value if j == i else low for j, (low, _) in enumerate(box.bounds)])

            low, high = box.bounds[i]
            cuts = borders(at, [low + k / FINE * (high - low) for k in range(FINE)] + [high])
            pieces = [number(at(low)), *(number(at(cut)) for cut in cuts)]

            def part(first: int, last: int) -> Node:
                middle = (first + last) // 2
                return (
                    pieces[first] if first == last else [i, cuts[middle], part(first, middle), part(middle + 1, last)]
                )

            return part(0, len(cuts))

        found = node(box)
    assert found is not None
    return found


def verdict(table: Table, answer: Sequence[float] | str) -> str:
    """What a table says to an answer: what a page does, in Python."""
    if isinstance(answer, str):
        text = "".join(letter for letter in answer.upper() if letter.isalnum())
        return table.says[table.words.get(text, table.words.get("".join(sorted(set(text))), 0))]
    node = table.tree
    while isinstance(node, list):
        i, border, below, rest = node
        node = below if (answer[i].is_integer() if border is None else answer[i] < border) else rest
    return table.says[node]
