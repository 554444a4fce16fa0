"""Slides: twenty to thirty a lecture where a chapter has the matter for it, questions for the room, nothing cut."""

import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from browser import Browser, in_a_browser

from tools import chromium, vendor
from tools.citations import Bibliography
from tools.course import slides
from tools.course.deck import MOST, Slide, deck
from tools.labels import Label, labels
from tools.markdown import Markdown
from tools.project import ROOT, Project

BOOK = Project(ROOT)
WORKS = Bibliography(ROOT / "reference" / "references.bib")


@cache
def known() -> dict[str, Label]:
    """The numbers of the book."""
    return labels(BOOK)


@cache
def lecture_of(chapter: Path) -> list[Slide]:
    """The slides of a chapter."""
    return deck(Markdown(BOOK, chapter, known(), WORKS))


@pytest.fixture(params=BOOK.chapters, ids=lambda path: path.stem)
def lecture(request: pytest.FixtureRequest) -> list[Slide]:
    """The slides of each chapter."""
    return lecture_of(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what slides load."""
    if not vendor.prepare(ROOT, slides.ASSETS):
        pytest.skip("reveal.js could not be fetched")
    vendor.lay(ROOT, tmp_path, slides.ASSETS)
    return tmp_path


def test_a_lecture_has_a_bearable_number_of_slides(lecture: list[Slide]) -> None:
    assert 12 <= len(lecture) <= MOST
    assert [slide.kind for slide in lecture[-2:]] == ["exercises", "closing"]
    assert all(slide.heading for slide in lecture)


def test_the_speaker_has_something_to_say_and_two_questions_to_ask(lecture: list[Slide]) -> None:
    if any(slide.quiz for slide in lecture):
        assert sum("Ask the room" in note for note in lecture[0].notes) == 2
    assert sum(len(note) for slide in lecture for note in slide.notes) > 3000


def test_pictures_carry_their_alternative_text(lecture: list[Slide]) -> None:
    assert all(len(alt) > 20 for slide in lecture for _, alt in slide.pictures)


def test_nothing_of_the_source_is_left_in_a_slide(lecture: list[Slide]) -> None:
    text = slides.page("x", [replace(slide, pictures=[]) for slide in lecture])
    for left in ("{eq}", "{doc}", "{term}", "{cite", "{numref}", "$$"):
        assert left not in text


@in_a_browser
def test_no_slide_of_the_book_overflows(browser: Browser, folder: Path) -> None:
    cut = []
    for chapter in BOOK.chapters:
        target = folder / f"{chapter.stem}.html"
        target.write_text(slides.page("x", lecture_of(chapter)), "utf-8")
        browser.call("Page.navigate", url=target.as_uri())
        time.sleep(0.5)
        cut += [f"{chapter.stem} {slide}" for slide in browser.evaluate(OVERFLOWING)]
    assert cut == []


@in_a_browser
def test_on_paper_each_slide_is_a_page_with_its_heading(folder: Path) -> None:
    from pypdf import PdfReader

    lecture = lecture_of(BOOK.chapters[3])
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
  }
  done(found);
})"""
