"""What can be said to the model that draws: "the owl", "the owl and the tree", or nothing.

tokens(["the owl", ""])      # (2, 5) indices of words
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from saliency_lib.checks import listed, short_repr
from saliency_lib.datasets.creatures import CATEGORIES
from saliency_lib.errors import TargetError

NOTHING, FILLERS = "", ("the", "and")

VOCABULARY = (NOTHING, *FILLERS, *CATEGORIES.names)
"""The empty word, two that name no thing, and ten that do."""

LENGTH = 5
"""Words of a text; a shorter one is filled up with the empty word."""


def text(things: Sequence[str]) -> str:
    """How things are named in a text: "the owl", "the owl and the tree"."""
    return " and ".join(f"the {thing}" for thing in things)


def split(said: str) -> list[str]:
    """The five words of a text. Raises `TargetError` for a word that the model never saw, or too many of them."""
    if not isinstance(said, str):
        raise TargetError(f'a text is one such as "the owl and the tree", and not {short_repr(said)}')
    words = said.split()
    for word in words:
        if word not in VOCABULARY:
            raise TargetError(f"the model never saw the word {word!r}: it knows {', '.join(VOCABULARY[1:])}")
    if len(words) > LENGTH:
        raise TargetError(f"a text has at most {LENGTH} words, and {short_repr(said)} has {len(words)}")
    return words + [NOTHING] * (LENGTH - len(words))


def tokens(texts: Sequence[str]) -> Tensor:
    """Texts as indices of words (N, 5). Raises `TargetError` as `split` does."""
    several = listed("texts", texts, TargetError)
    if not several:
        raise TargetError("at least one text is needed; an empty one says nothing")
    return torch.tensor([[VOCABULARY.index(word) for word in split(said)] for said in several])
