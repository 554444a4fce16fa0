"""Evaluations through all that can come between: kills, a full disk, a folder that vanishes, a clock set back."""

import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from helpers import fork
from test_odd_data import build, image, run

import saliency_lib as sl
from saliency_lib.runs import records


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("data"), count=40)


@pytest.fixture(scope="module")
def expected(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, Any]]:
    """Results and table of an uninterrupted run."""
    out = tmp_path_factory.mktemp("whole") / "r.jsonl"
    table = run(data, out)
    return out.read_bytes(), table


def test_kills_at_random_moments(data: Path, expected: tuple[bytes, dict[str, Any]], tmp_path: Path) -> None:
    out, chance, before, open_ends = tmp_path / "r.jsonl", random.Random(1), set[bytes](), 0
    for number in range(8):
        pid = fork(lambda: run(data, out))
        time.sleep(chance.random() * 0.1 * (1 + number))
        os.kill(pid, chance.choice((signal.SIGKILL, signal.SIGTERM)))
        os.waitpid(pid, 0)
        whole = set(out.read_bytes().split(b"\n")[:-1]) if out.exists() else set()
        assert before <= whole  # nothing lost
        before, open_ends = whole, open_ends + (len(whole) < 40)
    assert open_ends >= 1
    assert run(data, out) == expected[1]
    assert out.read_bytes() == expected[0]


def test_a_folder_that_vanishes(
    data: Path, expected: tuple[bytes, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, aside = tmp_path / "results", tmp_path / "aside"
    folder.mkdir()
    append, calls = records.append, []

    def vanishing(path: Path, lines: Any) -> None:
        calls.append(path)
        if len(calls) == 3:
            folder.rename(aside)
        append(path, lines)

    with monkeypatch.context() as patch:
        patch.setattr(records, "append", vanishing)
        with pytest.raises(sl.SaliencyError, match="cannot be written"):
            run(data, folder / "r.jsonl")
    assert len((aside / "r.jsonl").read_bytes().splitlines()) == 4
    aside.rename(folder)
    assert run(data, folder / "r.jsonl") == expected[1]
    assert (folder / "r.jsonl").read_bytes() == expected[0]


def test_a_folder_of_images_that_vanishes(data: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(data, own)
    out = tmp_path / "r.jsonl"
    run(own, out, limit=4)
    kept = out.read_bytes()
    shutil.rmtree(own / "Data")
    with pytest.raises(sl.SaliencyError, match="not laid out as ILSVRC"):
        run(own, out)
    assert out.read_bytes() == kept
    assert not image(own, "val_0").exists()
