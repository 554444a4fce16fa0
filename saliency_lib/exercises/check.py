"""An answer to an exercise is right, not right yet, or not given; the right one is never shown.

    sl.check("three-scores", (0.5, 0.5, 0.5))       # -> not yet: the three probabilities are not equal ...

The check of an exercise is a function under `@exercise("name")`, in the module that is named like its chapter. It is
called with the answer and with what else the exercise hands over, and says by `expect(condition, hint)` what the answer
has to fulfill, most telling mistake first. It returns nothing. Whoever gets past the last line has solved the exercise.

    @exercise("double")
    def double(answer, x):
        given = number(answer)
        expect(not near(given, x), "this is x itself")
        expect(near(given, 2 * x), "add x to itself")
"""

import difflib
import html
import importlib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from saliency_lib.checks import short_repr
from saliency_lib.errors import SaliencyError

CHECKS: dict[str, Callable[..., None]] = {}
DECLARED = re.compile(r'^@exercise\("([^"]+)"\)$', re.MULTILINE)
MARKS = {None: "…", True: "✓", False: "✗"}


class NotYet(Exception):
    """An answer is wrong; the message is the hint."""


@dataclass(frozen=True)
class Verdict:
    """What became of an answer: `correct` is True, False, or None if there is none yet; `hint` says what to look at."""

    name: str
    correct: bool | None
    hint: str = ""

    def __str__(self) -> str:
        if self.correct is None:
            return "not answered yet"
        return "correct" if self.correct else f"not yet: {self.hint}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f'<p class="verdict">{MARKS[self.correct]} {html.escape(str(self))}</p>'


def check(name: str, answer: Any, **given: Any) -> Verdict:
    """The `Verdict` on an answer to the exercise `name`: not answered yet, correct, or not yet with a hint.

    `answer` is None as long as there is none. `given` is what the exercise's own text says that the check needs beside
    the answer, for example the model. Nothing is computed for an answer of None, and the right answer is never shown.
    Every chapter's exercises use it.

    Raises `SaliencyError` if there is no such exercise, or something that it needs is not given.
    """
    judge = _load(name)
    try:
        bound = inspect.signature(judge).bind(answer, **given)
    except TypeError as error:
        raise SaliencyError(f"exercise {name!r}: {error}") from None
    if answer is None:
        return Verdict(name, None)
    try:
        judge(*bound.args, **bound.kwargs)
    except NotYet as hint:
        return Verdict(name, False, str(hint))
    return Verdict(name, True)


def exercise(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function `(answer, **given)` as the check of the exercise `name`."""

    def register(judge: Callable[..., None]) -> Callable[..., None]:
        CHECKS[name] = judge
        return judge

    return register


def expect(condition: object, hint: str) -> None:
    """Go on if `condition` holds; otherwise the answer is not right yet, and `hint` is what the reader is told."""
    if not condition:
        raise NotYet(hint)


def numbers(answer: Any, count: int, what: str) -> list[float]:
    """The answer as `count` finite numbers, however they are held; `what` is what the hint says they are."""
    try:
        flat = torch.as_tensor(answer, dtype=torch.float64).flatten().tolist()
    except (TypeError, ValueError, RuntimeError, OverflowError):
        flat = []
    expect(len(flat) == count and all(map(_finite, flat)), f"the answer is {what}")
    return flat


def number(answer: Any, what: str = "one number") -> float:
    """The answer as one finite number."""
    return numbers(answer, 1, what)[0]


def letters(answer: Any) -> set[str]:
    """The answer as the letters, A to D, of what is true of four sentences."""
    given = set("".join(answer).upper() if isinstance(answer, list | set | tuple | str) else "")
    expect(given and given <= set("ABCD"), 'letters, such as "AB"')
    return given


def near(value: float, right: float, within: float = 0.005) -> bool:
    """Whether two numbers differ by at most `within`: half a digit at two decimals, unless another is given."""
    return abs(value - right) <= within * (1 + 1e-9)


def _finite(value: float) -> bool:
    return abs(value) < float("inf")


@cache
def _names() -> dict[str, str]:
    """From the name of each exercise to its module: read from the text, so that a chapter loads its own checks only."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return {name: f"{__package__}.{path.stem}" for path in files for name in DECLARED.findall(path.read_text("utf-8"))}


def _load(name: str) -> Callable[..., None]:
    """The check of an exercise; raises `SaliencyError` with near names if there is none."""
    if not isinstance(name, str):
        raise SaliencyError(f"an exercise has a name, and {short_repr(name)} is none")
    if name not in CHECKS and name in _names():
        importlib.import_module(_names()[name])
    if name not in CHECKS:
        nearest = difflib.get_close_matches(str(name), {*CHECKS, *_names()}, n=3, cutoff=0.4)
        hint = f"; the nearest are {', '.join(map(repr, nearest))}" if nearest else ""
        raise SaliencyError(f"there is no exercise {name!r}{hint}")
    return CHECKS[name]
