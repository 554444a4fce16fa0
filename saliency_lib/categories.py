"""Class names, and what a network's outputs mean.

imagenet_categories().index("Egyptian cat")     # -> 285; so do "n02124075", 285, "285" and the prefix "Egyptian"
Head("numbers", ["steering angle"], "degrees")  # one output that is no class at all
"""

import difflib
import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import SupportsIndex

from torch import Tensor

from saliency_lib.checks import integer, listed, one_of, short_repr
from saliency_lib.errors import ModelError, SaliencyError, TargetError


class Categories:
    """The names of a classifier's K classes, in the order of its scores.

    `names` are unique; `synsets` (WordNet ids) and `synonyms` may be empty. Chapter 1 shows it at work.
    """

    def __init__(
        self,
        names: Sequence[str],
        synsets: Sequence[str] = (),
        synonyms: Sequence[Sequence[str]] = (),
    ) -> None:
        self.names = _texts("names", names)
        self.synsets = _texts("synsets", synsets)
        self.synonyms = tuple(_texts("synonyms", words) for words in synonyms) or ((),) * len(self.names)
        if len(self.synonyms) != len(self.names) or len(self.synsets) not in (0, len(self.names)):
            raise TargetError("synsets and synonyms belong to the names one by one: there are not as many")

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        """The name of class `index`. Raises `TargetError` if it is out of range."""
        return self.names[self.check(index)]

    def check(self, index: SupportsIndex) -> int:
        """`index` itself, if it is a class. Raises `TargetError` if it is out of range."""
        try:
            return integer("a class", index, 0, len(self) - 1)
        except SaliencyError:
            raise TargetError(f"there is no class {short_repr(index)}: the classes are 0 to {len(self) - 1}") from None

    def index(self, target: str | SupportsIndex) -> int:
        """The index of the class that `target` names.

        `target` is an index (also as text), a synset id, a name or synonym in any case, or the beginning of one, if no
        other class has a name that begins so or has this among its words. Raises `TargetError` where no class, or more
        than one, is meant, and lists the nearest.
        """
        if isinstance(target, SupportsIndex) and not isinstance(target, bool):
            return self.check(target)
        if not isinstance(target, str):
            raise TargetError(f"a class is an index or a name, not {short_repr(target)}")
        text = target.strip()
        same = [i for i, name in enumerate(self.names) if name == text]
        if len(same) > 1:
            raise TargetError(f"{len(same)} classes are called {text!r}: give an index, one of {self._list(same)}")
        if same:
            return same[0]
        if text.isdecimal() and len(text) < 20:
            return self.check(int(text))
        return self.synsets.index(text) if text in self.synsets else self._search(text)

    def _search(self, text: str) -> int:
        """The one class whose own name, or else any name, or else the beginning of one, is `text`."""
        word = text.casefold()
        own = [i for i, name in enumerate(self.names) if name.casefold() == word]
        exact = [i for i, names in enumerate(self._folded) if word in names]
        prefix = [i for i, names in enumerate(self._folded) if any(name.startswith(word) for name in names)]
        words = self._with_word(word) if prefix else []  # "dog" begins "dogsled", and is not what that name is about
        for matches in (own, exact, list(dict.fromkeys(words + prefix)) if word else []):
            if len(matches) == 1:
                return matches[0]
            if matches:
                raise TargetError(f"{text!r} could be any of {self._list(matches)}: give one of these")
        near = self._nearest(word)
        hint = f"; the nearest are {self._list(near)}" if near else ""
        raise TargetError(f"there is no class {text!r}{hint}")

    @cached_property
    def _folded(self) -> list[list[str]]:
        pairs = zip(self.names, self.synonyms, strict=True)
        return [[word.casefold() for word in (name, *synonyms)] for name, synonyms in pairs]

    def _with_word(self, word: str) -> list[int]:
        """Classes with a name that has this among its words."""
        return [i for i, names in enumerate(self._folded) if any(word in name.split() for name in names)]

    def _nearest(self, word: str, most: int = 5) -> list[int]:
        """Classes with a name that contains the word, then those with a name spelled like it."""
        folded = self._folded
        near = [i for i, names in enumerate(folded) if word and any(word in name for name in names)]
        owners = {name: i for i, names in enumerate(folded) for name in names}
        near += [owners[name] for name in difflib.get_close_matches(word, owners, n=most)]
        return list(dict.fromkeys(near))[:most]

    def _list(self, indices: Sequence[int], most: int = 8) -> str:
        shown = ", ".join(f"{self.names[i]!r} ({i})" for i in indices[:most])
        return shown + (f" and {len(indices) - most} more" if len(indices) > most else "")


def _texts(what: str, words: Sequence[str]) -> tuple[str, ...]:
    found = tuple(listed(what, words, TargetError))
    for word in found:
        if not isinstance(word, str):
            raise TargetError(f"{what} are words, and {short_repr(word)} is none")
    return found


@cache
def imagenet_categories() -> Categories:
    """The 1000 classes of ILSVRC-2012, which EfficientNet-Lite and torchvision's networks score."""
    text = (importlib.resources.files("saliency_lib.data") / "imagenet_classes.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    return Categories(
        names=[row[2] for row in rows],
        synsets=[row[1] for row in rows],
        synonyms=[row[3].split("|") if row[3] else [] for row in rows],
    )


def numbered_categories(count: int, word: str = "class") -> Categories:
    """Names for outputs that have none: "class 0", "class 1", ..."""
    return Categories([f"{word} {i}" for i in range(count)])


ONE_OUTPUT = "say what it means, head=sl.Head('sigmoid', ['owl']) or head=sl.Head('numbers', ['age'], 'years')"
"""What to do about a network with a single output, of which nobody said whether it is a label or a number."""


@dataclass(frozen=True)
class Head:
    """What a network's K outputs mean, and what they are called.

    `kind` is `"softmax"` (one class of K is right), `"sigmoid"` (each of K labels holds or not, by itself) or
    `"numbers"` (regression; `unit` says of what, such as "degrees"). `names` is a `Categories`, a list of names, or
    None; names do not change what is computed. Raises `ModelError` for another kind. Chapter 8 teaches the last two.
    """

    kind: str = "softmax"
    names: Categories | Sequence[str] | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        one_of("kind of head", self.kind, ("softmax", "sigmoid", "numbers"), ModelError)
        if self.names is not None and len(self.categories or ()) == 0:
            raise ModelError("a head without a single name: leave the names out instead")

    @cached_property
    def categories(self) -> Categories | None:
        """The names as `Categories`; None if there are none."""
        return self.names if isinstance(self.names, Categories | None) else Categories(self.names)

    def categories_for(self, count: int) -> Categories:
        """Names for `count` outputs. Raises `ModelError` if the names are too few, or several for a single output."""
        if self.categories is None:
            return numbered_categories(count, "output" if self.kind == "numbers" else "class")
        if len(self.categories) < count:
            raise ModelError(f"the model scores {count} classes, and {len(self.categories)} of them have names")
        if count == 1 < len(self.categories):
            raise ModelError(f"the model has one output, and {len(self.categories)} names: {ONE_OUTPUT}")
        return self.categories

    def probabilities(self, scores: Tensor) -> Tensor | None:
        """The probabilities (N, K) that the scores stand for; None for plain numbers, which stand for themselves.

        Raises `ModelError` for the softmax of a single score, which is 1 whatever the score.
        """
        if self.kind == "numbers":
            return None
        if self.kind == "softmax" and scores.shape[1] == 1:
            raise ModelError(f"the softmax of one score is always 1: {ONE_OUTPUT}")
        return scores.softmax(1) if self.kind == "softmax" else scores.sigmoid()


CLASSES = Head()
"""Classes of which one is right, without names: what is assumed of a network that does not say."""
