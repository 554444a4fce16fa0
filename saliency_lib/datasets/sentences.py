"""What can be said of a picture of `captioned`: "an owl", "an owl left of a tree"; as words, indices and facts.

    tokens(["an owl left of a tree", "a fish"])     # (2, 6) indices of words, filled up with the empty word
    others("an owl left of a tree", "owl")          # the nine sentences with another creature in the owl's place
    true_of(facts, said)                            # which sentences are true of which pictures

A *fact* is three numbers (thing, other thing, relation). "A tree right of an owl" is the same fact as "an owl left of a
tree"; a picture of one thing has no other and no relation, which is written -1.
"""

import difflib
from collections.abc import Sequence

import torch
from torch import Tensor

from saliency_lib.checks import listed, short_repr
from saliency_lib.datasets.creatures import CATEGORIES
from saliency_lib.errors import TargetError

NOTHING = ""
RELATIONS = ("left of", "above", "right of", "below")
"""How the first thing lies to the second; relation i + 2 is relation i from the other side."""

VOCABULARY = (NOTHING, "a", "an", "left", "right", "of", "above", "below", *CATEGORIES.names)
"""The empty word, seven that name no thing, and ten that do."""

LENGTH = 6
"""Words of a sentence; a shorter one is filled up with the empty word."""


def named(thing: str) -> str:
    """The thing with its article: "an owl"."""
    return f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"


def sentence(thing: int, other: int = -1, relation: int = -1) -> str:
    """A fact in words."""
    names = CATEGORIES.names
    return named(names[thing]) if other < 0 else f"{named(names[thing])} {RELATIONS[relation]} {named(names[other])}"


def sentences() -> list[str]:
    """Everything that can be said: the ten things alone, then 360 pairs, each fact from both sides."""
    things = range(len(CATEGORIES))
    pairs = [(a, b) for a in things for b in things if a != b]
    return [sentence(a) for a in things] + [sentence(a, b, r) for r in range(len(RELATIONS)) for a, b in pairs]


def split(said: str) -> list[str]:
    """The words of a sentence.

    Raises `TargetError` for a word that the network never saw, naming the nearest that it knows, or for too many.
    """
    if not isinstance(said, str) or not said.split():
        raise TargetError(f'a sentence is one such as "an owl left of a tree", and not {short_repr(said)}')
    words = said.lower().split()
    for word in words:
        if word not in VOCABULARY:
            near = difflib.get_close_matches(word, VOCABULARY[1:], n=3, cutoff=0.0)
            raise TargetError(
                f"the network never saw the word {short_repr(word)}; the nearest it knows are {', '.join(near)}"
            )
    if len(words) > LENGTH:
        raise TargetError(f"a sentence has at most {LENGTH} words, and {short_repr(said)} has {len(words)}")
    return words


def tokens(said: Sequence[str]) -> Tensor:
    """Sentences as indices of words (N, 6). Raises `TargetError` as `split` does, or if there is none."""
    several = [split(one) for one in listed("sentences", said, TargetError)]
    if not several:
        raise TargetError("at least one sentence is needed")
    filled = [words + [NOTHING] * (LENGTH - len(words)) for words in several]
    return torch.tensor([[VOCABULARY.index(word) for word in words] for words in filled])


def others(said: str, word: str) -> list[str]:
    """The sentence with every other word of its kind in the word's place: nine creatures, or the opposite relation.

    A creature that the sentence names already is left out. Raises `TargetError` for a word that is not in it, or has
    no other of its kind ("a", "of").
    """
    words = split(said)
    opposite = {"left": "right", "right": "left", "above": "below", "below": "above"}
    if word not in words or not (word in opposite or word in CATEGORIES.names):
        raise TargetError(f"{short_repr(word)} is no thing and no relation in {said!r}")
    kind = [opposite[word]] if word in opposite else [name for name in CATEGORIES.names if name not in words]
    return [_joined([new if one == word else one for one in words]) for new in kind]


def _joined(words: list[str]) -> str:
    """Words as a sentence, each article as the next word wants it."""
    return " ".join(
        named(after).split()[0] if one in ("a", "an") else one
        for one, after in zip(words, [*words[1:], NOTHING], strict=True)
    )


def true_of(facts: Tensor, said: Tensor) -> Tensor:
    """Which facts (M, 3) that are said are true of pictures with facts (N, 3): (N, M). A thing alone is true of two."""
    pictured, claimed = _turned(facts)[:, None], _turned(said)[None]
    alone = (claimed[..., 1] < 0) & (pictured[..., :2] == claimed[..., :1]).any(-1)
    return alone | (pictured == claimed).all(-1)


def fact(said: str) -> tuple[int, int, int]:
    """The fact that a sentence states. Raises `TargetError` if it states none."""
    words = " ".join(word for word in split(said) if word not in ("a", "an"))
    for index, relation in enumerate(RELATIONS):
        if f" {relation} " in words:
            thing, other = words.split(f" {relation} ")
            return CATEGORIES.index(thing), CATEGORIES.index(other), index
    return CATEGORIES.index(words), -1, -1


def _turned(facts: Tensor) -> Tensor:
    """Facts with "right of" and "below" told from the other side."""
    other = facts[:, [1, 0, 2]] - torch.tensor([0, 0, 2])
    return torch.where(facts[:, 2:] >= 2, other, facts)
