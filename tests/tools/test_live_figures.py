"""The live figures compute what the package computes: rules between the three, the deletion race, the moved tree, the
model that draws."""

from pathlib import Path
from typing import Any

import pytest
import torch
from browser import IN_A_BROWSER, Browser, unreadable
from lab_pages import READY
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.comparison.metrics import deletion
from saliency_lib.diffusion.sampler import begin, step
from tools.lab import suspect
from tools.lab.bundle import bundle
from tools.lab.creatures import creature_data, drawings
from tools.lab.diffusion import diffusion_data
from tools.lab.packing import script
from tools.project import ROOT

pytestmark = IN_A_BROWSER

NAMES = ("rulepad", "race", "suspect", "draw", "diffusion")
PAGE = """<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Live figures</title>
<link rel="stylesheet" href="book.css">
<style>:root { --pst-color-background: #fff; --pst-color-text-base: #222 }
html[data-theme="dark"] { --pst-color-text-base: #eee; background: #15121d; color: #eee }</style>
<main><h1>Live figures</h1>{places}</main>
<script src="lab/view.js"></script></html>"""


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """The live figures on one page, opened from a disk, all ready."""
    site = tmp_path_factory.mktemp("live")
    folder = site / "lab"
    folder.mkdir()
    (folder / "lab.js").write_text(bundle(ROOT / "lab" / "start.js"), "utf-8")
    for name in ("view.js", "lab.css"):
        (folder / name).write_text((ROOT / "lab" / name).read_text("utf-8"), "utf-8")
    (site / "book.css").write_text((ROOT / "_static" / "book.css").read_text("utf-8"), "utf-8")
    script(folder / "creatures.js", "creatures", creature_data())
    script(folder / "suspect.js", "suspect", suspect.suspect_data())
    script(folder / "race.js", "race", suspect.race_data())
    script(folder / "diffusion.js", "diffusion", diffusion_data())
    assert sum((folder / f"{name}.js").stat().st_size for name in ("diffusion", "creatures")) < 4_000_000
    assert sum((folder / f"{name}.js").stat().st_size for name in ("suspect", "race")) < 400_000
    places = "".join(f'<div class="lab" data-lab="{name}" role="group" aria-label="{name}"></div>' for name in NAMES)
    (site / "page.html").write_text(PAGE.replace("{places}", places), "utf-8")
    browser.look()
    seen = browser.open((site / "page.html").as_uri())
    assert browser.evaluate(READY) == ["ready"] * len(NAMES)
    assert seen.errors == []
    return browser


def mixed(model: sl.Model, images: Tensor, target: int, gate: float, slope: float) -> Tensor:
    """The saliency map (64, 64) under a rule between the three, written out: a function of its own at every ReLU."""

    class Rule(torch.autograd.Function):
        @staticmethod
        def forward(context, z):
            context.save_for_backward(z)
            return z.clamp(min=0)

        @staticmethod
        def backward(context, g):
            (z,) = context.saved_tensors
            passed = torch.where(z > 0, g, gate * g)
            return torch.where(passed > 0, passed, slope * passed)

    x = images.clone().requires_grad_()
    y = (x - model.mean) / model.std
    for part in (model.network.features, nn.Flatten(), model.network.classifier):
        for layer in part if isinstance(part, nn.Sequential) else [part]:
            y = Rule.apply(y) if isinstance(layer, nn.ReLU) else layer(y)
    y[0, target].backward()
    return x.grad.abs().amax(1)[0]


MAP = """(async () => {{
  const {{ network, drawings, names }} = await lab.theCreatures(), run = network.run(drawings[0]);
  const w = network.gradient(run, lab.cotangent(names.length, 0), {rule});
  return Array.from({{ length: 4096 }}, (_, i) => Math.max(...[0, 1, 2].map((c) => Math.abs(w[i + 4096 * c]))));
}})()"""


@pytest.mark.parametrize(("gate", "slope"), [(0, 1), (1, 0), (0, 0), (0.3, 0.6), (1, 1)])
def test_a_rule_between_the_three(page: Browser, gate: float, slope: float) -> None:
    model, images = sl.load_model("creature_convnet").to("cpu"), drawings()[:1]
    found = torch.tensor(page.evaluate(MAP.format(rule=f"{{ gate: {gate}, slope: {slope} }}"))).view(64, 64)
    wanted = mixed(model, images, 0, gate, slope)
    assert ((found - wanted).norm() / wanted.norm()).item() < 1e-5
    named = {(0, 1): "backprop", (1, 0): "deconvnet", (0, 0): "guided"}.get((gate, slope))
    if named:
        by_package = sl.saliency_map(model, images, 0, rule=named)[0]
        assert ((found - by_package).norm() / by_package.norm()).item() < 1e-5


def test_the_point_is_moved_by_keys_and_the_correlation_climbs(page: Browser) -> None:
    place = "document.querySelector('[data-lab=rulepad]')"
    walked = """new Promise((done) => {{
      const place = {place}, facts = () => place.querySelector('.lab-facts').textContent;
      const said = () => done(parseFloat(facts().split(': ').at(-1)));
      const look = () => (facts().includes('{corner}') ? said() : setTimeout(look, 30));
      place.querySelectorAll('button')[{i}].click();
      look();
    }})"""
    page.evaluate(walked.format(place=place, i=1, corner="the DeconvNet"))
    gradient = page.evaluate(walked.format(place=place, i=0, corner="the gradient"))
    guided = page.evaluate(walked.format(place=place, i=2, corner="guided backpropagation"))
    model, images = sl.load_model("creature_convnet").to("cpu"), drawings()[:1]
    for rule, found in (("backprop", gradient), ("guided", guided)):
        maps = [sl.saliency_map(model, images, target, rule=rule)[0] for target in (0, 6)]
        assert found == pytest.approx(sl.methods.maps.rank_correlation(*maps), abs=0.006)
    assert guided > gradient + 0.1
    slider = f"{place}.querySelector('input[type=range]')"
    page.evaluate(f"{slider}.focus()")
    page.press("ArrowRight")
    assert page.evaluate(f"{place}.querySelector('.lab-facts').textContent").startswith("gate 0.01")


def test_the_race_ends_as_the_package_says(page: Browser) -> None:
    place = "document.querySelector('[data-lab=race]')"
    page.evaluate(f"{place}.querySelector('button.main').click()")
    found = page.evaluate(
        f"new Promise((done) => {{ const look = () => {place}.race ? done({place}.race.areas) : setTimeout(look, 50);"
        " look(); })"
    )
    model, images = sl.load_model("creature_convnet").to("cpu"), drawings()[1:2]
    guided = sl.saliency_map(model, images, 2, rule="guided")
    maps = [sl.saliency_map(model, images, 1), guided, torch.zeros_like(guided)]
    wanted = [deletion.deletion(model, images, M, sl.posterior(1), steps=20).item() for M in maps]
    assert found == pytest.approx(wanted, abs=2e-3)
    assert "You lost" in page.evaluate(f"{place}.querySelector('.lab-facts').textContent")


@pytest.mark.parametrize(("right", "down"), [(0, 0), (9, -4), (-30, 3), (64, 0)])
def test_a_moved_tree_and_what_both_networks_say_of_it(page: Browser, right: int, down: int) -> None:
    drawn, alone = suspect.owls()
    images = suspect.moved(drawn.images, alone, drawn.masks["creature"], right, down)
    if (right, down) == (64, 0):
        assert torch.allclose(
            images,
            torch.where(suspect.trees(drawn.images, alone, drawn.masks["creature"])[:, None], alone, drawn.images),
        )
    scores = page.evaluate(
        f"""document.querySelector('[data-lab=suspect]').suspects.cards.map(
          (card) => [...card.network.scores(lab.movedTree(card, {right}, {down}))])"""
    )
    for i, guilty in enumerate(suspect.guilty()):
        model = sl.load_model(suspect.NETWORKS[guilty]).to("cpu")
        assert torch.tensor(scores[i]) == pytest.approx(model(images[i : i + 1])[0].detach(), abs=2e-3)


def test_the_rule_is_the_one_that_was_chosen_on_other_drawings() -> None:
    drawn = sl.companions(60, seed=5, kind="owl")
    for name, rightly in zip(suspect.NETWORKS, (60, 58), strict=True):
        M = sl.saliency_map(sl.load_model(name).to("cpu"), drawn.images, "owl")
        tree, owl = (
            (M * mask).sum((1, 2)) / mask.sum((1, 2)) for mask in (drawn.masks["companion"], drawn.masks["creature"])
        )
        called = tree / owl >= suspect.LEAST
        assert (called == (name == suspect.NETWORKS[1])).sum().item() == rightly


def test_verdicts_are_counted_beside_the_rule_s(page: Browser) -> None:
    place = "document.querySelector('[data-lab=suspect]')"
    page.evaluate(
        f"{place}.suspects.cards.forEach((card, i) => {place}.suspects.judge(i ? card.guilty : !card.guilty))"
    )
    said = page.evaluate(f"{place}.querySelector('.lab-facts').textContent")
    drawn, alone = suspect.owls()
    tree = suspect.trees(drawn.images, alone, drawn.masks["creature"])
    hits = 0
    for i, guilty in enumerate(suspect.guilty()):
        M = sl.saliency_map(sl.load_model(suspect.NETWORKS[guilty]).to("cpu"), drawn.images[i : i + 1], "owl")[0]
        hits += ((M[tree[i]].mean() / M[drawn.masks["creature"][i]].mean()).item() >= suspect.LEAST) == guilty
    assert said.startswith(f"You judged 11 of 12 rightly, the rule {hits}.")


def test_in_the_drawing_lab_the_map_follows_the_first_answer(page: Browser) -> None:
    place = "document.querySelector('[data-lab=draw]')"
    menu = f"{place}.querySelectorAll('select')"
    for index in (2, 6):
        page.evaluate(f"{menu}[0].value = {index}; {menu}[0].dispatchEvent(new Event('change'))")
        top = page.evaluate(f"{place}.querySelector('.lab-bar-row span').textContent")
        assert f"“{top}”" in page.evaluate(f"{place}.querySelectorAll('figcaption')[1].textContent")
    page.evaluate(f"{menu}[1].value = 1; {menu}[1].dispatchEvent(new Event('change'))")
    assert "“butterfly”" in page.evaluate(f"{place}.querySelectorAll('figcaption')[1].textContent")
    page.evaluate(f"{place}.querySelector('canvas').focus()")
    page.press("Enter")
    ring = f"{place}.querySelector('.lab-cross')"
    share = page.evaluate(f"{ring}.offsetWidth / {place}.querySelector('canvas').offsetWidth")
    assert share == pytest.approx(7 / 64, abs=0.01)


WALK = """(async () => {{
  const network = await lab.theDenoiser();
  let x = Float32Array.from({start});
  for (let k = 0; k < 20; k++) {{
    const told = network.predict(x, 1 - k / 20, k < 8 ? "the owl" : "the snail", {guidance});
    x = network.step(told, 1 - (k + 1) / 20);
  }}
  return [...x];
}})()"""


@pytest.mark.parametrize("guidance", [0, 1, 2.5])
def test_a_drawing_is_the_package_s(page: Browser, guidance: float) -> None:
    model, x = sl.load_diffusion(), begin(1, seed=5)
    found = torch.tensor(page.evaluate(WALK.format(start=x.flatten().tolist(), guidance=guidance))).view_as(x)
    with torch.no_grad():
        for k in range(20):
            told = model.predict(x, 1 - k / 20, ["the owl" if k < 8 else "the snail"], guidance)
            x = step(x, told, 1 - (k + 1) / 20)
    assert (found - x).abs().max() < 1e-3
    assert x.std() > 0.1


def test_it_draws_pauses_and_hears_the_second_word(page: Browser) -> None:
    place = "document.querySelector('[data-lab=diffusion]')"
    said = f"{place}.querySelector('.lab-facts').textContent"
    main = f"{place}.querySelector('button.main').click()"

    def when(told: str) -> Any:
        """What the page says once this holds; after a minute whatever it says then."""
        return page.evaluate(
            "new Promise((done) => { const begun = Date.now(), look = () => "
            f"({told}) || Date.now() - begun > 60000 ? done({told}) : setTimeout(look, 30); look(); }})"
        )

    page.evaluate(f"{place}.scrollIntoView(); {main}")
    assert when(f"{said}.startsWith('It draws')")
    page.evaluate(main)
    assert page.evaluate(said).startswith("Paused before t = ")
    page.evaluate(main)
    assert when(f"{place}.drawing")["named"] == "owl"
    page.evaluate(
        f"""(() => {{
      const then = {place}.querySelectorAll('select')[1], from = {place}.querySelector('input[type=range]');
      delete {place}.drawing;
      then.value = 4; then.dispatchEvent(new Event('change'));
      from.value = 0.95; from.dispatchEvent(new Event('input'));
      {main};
    }})()"""
    )
    assert when(f"{place}.drawing")["named"] == "flower"
    assert "told owl, s = 2" in page.evaluate(f"{place}.querySelectorAll('figcaption')[2].textContent")


def test_everybody_can_read_and_reach_the_live_figures(page: Browser, tmp_path: Path) -> None:
    for width, theme in ((1280, "light"), (390, "dark")):
        page.look(width, 900, theme)
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert unreadable(page) == []
        page.screenshot(tmp_path / f"live-{width}.png")
