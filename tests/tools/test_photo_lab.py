"""The photo lab in a real browser: its scores, its maps and its forecast are the package's, pass after pass."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import IN_A_BROWSER, Browser, served, visit
from lab_pages import DROP, IDLE, PACK, PLACE, TEXT, bring, change, opened, relative, unpack

import saliency_lib as sl
from saliency_lib.methods.layers import spread
from tools.lab.imagenet import cell_shift
from tools.project import Project

pytestmark = IN_A_BROWSER

FROM_A_DISK = pytest.mark.parametrize("address", ["file"], indirect=True)
PHOTOS = list(sl.sample_photos())[1 : 1 + int(os.environ.get("LAB_PHOTOS", "1"))]


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


@pytest.fixture(scope="module")
def asked(browser: Browser, address: str) -> list[str]:
    """The page is open, and nobody has touched it; what it asked for."""
    return opened(browser, address)


@pytest.fixture(scope="module")
def loaded(browser: Browser, address: str, asked: list[str]) -> str:
    """Where the page is open, with its network."""
    browser.evaluate("void lab.photo.network.wish()")
    assert browser.evaluate(IDLE) == "ready"
    return address


def found(browser: Browser) -> torch.Tensor:
    """The map that is seen."""
    return unpack(browser.evaluate(f"{PACK}(lab.photo.words.found.map)")).reshape(224, 224)


def test_the_first_picture_comes_without_a_network(browser: Browser, address: str, asked: list[str]) -> None:
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


METHODS = ["gradient", "cam", "guided", "deconvnet", "smoothgrad", "integrated", "occlusion"]


def smooth(model: sl.Model, image: torch.Tensor, target: int) -> torch.Tensor:
    """SmoothGrad with the page's noise."""
    e = torch.from_numpy(noise(16 * image.numel())).float().reshape(16, *image.shape)
    noisy = (image + 0.15 * (image.max() - image.min()) * e).flatten(0, 1).requires_grad_()
    score = model.network((noisy - model.mean) / model.std)[:, target].sum()
    return torch.autograd.grad(score, noisy)[0].mean(0)


def expected(model: sl.Model, image: torch.Tensor, target: int, methods: list[str]) -> dict[str, torch.Tensor]:
    """These methods' maps by the package."""
    asked = (model, image, target)
    maps = {
        "gradient": lambda: sl.saliency_map(*asked)[0],
        "cam": lambda: spread(sl.grad_cam(*asked), 224, shift=cell_shift(), smoothing=0)[0],
        "guided": lambda: sl.saliency_map(*asked, rule="guided")[0],
        "deconvnet": lambda: sl.saliency_map(*asked, rule="deconvnet")[0],
        "smoothgrad": lambda: smooth(*asked).abs().amax(0),
        "integrated": lambda: sl.integrated_gradients(*asked, steps=16, progress=False)[0].abs().amax(0),
        "occlusion": lambda: sl.occlusion(*asked, progress=False)[0].clamp(min=0),
    }
    return {method: maps[method]() for method in methods}


def test_scores_and_maps_are_the_package_s(browser: Browser, loaded: str) -> None:
    model = sl.load_model().to("cpu")
    for name in PHOTOS:
        bring(browser, f"photo={name}")
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
        # A host gives the network threads, which every map of it uses alike: two are asked there, all from the disk.
        methods = METHODS[:2] if loaded.startswith("http") else METHODS
        worst = {}
        for method, M in expected(model, image, target, methods).items():
            change(browser, f"{{ method: '{method}' }}")
            worst[method] = relative(found(browser), M)
        print(f"\n{loaded[:4]}, {name}, relative L2: { {key: float(f'{value:.1e}') for key, value in worst.items()} }")
        assert max(worst.values()) < 2e-2
    outside = [url for url in visit(browser.events).requests if not url.startswith((loaded, "data:", "blob:"))]
    assert outside == []


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
    bring(browser, "photo=coffee")
    browser.evaluate("lab.photo.answers.maps.things.clear()")
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
