"""The checks find what they are for, and find nothing in the book."""

from collections.abc import Callable
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_output

from tools import checks, refresh
from tools.project import Project

Edit = Callable[[Path, str, str], None]
GOOD = "A cat's face beside its map."


def pictured(alt: str | None, data: dict[str, str]) -> list[str]:
    """What is wrong with a code cell whose output is this."""
    metadata = {"mystnb": {"image": {"alt": alt}}} if alt is not None else {}
    cell = new_code_cell("", metadata=metadata, outputs=[new_output("display_data", data=data)])
    return checks.output_alts(cell)


@pytest.mark.parametrize("alt", [None, "", "   ", "A cat.", "figures/long_name_of_cat-3.png"])
def test_a_picture_without_a_real_alt_text(alt: str | None) -> None:
    assert len(pictured(alt, {"image/png": "x"})) == 1
    assert len(checks.markdown_alts(f"![{alt or ''}](a.png)")) == 1
    assert len(checks.markdown_alts(f"```{{figure}} a.png\n:alt: {alt or ''}\n```")) == 1
    html = "<img src=x>" if alt is None else f'<p><img alt="{alt}" src=x></p>'
    assert len(pictured(None, {"text/html": html})) == 1


def test_a_picture_with_one() -> None:
    assert pictured(GOOD, {"image/png": "x"}) == []
    assert pictured(None, {"text/plain": "1"}) == []
    assert pictured(None, {"text/html": f'<img alt="{GOOD}">'}) == []
    assert checks.markdown_alts(f"![{GOOD}](a.png)\n```{{image}} a.png\n:alt: {GOOD}\n```") == []


def test_a_figure_that_loses_its_alt_text_is_found_by_chapter_and_cell(book: Project, edit: Edit) -> None:
    assert refresh.refresh(book, book.chapters[:1]) == []
    assert checks.alt_texts(book) == []
    edit(book.chapters[0], "A straight line that rises from zero to two.", "line.png")
    (found,) = checks.alt_texts(book)
    assert found.startswith("chapters/01_first.ipynb, cell 2: a picture has a file name")


def test_the_repository_is_named_in_one_place_only(book: Project) -> None:
    assert checks.repository_names(book) == []
    name = book.repository.removeprefix("https://github.com/")
    (book.root / "README.md").write_text(f"git clone git@github.com:{name}.git\n")
    (book.root / "colab").mkdir()
    (book.root / "colab" / "x.ipynb").write_text(name)
    assert checks.repository_names(book) == ["README.md names the repository; only _config.yml may."]


def test_the_book_itself_has_no_problem() -> None:
    assert checks.problems(Project()) == []
