"""Numbers of stored studies in the text: how they are written, and what becomes of a name that nobody stored."""

import json
import re
from pathlib import Path

import pytest

from tools.colab import notebooks
from tools.project import ROOT, BookError, Project
from tools.studies import FILE, spoken

OWN = {
    "n": 60,
    "mean": 0.3141,
    "interval": [0.2718, 0.3504],
    "null": 0.4142,
    "difference": [-0.1001, -0.1312, -0.0698],
    "against": 0.233,
    "verdict": "holds",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    few = {"confirm": OWN | {"n": 9}, "all": OWN | {"n": 18}}
    networks = {"efficientnet_lite0": {"confirm": OWN, "all": OWN | {"n": 120}}, "efficientnet_lite1": few}
    (tmp_path / "data").mkdir()
    (tmp_path / FILE).write_text(json.dumps({"edges-win": {"networks": networks}}))
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("edges-win", "0.31 [0.27, 0.35] on 60 photographs (null 0.41)"),
        ("edges-win:mean", "0.31 [0.27, 0.35] on 60 photographs (null 0.41)"),
        ("edges-win:%", "31 % [27, 35] on 60 photographs (null 41 %)"),
        ("edges-win:difference", "−0.10 [−0.13, −0.07] on 60 photographs"),
        ("edges-win:value", "0.31"),
        ("edges-win:value%", "31 %"),
        ("edges-win:interval", "[0.27, 0.35]"),
        ("edges-win:null", "0.41"),
        ("edges-win:n", "60"),
        ("edges-win:against", "23 %"),
        ("edges-win:verdict", "holds"),
        ("edges-win:n@lite1", "18"),
        ("edges-win:n@efficientnet_lite1", "18"),
    ],
)
def test_a_number_is_said_with_the_digits_that_its_interval_allows(root: Path, asked: str, said: str) -> None:
    assert spoken(root, asked) == said


@pytest.mark.parametrize("asked", ["edges-lose", "edges-win:median", "edges-win:n@lite2", "edges-win:n@vgg16"])
def test_what_is_not_stored_is_an_error(root: Path, asked: str) -> None:
    with pytest.raises(BookError, match=re.escape(FILE.as_posix())):
        spoken(root, asked)


@pytest.mark.parametrize("name", json.loads((ROOT / FILE).read_text("utf-8")))
def test_every_stored_study_can_be_told(name: str) -> None:
    assert re.fullmatch(r"−?[\d.]+ \[−?[\d.]+, −?[\d.]+\] on \d+ \w+ \(null −?[\d.]+\)", spoken(ROOT, name))
    assert " on " in spoken(ROOT, f"{name}:difference")


def test_the_copies_for_colab_say_the_same(book: Project) -> None:
    (book.root / FILE).write_text(json.dumps({"edges-win": {"networks": {"efficientnet_lite0": {"confirm": OWN}}}}))
    chapter = book.chapters[0]
    text = chapter.read_text("utf-8")
    chapter.write_text(text.replace("# Guide", "# Guide\\n\\nAll in all {study}`edges-win:value`.", 1), "utf-8")
    copy = next(text for path, text in notebooks(book).items() if path.name == chapter.name)
    assert "All in all 0.31." in copy


def test_the_site_says_it_and_warns_of_what_is_not_there(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from io import StringIO

    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace

    monkeypatch.syspath_prepend(str(ROOT / "_ext"))
    (root / "index.md").write_text("# Page\n\nIt is {study}`edges-win:value`, and {study}`edges-lose`.\n")
    warnings = StringIO()
    with docutils_namespace():
        settings = {"extensions": ["myst_parser", "study"]}
        app = Sphinx(root, None, root / "out", root / "trees", "html", settings, status=None, warning=warnings)
        app.build()
    assert '<span class="study">0.31</span>' in (root / "out" / "index.html").read_text("utf-8")
    (line,) = warnings.getvalue().strip().splitlines()
    assert "index.md:3" in line
    assert "no study edges-lose" in line
