"""The pictures by which the book is met are what the network answers now, and light."""

import json

import numpy as np
import pytest
from PIL import Image

from tools import landing


def test_the_first_page_s_figure_is_what_its_tool_computes() -> None:
    pictures, said = landing.figure()
    committed = json.loads((landing.FOLDER / "figure.json").read_text("utf-8"))
    assert {path.stem for path in landing.FOLDER.glob("*.webp")} == set(pictures)
    assert (committed["photo"], committed["asked"]) == (said["photo"], said["asked"])
    for rule in landing.RULES:
        assert said[rule] == pytest.approx(committed[rule], abs=0.005)
    # What the page's first sentence says.
    assert committed["guided"][0] > 0.98 > 0.6 > committed["gradient"][1]


def test_the_committed_cover_is_what_the_package_computes() -> None:
    committed, computed = Image.open(landing.COVER), landing.cover()
    assert landing.COVER.stat().st_size < 200_000
    assert committed.size == computed.size
    # Lossy compression changes single pixels of so fine a texture, and hardly any mean of 8 by 8.
    small, also_small = (np.asarray(picture.convert("RGB").reduce(8), float) for picture in (committed, computed))
    assert np.abs(small - also_small).mean() < 2
