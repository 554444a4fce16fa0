"""The minutes that a chapter promises are those of the rule."""

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools.project import ROOT, Project
from tools.reading import minutes, promised, words
from tools.refresh import read


@pytest.mark.parametrize("chapter", Project(ROOT).chapters, ids=lambda path: path.stem)
def test_a_chapter_promises_what_the_rule_counts(chapter: Path) -> None:
    notebook = read(chapter)
    told = promised(notebook)
    assert told is not None
    assert abs(told - minutes(notebook)) <= 5


def test_words_equations_figures_and_lines_of_code_are_counted_and_exercises_are_not() -> None:
    prose = new_markdown_cell("word " * 1500 + "\n\n$$\nx = 1\n$$\n" * 10 + "\n## Exercises\n" + "word " * 5000)
    figures = [new_code_cell("draw()", metadata={"mystnb": {}, "tags": ["hide-input"]}) for _ in range(10)]
    code = new_code_cell("x = 1\n\n" * 75)
    deeper = [new_markdown_cell("## Deeper: all of it\n" + "word " * 5000 + "\n### More\nword"), code, figures[0]]
    more = new_markdown_cell("\n## Take-away\n" + "word " * 750)
    notebook = new_notebook(cells=[code, *figures, prose, *deeper, more])
    assert minutes(notebook) == 10 + 5 + 5 + 5 + 5
    assert words(notebook) == 1500 + 750 + 2  # the words of the second heading, and its mark
