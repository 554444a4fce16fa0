"""The labs with small networks in a real browser: these are the package's, and everybody can work the controls."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from browser import IN_A_BROWSER, MOVED, Browser, served, visit
from lab_pages import CONTROLS, PACK, PAGE, READY, relative, unpack, walk

import saliency_lib as sl
from tools.lab.creatures import drawings
from tools.lab.titles import ALTS, TITLES
from tools.project import Project

pytestmark = IN_A_BROWSER

FROM_A_DISK = pytest.mark.parametrize("address", ["file"], indirect=True)
SMALL = [name for name in TITLES if name != "photo"]
RULES = ("backprop", "deconvnet", "guided")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, real_site: Project) -> Path:
    """A page with every small lab, and one with none."""
    site = tmp_path_factory.mktemp("lab")
    (site / "lab").symlink_to(real_site.site / "lab")
    places = "".join(f'<div class="lab" data-lab="{name}"></div>' for name in SMALL)
    (site / "page.html").write_text(PAGE.format(places=places), "utf-8")
    (site / "empty.html").write_text(PAGE.format(places="<p>No lab</p>"), "utf-8")
    return site


@pytest.fixture(scope="module", params=["file", "http"])
def address(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """Where the folder is: opened from the disk, and served by a host of files."""
    if request.param == "file":
        yield folder.as_uri()
        return
    with served(folder) as running:
        yield running


@pytest.fixture(scope="module")
def small(browser: Browser, address: str) -> list[str]:
    """The page of the small labs, opened and ready; the addresses that it asked for."""
    browser.look()
    seen = browser.open(f"{address}/page.html")
    assert browser.evaluate(READY) == ["ready"] * len(SMALL)
    return [*seen.requests, *visit(browser.events).requests]


ANSWERS = """(async () => {
  const { network, drawings, names } = await lab.theCreatures();
  return drawings.map((image) => {
    const run = network.run(image);
    const two = [...run.scores.keys()].sort((i, j) => run.scores[j] - run.scores[i]).slice(0, 2);
    return { scores: [...run.scores], asked: two, maps: Object.fromEntries(['backprop', 'deconvnet', 'guided'].map(
      (rule) => [rule, two.map((c) => PACK(network.gradient(run, lab.cotangent(names.length, c), rule)))])) };
  });
})()"""
COUNTED = """(async () => {
  const { network } = await lab.theCreatures(), kind = Object.getPrototypeOf(network), own = {};
  const move = MOVED;
  let passes = 0;
  for (const name of ['run', 'gradient']) {
    own[name] = kind[name];
    kind[name] = function (...given) { passes++; return own[name].apply(this, given); };
  }
  const most = {};
  for (const place of document.querySelectorAll('.lab')) {
    most[place.dataset.lab] = 0;
    for (const control of place.querySelectorAll('select, input')) {
      passes = 0;
      move(control, 0);
      most[place.dataset.lab] = Math.max(most[place.dataset.lab], passes);
    }
  }
  Object.assign(kind, own);
  return most;
})()""".replace("MOVED", MOVED)


def test_a_page_whose_labs_are_not_seen_loads_no_network(browser: Browser, folder: Path) -> None:
    browser.look()
    loaded = browser.open((folder / "empty.html").as_uri()).requests
    assert [Path(url).name for url in loaded] == ["empty.html", "view.js"]


def test_without_scripts_the_prepared_picture_is_seen(browser: Browser, folder: Path) -> None:
    place = f'<div class="lab" data-lab="box"><img src="lab/box.webp" alt="{ALTS["box"]}"></div>'
    (folder / "plain.html").write_text(PAGE.format(places=place), "utf-8")
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.load((folder / "plain.html").as_uri())
    seen = browser.evaluate("document.images[0].naturalWidth")
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert seen > 300
    assert "lab.js" not in [Path(url).name for url in visit(browser.events).requests]


def test_the_small_network_is_the_package_s(browser: Browser, address: str, small: list[str]) -> None:
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
    assert [url for url in small if not url.startswith((address, "data:", "blob:"))] == []


@FROM_A_DISK
@pytest.mark.usefixtures("small")
def test_guess_forecast_and_fact(browser: Browser) -> None:
    cover = "document.querySelector('[data-lab=cover]')"
    assert browser.evaluate(f"{cover}.querySelector('.lab-bars').hidden")
    browser.evaluate(f"{cover}.querySelector('canvas').focus()")
    browser.press("Enter")
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


@FROM_A_DISK
@pytest.mark.usefixtures("small")
def test_every_control_is_worked_by_keys_and_answers_in_a_few_passes(browser: Browser) -> None:
    for name in SMALL:
        reached = walk(browser, name)
        assert reached == browser.evaluate(CONTROLS % name), name
    most = browser.evaluate(COUNTED)
    print(f"\npasses forward or back until a control has answered, at most: {most}")
    assert max(most.values()) == 3  # how long they take: benchmarks/lab.py


POINTED = """(() => {
  const [photo, map] = document.querySelectorAll('[data-lab=price] canvas');
  const at = (canvas, kind, x, y) => {
    const box = canvas.getBoundingClientRect();
    canvas.setPointerCapture = () => {};
    canvas.dispatchEvent(new PointerEvent(kind, { pointerType: 'mouse', bubbles: true,
      clientX: box.left + ((x + 0.5) * box.width) / 64, clientY: box.top + ((y + 0.5) * box.height) / 64 }));
    return document.querySelector('[data-lab=price] .lab-facts').textContent.match(/\\((\\d+, \\d+)\\)/)[1];
  };
  const told = [at(photo, 'pointermove', 9, 10), at(photo, 'pointerdown', 20, 30), at(photo, 'pointerup', 20, 30)];
  told.push(at(photo, 'pointermove', 40, 41), at(map, 'pointermove', 5, 6), at(map, 'pointerleave', 5, 6));
  photo.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
  return [...told, at(photo, 'pointermove', 50, 51)];
})()"""


@FROM_A_DISK
@pytest.mark.usefixtures("small")
def test_a_click_holds_a_pixel_and_escape_frees_it(browser: Browser) -> None:
    told = browser.evaluate(POINTED)
    assert told == ["9, 10", "20, 30", "20, 30", "40, 41", "5, 6", "20, 30", "50, 51"]


@pytest.mark.parametrize(
    ("file", "share"), [("creatures.js", 0.5), ("creatures.js", 0), ("lab.js", 0.5), ("lab.js", 0)]
)
def test_a_host_that_sends_something_else_is_told(
    browser: Browser, folder: Path, tmp_path: Path, file: str, share: float
) -> None:
    (tmp_path / "lab").mkdir()
    for path in (folder / "lab").glob("*.*"):
        (tmp_path / "lab" / path.name).symlink_to(path)
    whole = (folder / "lab" / file).read_text("utf-8")
    (tmp_path / "lab" / file).unlink()
    (tmp_path / "lab" / file).write_text(whole[: int(share * len(whole))] or "<!DOCTYPE html>Welcome", "utf-8")
    (tmp_path / "box.html").write_text(PAGE.format(places='<div class="lab" data-lab="box"></div>'), "utf-8")
    browser.open((tmp_path / "box.html").as_uri())
    assert browser.evaluate(READY) == ["failed"]
    assert f"could not start ({file} " in browser.evaluate("document.querySelector('.lab').innerText")
