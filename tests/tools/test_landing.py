"""The figure on the first page says what the network answers."""

import json

import pytest

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
