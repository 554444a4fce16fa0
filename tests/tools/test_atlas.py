"""An atlas goes on where it was broken off, publishes whole rounds, and says what two networks see in what is shown."""

import json
import os
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from PIL import Image

import saliency_lib as sl
from tools import atlas
from tools.project import ROOT

sys.path.insert(0, str(ROOT / "_ext"))

import atlas as page

SMALL = ["--model", "creature_convnet", "--size", "64", "--steps", "3", "--batch", "3", "--second", "creature_vit"]
NAMES = sl.load_model("creature_convnet").categories.names


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an atlas is published, in two rounds: even numbers and odd ones."""
    monkeypatch.setattr(atlas, "ROUNDS", [0, 1])
    monkeypatch.setattr(atlas, "NOISES", 3)
    monkeypatch.setattr(atlas, "PUBLISHED", tmp_path / "published")
    return tmp_path / "published"


def test_it_goes_on_where_it_was_broken_off(tmp_path: Path, shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "atlas"
    atlas.main([str(folder), *SMALL, "--limit", "4"])
    times = {path: path.stat().st_mtime_ns for path in folder.glob("*.png")}
    assert [int(path.stem) for path in sorted(times)] == [0, 2, 4, 6]
    (folder / "0008.part").touch()  # somebody else is at it
    (folder / "0001.part").touch()  # somebody was, an hour ago
    os.utime(folder / "0001.part", (0, 0))
    atlas.main([str(folder), *SMALL])
    assert "0 more" not in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert sorted(int(path.stem) for path in folder.glob("*.png")) == [0, 1, 2, 3, 4, 5, 6, 7, 9]
    atlas.main([str(folder), *SMALL, "--publish"])
    said = json.loads((shelf / "said.json").read_text("utf-8"))
    assert [tile["label"] for tile in said["tiles"]] == [0, 2, 4, 6]
    assert "4 of the 10 classes: every 2th, as far as number 6." in page.summary(said)[0]
    (folder / "0008.png").write_bytes((folder / "0006.png").read_bytes())
    (folder / "0005.png").unlink()
    atlas.main([str(folder), *SMALL, "--publish"])
    said = json.loads((shelf / "said.json").read_text("utf-8"))
    assert page.rule(said) == "1 of every 2, and another of every 2, as far as number 3"
    with pytest.raises(SystemExit, match="other settings"):
        atlas.main([str(folder), *SMALL, "--steps", "4"])


def test_a_tile_is_the_image_of_its_class_and_both_networks_are_asked_what_is_seen(tmp_path: Path, shelf: Path) -> None:
    atlas.main([str(tmp_path / "atlas"), *SMALL])
    atlas.main([str(tmp_path / "atlas"), *SMALL, "--publish"])
    said = json.loads((shelf / "said.json").read_text("utf-8"))
    sheet = Image.open(shelf / "sheet.webp").convert("RGB")
    assert sheet.size == (25 * 96, 96)
    model, second = sl.load_model("creature_convnet"), sl.load_model("creature_vit")
    settings = {"priors": atlas.priors(0.2), "start": "noise", "step_size": 0.06, "steps": 3, "size": 64}
    images = sl.class_image(model, list(NAMES), progress=False, **settings).image
    for label, tile in enumerate(said["tiles"]):
        cut = sheet.crop((96 * label, 0, 96 * label + 96, 96))
        assert tile["own"] == [
            [p.name, pytest.approx(p.probability, abs=0.006)] for p in model.top(model.to_tensor(cut), 2)[0]
        ]
        assert tile["second"][0] == second.top(second.to_tensor(cut), 1)[0][0].name
        apart = (sl.to_tensor(cut.resize((64, 64)), 64) - images).abs().flatten(1).mean(1)
        assert int(apart.argmin()) == label
    assert {len(names) for names in said["noise"].values()} == {3}


def test_the_page_and_the_poster_show_every_tile_with_its_names() -> None:
    said = page.read(ROOT)
    rows = page.rows_of(said)
    assert Image.open(ROOT / page.FOLDER / "sheet.webp").size == (25 * 96, 96 * rows)
    assert (ROOT / page.FOLDER / "sheet.webp").stat().st_size < 3e6
    last = said["tiles"][-1]
    shown = BeautifulSoup(page.card(last, page.place(len(said["tiles"]) - 1, rows)), "html.parser")
    assert shown.b.get_text() == last["name"]
    assert shown.i.get_text() == last["second"][0]
    assert shown.div["style"].endswith(" 100.000%")
    assert page.poster(said).count("<span>") == len(said["tiles"])
    right = sum(tile["second"][0] == tile["name"] for tile in said["tiles"])
    assert f"{right} of {len(said['tiles'])}" in page.summary(said)[-2]
