"""The README: its lines run and draw what it shows, and a package index shows it with whole addresses."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools.project import ROOT, Project

README = (ROOT / "README.md").read_text("utf-8")
SETUP = runpy.run_path(str(ROOT / "setup.py"))
TARGET = re.compile(r"\]\(([^)\s]+)\)")


def test_its_lines_draw_the_picture_below_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [code] = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    shown = TARGET.findall(README[README.index(code) :])[1]
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    drawn, expected = (Image.open(path).convert("RGB").resize((56, 56)) for path in ("map.png", ROOT / shown))
    assert np.abs(np.asarray(drawn, float) - np.asarray(expected, float)).mean() < 4


def test_an_index_is_told_whole_addresses_of_files_that_are_there() -> None:
    project = Project()
    at = f"v{SETUP['version']()}"
    before = TARGET.findall(README)
    after = TARGET.findall(SETUP["described"](README, SETUP["repository"](), at))
    assert SETUP["repository"]() == project.repository
    for old, new in zip(before, after, strict=True):
        if "://" in old:
            assert new == old
        else:
            assert (ROOT / old).exists()
            assert new in (f"{project.repository}/{kind}/{at}/{old}" for kind in ("raw", "blob"))
    assert [new for new in after if new.endswith(".webp") and "/raw/" not in new] == []
