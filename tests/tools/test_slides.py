"""Slides: a deck for every chapter and for the evening; one sentence a slide, nothing cut, no answer on paper."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from browser import Browser, in_a_browser

from tools import chromium, vendor
from tools.course import slides
from tools.course.deck import Slide, deck, decks
from tools.project import ROOT, BookError, Project

BOOK = Project(ROOT)
DECKS = decks(BOOK)
LECTURES = [chapter.stem[3:] for chapter in BOOK.chapters]
ACROSS = ["evening"]
CODE_OR_MATH = re.compile(r"```.*?```|\$\$.*?\$\$|\$[^$]*\$|`[^`]*`", re.DOTALL)
ENDED = re.compile(r"[.?!:…][\"”*)]*$")
NEXT_SENTENCE = re.compile(r"(?<![A-Z])[.?!] +(?=[A-Z])")


@cache
def lecture_of(name: str) -> list[Slide]:
    """The slides of a deck."""
    return deck(BOOK, DECKS[name])


@pytest.fixture(params=DECKS)
def lecture(request: pytest.FixtureRequest) -> list[Slide]:
    """The slides of each deck."""
    return lecture_of(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what slides load."""
    if not vendor.prepare(ROOT, slides.ASSETS):
        pytest.skip("reveal.js could not be fetched")
    vendor.lay(ROOT, tmp_path, slides.ASSETS)
    return tmp_path


def test_every_chapter_has_a_deck_and_so_has_the_evening() -> None:
    assert sorted(DECKS) == sorted([*LECTURES, *ACROSS])


@pytest.mark.parametrize("name", LECTURES)
def test_a_lecture_asks_shows_works_out_and_says_where_it_misleads(name: str) -> None:
    lecture = lecture_of(name)
    headings = [slide.heading for slide in lecture]
    assert 10 <= len(lecture) <= 20
    assert lecture[0].body.endswith("?")
    assert sum(bool(slide.options) for slide in lecture) >= 2, "two questions for the room"
    assert sum(bool(slide.pictures) for slide in lecture) >= 3
    assert any("$$" in slide.body or "```" in slide.body for slide in lecture), "a definition"
    assert any(heading.startswith("Worked example") for heading in headings)
    assert any(heading.startswith("Where it misleads") for heading in headings)
    assert headings[-1] == "Take-away"


def test_a_slide_says_one_thing_and_ends_it(lecture: list[Slide]) -> None:
    for slide in lecture:
        prose = CODE_OR_MATH.sub("x", slide.body).strip()
        for paragraph in filter(None, map(str.strip, re.split(r"\n\s*\n|^[-*] |^\d\. ", prose, flags=re.MULTILINE))):
            said = " ".join(paragraph.split())
            assert said == "x" or "|" in said or ENDED.search(said), f"{slide.heading}: {said}"
            assert not NEXT_SENTENCE.search(said), f"{slide.heading}: two sentences: {said}"
        assert slide.body or slide.pictures or slide.table or slide.options, slide.heading
        assert not slide.caption or (len(slide.caption) <= 180 and ENDED.search(slide.caption)), slide.caption
        assert bool(slide.caption) == bool(slide.pictures or slide.table), slide.heading


def test_the_speaker_has_something_to_say_and_can_say_it(lecture: list[Slide]) -> None:
    for slide in lecture:
        assert 5 <= len(slide.notes.split()) < 150, slide.heading


def test_a_question_has_one_right_answer_and_says_something_to_each(lecture: list[Slide]) -> None:
    for slide in lecture:
        if slide.options:
            assert [option.right for option in slide.options].count(True) == 1
            assert slide.body.endswith("?")


def test_pictures_carry_their_alternative_text(lecture: list[Slide]) -> None:
    assert all(len(alt) > 20 for slide in lecture for _, alt in slide.pictures)


def test_nothing_of_the_source_is_left_in_a_slide(lecture: list[Slide]) -> None:
    text = slides.page("x", [replace(slide, pictures=[]) for slide in lecture])
    for left in ("{eq}", "{doc}", "{term}", "{cite", "{numref}", "$$", "]("):
        assert left not in text


def test_a_figure_that_no_chapter_has_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text("# X\n\n![A caption.](fig-of-nothing)\n")
    with pytest.raises(BookError, match="fig-of-nothing, which no chapter has"):
        deck(BOOK, tmp_path / "x.md")


def test_on_paper_no_answer_stands_beside_its_question(lecture: list[Slide]) -> None:
    assert "verdict" in slides.page("x", lecture) or not any(slide.options for slide in lecture)
    assert 'class="fragment' not in slides.page("x", lecture, printed=True)


@in_a_browser
def test_no_slide_overflows_and_all_can_be_read_at_the_back(browser: Browser, folder: Path) -> None:
    wrong = []
    for name in DECKS:
        target = folder / f"{name}.html"
        target.write_text(slides.page("x", lecture_of(name)), "utf-8")
        browser.load(target.as_uri())
        wrong += [f"{name} {slide}" for slide in browser.evaluate(OVERFLOWING)]
    assert wrong == []


@in_a_browser
def test_on_paper_each_slide_is_a_page_with_its_heading(folder: Path) -> None:
    from pypdf import PdfReader

    lecture = lecture_of("saliency_maps")
    (folder / "printed.html").write_text(slides.page("x", lecture, printed=True), "utf-8")
    chromium.pdf((folder / "printed.html").as_uri(), folder / "printed.pdf", patience=20)
    pages = [page.extract_text() for page in PdfReader(folder / "printed.pdf").pages]
    assert len(pages) == len(lecture)
    for text, slide in zip(pages, lecture, strict=True):
        assert slide.heading.split()[0] in text


OVERFLOWING = """new Promise(async (done) => {
  while (!window.ready) await new Promise((go) => setTimeout(go, 50));
  await window.ready;
  const found = [];
  for (let i = 0; i < Reveal.getTotalSlides(); i++) {
    Reveal.slide(i);
    const slide = Reveal.getCurrentSlide().querySelector(".slide");
    if (slide.scrollHeight > slide.clientHeight + 1 || slide.scrollWidth > slide.clientWidth + 1) found.push(i + 1);
    for (const inner of slide.querySelectorAll("pre, .pictures, .body")) {
      if (inner.scrollWidth > inner.clientWidth + 1 || inner.scrollHeight > inner.clientHeight + 1) found.push(i + 1);
    }
    for (const text of slide.querySelectorAll("p, li, td, th, pre")) {
      if (parseFloat(getComputedStyle(text).fontSize) < 24) found.push(`${i + 1}: ${text.textContent} is small`);
    }
  }
  done(found);
})"""
