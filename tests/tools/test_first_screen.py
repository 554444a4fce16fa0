"""The first screen: its numbers are computed, nothing is loaded before a touch, and no stroke is lost."""

import json

import pytest
from browser import Browser, in_a_browser, served, visit

from tools import first_screen
from tools.landing import FOLDER
from tools.project import Project

LOADED = """new Promise((done) => {
  const place = document.querySelector('.lab.first');
  const look = () => (place.dataset.state ? done(place.dataset.state) : setTimeout(look, 30));
  look();
})"""


def test_what_the_first_screen_says_is_what_the_package_computes() -> None:
    pictures, said = first_screen.figures()
    committed = json.loads((FOLDER.parent / "first" / "said.json").read_text("utf-8"))
    assert {path.stem for path in (FOLDER.parent / "first").glob("*.webp")} == set(pictures)
    assert said["drawing"] == [[name, pytest.approx(s, abs=0.11), c] for name, s, c in committed["drawing"]]
    for ours, theirs in zip(said["eyes"], committed["eyes"], strict=True):
        assert ours == [theirs[0], *(pytest.approx(value, abs=0.02) for value in theirs[1:])]
        assert ours[2] > ours[1]  # the card says that both scores rise
    assert said["cover"] == committed["cover"] == "0p202e.0p512u"
    assert said["missile"] == pytest.approx(committed["missile"], abs=0.005)
    assert said["shuffled"] == pytest.approx(committed["shuffled"], abs=0.01)
    assert said["shuffled"]["guided"] > 0.8 > 0.7 > said["shuffled"]["backprop"]
    assert said["tree"] == pytest.approx(committed["tree"], abs=0.02)
    assert said["tree"]["companion_convnet"] > 0.9 > 0.6 > said["tree"]["companion_convnet_shortcut"]


@in_a_browser
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_loaded_before_a_touch_and_what_was_drawn_meanwhile_is_kept(
    browser: Browser, real_site: Project, width: int
) -> None:
    place = "document.querySelector('.lab.first')"
    with served(real_site.site) as address:
        browser.look(width, 800)
        seen = browser.open(f"{address}/intro.html")
        scripts = [url.rpartition("/")[2] for url in seen.requests if "/lab/" in url]
        assert scripts == ["lab.css", "view.js"]
        assert browser.evaluate(f"{place}.getBoundingClientRect().top") < 400
        where = f"[{place}.querySelector('.lab-picture').getBoundingClientRect().top, {place}.offsetHeight]"
        top, height = browser.evaluate(where)
        drawn = f"""(() => {{
          const sheet = {place}.querySelector('img'), box = sheet.getBoundingClientRect();
          for (const [type, share] of [['pointerdown', 0.2], ['pointermove', 0.8]]) {{
            sheet.dispatchEvent(new PointerEvent(type, {{ bubbles: true, buttons: 1, button: 0,
              clientX: box.left + share * box.width, clientY: box.top + 0.9 * box.height }}));
          }}
        }})()"""
        browser.evaluate(drawn)
        assert browser.evaluate(LOADED) == "ready"
        browser.evaluate("new Promise((done) => setTimeout(done, 400))")
        red = """[...document.querySelector('.lab.first canvas').getContext('2d')
          .getImageData(32, 57, 1, 1).data].slice(0, 3)"""
        assert browser.evaluate(red) == [232, 69, 44]
        # Nothing moves: the sheet stays under the hand, and the controls had their room.
        assert browser.evaluate(where) == pytest.approx([top, height], abs=2)
        assert visit(browser.events).errors == []
        assert [url for url in visit(browser.events).requests if not url.startswith((address, "data:", "blob:"))] == []


@in_a_browser
def test_the_button_leads_to_the_sheet_by_keys(browser: Browser, real_site: Project) -> None:
    browser.look()
    browser.open(f"{real_site.site.as_uri()}/intro.html")
    browser.evaluate("document.querySelector('.lab.first button.main').focus()")
    assert browser.evaluate(LOADED) == "ready"
    assert browser.evaluate("document.activeElement.tagName") == "CANVAS"
    browser.press("Enter")
    ways = "[...document.querySelectorAll('.start a, a.surprise')].map((link) => link.getAttribute('href'))"
    links = browser.evaluate(ways)
    assert len(links) == 7
    assert [link for link in links if not (real_site.site / link.partition("#")[0]).is_file()] == []


@in_a_browser
def test_a_card_opens_a_lab_that_is_set_up(browser: Browser, real_site: Project) -> None:
    browser.look()
    browser.open(f"{real_site.site.as_uri()}/lab.html#lab-rules&rule=guided&shuffle=2,3,4")
    ready = """new Promise((done) => {
      const place = document.getElementById('lab-rules');
      const said = () => done([place.dataset.state, place.querySelector('input:checked').value,
        place.querySelectorAll('.ticks input:checked').length, Math.abs(place.getBoundingClientRect().top) < 200]);
      const look = () => setTimeout(place.dataset.state ? said : look, 1000);  // what stands above may still grow
      look();
    })"""
    assert browser.evaluate(ready) == ["ready", "guided", 3, True]
