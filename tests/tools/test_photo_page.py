"""The photo lab's page: one state is all that is told, a link restores it, and everybody can work the controls."""

import base64
from typing import Any

import pytest
from browser import IN_A_BROWSER, Browser, unreadable
from lab_pages import CONTROLS, DROP, IDLE, LABELS, PLACE, TEXT, bring, change, opened, walk

import saliency_lib as sl
from tools.project import Project

pytestmark = [*IN_A_BROWSER, pytest.mark.usefixtures("fresh")]

SEEN = f"[...{PLACE}.querySelectorAll('canvas')].filter((c) => c.checkVisibility()).map((c) => c.toDataURL())"
STATES = [
    "#photo=coffee&class=missile",
    "#photo=coffee&class=missile&method=guided&beside-class=espresso&beside-method=guided",
    "#photo=chelsea&class=Egyptian+cat&less=tabby",
    "#photo=rocket&class=missile&method=gradient&box=0.35",
    "#photo=coffee&class=espresso&cover=0g3c363e3e3h3k.0m2b2c",
    "#photo=flower&class=daisy&less=bee&beside-class=bee&beside-less=daisy&cover=0u3c3c&box=0.5",
]
"""Addresses, each as the lab writes it."""


@pytest.fixture(scope="module")
def fresh(browser: Browser, real_site: Project) -> list[Any]:
    """The page is open from the disk, by the last of the addresses; what is seen and told there."""
    if not (real_site.site / "lab" / "imagenet.js").is_file():
        pytest.skip("onnxruntime-web could not be fetched here")
    opened(browser, real_site.site.as_uri(), STATES[-1])
    assert browser.evaluate(IDLE) == "ready"
    return [browser.evaluate(SEEN), browser.evaluate(TEXT)]


def test_a_link_restores_all_of_it(browser: Browser, fresh: list[Any]) -> None:
    def restored(state: str) -> list[Any]:
        browser.evaluate(f"location.hash = {state!r}")
        browser.evaluate("new Promise((done) => setTimeout(done, 100))")
        browser.evaluate(IDLE)
        browser.evaluate("void lab.photo.change({})")
        assert browser.evaluate("location.hash") == state
        return [browser.evaluate(SEEN), browser.evaluate(TEXT)]

    found = [restored(state) for state in STATES]
    assert len({str(seen) for seen, _ in found}) == len(STATES)
    assert [restored(state) for state in STATES] == found
    assert found[-1] == fresh  # and so does the page that was opened by it


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


def test_after_every_control_no_text_names_an_earlier_state(browser: Browser) -> None:
    bring(browser, "photo=coffee")
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


def test_two_questions_side_by_side_and_their_correlation(browser: Browser) -> None:
    bring(browser, STATES[1])
    model, image = sl.load_model().to("cpu"), sl.to_tensor(sl.sample_photo("coffee"))
    one, other = (sl.saliency_map(model, image, name, rule="guided")[0] for name in ("espresso", "missile"))
    r = sl.rank_correlation(one, other)
    assert browser.evaluate("lab.photo.words.alike") == f"rank correlation {r:.2f}"


@pytest.mark.parametrize(
    ("text", "name"), [("dog", "Eskimo dog"), ("Siam", "Siamese cat"), ("man-eater", "great white shark")]
)
def test_names_are_found_by_a_part_and_by_a_synonym(browser: Browser, text: str, name: str) -> None:
    bring(browser, "photo=chelsea")
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


def test_everybody_can_read_and_reach_the_photo_lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    bring(browser, STATES[1])
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


def test_a_finger_scrolls_or_paints_as_it_is_told(browser: Browser) -> None:
    bring(browser, "photo=coffee")
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
