"""What takes minutes is kept: read where function and settings are those of the file, computed where they are not."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import saliency_lib as sl
from saliency_lib.errors import SaliencyError
from saliency_lib.runs import stored as results
from tools.project import ROOT, Project
from tools.tidy import read

STORED = re.compile(r'sl\.stored\(\s*"(\w+)",\s*(\w+)')
CALLS: list[dict[str, Any]] = []


def squares(numbers: list[int]) -> dict[str, int]:
    CALLS.append({"numbers": numbers})
    # a comment is no code
    return {str(n): n * n for n in numbers}


def tinted(side: int) -> dict[str, torch.Tensor]:
    """Five pictures, so that a sheet of four columns has a second row."""
    levels = torch.linspace(0.1, 0.9, 5)
    return {f"level {i}": torch.full((3, side, side), level.item()) for i, level in enumerate(levels)}


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(results, "folder", lambda: tmp_path)
    monkeypatch.delenv("SALIENCY_STORE", raising=False)
    monkeypatch.delenv("SALIENCY_STATIC", raising=False)
    CALLS.clear()
    return tmp_path


def keep(monkeypatch: pytest.MonkeyPatch, *arguments: Any, **settings: Any) -> None:
    with monkeypatch.context() as during:
        during.setenv("SALIENCY_STORE", "1")
        sl.stored(*arguments, **settings)


def test_what_is_kept_is_read_and_another_setting_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(monkeypatch, "squares", squares, numbers=(1, 2))
    assert len(CALLS) == 1
    assert sl.stored("squares", squares, numbers=[1, 2]) == {"1": 1, "2": 4}
    assert len(CALLS) == 1
    assert sl.stored("squares", squares, numbers=[3]) == {"3": 9}
    assert sl.stored("never kept", squares, numbers=[4]) == {"4": 16}
    assert len(CALLS) == 3


def test_another_function_is_not_taken_for_the_one_whose_result_is_kept(kept: Path, monkeypatch: Any) -> None:
    keep(monkeypatch, "squares", squares, numbers=[2])
    told = json.loads((kept / "squares.json").read_text("utf-8"))
    (kept / "squares.json").write_text(json.dumps(told | {"function": "another", "numbers": {"2": 5}}), "utf-8")
    assert sl.stored("squares", squares, numbers=[2]) == {"2": 4}
    monkeypatch.setenv("SALIENCY_STATIC", "1")
    with pytest.raises(SaliencyError, match=r"squares\.json is of another function or setting"):
        sl.stored("squares", squares, numbers=[2])


def test_layout_and_comments_are_not_code() -> None:
    sources = "def f(a, b):\n    return a\n", "def f(\n    a,\n    b,\n):\n    # why\n    return a\n", "def f(a): ..."
    prints = [results.fingerprint(source) for source in sources]
    assert prints[0] == prints[1] != prints[2]


def test_pictures_come_back_in_their_order_within_the_rounding_of_a_jpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(monkeypatch, "tinted", tinted, side=16)
    found, true = sl.stored("tinted", tinted, side=16), tinted(16)
    assert list(found) == list(true)
    for name, picture in true.items():
        torch.testing.assert_close(found[name], picture, rtol=0, atol=2 / 255)


def test_a_chapter_that_stores_nothing_yet_and_pictures_of_two_sizes_are_refused(monkeypatch: Any) -> None:
    with pytest.raises(SaliencyError, match="square"):
        keep(monkeypatch, "wide", lambda: {"wide": torch.zeros(3, 4, 8)})
    monkeypatch.setenv("SALIENCY_STATIC", "1")
    with pytest.raises(SaliencyError, match="store"):
        sl.stored("squares", squares, numbers=[1])


def test_what_the_book_keeps_is_small_and_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(sl.__file__).parent.parent / "data" / "results"
    assert [*folder.glob("*.json")]
    for path in folder.iterdir():
        # Fourteen pictures of grain are 436 kB: no JPEG makes noise smaller and keeps it.
        assert path.stat().st_size < (450_000 if path.name == "class_rungs.jpg" else 300_000)
    for path in folder.glob("*.json"):
        told = json.loads(path.read_text("utf-8"))
        assert set(told) == {"function", "settings", "numbers", "pictures"}
        assert bool(told["numbers"]) != bool(told["pictures"]) == path.with_suffix(".jpg").exists()


@pytest.mark.parametrize("chapter", Project(ROOT).chapters, ids=lambda path: path.stem)
def test_what_a_chapter_reads_was_computed_by_the_function_that_it_shows(chapter: Path) -> None:
    sources: dict[str, str] = {}
    for cell in read(chapter).cells:
        lines = cell.source.splitlines()
        for node in ast.walk(ast.parse(cell.source)) if cell.cell_type == "code" else ():
            if isinstance(node, ast.FunctionDef):
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                sources[node.name] = "\n".join(lines[first - 1 : node.end_lineno])
        for name, shown in STORED.findall(cell.source if cell.cell_type == "code" else ""):
            told = json.loads((ROOT / "data" / "results" / f"{name}.json").read_text("utf-8"))
            assert told["function"] == results.fingerprint(sources[shown])
