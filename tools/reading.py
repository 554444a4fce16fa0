"""How long a chapter takes to read: a rule, so that the minutes which its first lines promise are not a guess.

150 words of prose a minute (a textbook with formulas, not a novel), half a minute for each displayed equation and each
figure, four seconds for each line of code that is not folded. Exercises, their solutions and quizzes are not counted,
nor what stands under *Deeper*, nor playing with the code. The sum is rounded to five minutes.

`python -m tools.reading` prints words and minutes of every chapter.
"""

import re

from nbformat import NotebookNode

from tools.project import ROOT, Project
from tools.refresh import read

WORDS_A_MINUTE = 150
SECONDS = {"equation": 30, "figure": 30, "line of code": 4}
BESIDE_THE_ROAD = re.compile(r"^## (?:Exercises$|Deeper\b).*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
QUIZ = re.compile(r"^```\{quiz\}.*?^```$", re.MULTILINE | re.DOTALL)
EQUATION = re.compile(r"^\$\$.*?\$\$|^```\{math\}.*?^```", re.MULTILINE | re.DOTALL)
CODE, FIGURE = "\x00code\x00", "\x00figure\x00"


def minutes(notebook: NotebookNode) -> int:
    """The minutes that a reader needs for a chapter without its exercises, rounded to five."""
    road = _road(notebook)
    counts = {"equation": len(EQUATION.findall(road)), "figure": road.count(FIGURE), "line of code": road.count(CODE)}
    needed = words(notebook) / WORDS_A_MINUTE + sum(SECONDS[kind] * number for kind, number in counts.items()) / 60
    return 5 * max(1, round(needed / 5))


def words(notebook: NotebookNode) -> int:
    """The words of prose on the road through a chapter."""
    return len(EQUATION.sub("", _road(notebook).replace(FIGURE, "").replace(CODE, "")).split())


def promised(notebook: NotebookNode) -> int | None:
    """The minutes to read that a chapter states, or None if it states none."""
    found = re.search(r"\*\*Time:\*\* (\d+) minutes to read", "\n".join(c.source for c in notebook.cells))
    return int(found[1]) if found else None


def _road(notebook: NotebookNode) -> str:
    """What a reader sees of a chapter, without exercises, quizzes and *Deeper*."""
    return QUIZ.sub("", BESIDE_THE_ROAD.sub("", "\n\n".join(map(_shown, notebook.cells))))


def _shown(cell: NotebookNode) -> str:
    """What a reader sees of a cell: its words, or a mark for each line of code not folded and for its figure."""
    if cell.cell_type == "markdown":
        return str(cell.source)
    folded = "hide-input" in cell.metadata.get("tags", ())
    lines = 0 if folded else sum(bool(line.strip()) for line in cell.source.splitlines())
    return CODE * lines + FIGURE * ("mystnb" in cell.metadata)


def main() -> None:
    """Words and minutes of every chapter, and the minutes that it promises."""
    print(f"{'chapter':40} {'words':>6} {'minutes':>8} {'promised':>9}")
    for path in Project(ROOT).chapters:
        notebook = read(path)
        print(f"{path.stem:40} {words(notebook):6,} {minutes(notebook):8} {promised(notebook)!s:>9}")


if __name__ == "__main__":
    main()
