"""Slides: twenty to thirty a lecture where a chapter has the matter for it, questions for the room, nothing cut."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from browser import Browser, executable

from tools import chromium, vendor
from tools.citations import Bibliography
from tools.course import slides
from tools.course.deck import MOST, Slide, deck
from tools.labels import labels
from tools.markdown import Markdown
from tools.project import ROOT, Project

BOOK = Project(ROOT)
WORKS = Bibliography(ROOT / "reference" / "references.bib")
KNOWN = labels(BOOK)


@pytest.fixture(scope="module", params=BOOK.chapters, ids=lambda path: path.stem)
def lecture(request: pytest.FixtureRequest) -> list[Slide]:
    """The slides of each chapter."""
    return deck(Markdown(BOOK, request.param, KNOWN, WORKS))


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


@pytest.mark.browser
@pytest.mark.skipif(executable() is None, reason="no Chromium here (Debian: apt install chromium)")
def test_no_slide_of_the_book_overflows(tmp_path: Path) -> None:
    if not vendor.prepare(ROOT, slides.ASSETS):
        pytest.skip("reveal.js could not be fetched")
    vendor.lay(ROOT, tmp_path, slides.ASSETS)
    path = executable()
    assert path
    cut = []
    with Browser(path) as browser:
        for chapter in BOOK.chapters:
            target = tmp_path / f"{chapter.stem}.html"
            target.write_text(slides.page("x", deck(Markdown(BOOK, chapter, KNOWN, WORKS))), "utf-8")
            browser.call("Page.navigate", url=target.as_uri())
            time.sleep(0.5)
            cut += [f"{chapter.stem} {slide}" for slide in browser.evaluate(OVERFLOWING)]
    assert cut == []


@pytest.mark.browser
@pytest.mark.skipif(executable() is None, reason="no Chromium here (Debian: apt install chromium)")
def test_on_paper_each_slide_is_a_page_with_its_heading(tmp_path: Path) -> None:
    from pypdf import PdfReader

    if not vendor.prepare(ROOT, slides.ASSETS):
        pytest.skip("reveal.js could not be fetched")
    vendor.lay(ROOT, tmp_path, slides.ASSETS)
    lecture = deck(Markdown(BOOK, BOOK.chapters[3], KNOWN, WORKS))
    (tmp_path / "printed.html").write_text(slides.page("x", lecture, printed=True), "utf-8")
    chromium.pdf((tmp_path / "printed.html").as_uri(), tmp_path / "printed.pdf")
    pages = [page.extract_text() for page in PdfReader(tmp_path / "printed.pdf").pages]
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
