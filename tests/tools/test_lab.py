"""The lab in a real browser: its networks are the package's, and everybody can work its controls."""

import base64
import functools
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from browser import IN_A_BROWSER, Browser, executable, visit

import saliency_lib as sl
from tools.lab import lay
from tools.lab.creatures import drawings
from tools.lab.prepared import ALTS, TITLES
from tools.project import ROOT

CHROMIUM = executable()

pytestmark = IN_A_BROWSER

RULES = ("backprop", "deconvnet", "guided")
PAGE = """<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8"><title>Labs</title>
<script src="lab/view.js"></script>{places}</html>"""
READY = """new Promise((done) => {
  const places = [...document.querySelectorAll('.lab')], begun = Date.now();
  const look = () => {
    const waiting = places.find((place) => !place.dataset.state);
    if (!waiting || Date.now() - begun > 40000) return done(places.map((place) => place.dataset.state));
    waiting.scrollIntoView();
    setTimeout(look, 50);
  };
  look();
})"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A web host that says nothing."""

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with every small lab and nothing else."""
    site = tmp_path_factory.mktemp("lab")
    lay.lay(ROOT, site)
    places = "".join(f'<div class="lab" data-lab="{name}"></div>' for name in TITLES)
    (site / "page.html").write_text(PAGE.format(places=places), "utf-8")
    (site / "empty.html").write_text(PAGE.format(places="<p>No lab</p>"), "utf-8")
    return site


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all."""
    assert CHROMIUM
    with Browser(CHROMIUM) as running:
        yield running


@pytest.fixture(scope="module", params=["file", "http"])
def address(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """Where the folder is: opened from the disk, and served by a host of files."""
    if request.param == "file":
        yield folder.as_uri()
        return
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    """How far a is from b, as a share of b."""
    return ((a - b).norm() / b.norm()).item()


ANSWERS = """(async () => {
  const { network, drawings, names } = await lab.theCreatures();
  return drawings.map((image) => {
    const run = network.run(image);
    const two = [...run.scores.keys()].sort((i, j) => run.scores[j] - run.scores[i]).slice(0, 2);
    return { scores: [...run.scores], asked: two, maps: Object.fromEntries(['backprop', 'deconvnet', 'guided'].map(
      (rule) => [rule, two.map((c) => PACK(network.gradient(run, lab.cotangent(names.length, c), rule)))])) };
  });
})()"""
PACK = """((numbers) => {
  let text = '';
  for (const byte of new Uint8Array(numbers.buffer)) text += String.fromCharCode(byte);
  return btoa(text);
})"""


def unpack(text: str) -> torch.Tensor:
    """The numbers that `PACK` made a text of."""
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.float32)


CONTROLS = """(() => {
  const all = document.querySelectorAll('[data-lab=%s] :is(select, button:not(:disabled), canvas[tabindex], input)');
  const stops = [...all].filter((control) => control.type !== 'radio' || control.checked);
  return stops.filter((control) => control.checkVisibility()).length;
})()"""
TIMED = """(async () => {
  const { network, drawings } = await lab.theCreatures();
  const passes = [0, 1, 2, 3].map(() => {
    const begun = performance.now();
    network.gradient(network.run(drawings[0]), lab.cotangent(10, 0));
    return Math.round(performance.now() - begun);
  });
  const slowest = { once: passes.sort((a, b) => a - b)[2] };
  for (const place of document.querySelectorAll('.lab')) {
    slowest[place.dataset.lab] = 0;
    for (const control of place.querySelectorAll('select, input')) {
      const begun = performance.now();
      if (control.type === 'radio' || control.type === 'checkbox') control.click();
      else if (control.type === 'range') {
        control.value = (Number(control.min) + 3 * Number(control.max)) / 4;
        control.dispatchEvent(new Event('input', { bubbles: true }));
      } else {
        control.selectedIndex = (control.selectedIndex + 1) % control.options.length;
        control.dispatchEvent(new Event('change', { bubbles: true }));
      }
      slowest[place.dataset.lab] = Math.max(slowest[place.dataset.lab], Math.round(performance.now() - begun));
    }
  }
  return slowest;
})()"""


def press(browser: Browser, key: str) -> None:
    """Press a key and let it go."""
    code = {"Tab": 9, "Enter": 13}[key]
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)


def walk(browser: Browser, name: str) -> int:
    """How many controls of a lab the tab key reaches, beginning at its first."""
    lab = f"document.querySelector('[data-lab={name}]')"
    browser.evaluate(f"{lab}.querySelector('select').focus()")
    reached = 0
    while browser.evaluate(f"{lab}.contains(document.activeElement)"):
        reached += 1
        press(browser, "Tab")
    return reached


def test_the_small_network_is_the_package_s(browser: Browser, address: str) -> None:
    browser.look()
    seen = browser.open(f"{address}/page.html")
    assert browser.evaluate(READY) == ["ready"] * len(TITLES)
    answers = browser.evaluate(ANSWERS.replace("PACK", PACK))
    model = sl.load_model("creature_convnet").to("cpu")
    worst = dict.fromkeys(("scores", *RULES), 0.0)
    for image, answer in zip(drawings().split(1), answers, strict=True):
        scores = model(image)[0]
        assert answer["asked"] == scores.topk(2).indices.tolist()
        worst["scores"] = max(worst["scores"], relative(torch.tensor(answer["scores"]), scores))
        for rule in RULES:
            for target, found in zip(answer["asked"], answer["maps"][rule], strict=True):
                w = sl.input_gradient(model, image, target, rule=rule).flatten()
                worst[rule] = max(worst[rule], relative(unpack(found), w))
    print(f"\nsmall network, {address[:4]}, relative L2: {worst}")
    assert max(worst.values()) < 1e-5
    asked = [*seen.requests, *visit(browser.events).requests]
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


def test_a_page_whose_labs_are_not_seen_loads_no_network(browser: Browser, folder: Path) -> None:
    browser.look()
    loaded = browser.open((folder / "empty.html").as_uri()).requests
    assert [Path(url).name for url in loaded] == ["empty.html", "view.js"]


def test_every_control_is_worked_by_keys_and_answers_at_once(browser: Browser, folder: Path) -> None:
    browser.look()
    browser.open((folder / "page.html").as_uri())
    browser.evaluate(READY)
    for name in TITLES:
        reached = walk(browser, name)
        assert reached == browser.evaluate(CONTROLS % name), name
    slowest = browser.evaluate(TIMED)
    print(f"\nslowest answer of each lab, ms: {slowest}")
    once = slowest.pop("once")
    assert max(slowest.values()) < 5 * once  # in passes forward and back, of which one takes 20 to 60 ms


def test_guess_forecast_and_fact(browser: Browser, folder: Path) -> None:
    browser.look()
    browser.open((folder / "page.html").as_uri())
    browser.evaluate(READY)
    cover = "document.querySelector('[data-lab=cover]')"
    assert browser.evaluate(f"{cover}.querySelector('.lab-bars').hidden")
    browser.evaluate(f"{cover}.querySelector('canvas').focus()")
    press(browser, "Enter")
    browser.evaluate(f"{cover}.querySelector('.lab-guess button').click()")
    said = browser.evaluate(f"{cover}.querySelector('.lab-guess [role=status]').textContent")
    numbers = [float(part.strip(".:").replace("−", "-")) for part in said.split() if part[-2:-1].isdigit()]
    before, after, change, forecast = numbers
    model, image = sl.load_model("creature_convnet").to("cpu"), drawings()[1:2]
    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    covered = torch.where((x - 32) ** 2 + (y - 32) ** 2 <= 25, 0.5, image)
    w = sl.input_gradient(model, image, 1)
    assert before == pytest.approx(model(image)[0, 1].item(), abs=0.006)
    assert after == pytest.approx(model(covered)[0, 1].item(), abs=0.006)
    assert change == pytest.approx(after - before, abs=0.02)
    assert forecast == pytest.approx((w * (covered - image)).sum().item(), abs=0.006)


def test_without_scripts_the_prepared_picture_is_seen(browser: Browser, folder: Path) -> None:
    place = f'<div class="lab" data-lab="box"><img src="lab/box.webp" alt="{ALTS["box"]}"></div>'
    (folder / "plain.html").write_text(PAGE.format(places=place), "utf-8")
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.events.clear()
    browser.call("Page.navigate", url=(folder / "plain.html").as_uri())
    time.sleep(1)
    seen = browser.evaluate("document.images[0].naturalWidth")
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert seen > 300
    assert "lab.js" not in [Path(url).name for url in visit(browser.events).requests]
