"""The printed book: all pages in one, links that lead within it, solutions at the end, true page numbers."""

from pathlib import Path

import pytest
from browser import in_a_browser

from tools import chromium
from tools.course.editions import Edition, numbers
from tools.project import Project

ARTICLE = """<html><head><link rel="stylesheet" href="a.css"></head><body><nav>menu</nav><article class="bd-article">
<section id="top"><h1>{title}</h1><p id="p">See <a href="{link}">there</a> and <a href="https://x.org/">outside</a>.</p>
<div class="frame-player"><span class="frame key" hidden><img src="a.png" alt="first"></span><span class="frame" hidden>
<img src="b.png" alt="second"></span><div class="controls">slider</div></div>
<div class="solution" id="s">The answer to {title}.</div></section><button>copy</button></article></body></html>"""


@pytest.fixture
def book(tmp_path: Path) -> Project:
    """Two pages, built."""
    (tmp_path / "_toc.yml").write_text("root: intro\nparts:\n- chapters:\n  - file: chapters/one\n")
    (tmp_path / "_config.yml").write_text("html: {baseurl: https://book.org/}\nrepository: {url: u, branch: main}\n")
    (tmp_path / "CITATION.cff").write_text("title: A Book\nversion: 1.0\nauthors: [{name: Somebody}]\n")
    for name, link in (("intro", "chapters/one.html#p"), ("chapters/one", "../notes.html")):
        for path in (tmp_path / f"{name}.md", tmp_path / "_build" / "html" / f"{name}.html"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(ARTICLE.format(title=f"Title of {name}", link=link))
    return Project(tmp_path)


def test_links_lead_within_the_book_or_to_the_site_on_the_web(book: Project) -> None:
    body = Edition(book).body()
    assert 'href="#chapters-one--p"' in body
    assert 'id="chapters-one--p"' in body
    assert 'href="https://book.org/notes.html"' in body
    assert 'href="https://x.org/"' in body


def test_solutions_come_last_and_of_a_player_the_chosen_frames(book: Project) -> None:
    edition = Edition(book)
    body = edition.body()
    assert body.index('id="solutions"') < body.index("The answer to Title of intro.") < body.index("of chapters/one.")
    assert "first" in body
    for gone in ("second", "slider", "copy", "menu", "hidden"):
        assert gone not in body
    assert [text for _, _, text in edition.headings] == ["Title of intro", "Title of chapters/one", "Solutions"]


@in_a_browser
def test_the_contents_name_the_page_on_which_a_heading_lies(book: Project, tmp_path: Path) -> None:
    edition = Edition(book)
    body, page, printed = edition.body(), tmp_path / "book.html", tmp_path / "book.pdf"
    page.write_text(edition.whole(body, {}))
    chromium.pdf(page.as_uri(), printed, patience=2)
    found = numbers(printed)
    # the cover, the contents, and then a page each
    assert (found["intro--top"], found["chapters-one--top"], found["solutions"]) == (3, 4, 5)
    assert "<b>4</b>" in edition.contents(found)
