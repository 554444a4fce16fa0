"""An atlas goes on where it was broken off, shows every class once, and says what its networks say."""

import json
import re
from pathlib import Path

import pytest
import torch
from PIL import Image

import saliency_lib as sl
from tools import atlas

SMALL = ["--model", "creature_convnet", "--size", "64", "--steps", "3", "--batch", "3"]


def test_it_goes_on_where_it_was_broken_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    atlas.main([str(tmp_path), *SMALL, "--limit", "4"])
    lines = tmp_path / "atlas.jsonl"
    assert len(lines.read_text("utf-8").splitlines()) == 4
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "tiles").iterdir()}
    lines.write_text(lines.read_text("utf-8")[:-20], "utf-8")  # a kill cut the fourth line short
    (tmp_path / "tiles" / "0001.webp").unlink()  # and somebody lost a picture
    atlas.main([str(tmp_path), *SMALL])
    assert "10 of 10" in capsys.readouterr().out
    kept = {0, 2}
    for path, time in times.items():
        assert (path.stat().st_mtime_ns == time) == (int(path.stem) in kept)
    page = (tmp_path / "index.html").read_text("utf-8")
    assert tuple(re.findall(r"<b>(\w+)</b>", page)) == sl.load_model("creature_convnet").categories.names
    assert Image.open(tmp_path / "sheet.webp").size == (25 * 96, 96)
    assert "10 of 10 classes" in page
    with pytest.raises(SystemExit, match="other settings"):
        atlas.main([str(tmp_path), *SMALL[:-3], "4"])


def test_a_tile_is_the_image_of_its_class_and_is_named_by_both_networks(tmp_path: Path) -> None:
    atlas.main([str(tmp_path), *SMALL, "--limit", "2", "--second", "creature_vit"])
    model, second = sl.load_model("creature_convnet"), sl.load_model("creature_vit")
    settings = {"priors": "recommended", "steps": 3, "size": 64, "seed": 0, "progress": False}
    image = sl.class_image(model, [0, 1], **settings).image
    records = [json.loads(line) for line in (tmp_path / "atlas.jsonl").read_text("utf-8").splitlines()]
    for label, record in enumerate(records):
        assert record["own"] == [
            [p.name, pytest.approx(p.score, abs=0.02)] for p in model.top(image[label : label + 1], 2)[0]
        ]
        assert record["second"] == [second.top(image[label : label + 1], 1)[0][0].name]
        tile = sl.to_tensor(Image.open(tmp_path / "tiles" / f"{label:04d}.webp").resize((64, 64)), 64)
        assert (tile - image[label]).abs().mean() < (tile - image[1 - label]).abs().mean()
    assert torch.isfinite(image).all()
