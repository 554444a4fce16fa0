"""A chapter is spared only where it passed, whole, as it is, on this machine."""

from collections.abc import Callable
from pathlib import Path

import pytest
from spared import Spared

from tools import passed, stamp
from tools.project import Project
from tools.tidy import read

Edit = Callable[[Path, str, str], None]
CELL = '<testcase classname="chapters.02_second.ipynb" name="Cell 0">{}</testcase>'


@pytest.fixture
def stamped(book: Project) -> Project:
    """The tiny book, stamped as if its second chapter, of one code cell, had just been run."""
    path = book.chapters[1]
    stamp.record(book, path, stamp.stamp(book, read(path), ["saliency_lib/names.py"], ["numpy"]))
    return book


def test_what_could_change_a_result_changes_the_digest(
    stamped: Project, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = passed.digests(stamped, {"OMP_NUM_THREADS": "1", "LANG": "C"})
    assert list(before) == ["02_second.ipynb"]  # the first chapter was never run
    assert passed.digests(stamped, {"OMP_NUM_THREADS": "1", "LANG": "de"}) == before
    assert passed.digests(stamped, {"OMP_NUM_THREADS": "2"}) != before
    for name, value in (("platform.node", "another"), ("os.cpu_count", 99), ("version", "2.0")):
        with monkeypatch.context() as patch:
            patch.setattr(f"tools.passed.{name}", lambda *_, value=value: value)
            assert passed.digests(stamped, {"OMP_NUM_THREADS": "1"}) != before, name
    edit(stamped.root / "saliency_lib" / "names.py", "split()", "split()[:1]")
    assert passed.digests(stamped, {}) == {}  # stale: who knows what else it uses now


@pytest.mark.parametrize(
    ("report", "after", "kept"),
    [
        (CELL.format(""), "a", True),
        (CELL.format(""), "edited meanwhile", False),
        (CELL.format("<failure />"), "a", False),
        (CELL.format("<skipped />"), "a", False),
        (2 * CELL.format(""), "a", False),
        ("", "a", False),
    ],
)
def test_only_a_whole_run_in_which_every_cell_passed_is_kept(
    stamped: Project, tmp_path: Path, report: str, after: str, kept: bool
) -> None:
    (tmp_path / "report.xml").write_text(f"<testsuites><testsuite>{report}</testsuite></testsuites>")
    name = "02_second.ipynb"
    passed.remember(stamped, {name: "a"}, {name: after}, tmp_path / "report.xml")
    assert passed.passed(stamped) == ({name: "a"} if kept else {})
    passed.remember(stamped, {name: "a"}, {name: "a"}, tmp_path / "gone.xml")  # interrupted: nothing was told
    assert passed.passed(stamped) == ({name: "a"} if kept else {})


@pytest.mark.parametrize("changed", [None, "chapters/one.html", "_static/book.css", "judge", "gone", "by hand"])
def test_a_page_is_spared_only_as_it_passed_with_all_that_it_loaded(
    book: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changed: str | None
) -> None:
    for name in ("chapters/one.html", "_static/book.css", "_static/other.css"):
        (book.site / name).parent.mkdir(parents=True, exist_ok=True)
        (book.site / name).write_text(name)
    loaded = ["http://127.0.0.1:1/_static/book.css?v=1", "data:image/png;base64,AA", "about:blank"]
    Spared(book, "chapters/one.html", "judge").remember(loaded)
    (book.site / "_static" / "other.css").write_text("another")  # no page loads it
    if changed == "gone":
        (book.site / "_static" / "book.css").unlink()
    elif changed and (book.site / changed).is_file():
        (book.site / changed).write_text("another")
    if changed != "by hand":
        monkeypatch.setenv(passed.SPARE, "1")
    page = Spared(book, "chapters/one.html", "another" if changed == "judge" else "judge")
    if changed is None:
        with pytest.raises(pytest.skip.Exception, match=passed.SPARED):
            page.skip_if_known()
    else:
        page.skip_if_known()
    assert page.record.is_file() == (changed is None)
    report = tmp_path / "report.xml"
    report.write_text(f'<testsuite><testcase><skipped message="{passed.SPARED}" /></testcase><testcase /></testsuite>')
    assert passed.skipped(report) == 1
