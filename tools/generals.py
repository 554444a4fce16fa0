"""General sentences of the chapters that nothing stands behind: `python -m tools.generals [CHAPTER.ipynb ...]`.

A sentence is general if it speaks of things at large: it begins with a plural of `THINGS` ("Networks see ..."), or has
one of them near a word of `AT_LARGE` ("most maps", "every network", "a map always ..."). What it can stand on:

- a study's number (the role `study`), a work (`cite`), a proof (`prf:ref`), an equation, a figure, a section, or
- a scope: a number, or a word that says of which things it speaks ("this photo", "these networks", "here", "our").

Questions, conditions ("if", "suppose") and what the reader is told to do are no statements. There is no list of
exceptions: a sentence gets a reference or a scope, or is struck. The number of those left says nothing by itself, so no
test has a ceiling for it: read the list. Exercises are left out.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools.myst import Directive, Text, parse
from tools.project import ROOT, Project
from tools.tidy import read

THINGS = (
    r"(?:networks?|maps?|methods?|gradients?|photo(?:graph)?s?|images?|class(?:es)?|classifiers?|models?|explanations?"
    r"|features?|layers?|tests?|metrics?|weights|scores?|filters?|readers|people|papers|rules?)"
)
AT_LARGE = (
    r"\b(?:most|all|every|any|no|each|many|few|always|never|usually|often|rarely|typically|generally|in general"
    r"|tends? to|almost)\b"
)
BARE = re.compile(
    r"(?!(?:the|an?|such|some|other|with|in|on|of|as|to|from|by|for|and|but|so)\b)(?:[a-z-]+ )?"
    rf"(?=\w+s\b){THINGS}\b",
    re.IGNORECASE,
)
QUANTIFIED = re.compile(
    rf"{AT_LARGE}(?:\W+\w+){{0,3}}?\W+{THINGS}\b|\b{THINGS}(?:\W+\w+){{0,4}}?\W+{AT_LARGE}", re.IGNORECASE
)
STANDS = re.compile(r"\{(?:study|cite:[tp]|numref|eq|prf:ref|ref|exercise:ref|doc)\}|\]\(")
SCOPE = re.compile(
    r"\b(?:this|these|that|those|here|our|ours|its|his|their|both|one|two|three|four|five|six|seven|eight|nine|ten|hundred"
    r"|above|below|lite\d|efficientnet\S*|alexnet|vgg\S*)\b|\d",
    re.IGNORECASE,
)
NO_STATEMENT = re.compile(
    r"\?\W*$|\b(?:if|unless|suppose|whether|would|could|might|may|should|must|can|need|let)\b"
    r"|^(?:take|ask|draw|look|compare|make|set|try|read|say|write|run|use|do|think|count|keep|find|choose|see)\b",
    re.IGNORECASE,
)
SENTENCE = re.compile(r"(?<=[.?!])[\s*_)\"”]+(?=[A-Z*_(\"“$`{])")


class General(NamedTuple):
    """A sentence that needs something to stand on, and the number of its cell."""

    cell: int
    sentence: str


def is_general(sentence: str) -> bool:
    """Whether a sentence speaks of things at large, and nothing in it says of which, or who showed it."""
    said = re.sub(r"`+[^`]*`+|\$[^$]*\$", "x", re.sub(r"\{[\w:]+\}`[^`]*`", "", sentence)).strip(" *_-|>")
    at_large = BARE.match(said) or QUANTIFIED.search(said)
    return bool(at_large) and not (STANDS.search(sentence) or SCOPE.search(said) or NO_STATEMENT.search(said))


def generals(chapter: Path) -> list[General]:
    """Those of a chapter, in reading order, up to its exercises."""
    found = []
    for number, cell in enumerate(read(chapter).cells):
        if cell.cell_type != "markdown":
            continue
        if re.match(r"## Exercises\s*$", cell.source, re.MULTILINE):
            break
        found += [General(number, one) for one in sentences(cell.source) if is_general(one)]
    return found


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text in MyST, without headings, tables, code, displayed math and quizzes."""
    for piece in parse(text):
        if isinstance(piece, Directive) and piece.name not in ("quiz", "math", "exercise", "exercise-start", "lab"):
            yield from sentences(piece.body)
        if not isinstance(piece, Text):
            continue
        prose = re.sub(
            r"^(?:#.*|\|.*|\([\w-]+\)=|%.*)$", "", re.sub(r"\$\$.*?\$\$", "", piece.text, flags=re.DOTALL), flags=re.M
        )
        for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", prose):
            yield from (one for one in SENTENCE.split(" ".join(paragraph.split())) if one)


def main(names: list[str]) -> None:
    """Print them, chapter by chapter."""
    for chapter in [Path(name) for name in names] or Project(ROOT).chapters:
        found = generals(chapter)
        print(f"\n{chapter.stem}: {len(found)}")
        print("\n".join(f"  {one.cell:3}  {one.sentence}" for one in found))


if __name__ == "__main__":
    main(sys.argv[1:])
