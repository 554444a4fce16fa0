"""What tests of the labs share: bare pages with labs on them, waiting for these, and numbers out of a page."""

import base64

import torch
from browser import Browser, visit

PAGE = """<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8"><title>Labs</title>
<script src="lab/view.js"></script>{places}</html>"""
READY = """new Promise((done) => {
  const places = [...document.querySelectorAll('.lab')], begun = Date.now();
  const look = () => {
    const waiting = places.find((place) => !place.dataset.state);
    if (!waiting || Date.now() - begun > 60000) return done(places.map((place) => place.dataset.state));
    waiting.scrollIntoView();
    setTimeout(look, 50);
  };
  look();
})"""
PACK = """((numbers) => {
  let text = '';
  for (const byte of new Uint8Array(numbers.buffer)) text += String.fromCharCode(byte);
  return btoa(text);
})"""
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
DROP = """(async () => {
  const bytes = await (await fetch('data:%s;base64,%s')).arrayBuffer();
  const place = document.querySelector('#lab-photo'), data = new DataTransfer();
  data.items.add(new File([bytes], '%s', { type: '%s' }));
  place.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
  await new Promise((done) => setTimeout(done, 300));
})()"""
CONTROLS = """(() => {
  const all = document.querySelectorAll('[data-lab=%s] :is(select, button:not(:disabled), canvas[tabindex], input)');
  const stops = [...all].filter((control) => control.type !== 'radio' || control.checked);
  return stops.filter((control) => control.checkVisibility()).length;
})()"""


def unpack(text: str) -> torch.Tensor:
    """The numbers that `PACK` made a text of."""
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.float32)


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    """How far a is from b, as a share of b."""
    return ((a - b).norm() / b.norm()).item()


def walk(browser: Browser, name: str) -> int:
    """How many controls of a lab the tab key reaches, beginning at its first."""
    lab = f"document.querySelector('[data-lab={name}]')"
    browser.evaluate(f"{lab}.querySelector(':is(select, button:not(:disabled), canvas[tabindex], input)').focus()")
    reached = 0
    while browser.evaluate(f"{lab}.contains(document.activeElement)"):
        reached += 1
        browser.press("Tab")
    return reached


def opened(browser: Browser, address: str, hash: str = "") -> list[str]:
    """The page of labs, its photo lab ready; what was asked for."""
    browser.look(1280, 800)
    seen = browser.open(f"{address}/lab.html{hash}")
    assert browser.evaluate(READY.replace("'.lab'", "'#lab-photo'")) == ["ready"]
    return [*seen.requests, *visit(browser.events).requests]


def change(browser: Browser, changes: str) -> None:
    """Another state of the photo lab, and its answers."""
    browser.evaluate(f"void lab.photo.change({changes})")
    assert browser.evaluate(IDLE) == "ready"


def bring(browser: Browser, address: str) -> None:
    """What an address asks of the photo lab, and its answers."""
    browser.evaluate(f"void lab.photo.bring({address!r})")
    browser.evaluate(IDLE)
