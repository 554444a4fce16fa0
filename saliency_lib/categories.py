"""Class names: from what a person types to the index of a score.

imagenet_categories().index("Egyptian cat")     # -> 285; so do "n02124075", 285, "285" and the prefix "Egyptian"
"""

import difflib
import importlib.resources
from collections.abc import Sequence
from functools import cache, cached_property

from saliency_lib.errors import TargetError


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
        self.names = tuple(names)
        self.synsets = tuple(synsets)
        self.synonyms = tuple(tuple(words) for words in synonyms) or ((),) * len(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        """The name of class `index`. Raises `TargetError` if it is out of range."""
        return self.names[self.check(index)]

    def check(self, index: int) -> int:
        """`index` itself, if it is a class. Raises `TargetError` if it is out of range."""
        if not 0 <= index < len(self):
            raise TargetError(f"there is no class {index}: the classes are 0 to {len(self) - 1}")
        return int(index)

    def index(self, target: str | int) -> int:
        """The index of the class that `target` names.

        `target` is an index (also as text), a synset id, a name or synonym in any case, or the beginning of one, if no
        other class has a name that begins so or has this among its words. Raises `TargetError` where no class, or more
        than one, is meant, and lists the nearest.
        """
        if isinstance(target, int):
            return self.check(target)
        text = target.strip()
        if text.isdecimal() and len(text) < 20:
            return self.check(int(text))
        if text in self.synsets:
            return self.synsets.index(text)
        if text in self.names:
            return self.names.index(text)
        return self._search(text)

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


@cache
def imagenet_categories() -> Categories:
    """The 1000 classes of ILSVRC-2012, which every network in `load_model` scores."""
    text = (importlib.resources.files("saliency_lib.data") / "imagenet_classes.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    return Categories(
        names=[row[2] for row in rows],
        synsets=[row[1] for row in rows],
        synonyms=[row[3].split("|") if row[3] else [] for row in rows],
    )


def numbered_categories(count: int) -> Categories:
    """Names for a network whose classes have none: "class 0", "class 1", ..."""
    return Categories([f"class {i}" for i in range(count)])
