"""The frame player in a real browser: it plays, pauses, follows the slider, and does what the reader asks of it."""

from typing import Any

import pytest
from browser import IN_A_BROWSER, Browser
from PIL import Image

from saliency_lib import widgets

pytestmark = IN_A_BROWSER

STATE = """(() => {
  const player = document.querySelector('.frame-player'), slider = player.querySelector('input');
  const frames = [...player.querySelectorAll('.frame')];
  return {
    frame: frames.findIndex((frame) => frame.checkVisibility()),
    shown: frames.filter((frame) => frame.checkVisibility()).map((frame) => frame.dataset.label),
    value: +slider.value, spoken: slider.getAttribute('aria-valuetext'),
    label: player.querySelector('.label').textContent, button: player.querySelector('button').textContent,
    live: player.querySelectorAll('output, [aria-live], [role=status]').length,
    width: frames[1].querySelector('img').clientWidth,
  };
})()"""


@pytest.fixture(scope="module", autouse=True)
def shown(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A page with a player of four frames and nothing else."""
    pictures = [Image.new("RGB", (240, 40), (60 * i, 0, 0)) for i in range(4)]
    player = widgets.frame_player(pictures, ["one", "two", "three", "four"], name="shade", alt="a red card")
    page = tmp_path_factory.mktemp("player") / "page.html"
    page.write_text(f"<!doctype html><title>A player</title>{player.html}", "utf-8")
    browser.look()
    browser.open(page.as_uri())


def state(browser: Browser) -> dict[str, Any]:
    """What the player shows and says."""
    return browser.evaluate(STATE)


def press(browser: Browser) -> None:
    """Press the player's button."""
    browser.evaluate("document.querySelector('.frame-player button').click()")


def wait(browser: Browser, condition: str) -> None:
    """Wait until a condition holds in the page, or half a minute."""
    browser.evaluate(
        f"new Promise((done) => {{ const start = Date.now(), look = () => ({condition}) || Date.now() - start > 30000"
        " ? done() : setTimeout(look, 50); look(); })"
    )


def test_it_opens_in_the_middle_at_its_own_size(browser: Browser) -> None:
    found = state(browser)
    assert (found["shown"], found["label"], found["spoken"], found["button"]) == (["two"], "two", "two", "Play")
    assert found["width"] == 240
    assert found["live"] == 0


def test_it_plays_once_and_stops_where_it_began(browser: Browser) -> None:
    press(browser)
    assert state(browser)["button"] == "Pause"
    wait(browser, "document.querySelector('.frame-player .label').textContent == 'four'")
    assert state(browser)["spoken"] == "four"
    wait(browser, "document.querySelector('.frame-player button').textContent == 'Play'")
    assert (state(browser)["shown"], state(browser)["button"]) == (["two"], "Play")


def test_a_hand_on_the_slider_stops_it(browser: Browser) -> None:
    press(browser)
    browser.evaluate("document.querySelector('.frame-player input').focus()")
    browser.press("ArrowRight")
    found = state(browser)
    assert (found["shown"], found["value"], found["spoken"], found["button"]) == (["three"], 2, "three", "Play")


def test_less_motion_is_one_frame_at_a_press(browser: Browser) -> None:
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    before = state(browser)["frame"]
    press(browser)
    assert state(browser)["frame"] == (before + 1) % 4
    assert state(browser)["button"] == "Play"


def test_on_paper_it_shows_the_first_the_opening_and_the_last_frame(browser: Browser) -> None:
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert state(browser)["shown"] == ["one", "two", "four"]
    assert not browser.evaluate("document.querySelector('.frame-player button').checkVisibility()")
