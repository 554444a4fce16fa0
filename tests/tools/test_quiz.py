"""A question has one right option and feedback for each: a radio group on the page, a folded list in notebooks."""

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tools.citations import Bibliography
from tools.labels import labels
from tools.markdown import Markdown
from tools.myst import Directive, walk
from tools.project import ROOT, BookError, Project
from tools.quiz import Quiz, quiz
from tools.tidy import read

BODY = "- [ ] One. | Too few:\n  count again.\n- [x] Two, $1 + 1$. | As $2 - 1 = 1$ says."
BOOK = Project(ROOT)


def asked(body: str) -> Quiz:
    """The quiz of a body."""
    return quiz(Directive("quiz", "How many?", {}, body))


def test_options_are_read_with_their_feedback() -> None:
    first, second = asked(BODY).options
    assert (first.text, first.right, first.said) == ("One.", False, "Too few: count again.")
    assert (second.text, second.right, second.verdict) == ("Two, $1 + 1$.", True, "Yes.")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (BODY.replace("[x]", "[ ]"), "one of them right"),
        (BODY.replace("[ ]", "[x]"), "one of them right"),
        (BODY.replace(" | As $2 - 1 = 1$ says.", ""), "no feedback"),
        ("- [x] One. | Alone.", "two options"),
    ],
)
def test_what_is_no_question_is_refused(body: str, said: str) -> None:
    with pytest.raises(BookError, match=said):
        asked(body)


def test_a_notebook_gets_a_list_and_a_folded_answer() -> None:
    works = Bibliography(ROOT / "reference" / "references.bib")
    markdown = Markdown(BOOK, BOOK.chapters[0], labels(BOOK), works)
    text = markdown.convert(f"```{{quiz}} How many, by {{eq}}`eq-softmax`?\n{BODY}\n```")
    assert text.startswith("**Predict:** How many, by (1.3)?\n\n- **A.** One.\n- **B.** Two, $1 + 1$.")
    assert "<details>\n<summary><b>Answer</b></summary>\n\n- **A.** No. Too few: count again." in text


@pytest.mark.parametrize("chapter", BOOK.chapters, ids=lambda path: path.stem)
def test_every_chapter_asks_and_the_right_answer_has_no_fixed_place(chapter: Path) -> None:
    texts = [cell.source for cell in read(chapter).cells if cell.cell_type == "markdown"]
    pieces = [piece for text in texts for piece in walk(text)]
    found = [quiz(piece) for piece in pieces if isinstance(piece, Directive) and piece.name == "quiz"]
    if not found:
        pytest.skip("this chapter asks nothing yet")
    assert len(found) >= 3
    assert len({[option.right for option in one.options].index(True) for one in found}) > 1


def test_the_page_has_a_radio_group_with_a_legend_and_labels(site_with_a_quiz: BeautifulSoup) -> None:
    group = site_with_a_quiz.select_one("fieldset.quiz")
    assert group is not None
    assert group.legend is not None
    assert "How many" in group.legend.get_text()
    buttons = group.select("input[type=radio]")
    assert len(buttons) == 2
    assert len({button["name"] for button in buttons}) == 1
    for button in buttons:
        label = group.select_one(f'label[for="{button["id"]}"]')
        assert label is not None
    assert len(group.select('.said[role="status"]')) == 2
    assert re.search(r"Yes\.\s*As", group.get_text())


@pytest.fixture
def site_with_a_quiz() -> BeautifulSoup:
    """What the directive makes of a question, by docutils alone."""
    import sys

    sys.path.insert(0, str(ROOT / "_ext"))
    from docutils import nodes
    from quiz import QuizDirective

    class Plain(QuizDirective):
        """Without Sphinx behind it."""

        def __init__(self) -> None:
            self.arguments, self.content, self.lineno = ["How many?"], BODY.splitlines(), 1  # type: ignore[assignment]

        @property
        def env(self) -> object:  # type: ignore[override]
            """Counts."""
            return type("Environment", (), {"new_serialno": lambda self, kind: 0})()

        def prose(self, text: str) -> nodes.Node:
            """Text as it is."""
            return nodes.raw("", text)

    return BeautifulSoup("".join(node.astext() for node in Plain().run()), "html.parser")
