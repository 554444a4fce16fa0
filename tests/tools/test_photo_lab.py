"""The photo lab in a real browser: its maps are the package's, one state is all that is told, a link restores it."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import IN_A_BROWSER, Browser, served, unreadable, visit
from lab_pages import CONTROLS, PACK, READY, relative, unpack, walk

import saliency_lib as sl
from saliency_lib.methods.layers import spread
from tools.lab.imagenet import cell_shift
from tools.project import Project

pytestmark = IN_A_BROWSER

FROM_A_DISK = pytest.mark.parametrize("address", ["file"], indirect=True)
PHOTOS = list(sl.sample_photos())[1 : 1 + int(os.environ.get("LAB_PHOTOS", "1"))]
PLACE = "document.querySelector('#lab-photo')"
IDLE = """(async () => {
  for (const begun = Date.now(); Date.now() - begun < 200000; ) {
    await new Promise((done) => setTimeout(done, 30));
    if (lab.photo.network.stage === 'loading') continue;
    await lab.photo.idle();
    if (!lab.photo.answers.busy) return lab.photo.network.stage;
  }
})()"""
LABELS = f"[...{PLACE}.querySelectorAll('canvas')].map((canvas) => canvas.getAttribute('aria-label'))"
TEXT = f"[{PLACE}.innerText, ...{LABELS}].join('|')"
SEEN = f"[...{PLACE}.querySelectorAll('canvas')].filter((c) => c.checkVisibility()).map((c) => c.toDataURL())"


@pytest.fixture(scope="module", params=["file", "http"])
def address(request: pytest.FixtureRequest, real_site: Project) -> Iterator[str]:
    """Where the book is: opened from the disk, and served by a host of files."""
    if not (real_site.site / "lab" / "imagenet.js").is_file():
        pytest.skip("onnxruntime-web could not be fetched here")
    if request.param == "file":
        yield real_site.site.as_uri()
        return
    with served(real_site.site) as running:
        yield running


def opened(browser: Browser, address: str, hash: str = "") -> list[str]:
    """The page of labs, its photo lab ready; what was asked for."""
    browser.look(1280, 800)
    seen = browser.open(f"{address}/lab.html{hash}")
    assert browser.evaluate(READY.replace("'.lab'", "'#lab-photo'")) == ["ready"]
    return [*seen.requests, *visit(browser.events).requests]


@pytest.fixture(scope="module")
def loaded(browser: Browser, address: str) -> str:
    """Where the page is open, with its network."""
    opened(browser, address)
    browser.evaluate("void lab.photo.network.wish()")
    assert browser.evaluate(IDLE) == "ready"
    return address


def change(browser: Browser, changes: str) -> None:
    """Another state of the lab, and its answers."""
    browser.evaluate(f"void lab.photo.change({changes})")
    assert browser.evaluate(IDLE) == "ready"


def found(browser: Browser) -> torch.Tensor:
    """The map that is seen."""
    return unpack(browser.evaluate(f"{PACK}(lab.photo.words.found.map)")).reshape(224, 224)


def test_the_first_picture_comes_without_a_network(browser: Browser, address: str) -> None:
    asked = opened(browser, address)
    names = {Path(url).name for url in asked if url.startswith(f"{address}/lab/")}
    print(f"\nloaded before a touch: {sorted(names)}")
    assert not [name for name in names if name.startswith(("network", "wasm", "runtime", "photo-"))]
    model, image = sl.load_model().to("cpu"), sl.to_tensor(sl.sample_photo("coffee"))
    for name in ("espresso", "cup", "missile"):
        browser.evaluate(f"void lab.photo.change({{ target: lab.photo.manifest.names.indexOf('{name}') }})")
        M = spread(sl.grad_cam(model, image, name), 224, shift=cell_shift(), smoothing=0)[0]
        assert relative(found(browser), M) < 0.01  # its cells are whole 127ths
    for key in ("ArrowDown", "ArrowDown"):
        browser.evaluate(
            f"{PLACE}.querySelector('[role=combobox]').dispatchEvent("
            f"new KeyboardEvent('keydown', {{ key: '{key}', bubbles: true }}))"
        )
    assert browser.evaluate("lab.photo.words.map") == "cup · Grad-CAM"
    assert browser.evaluate("lab.photo.network.stage") == "absent"


def noise(count: int, seed: int = 1) -> np.ndarray:
    """The page's normal numbers: mulberry32, and Box and Muller."""
    state = np.uint32(seed) + np.uint32(0x6D2B79F5) * np.arange(1, 2 * count + 1, dtype=np.uint32)
    t = (state ^ (state >> np.uint32(15))) * (np.uint32(1) | state)
    t = (t + (t ^ (t >> np.uint32(7))) * (np.uint32(61) | t)) ^ t
    u = (t ^ (t >> np.uint32(14))).astype(np.float64) / 2**32
    return np.sqrt(-2 * np.log(1 - u[::2])) * np.cos(2 * np.pi * u[1::2])


def expected(model: sl.Model, image: torch.Tensor, target: int) -> dict[str, torch.Tensor]:
    """Each method's map by the package."""
    e = torch.from_numpy(noise(16 * image.numel())).float().reshape(16, *image.shape)
    noisy = (image + 0.15 * (image.max() - image.min()) * e).flatten(0, 1).requires_grad_()
    score = model.network((noisy - model.mean) / model.std)[:, target].sum()
    smooth = torch.autograd.grad(score, noisy)[0].mean(0)
    graded = sl.integrated_gradients(model, image, target, steps=16, progress=False)
    return {
        "cam": spread(sl.grad_cam(model, image, target), 224, shift=cell_shift(), smoothing=0)[0],
        "gradient": sl.saliency_map(model, image, target)[0],
        "guided": sl.saliency_map(model, image, target, rule="guided")[0],
        "deconvnet": sl.saliency_map(model, image, target, rule="deconvnet")[0],
        "smoothgrad": smooth.abs().amax(0),
        "integrated": graded[0].abs().amax(0),
        "occlusion": sl.occlusion(model, image, target, progress=False)[0].clamp(min=0),
    }


def test_scores_and_all_seven_maps_are_the_package_s(browser: Browser, loaded: str) -> None:
    model = sl.load_model().to("cpu")
    for name in PHOTOS:
        browser.evaluate(f"void lab.photo.bring('photo={name}')")
        browser.evaluate(IDLE)
        image = sl.to_tensor(sl.sample_photo(name))
        scores = model(image)[0]
        change(browser, "{ strokes: [{ r: 3, points: [[0, 0]] }] }")  # asked anew, not as it came with the page
        change(browser, "{ strokes: [] }")
        browser.evaluate("lab.photo.answers.forward.things.clear(), lab.photo.answers.maps.things.clear()")
        change(browser, "{}")
        ours = unpack(browser.evaluate(f"{PACK}(lab.photo.answers.now(lab.photo.state).scores)"))
        assert (ours - scores).abs().max() < 1e-3
        target = int(scores.argmax())
        assert browser.evaluate("lab.photo.state.target") == target
        worst = {}
        for method, M in expected(model, image, target).items():
            change(browser, f"{{ method: '{method}' }}")
            worst[method] = relative(found(browser), M)
        print(f"\n{loaded[:4]}, {name}, relative L2: { {key: float(f'{value:.1e}') for key, value in worst.items()} }")
        assert max(worst.values()) < 2e-2
    outside = [url for url in visit(browser.events).requests if not url.startswith((loaded, "data:", "blob:"))]
    assert outside == []


STATES = [
    "#photo=coffee&class=missile",
    "#photo=coffee&class=missile&method=guided&beside-class=espresso&beside-method=guided",
    "#photo=chelsea&class=Egyptian+cat&less=tabby",
    "#photo=rocket&class=missile&method=gradient&box=0.35",
    "#photo=coffee&class=espresso&cover=0g3c363e3e3h3k.0m2b2c",
    "#photo=flower&class=daisy&less=bee&beside-class=bee&beside-less=daisy&cover=0u3c3c&box=0.5",
]
"""Addresses, each as the lab writes it."""


@FROM_A_DISK
def test_a_link_restores_all_of_it(browser: Browser, loaded: str) -> None:
    for state in STATES:
        browser.evaluate(f"location.hash = {state!r}")
        browser.evaluate("new Promise((done) => setTimeout(done, 100))")
        browser.evaluate(IDLE)
        browser.evaluate("void lab.photo.change({})")
        assert browser.evaluate("location.hash") == state
        seen, told = browser.evaluate(SEEN), browser.evaluate(TEXT)
        browser.evaluate("void lab.photo.bring('photo=bee'), location.hash")
        browser.evaluate(IDLE)
        assert browser.evaluate(SEEN) != seen
        browser.evaluate(f"location.hash = {state!r}")
        browser.evaluate("new Promise((done) => setTimeout(done, 100))")
        browser.evaluate(IDLE)
        assert browser.evaluate(SEEN) == seen
        assert browser.evaluate(TEXT) == told
    opened(browser, loaded, STATES[-1])
    assert browser.evaluate(IDLE) == "ready"
    assert browser.evaluate(SEEN) == seen
    assert browser.evaluate(TEXT) == told


CONTROLLED = """(async () => {
  const place = document.querySelector('#lab-photo'), idle = () => IDLE;
  const press = (text) => [...place.querySelectorAll('button')].find((b) => b.textContent.startsWith(text)).click();
  const way = (name) => place.querySelector(`.lab-ways input[value=${name}]`).click();
  const key = (node, name) => node.dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true }));
  const ask = (field, text) => { field.value = text; field.dispatchEvent(new Event('input')); key(field, 'Enter'); };
  const [names, rather] = place.querySelectorAll('[role=combobox]');
  const dot = () => { const c = place.querySelector('canvas'); c.focus(); key(c, 'Enter'); };
  const controls = {
    'another photo': () => place.querySelector('.lab-strip button:nth-child(3)').click(),
    'a name': () => ask(names, 'missile'), 'a second name': () => ask(rather, 'palace'),
    gradient: () => way('gradient'), 'compare': () => press('Compare'), guided: () => way('guided'),
    'a stroke': dot, 'another name': () => ask(names, 'submarine'), 'no second name': () => press('rather than'),
    box: () => place.querySelector('input[type=checkbox]').click(), uncover: () => press('Uncover'),
    'stop comparing': () => press('Stop comparing'), 'Grad-CAM': () => way('cam'),
    'first photo': () => place.querySelector('.lab-strip button:nth-child(2)').click(),
    'guess first': () => press('Guess first'), 'stroke again': dot, 'show': () => press('Show what happens'),
    undo: () => press('Undo'), 'guess no more': () => press('Guess first'),
  };
  const told = [];
  for (const [name, work] of Object.entries(controls)) {
    work();
    await idle();
    const { state, manifest } = lab.photo;
    const now = new Set([state.target, state.less, state.beside?.target, state.beside?.less].filter((i) => i >= 0)
      .map((i) => manifest.names[i]));
    const texts = [...place.querySelectorAll('.lab-tag, .lab-guess p, .lab-note')].map((line) => line.textContent);
    texts.push(...LABELS);
    texts.push(...Object.values(lab.photo.words.sheet));
    told.push({ name, now: [...now], texts, photo: manifest.photos.find(({ name }) => name === state.photo).title,
      covered: state.strokes.length, method: [state.method, state.beside?.method], guess: state.guess });
  }
  return told;
})()"""


@FROM_A_DISK
@pytest.mark.usefixtures("loaded")
def test_after_every_control_no_text_names_an_earlier_state(browser: Browser) -> None:
    browser.evaluate("void lab.photo.bring('photo=coffee')")
    browser.evaluate(IDLE)
    names = ("espresso", "missile", "palace", "submarine", "Egyptian cat")
    titles = [photo.title for photo in sl.sample_photos().values()]
    ways = {"gradient": "gradient", "guided": "guided", "cam": "Grad-CAM", "occlusion": "occlusion"}
    steps = browser.evaluate(CONTROLLED.replace("IDLE", IDLE).replace("LABELS", LABELS))
    assert len(steps) == 19
    for step in steps:
        all_text = " | ".join(step["texts"])
        captions = [text for text in step["texts"] if " · " in text]
        for name in names:
            assert name not in all_text or any(name in now for now in step["now"]), (step["name"], name, all_text)
        for title in titles:
            assert title not in all_text or title == step["photo"], (step["name"], title, all_text)
        for key, way in ways.items():
            assert not any(way in text for text in captions) or key in step["method"], (step["name"], way, captions)
        assert ("paint over it" in all_text) == (not step["covered"]), step["name"]
        assert ("% covered" in all_text) == bool(step["covered"]), step["name"]
        assert ("linear model forecast" in all_text) == bool(step["guess"] and step["guess"]["shown"]), step["name"]


@FROM_A_DISK
@pytest.mark.usefixtures("loaded")
def test_two_questions_side_by_side_and_their_correlation(browser: Browser) -> None:
    browser.evaluate(f"void lab.photo.bring({STATES[1]!r})")
    browser.evaluate(IDLE)
    model, image = sl.load_model().to("cpu"), sl.to_tensor(sl.sample_photo("coffee"))
    one, other = (sl.saliency_map(model, image, name, rule="guided")[0] for name in ("espresso", "missile"))
    r = sl.rank_correlation(one, other)
    assert browser.evaluate("lab.photo.words.alike") == f"rank correlation {r:.2f}"


@FROM_A_DISK
@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("text", "name"), [("dog", "Eskimo dog"), ("Siam", "Siamese cat"), ("man-eater", "great white shark")]
)
def test_names_are_found_by_a_part_and_by_a_synonym(browser: Browser, text: str, name: str) -> None:
    browser.evaluate("void lab.photo.bring('photo=chelsea')")
    browser.evaluate(IDLE)
    rows = browser.evaluate(f"lab.photo.words.rows({text!r})")
    scores = sl.load_model().to("cpu")(sl.to_tensor(sl.sample_photo("chelsea")))[0]
    every = browser.evaluate(
        "(({ names, synonyms }, text) => names.filter((name, i) => (name + synonyms[i]).toLowerCase().includes(text)))"
        f"(lab.photo.manifest, {text.lower()!r})"
    )
    assert name in every
    assert len(rows) == min(10, len(every))
    for row in rows:
        assert row["score"].replace("−", "-") == f"{scores[row['index']].item():.1f}".replace("-0.0", "0.0")


DROP = """(async () => {
  const bytes = await (await fetch('data:%s;base64,%s')).arrayBuffer();
  const place = document.querySelector('#lab-photo'), data = new DataTransfer();
  data.items.add(new File([bytes], '%s', { type: '%s' }));
  place.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
  await new Promise((done) => setTimeout(done, 300));
})()"""


@FROM_A_DISK
@pytest.mark.usefixtures("loaded")
def test_a_newcomer_drops_a_photo_guesses_and_covers_a_part(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    photo = sl.sample_photos()["bee"]
    kind, content = "image/jpeg", base64.b64encode(photo.path.read_bytes()).decode()
    browser.evaluate(DROP % (kind, content, "bee.jpg", kind))
    browser.evaluate(IDLE)
    assert "Your photo: bee.jpg" in browser.evaluate(TEXT)
    image = sl.to_tensor(photo.load())
    ours = unpack(browser.evaluate(f"{PACK}(lab.photo.answers.image(lab.photo.state))")).reshape(image.shape)
    assert ((ours - image) * 255).abs().mean() < 0.5
    model = sl.load_model().to("cpu")
    target = browser.evaluate("lab.photo.state.target")
    assert target == model.top(image, 1)[0][0].class_index
    change(browser, "{ guess: { value: 2, shown: false }, strokes: [{ r: 14, points: [[112, 112]] }] }")
    assert browser.evaluate("lab.photo.words.rows('').map((row) => row.percent + row.change).join('')") == "?0" * 10
    change(browser, "{ guess: { value: 2, shown: true } }")
    outcome = browser.evaluate("lab.photo.answers.outcome(lab.photo.state)")
    y, x = torch.meshgrid(torch.arange(224), torch.arange(224), indexing="ij")
    covered = torch.where((x - 112) ** 2 + (y - 112) ** 2 <= 14**2, 0.5, ours)
    w = sl.input_gradient(model, ours, target)
    assert outcome["before"] == pytest.approx(model(ours)[0, target].item(), abs=1e-3)
    assert outcome["after"] == pytest.approx(model(covered)[0, target].item(), abs=1e-3)
    assert outcome["forecast"] == pytest.approx((w * (covered - ours)).sum().item(), abs=0.01)
    browser.evaluate(f"[...{PLACE}.querySelectorAll('button')].find((b) => b.textContent === 'Copy a link').click()")
    assert "no link can show it" in browser.evaluate(TEXT)
    assert browser.evaluate("location.hash") == ""
    browser.screenshot(tmp_path_factory.getbasetemp() / "newcomer.png")


@FROM_A_DISK
@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("notes.txt", "text/plain", "notes.txt is no picture"),
        ("broken.jpg", "image/jpeg", "broken.jpg could not be read"),
        ("IMG_1.heic", "image/heic", "save it as JPEG first"),
    ],
)
def test_a_bad_file_is_one_sentence_and_nothing_is_lost(browser: Browser, name: str, kind: str, sentence: str) -> None:
    before = browser.evaluate("[lab.photo.state.photo, lab.photo.state.target]")
    browser.evaluate(DROP % ("text/plain", base64.b64encode(b"not a picture").decode(), name, kind))
    assert sentence in browser.evaluate(TEXT)
    assert browser.evaluate("[lab.photo.state.photo, lab.photo.state.target]") == before
    with pytest.raises(RuntimeError, match="million pixels"):
        browser.evaluate("lab.window224(new Image(), 20000, 10000)")


BRUSHED = """(async () => {
  await lab.photo.bring('photo=coffee');
  const canvas = document.querySelector('#lab-photo canvas'), box = canvas.getBoundingClientRect(), times = [];
  canvas.setPointerCapture = () => {};
  const { answers } = lab.photo, engine = lab.photo.network.engine, ask = engine.ask.bind(engine);
  let [flying, most, passes, texts] = [0, 0, 0, new Set()];
  engine.ask = async (message) => {
    most = Math.max(most, ++flying);
    const answer = await ask(message);
    flying--; passes++;
    const came = performance.now();
    requestAnimationFrame(() => times.push(performance.now() - came));
    return answer;
  };
  const point = (kind, share) => canvas.dispatchEvent(new PointerEvent(kind, { pointerType: 'mouse', bubbles: true,
    clientX: box.left + share * box.width, clientY: box.top + 0.45 * box.height }));
  point('pointerdown', 0.3);
  for (let i = 0; i < 30; i++) {
    point('pointermove', 0.3 + i / 60);
    await new Promise((done) => setTimeout(done, 60));
    texts.add(document.querySelector('#lab-photo [role=listbox]').innerText);
  }
  point('pointerup', 0.8);
  await IDLE;
  engine.ask = ask;
  return { most, passes, texts: texts.size, slowest: Math.max(...times) };
})()"""


@FROM_A_DISK
@pytest.mark.usefixtures("loaded")
def test_names_and_map_follow_the_brush_with_one_pass_on_its_way(browser: Browser) -> None:
    browser.evaluate("scrollTo(0, 0)")
    seen = browser.evaluate(BRUSHED.replace("IDLE", IDLE))
    print(f"\n{seen}")
    assert seen["most"] == 1
    assert 2 <= seen["texts"] <= seen["passes"] + 1
    assert seen["slowest"] < 250


@FROM_A_DISK
@pytest.mark.usefixtures("loaded")
def test_a_growing_map_is_stopped_and_another_question_ends_it(browser: Browser) -> None:
    browser.evaluate("void lab.photo.bring('photo=coffee')")
    browser.evaluate(IDLE)
    browser.evaluate("void lab.photo.change({ method: 'occlusion' })")
    browser.evaluate(
        "new Promise((done) => {"
        " const look = () => lab.photo.words.growing?.done ? done() : setTimeout(look, 20); look(); })"
    )
    browser.evaluate(f"[...{PLACE}.querySelectorAll('button')].find((b) => b.textContent === 'Stop').click()")
    browser.evaluate(IDLE)
    growing = browser.evaluate("lab.photo.words.growing")
    assert 0 < growing["done"] < 49
    assert growing["text"] == f"occlusion: {growing['done']} of 49, stopped"
    change(browser, "{ method: 'cam' }")
    assert browser.evaluate("lab.photo.words.map") == "espresso · Grad-CAM"


@FROM_A_DISK
@pytest.mark.usefixtures("loaded")
def test_everybody_can_read_and_reach_the_photo_lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    browser.evaluate(f"void lab.photo.bring({STATES[1]!r})")
    browser.evaluate(IDLE)
    for width, theme in ((1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")):
        browser.look(width, 800, theme)
        browser.evaluate(f"document.documentElement.dataset.theme = '{theme}'; dispatchEvent(new Event('resize'))")
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert walk(browser, "photo") == browser.evaluate(CONTROLS % "photo")
        assert unreadable(browser) == []
        browser.evaluate("scrollTo(0, 0)")
        browser.screenshot(tmp_path_factory.getbasetemp() / f"lab-{theme}-{width}.png")
    browser.look(1280, 800)
    change(browser, "{ beside: null }")
    sides = browser.evaluate(f"[...{PLACE}.querySelectorAll('canvas')].map((c) => c.getBoundingClientRect().width)")
    assert [round(side) for side in sides if side] == [480, 480]
    low = browser.evaluate(f"{PLACE}.querySelector('.lab-sentence').getBoundingClientRect().bottom + scrollY")
    assert low < 800


@FROM_A_DISK
@pytest.mark.usefixtures("loaded")
def test_a_finger_scrolls_or_paints_as_it_is_told(browser: Browser) -> None:
    browser.evaluate("void lab.photo.bring('photo=coffee')")
    browser.evaluate(IDLE)
    finger = """(async (moves) => {
      const canvas = document.querySelector('#lab-photo canvas'), box = canvas.getBoundingClientRect();
      canvas.setPointerCapture = () => {};
      const point = (kind, share) => canvas.dispatchEvent(new PointerEvent(kind, { pointerType: 'touch', bubbles: true,
        clientX: box.left + box.width / 2, clientY: box.top + share * box.height }));
      point('pointerdown', 0.5);
      if (moves) for (let i = 0; i < 9; i++) point('pointermove', 0.5 + i / 30);
      point('pointerup', moves ? 0.8 : 0.5);
      return lab.photo.state.strokes.map(({ points }) => points.length);
    })(%s)"""
    touch = f"{PLACE}.querySelector('canvas').style.touchAction"
    assert browser.evaluate(finger % "true") == []
    assert browser.evaluate(touch).startswith("pan-y")
    assert browser.evaluate(finger % "false") == [1]
    browser.evaluate(f"{PLACE}.querySelector('input[value=paint]').click()")
    assert browser.evaluate(touch) == "none"
    (_, dragged) = browser.evaluate(finger % "true")
    assert dragged > 3
