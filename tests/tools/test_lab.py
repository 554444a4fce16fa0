"""The lab in a real browser: its networks are the package's, and everybody can work its controls."""

import base64
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from browser import IN_A_BROWSER, MOVED, Browser, served, unreadable, visit

import saliency_lib as sl
from tools.lab.creatures import drawings
from tools.lab.titles import ALTS, TITLES
from tools.project import Project

pytestmark = IN_A_BROWSER

FROM_A_DISK = pytest.mark.parametrize("address", ["file"], indirect=True)
SMALL = [name for name in TITLES if name != "photo"]
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, real_site: Project) -> Path:
    """A page with every small lab, one with the large network, and one with none."""
    site = tmp_path_factory.mktemp("lab")
    (site / "lab").symlink_to(real_site.site / "lab")
    places = "".join(f'<div class="lab" data-lab="{name}"></div>' for name in SMALL)
    (site / "photo.html").write_text(PAGE.format(places='<div class="lab" data-lab="photo"></div>'), "utf-8")
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


def walk(browser: Browser, name: str) -> int:
    """How many controls of a lab the tab key reaches, beginning at its first."""
    lab = f"document.querySelector('[data-lab={name}]')"
    browser.evaluate(f"{lab}.querySelector(':is(select, button:not(:disabled), canvas[tabindex], input)').focus()")
    reached = 0
    while browser.evaluate(f"{lab}.contains(document.activeElement)"):
        reached += 1
        browser.press("Tab")
    return reached


def test_a_page_whose_labs_are_not_seen_loads_no_network(browser: Browser, folder: Path) -> None:
    browser.look()
    loaded = browser.open((folder / "empty.html").as_uri()).requests
    assert [Path(url).name for url in loaded] == ["empty.html", "view.js"]


def test_without_scripts_the_prepared_picture_is_seen(browser: Browser, folder: Path) -> None:
    place = f'<div class="lab" data-lab="box"><img src="lab/box.webp" alt="{ALTS["box"]}"></div>'
    (folder / "plain.html").write_text(PAGE.format(places=place), "utf-8")
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.events.clear()
    browser.call("Page.navigate", url=(folder / "plain.html").as_uri())
    for _ in range(100):
        seen = browser.evaluate("document.images[0]?.complete ? document.images[0].naturalWidth : 0")
        if seen:
            break
        time.sleep(0.1)
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


# All seven photos take minutes: LAB_PHOTOS=7 for all of them.
PHOTOS = list(sl.sample_photos())[: int(os.environ.get("LAB_PHOTOS", "1"))]
LOADED = """new Promise((done) => {
  const place = document.querySelector('[data-lab=photo]');
  const look = () => place.dataset.network ? done(place.dataset.network) : setTimeout(look, 100);
  const begin = () => place.querySelector('button.main') ? (place.querySelector('button.main').click(), look())
    : setTimeout(begin, 50);
  begin();
})"""
ASKED = """(async () => {
  const ask = lab.photo, rules = ['backprop', 'deconvnet', 'guided'], maps = [];
  await ask.sample('PHOTO');
  const two = ask.top.slice(0, 2), scores = PACK(ask.scores), top = ask.top;
  const times = [];
  for (const rule of rules) for (const target of two) {
    Object.assign(ask, { rule, target });
    const begun = performance.now();
    maps.push([rule, target, PACK((await ask.map()).map)]);
    times.push(performance.now() - begun);
  }
  ask.rule = 'backprop';
  return { scores, top, maps, times };
})()"""


@pytest.fixture(scope="module")
def loaded(browser: Browser, address: str, real_site: Project) -> str:
    """Where the large network is loaded: from a disk in the book's own page of labs, over http in a bare one."""
    if not (real_site.site / "lab" / "imagenet.js").is_file():
        pytest.skip("onnxruntime-web could not be fetched here")
    if not address.startswith("http"):
        address = real_site.site.as_uri()
    browser.look()
    before = browser.open(f"{address}/{'photo' if address.startswith('http') else 'lab'}.html").requests
    assert not [url for url in before if "network-" in url or "wasm-" in url]
    assert set(browser.evaluate(READY)) == {"ready"}
    print(f"\nlarge network, {address[:4]}, runs in a {browser.evaluate(LOADED)}")
    assert browser.evaluate("crossOriginIsolated") == address.startswith("http")
    return address


def test_the_large_network_is_the_package_s(browser: Browser, loaded: str) -> None:
    model = sl.load_model().to("cpu")
    worst, times = dict.fromkeys(("scores", *RULES), 0.0), []
    for name in PHOTOS:
        found = browser.evaluate(ASKED.replace("PHOTO", name).replace("PACK", PACK))
        image = sl.to_tensor(sl.sample_photo(name))
        scores = model(image)[0]
        assert found["top"] == scores.topk(5).indices.tolist()
        worst["scores"] = max(worst["scores"], (unpack(found["scores"]) - scores).abs().max().item())
        times += found["times"]
        for rule, target, text in found["maps"]:
            M = sl.saliency_map(model, image, target, rule=rule)[0].flatten()
            worst[rule] = max(worst[rule], relative(unpack(text), M))
    print(f"\nlarge network, {loaded[:4]}, {len(PHOTOS)} photos: scores, then maps by relative L2: {worst}")
    print(f"median of a map: {statistics.median(times):.0f} ms")
    assert worst.pop("scores") < 1e-3
    assert max(worst.values()) < 2e-2
    assert [url for url in visit(browser.events).requests if not url.startswith((loaded, "data:", "blob:"))] == []


@FROM_A_DISK
def test_a_newcomer_drops_a_photo_covers_a_part_and_compares(
    browser: Browser, loaded: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    photo = sl.sample_photos()["bee"]
    kind, content = "image/jpeg", base64.b64encode(photo.path.read_bytes()).decode()
    place = "document.querySelector('[data-lab=photo]')"
    browser.evaluate(DROP % (kind, content, "bee.jpg", kind))
    assert browser.evaluate("lab.photo.photo") == "bee.jpg"
    image = sl.to_tensor(photo.load())
    ours = unpack(browser.evaluate(f"{PACK}(lab.photo.image)")).reshape(image.shape)
    off = ((ours - image) * 255).abs()
    print(f"\na dropped JPEG beside Pillow's: mean {off.mean():.3f}, most {off.max():.0f} gray levels")
    assert off.mean() < 0.5
    model = sl.load_model().to("cpu")
    assert browser.evaluate("lab.photo.top[0]") == model.top(image, 1)[0][0].class_index
    browser.evaluate(f"{place}.querySelector('canvas').focus()")
    browser.press("Enter")
    browser.evaluate(f"{place}.workbench.idle()")
    browser.evaluate(f"{place}.querySelector('.lab-guess button').click()")
    said = browser.evaluate(f"{place}.querySelector('.lab-guess [role=status]').textContent")
    numbers = [float(part.strip(".:").replace("−", "-")) for part in said.split() if part[-2:-1].isdigit()]
    y, x = torch.meshgrid(torch.arange(224), torch.arange(224), indexing="ij")
    covered = torch.where((x - 112) ** 2 + (y - 112) ** 2 <= 14**2, 0.5, ours)
    target = browser.evaluate("lab.photo.target")
    w = sl.input_gradient(model, ours, target)
    after = model(covered)[0, target].item()
    assert numbers[1] == pytest.approx(after, abs=0.01)
    assert numbers[3] == pytest.approx((w * (covered - ours)).sum().item(), abs=0.02)
    browser.screenshot(tmp_path_factory.getbasetemp() / "newcomer.png")


@FROM_A_DISK
@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("notes.txt", "text/plain", "notes.txt is no picture"),
        ("broken.jpg", "image/jpeg", "broken.jpg could not be read"),
        ("IMG_1.heic", "image/heic", "save it as JPEG first"),
    ],
)
def test_a_bad_file_is_one_sentence_and_nothing_is_lost(
    browser: Browser, loaded: str, name: str, kind: str, sentence: str
) -> None:
    before = browser.evaluate("[lab.photo.photo, lab.photo.target]")
    browser.evaluate(DROP % ("text/plain", base64.b64encode(b"not a picture").decode(), name, kind))
    said = browser.evaluate("[...document.querySelectorAll('.lab-note')].map((line) => line.textContent).join('|')")
    assert sentence in said
    assert browser.evaluate("[lab.photo.photo, lab.photo.target]") == before


@FROM_A_DISK
def test_of_two_drops_the_second_counts_and_a_huge_photo_is_refused(browser: Browser, loaded: str) -> None:
    place = "document.querySelector('[data-lab=photo]').workbench"
    browser.evaluate(f"Promise.all([{place}.bring('photo=china'), {place}.bring('photo=flower&class=bee&box=0.5')])")
    assert browser.evaluate("[lab.photo.photo, lab.photo.names[lab.photo.target]]") == ["flower", "bee"]
    assert browser.evaluate("location.hash") == "#photo=flower&class=bee&box=0.5"
    with pytest.raises(RuntimeError, match="million pixels"):
        browser.evaluate("lab.window224(new Image(), 20000, 10000)")


DROP = """(async () => {
  const bytes = await (await fetch('data:%s;base64,%s')).arrayBuffer();
  const place = document.querySelector('[data-lab=photo]'), data = new DataTransfer();
  data.items.add(new File([bytes], '%s', { type: '%s' }));
  place.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
  await place.workbench.idle();
})()"""


@FROM_A_DISK
@pytest.mark.usefixtures("loaded")
def test_everybody_can_read_and_reach_the_labs(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert browser.evaluate("document.querySelectorAll('.lab:not([data-state=ready])').length") == 0
    for width, theme in ((1280, "light"), (390, "dark")):
        browser.look(width, 900, theme)
        browser.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        assert walk(browser, "photo") == browser.evaluate(CONTROLS % "photo")
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert unreadable(browser) == []
        browser.evaluate("document.querySelector('[data-lab=photo]').scrollIntoView({ behavior: 'instant' })")
        browser.screenshot(tmp_path_factory.getbasetemp() / f"lab-{theme}-{width}.png")


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
