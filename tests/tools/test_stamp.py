"""The stamp tells every change that matters, says which it was, and is blind to those that do not matter."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from tools import refresh
from tools.project import Project
from tools.stamp import KEY, WHY, digest, reasons, stamp, tree

Edit = Callable[[Path, str, str], None]


@pytest.fixture
def stamped(book: Project) -> Path:
    """A chapter stamped as if it had just been run."""
    path = book.chapters[0]
    notebook = refresh.read(path)
    notebook.metadata[KEY] = stamp(book, notebook)
    refresh.write(path, notebook)
    assert why(book, path) == []
    return path


def why(book: Project, path: Path) -> list[str]:
    """Why the chapter on disk is stale."""
    return reasons(book, refresh.read(path))


def test_never_run(book: Project) -> None:
    assert why(book, book.chapters[0]) == ["it was never run"]


def test_one_line_of_the_library(book: Project, stamped: Path, edit: Edit) -> None:
    edit(book.root / "saliency_lib" / "__init__.py", "2 * x", "x + x")
    assert why(book, stamped) == [WHY["library"]]


def test_a_new_file_of_the_library(book: Project, stamped: Path) -> None:
    (book.root / "saliency_lib" / "more").mkdir()
    (book.root / "saliency_lib" / "more" / "new.py").write_text("")
    assert why(book, stamped) == [WHY["library"]]


def test_the_data(book: Project, stamped: Path, edit: Edit) -> None:
    edit(book.root / "saliency_lib" / "data" / "names.tsv", "tench", "goldfish")
    assert why(book, stamped) == [WHY["data"]]


def test_a_pin_that_matters(book: Project, stamped: Path, edit: Edit) -> None:
    edit(book.root / "requirements.txt", "numpy==", "numpy==1")
    assert why(book, stamped) == [WHY["pins"]]


def test_a_pin_that_does_not(book: Project, stamped: Path, edit: Edit) -> None:
    edit(book.root / "requirements.txt", "ruff==", "ruff==1")
    assert why(book, stamped) == []


def test_a_code_cell(book: Project, stamped: Path, edit: Edit) -> None:
    edit(stamped, "double(2)", "double(3)")
    assert why(book, stamped) == [WHY["cells"]]


def test_a_tag_that_changes_what_running_does(book: Project, stamped: Path) -> None:
    notebook = refresh.read(stamped)
    notebook.cells[1].metadata["tags"] = ["live"]
    refresh.write(stamped, notebook)
    assert why(book, stamped) == [WHY["cells"]]


def test_prose_and_captions_need_no_run(book: Project, stamped: Path, edit: Edit) -> None:
    edit(stamped, "# Guide", "# A guide")
    edit(stamped, "A line through", "The line through")
    assert why(book, stamped) == []


def test_an_output_mended_by_hand(book: Project, stamped: Path) -> None:
    notebook = refresh.read(stamped)
    notebook.cells[5].outputs = [nbformat.v4.new_output("stream", text="5")]
    refresh.write(stamped, notebook)
    assert why(book, stamped) == [WHY["outputs"]]


def test_windows_line_endings_are_the_same(book: Project, stamped: Path) -> None:
    for path in (book.root / "saliency_lib").rglob("*.*"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    requirements = book.root / "requirements.txt"
    requirements.write_bytes(requirements.read_bytes().replace(b"\n", b"\r\n"))
    assert why(book, stamped) == []


def test_bytes_of_binary_data_are_never_normalized(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"\0a\r\n")
    before = tree(tmp_path, "*")
    (tmp_path / "weights.bin").write_bytes(b"\0a\n")
    assert tree(tmp_path, "*") != before


def test_caches_do_not_count_and_a_hidden_parent_does_not_hide(tmp_path: Path) -> None:
    root = tmp_path / ".hidden"
    (root / "__pycache__").mkdir(parents=True)
    empty = tree(root, "*")
    (root / "__pycache__" / "a.py").write_text("1")
    assert tree(root, "*") == empty
    (root / "a.py").write_text("1")
    assert tree(root, "*") != empty


def test_parts_do_not_run_into_each_other() -> None:
    assert digest(["ab", "c"]) != digest(["a", "bc"])
