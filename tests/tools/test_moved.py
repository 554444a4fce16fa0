"""Old addresses: each leads to a page of the book, at its new place, and takes a reader to the same heading."""

import contextlib
import re
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from browser import Browser, in_a_browser

from tools.project import ROOT, Project

BASE = "https://example.org/book/"


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The extension, which lives beside the book's pages."""
    monkeypatch.syspath_prepend(str(ROOT / "_ext"))
    import moved

    monkeypatch.delitem(sys.modules, "moved")
    return moved


def test_every_old_address_is_free_and_leads_to_a_page(moved: ModuleType) -> None:
    project = Project()
    pages = {project.relative(page).rpartition(".")[0] for page in project.pages}
    assert set(moved.MOVED.values()) <= pages
    assert pages.isdisjoint(moved.MOVED)
    subjects = [{name.partition("_")[2] for name in pair} for pair in moved.MOVED.items()]
    assert [len(names) for names in subjects] == [1] * len(moved.MOVED)


def test_the_page_there_names_the_new_address_to_people_browsers_and_search_engines(moved: ModuleType) -> None:
    text = moved.page("chapters/04_old", "reference/new", BASE)
    assert re.findall(r'(?:url=|a href=")([^"]+)"', text) == ["../reference/new.html"] * 2
    assert '<link rel="canonical" href="https://example.org/book/reference/new.html">' in text


@in_a_browser
def test_from_disk_a_reader_arrives_at_the_same_heading(browser: Browser, moved: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "04_old.html").write_text(moved.page("04_old", "05_new", BASE), "utf-8")
    (tmp_path / "05_new.html").write_text('<title>New</title><h2 id="here">Here</h2>', "utf-8")
    browser.call("Page.navigate", url=(tmp_path / "04_old.html").as_uri() + "#here")
    for _ in range(600):
        with contextlib.suppress(RuntimeError):  # the page goes away while it is asked
            if browser.evaluate("document.title") == "New":
                break
        time.sleep(0.05)
    assert browser.evaluate("location.href").endswith("/05_new.html#here")
