"""A question in the page: predict, then see. Options with feedback for each, no server, no grade.

```{quiz} All scores rise by 100. What happens to the probabilities?
- [ ] They rise. | Each is a quotient: numerator and denominator grow by the same factor.
- [x] Nothing. | Only differences of scores are left in the softmax.
```
"""

import re
from dataclasses import dataclass

from tools.myst import Directive
from tools.project import BookError

OPTION = re.compile(r"^- \[(?P<mark>[ x])\] ", re.MULTILINE)


@dataclass(frozen=True)
class Option:
    """One answer: its text, whether it is right, and what is said to whoever chooses it."""

    text: str
    right: bool
    said: str

    @property
    def verdict(self) -> str:
        """What the feedback begins with."""
        return "Yes." if self.right else "No."


@dataclass(frozen=True)
class Quiz:
    """A question and its options."""

    question: str
    options: tuple[Option, ...]


def quiz(piece: Directive) -> Quiz:
    """The quiz that a directive writes; raises BookError without exactly one right answer, and feedback on each."""
    _, *parts = OPTION.split(piece.body.strip())
    options = []
    for mark, text in zip(parts[::2], parts[1::2], strict=True):
        answer, bar, said = " ".join(text.split()).partition(" | ")
        if not bar:
            raise BookError(f"quiz {piece.argument!r}: the option {answer!r} has no feedback.")
        options.append(Option(answer, mark == "x", said))
    if len(options) < 2 or sum(option.right for option in options) != 1:
        raise BookError(f"quiz {piece.argument!r}: it takes two options or more, and one of them right.")
    return Quiz(piece.argument, tuple(options))
