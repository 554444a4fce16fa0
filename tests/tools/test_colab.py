"""The notebooks for Colab hold nothing that Colab cannot show, and are what the chapters give now."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from tools import colab
from tools.citations import Bibliography
from tools.labels import labels
from tools.markdown import Markdown
from tools.project import BookError, Project
from tools.tidy import read

Edit = Callable[[Path, str, str], None]


@pytest.fixture
def copies(book: Project) -> dict[str, list[str]]:
    """The sources of the generated cells of each chapter."""
    return {
        path.stem: ["".join(cell["source"]) for cell in json.loads(text)["cells"]]
        for path, text in colab.notebooks(book).items()
    }


@pytest.fixture
def markdown(book: Project) -> Markdown:
    """A converter for the first chapter."""
    bibliography = Bibliography(book.root / "reference" / "references.bib")
    return Markdown(book, book.chapters[0], labels(book), bibliography)


def test_numbers_citations_and_terms_are_spelled_out(copies: dict[str, list[str]]) -> None:
    text = "\n".join(copies["01_first"])
    for expected in (
        "S_c(I) \\approx w^\\top I + b \\tag{1.1}",
        "Equation (1.1), Figure 1.1, chapter [Second](https://colab.research.google.com/github/",
        "*saliency map*",
        "[Simonyan et al. (2013)](https://arxiv.org/abs/1312.6034)",
        "([Simonyan et al., 2013](https://arxiv.org/abs/1312.6034))",
        "`{eq}` is code and $a_1$ is math",
        "R_1 = S - w^\\top I \\tag{1.2}",
        "> **Warning**\n>\n> Not the The order of things you meant.",
        "> **Theorem 1.1** (Exact inside a region)\n>\n> The expansion (1.2) is exact.",
        "**Figure 1.1.** A line through (1.1).",
        "#### Exercise 1.1: A sum\n\nWhat is\n\n$$\n1 + 1 \\tag{1.3}\n$$",
        "<details>\n<summary><b>Solution to Exercise 1.1</b></summary>\n\nTwo, by (1.3).\n\n</details>",
        "#### Solution to Exercise 1.2\n\nAs follows.",
        "## Works cited\n\n- Karen Simonyan",
    ):
        assert expected in text


def test_references_into_another_chapter_are_links(copies: dict[str, list[str]]) -> None:
    text = "\n".join(copies["02_second"])
    assert "As Figure 1.1 and (1.1) say" in text
    assert re.search(r"\[The order of things\]\(https://colab\S+/colab/01_first\.ipynb\)", text)
    assert re.search(r"\[Theorem 1\.1\]\(https://colab\S+/colab/01_first\.ipynb\)", text)


def leftovers(text: str) -> list[str]:
    """MyST that a plain Markdown renderer would show as it is, code blocks and spans left out."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    return re.findall(r"\{[\w:-]+\}`?|^:{3,}.*|^\([\w-]+\)=|^:\w+:.*|\$\$ \([\w-]+\)", prose, re.MULTILINE)


def allowed(found: list[str]) -> list[str]:
    """Those that are not groups of TeX."""
    return [item for item in found if item.endswith("`") or not item.startswith("{")]


def test_no_myst_is_left(copies: dict[str, list[str]]) -> None:
    for cells in copies.values():
        assert allowed(leftovers("\n".join(cells))) == []


def test_no_myst_is_left_in_the_real_copies() -> None:
    project = Project()
    paths = sorted((project.root / "colab").glob("*.ipynb"))
    assert [path.name for path in paths] == sorted(path.name for path in project.chapters)
    for path in paths:
        for cell in read(path).cells:
            assert cell.cell_type == "code" or allowed(leftovers(cell.source)) == []


def test_the_first_code_cell_installs_the_package_from_the_one_repository(book: Project) -> None:
    for path in colab.notebooks(book):
        colab.write(book)
        first = next(cell for cell in read(path).cells if cell.cell_type == "code")
        assert f"git+{book.repository}@{book.branch}" in first.source
        assert "find_spec" in first.source


def test_no_outputs_and_folded_solutions(small_site: Project) -> None:
    assert any(cell.get("outputs") for cell in read(small_site.chapters[0]).cells)
    text = colab.notebooks(small_site)[small_site.root / "colab" / "01_first.ipynb"]
    notebook = nbformat.reads(text, as_version=4)
    assert all(cell.outputs == [] for cell in notebook.cells if cell.cell_type == "code")
    assert notebook.metadata.colab["collapsed_sections"] == ["c4"]


def test_a_stale_missing_or_orphaned_copy_is_noticed(book: Project, edit: Edit) -> None:
    colab.write(book)
    assert colab.stale(book) == []
    edit(book.chapters[0], "The order of things", "Their order")
    assert len(colab.stale(book)) == 2  # the second chapter refers to that heading
    (book.root / "colab" / "02_second.ipynb").unlink()
    (book.root / "colab" / "09_gone.ipynb").write_text("{}")
    assert len(colab.stale(book)) == 3
    colab.write(book)
    assert colab.stale(book) == []
    assert not (book.root / "colab" / "09_gone.ipynb").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{eq}`eq-nothing`", "refers to eq-nothing"),
        ("{strange}`x`", "cannot show the role {strange}"),
        ("```{strange}\nx\n```", "cannot show the directive {strange}"),
        ("{cite:t}`nobody1900`", "no entry nobody1900"),
        ("{doc}`/nowhere`", "links to /nowhere"),
    ],
)
def test_what_cannot_be_shown_is_refused(markdown: Markdown, text: str, sentence: str) -> None:
    with pytest.raises(BookError, match=re.escape(sentence)):
        markdown.convert(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":::{tip}\nTry.\n:::", "> **Tip**\n>\n> Try."),
        ("```{admonition} Aside\n:class: dropdown\nMore.\n```", "<summary><b>Aside</b></summary>"),
        ("```{dropdown} A *b*\nMore.\n```", "<summary><b>A <em>b</em></b></summary>\n\nMore."),
        ("```python\n{eq}`eq-guide`\n```", "```python\n{eq}`eq-guide`\n```"),
        ("{numref}`Fig. %s <fig-line>`", "Fig. 1.1"),
        ("{ref}`there <sec-order>`", "there"),
        ("{py:func}`~saliency_lib.double`", "`double`"),
        ("% a remark\nText", "Text"),
        ("$$a \\\\ b$$", "$$\n\\begin{aligned}\na \\\\ b\n\\end{aligned}\n$$"),
        ("````{note}\n```{warning}\nInner.\n```\n````", "> > **Warning**\n> >\n> > Inner."),
        ("```{prf:proof}\nClear.\n```", "> **Proof**\n>\n> Clear."),
    ],
)
def test_conversions(markdown: Markdown, text: str, expected: str) -> None:
    assert expected in markdown.convert(text)


def test_a_label_used_twice_is_refused(book: Project, edit: Edit) -> None:
    edit(book.chapters[1], "eq-second", "eq-guide")
    with pytest.raises(BookError, match="eq-guide is taken already"):
        labels(book)
