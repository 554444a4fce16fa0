"""The stamp tells every change that matters, says which it was, and is blind to those that do not matter."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from conftest import LIBRARY, write_notebook

from tools.project import Project
from tools.stamp import WHY, digest, file, reasons, record, stamp, stamps
from tools.tidy import dumps, read

Edit = Callable[[Path, str, str], None]
USED = ["data/names.tsv", "saliency_lib/__init__.py", "saliency_lib/names.py"]


@pytest.fixture
def stamped(book: Project) -> Path:
    """The first chapter, stamped as if it had just been run and had used `USED`."""
    path = book.chapters[0]
    record(book, path, stamp(book, read(path), USED, ["numpy", "numpy-of-others"]))
    assert why(book) == []
    return path


def why(book: Project) -> list[str]:
    """Why the first chapter on disk is stale."""
    return reasons(book, book.chapters[0], read(book.chapters[0]))


def test_never_run(book: Project) -> None:
    assert why(book) == ["it was never run"]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("saliency_lib/__init__.py", "2 * x", "x + x"),
        ("saliency_lib/names.py", "FILE.read_text()", "FILE.read_text('utf-8')"),
        ("saliency_lib/names.py", "split()", "split()("),
        ("data/names.tsv", "tench", "goldfish"),
    ],
)
@pytest.mark.usefixtures("stamped")
def test_a_used_file_is_named(book: Project, edit: Edit, name: str, old: str, new: str) -> None:
    edit(book.root / name, old, new)
    assert why(book) == [f"{name} changed"]


@pytest.mark.usefixtures("stamped")
def test_files_that_are_gone_are_counted(book: Project) -> None:
    for name in USED[1:]:
        (book.root / name).unlink()
    assert why(book) == [f"{USED[1]} and 1 more of its files changed"]


@pytest.mark.usefixtures("stamped")
def test_comments_docstrings_and_layout_are_not_code(book: Project, edit: Edit) -> None:
    library = book.root / "saliency_lib" / "__init__.py"
    edit(library, "A library", "The library")
    edit(library, "Twice", "Two times")
    edit(library, "# exactly", "# in binary")
    edit(library, "2 * x", "(2\n        * x)")
    assert why(book) == []


@pytest.mark.usefixtures("stamped")
def test_files_that_were_not_used_and_new_ones(book: Project, edit: Edit) -> None:
    edit(book.root / "saliency_lib" / "cli.py", "print", "repr")
    edit(book.root / "data" / "photos.json", "{}", "[]")
    for name in ("saliency_lib/new.py", "data/new.tsv", "data/README.md"):
        (book.root / name).write_text("1\n")
    assert why(book) == []


@pytest.mark.usefixtures("stamped")
@pytest.mark.parametrize(("name", "expected"), [("numpy", [WHY["pins"]]), ("captum", []), ("six", [])])
def test_the_pins_of_what_was_loaded(book: Project, edit: Edit, name: str, expected: list[str]) -> None:
    edit(book.root / "requirements.txt", f"\n{name}==", f"\n{name}==1")
    assert why(book) == expected


def test_a_code_cell(book: Project, stamped: Path, edit: Edit) -> None:
    edit(stamped, "double(2)", "double(3)")
    assert why(book) == [WHY["cells"]]


def test_a_tag_that_changes_what_running_does(book: Project, stamped: Path) -> None:
    notebook = read(stamped)
    notebook.cells[1].metadata["tags"] = ["live"]
    stamped.write_text(dumps(notebook))
    assert why(book) == [WHY["cells"]]


def test_prose_and_captions_need_no_run(book: Project, stamped: Path, edit: Edit) -> None:
    edit(stamped, "# Guide", "# A guide")
    edit(stamped, "A line through", "The line through")
    assert why(book) == []


def test_an_output_mended_by_hand(book: Project, stamped: Path) -> None:
    notebook = read(stamped)
    notebook.cells[5].outputs = [nbformat.v4.new_output("stream", text="5")]
    stamped.write_text(dumps(notebook))
    assert why(book) == [WHY["outputs"]]


@pytest.mark.usefixtures("stamped")
def test_windows_line_endings_are_the_same(book: Project) -> None:
    for path in [book.root / "requirements.txt", *(book.root / name for name in LIBRARY)]:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert why(book) == []


def test_bytes_of_binary_data_are_never_normalized(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"\0a\r\n")
    before = file(tmp_path / "weights.bin")
    (tmp_path / "weights.bin").write_bytes(b"\0a\n")
    assert file(tmp_path / "weights.bin") != before


def test_stamps_of_chapters_that_are_gone_go_too(book: Project, stamped: Path) -> None:
    write_notebook(book.root / "chapters" / "03_gone.ipynb", [])
    record(book, book.root / "chapters" / "03_gone.ipynb", {})
    assert list(stamps(book)) == [stamped.name]


def test_parts_do_not_run_into_each_other() -> None:
    assert digest(["ab", "c"]) != digest(["a", "bc"])
