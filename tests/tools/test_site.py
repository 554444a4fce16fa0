"""The site is built when something changed and only then, refuses every warning every time, and numbers as we do."""

import contextlib
import re
import shutil
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

from tools import site
from tools.labels import labels
from tools.project import BookError, Project

Edit = Callable[[Path, str, str], None]


@pytest.fixture(scope="module")
def built(small_site: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the tiny book, run and built, to be changed."""
    return Project(shutil.copytree(small_site.root, tmp_path_factory.mktemp("site") / "book", symlinks=True))


def page(project: Project, name: str) -> str:
    """The HTML of a built page."""
    return (project.site / name).read_text("utf-8")


def test_nothing_changed_nothing_is_done(built: Project, capsys: pytest.CaptureFixture[str]) -> None:
    before = (built.site / "index.html").stat().st_mtime_ns
    site.build(built)
    assert capsys.readouterr().out == "The site is up to date.\n"
    assert (built.site / "index.html").stat().st_mtime_ns == before


def test_a_warning_fails_the_build_again_and_again_until_it_is_mended(
    built: Project, edit: Edit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    book = Project(shutil.copytree(built.root, built.root.with_name("broken"), symlinks=True))
    edit(book.root / "intro.md", "It begins with", "It {ref}`begins <nowhere>` with")
    edit(book.root / "reference" / "glossary.md", "saliency map\n", "salience\n")
    with pytest.raises(BookError, match="not built cleanly"):
        site.build(book)
    told = capsys.readouterr().err
    assert "undefined label: 'nowhere'" in told
    assert re.search(r"01_first\S* WARNING: .*saliency map", told)  # a page that uses what was removed elsewhere
    assert (book.site / "index.html").is_file()
    for trouble in (["WARNING: again"], []):  # what Sphinx says now
        monkeypatch.setattr(site, "pages", lambda project, target, trouble=trouble: trouble)
        with pytest.raises(BookError) if trouble else contextlib.nullcontext():
            site.build(book)
    assert "Built in" in capsys.readouterr().out
    site.build(book)
    assert capsys.readouterr().out == "The site is up to date.\n"


def test_every_number_is_the_one_that_sphinx_counts(built: Project) -> None:
    html = page(built, "chapters/01_first.html") + page(built, "chapters/02_second.html")
    text = unescape(html)
    known = labels(built)
    for label, found in known.items():
        if found.kind == "Equation":
            number = re.search(rf'id="equation-{label}">\s*<span class="eqno">(\([\d.]+\))', text)
            assert number
            assert number[1] == found.name
        elif found.number:
            block = text[text.index(f'id="{label}"') :]
            number = re.search(r'caption-number">\s*([^<]+?)\s*</span>', block)
            assert number
            assert number[1] == found.name
    assert len(known) == 9


def test_captions_alt_texts_and_references(built: Project) -> None:
    html = page(built, "chapters/01_first.html")
    figure = re.search(r'<figure[^>]*id="fig-line".*?</figure>', html, re.DOTALL)
    assert figure
    assert 'alt="A straight line that rises from zero to two."' in figure[0]
    assert re.search(r'Figure 1\.1\s*</span><span class="caption-text">A line through <a', figure[0])
    second = page(built, "chapters/02_second.html")
    assert re.search(r'<a [^>]*href="01_first.html#fig-line"[^>]*><span[^>]*>Figure 1\.1<', second)


def test_the_colab_button_opens_the_generated_copy(built: Project) -> None:
    html = page(built, "chapters/01_first.html")
    links = re.findall(r'href="(https://colab[^"]+)"', html)
    owner = built.repository.removeprefix("https://github.com/")
    assert links == [f"https://colab.research.google.com/github/{owner}/blob/main/colab/01_first.ipynb"]


def test_a_question_can_be_asked_at_every_section(built: Project) -> None:
    html = page(built, "chapters/01_first.html")
    asked = re.findall(r'<a class="headerlink" href="([^"]+/issues/new[^"]+)"', html)
    assert len(asked) == html.count("<h2")
    where = "In%20chapters/01_first%2C%20The%20order%20of%20things%3A%20"
    assert asked[0] == f"{built.repository}/issues/new?title={where}"
    assert "Ask about this section" not in page(built, "reference/glossary.html")


def test_no_script_of_thebe_and_no_second_search_box(built: Project) -> None:
    for path in built.site.rglob("*.html"):
        assert "thebe" not in path.read_text("utf-8").lower()
    assert page(built, "intro.html").count('class="bd-search') <= 1


def test_one_line_of_the_library_rebuilds(built: Project, edit: Edit) -> None:
    before = site.fingerprint(built)
    edit(built.root / "saliency_lib" / "__init__.py", "Twice", "Two times")
    assert site.fingerprint(built) != before
    edit(built.root / "saliency_lib" / "__init__.py", "Two times", "Twice")
    assert site.fingerprint(built) == before
