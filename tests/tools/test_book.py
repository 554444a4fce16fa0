"""The real book is in order, and `make test` fails when a test or a chapter does."""

import json
import socket
import subprocess
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, SoupStrainer, Tag
from conftest import alt_problem, write_notebook
from nbformat.v4 import new_code_cell

from tools import book, colab, passed, refresh, stamp
from tools.project import ROOT, BookError, Project
from tools.tidy import read

GOOD = "A cat's face beside its map."


def test_no_chapter_is_stale() -> None:
    assert refresh.stale(Project()) == []


def test_every_copy_for_colab_is_what_its_chapter_gives() -> None:
    assert colab.stale(Project()) == []


def pictures_without_text(html: str) -> list[str]:
    """What is wrong with the pictures of a page's article."""
    article = html[html.find("<article") : html.find("</article>")]
    pictures = BeautifulSoup(article, "html.parser", parse_only=SoupStrainer(["a", "img"])).find_all("img")
    return list(filter(None, (alt_problem(picture.get("alt")) for picture in pictures if not for_the_eye(picture))))


def for_the_eye(picture: Tag) -> bool:
    """Whether a picture is declared decoration, and the link around it says in words where it leads."""
    link = picture.find_parent("a")
    return picture.get("alt") == "" and link is not None and len(link.get_text(strip=True)) > 20


@pytest.mark.parametrize("alt", [None, "", "   ", "A cat.", "figures/long_name_of_cat-3.png"])
def test_a_picture_without_a_real_alt_text_is_found(alt: str | None) -> None:
    image = "<img src=x>" if alt is None else f'<img alt="{alt}" src=x>'
    html = f"<img src=logo><article><p>{{}}</p><img src=y alt={GOOD!r}></article>"
    assert len(pictures_without_text(html.format(image))) == 1
    assert pictures_without_text(html.format("")) == []


def test_every_picture_of_the_book_says_what_it_shows(real_site: Project) -> None:
    pages = [page.with_suffix(".html") for page in real_site.pages]
    for page in pages:
        html = (real_site.site / page.relative_to(real_site.root)).read_text("utf-8")
        assert pictures_without_text(html) == [], page.name


def test_a_port_that_is_taken_or_none_is_refused_by_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for port in (taken.getsockname()[1], 99999, -1):
            with pytest.raises(BookError, match=f"Port {port} cannot be used"):
                book.serve(Project(), port)


def test_the_repository_is_named_in_one_place_only() -> None:
    name = Project().repository.removeprefix("https://github.com/")
    command = ["git", "grep", "--untracked", "-l", name, "--", ":!colab"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if found.returncode == 128:
        pytest.skip("not a clone")
    assert found.stdout.split() == ["_config.yml"]


@pytest.mark.parametrize(("test", "cell", "status"), [("1", "1", 0), ("1", "0", 1)])
def test_a_failing_test_and_a_failing_chapter_fail_the_whole(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    test: str,
    cell: str,
    status: int,
) -> None:
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: chapters/one\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_one.py").write_text(f"def test_one():\n    assert {test}\n")
    write_notebook(tmp_path / "chapters" / "one.ipynb", [new_code_cell(f"assert {cell}")])
    (tmp_path / "requirements.txt").touch()
    chapter, project = tmp_path / "chapters" / "one.ipynb", Project(tmp_path)
    stamp.record(project, chapter, stamp.stamp(project, read(chapter), [], []))
    monkeypatch.setattr(book, "SHARED", [])  # two tests need no workers
    monkeypatch.delenv("CI", raising=False)
    assert book.main(["--root", str(tmp_path), "test"]) == status
    sums = capfd.readouterr().out.splitlines()[-1]
    assert ("1 failed, 1 passed" if status else "2 passed") in sums
    assert (chapter.name in passed.passed(project)) == (cell == "1")
    if not status:
        assert book.main(["--root", str(tmp_path), "test"]) == 0
        *_, sums, told = capfd.readouterr().out.splitlines()
        assert "1 passed" in sums
        spared = "1 of 1 chapters were not run, 0 pages not opened again: they passed here as they are."
        assert told == f"{spared} All of them: make test ALL=1"


def test_the_notice_names_every_photo_with_its_author_and_license() -> None:
    notice = (ROOT / "NOTICE").read_text("utf-8")
    photos = json.loads((ROOT / "data" / "photos.json").read_text("utf-8"))
    assert photos
    for photo in photos:
        wanted = f"{photo['file']:14} {photo['title']}. {photo['author']}. {photo['license']}."
        assert wanted in notice, wanted
