"""`make figures`: every figure of the book as a file, and a sheet that shows them all."""

import re
from pathlib import Path

from tools.course import figures
from tools.project import ROOT, Project


def test_the_sheet_calls_each_figure_by_its_number_and_its_file(tmp_path: Path) -> None:
    for name in ("_config.yml", "_toc.yml", "chapters", "reference", "intro.md", "lab.md", "atlas.md"):
        (tmp_path / name).symlink_to(ROOT / name)
    folder = figures.write(Project(tmp_path))
    sheet = (folder / "index.html").read_text("utf-8")
    told = re.findall(r'<img src="([^"]+)" alt="[^"]{20,}"><br>Figure \d+\.\d+: ([^<]+)</li>', sheet)
    assert len(told) == sheet.count("<li>") > 50
    assert {name for pair in told for name in pair} == {
        path.name for path in folder.iterdir() if path.stem[:4] == "fig-"
    }
    assert "*" not in re.sub(r"<style>.*</style>", "", sheet, flags=re.DOTALL)
