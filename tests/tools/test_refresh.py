"""Exactly the stale chapters are run; what is written is the same every time; nothing is lost when a run fails."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
from conftest import write_notebook
from nbformat.v4 import new_code_cell, new_markdown_cell

from tools import book as command
from tools import refresh
from tools.project import BookError, Project
from tools.stamp import stamps
from tools.tidy import read, tidy

Edit = Callable[[Path, str, str], None]


def run(book: Project, *arguments: str) -> int:
    """The command line on the tiny book."""
    return command.main(["--root", str(book.root), *arguments])


def test_only_what_is_stale_runs(
    book: Project, edit: Edit, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")  # the caller's own is not the chapters'
    assert run(book, "refresh") == 0
    first, second = (path.read_bytes() for path in book.chapters)
    assert b"image/png" in first
    assert b"at 0x0>" in first
    assert str(book.root).encode() not in first
    assert [list(stamp["files"]) for stamp in stamps(book).values()] == [
        ["saliency_lib/__init__.py"],
        ["data/names.tsv", "saliency_lib/__init__.py", "saliency_lib/names.py"],
    ]
    first_pins, second_pins = (stamp["pins"] for stamp in stamps(book).values())
    assert first_pins.items() >= {"matplotlib": version("matplotlib"), "numpy": version("numpy")}.items()
    assert second_pins == {}
    capsys.readouterr()

    assert run(book, "refresh") == 0
    assert capsys.readouterr().out.count("up to date") == 2
    assert run(book, "refresh", "--force", str(book.chapters[0])) == 0
    assert book.chapters[0].read_bytes() == first  # the same bytes every time

    edit(book.chapters[1], "1 + 1", "1 + 2")
    assert run(book, "refresh") == 0
    assert "01_first.ipynb: up to date" in capsys.readouterr().out
    assert book.chapters[0].read_bytes() == first
    assert book.chapters[1].read_bytes() != second

    edit(book.root / "saliency_lib" / "__init__.py", "2 * x", "3 * x")
    assert str(refresh.stale(book)).count("saliency_lib/__init__.py changed") == 2
    assert run(book, "refresh") == 0
    outputs = read(book.chapters[0]).cells[5].outputs
    assert outputs[0].data["text/plain"] == "6"
    assert refresh.stale(book) == []

    edit(book.root / "saliency_lib" / "names.py", "split()", "split()[1:]")
    assert refresh.stale(book) == ["chapters/02_second.ipynb is stale: saliency_lib/names.py changed."]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("print(1)\nraise ValueError('no such cat\\nmore')", "cell 2: ValueError: no such cat"),
        ("import time; time.sleep(60)", "cell 2: still running after 2 s"),
        ("import os; os._exit(1)", "cell 2: the kernel died"),
    ],
)
def test_a_failure_names_chapter_cell_and_error_and_keeps_the_old_notebook(
    book: Project, capsys: pytest.CaptureFixture[str], source: str, sentence: str
) -> None:
    chapter = book.chapters[1]
    cells = [new_markdown_cell("# Second", id="a"), new_code_cell(source, id="b")]
    chapter.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=cells)), "utf-8")
    before = chapter.read_bytes()
    assert run(book, "refresh", "--timeout", "2", str(chapter)) == 1
    lines = capsys.readouterr().err.splitlines()
    assert f"chapters/02_second.ipynb, {sentence}" in lines[0]
    assert "more" not in lines[0]
    assert chapter.read_bytes() == before
    assert [path.name for path in chapter.parent.iterdir() if path.name.startswith(".")] == []


def test_an_interrupted_run_keeps_the_old_notebook(book: Project) -> None:
    chapter = book.chapters[1]
    cells = [new_code_cell("open('started', 'w').close(); import time; time.sleep(60)", id="a")]
    chapter.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=cells)), "utf-8")
    before = chapter.read_bytes()
    command_line = [sys.executable, "-m", "tools.book", "--root", str(book.root), "refresh", str(chapter)]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a test run in the background ignores Ctrl+C
    running = subprocess.Popen(command_line, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    try:
        started = chapter.parent / "started"
        for _ in range(300):
            if started.exists():
                break
            time.sleep(0.1)
        assert started.exists()
        running.send_signal(2)
        _, errors = running.communicate(timeout=30)
    finally:
        running.kill()
    assert running.returncode == 130
    assert "keeps its old outputs" in errors
    assert chapter.read_bytes() == before


@pytest.mark.parametrize("edited", ["02_second.ipynb", "../saliency_lib/__init__.py"])
def test_a_run_during_which_something_was_edited_is_not_kept(
    book: Project, capsys: pytest.CaptureFixture[str], edited: str
) -> None:
    chapter = book.chapters[1]
    source = f"import saliency_lib\nfrom pathlib import Path\np = Path('{edited}')\np.write_text(p.read_text() + '\\n')"
    cells = [new_code_cell(source, id="a")]
    chapter.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=cells)), "utf-8")
    before = chapter.read_bytes()
    assert run(book, "refresh", str(chapter)) == 1
    assert re.search(r"(02_second.ipynb|__init__.py) was edited while chapters/02_second", capsys.readouterr().err)
    assert chapter.read_bytes() == before + (b"\n" if edited == chapter.name else b"")
    assert stamps(book) == {}


def test_what_is_no_notebook_is_named(book: Project) -> None:
    book.chapters[0].write_text("{]")
    with pytest.raises(BookError, match=r"01_first\.ipynb is no notebook"):
        read(book.chapters[0])


def test_a_package_from_elsewhere_is_refused(book: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "elsewhere").mkdir()
    (book.root / "saliency_lib").rename(tmp_path / "elsewhere" / "saliency_lib")
    cells = [new_code_cell(f"import sys; sys.path.insert(0, {str(tmp_path / 'elsewhere')!r}); import saliency_lib")]
    write_notebook(book.chapters[1], cells)
    assert run(book, "refresh", str(book.chapters[1])) == 1
    assert "which is not this book's package" in capsys.readouterr().err


def test_a_widget_is_refused_unless_its_cell_runs_and_leaves_nothing(book: Project) -> None:
    widget = "import ipywidgets\nx = 3\nipywidgets.IntSlider()"
    cells = [new_code_cell(widget, id="a", metadata={"tags": ["live"]}), new_code_cell("x + 1", id="b")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    first, second = refresh.execute(book, book.chapters[1], notebook, 60)[0].cells
    assert first.outputs == []
    assert second.outputs[0].data["text/plain"] == "4"
    del cells[0].metadata["tags"]
    with pytest.raises(BookError, match=r"02_second\.ipynb, cell 1: shows a widget"):
        refresh.execute(book, book.chapters[1], notebook, 60)


def test_streams_cut_by_timing_are_joined() -> None:
    pieces = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in ("a\n", "b\n")]
    cell = new_code_cell("", id="a", outputs=pieces, metadata={"execution": {"iopub.status.busy": "1"}})
    result = tidy(nbformat.v4.new_notebook(cells=[cell]), Path("/nowhere")).cells[0]
    assert [output.text for output in result.outputs] == ["a\nb\n"]
    assert "execution" not in result.metadata


def test_sources_are_never_tidied() -> None:
    source = "'<object at 0x7f00aabbcc>'"
    notebook = nbformat.v4.new_notebook(cells=[new_code_cell(source, id="a")])
    assert tidy(notebook, Path("/nowhere")).cells[0].source == source
