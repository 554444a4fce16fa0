"""A map in a page beside the same ONNX file in onnxruntime for Python, one thread each; a tab's memory; its controls.

python -m benchmarks.lab [--repeats 15]     needs a built site and Chromium; exits with 1 if a limit is missed

The two take turns. The page is opened as a file. The first map of an image costs both ways; a further one, of another
class, the way back only, in Python as in the page. Memory is what the tab's process has for itself, without what it
shares with other processes, after a hundred maps. Of the labs with the small network, the slowest answer of a control
is compared with one pass forward and back.
"""

import statistics
import sys
import time
from typing import Any

import numpy as np
import onnxruntime
import psutil

import saliency_lib as sl
from benchmarks.timing import arguments
from tools.browser import MOVED, Browser
from tools.chromium import executable
from tools.lab.tape import CLASSES, GATES, lite0
from tools.project import Project

RATIO, MEMORY, MAPS = 2.0, 400, 100
PASSES, WARM = 3.0, 3
START = """new Promise((done) => {
  const place = document.querySelector('#lab-photo');
  place.scrollIntoView();
  const begun = performance.now();
  const look = () => lab.photo.network.stage === 'ready' && !lab.photo.answers.busy
    ? done([performance.getEntriesByName('network')[0].startTime - begun, performance.now() - begun])
    : setTimeout(look, 5);
  const touch = () => { lab.photo.change({ method: 'gradient' }); look(); };
  const begin = () => globalThis.lab?.photo ? touch() : setTimeout(begin, 20);
  begin();
})"""
MAP = """(async () => { const { answers, state } = lab.photo, begun = performance.now();
  await answers.grow(state, { target: %d, less: -1, method: 'gradient' });
  return performance.now() - begun; })()"""
DABBED = """(async () => { const { answers, state } = lab.photo;
  const dabbed = { ...state, strokes: [{ r: 3, points: [[%d, ROW]] }] };
  answers.image(dabbed);
  const begun = performance.now();
  await ASKED;
  return performance.now() - begun; })()"""
GROWN = DABBED.replace("ASKED", "answers.grow(dabbed, { target: TARGET, less: -1, method: 'gradient' })")
FIRST_MAP, FURTHER_MAP = (GROWN.replace("ROW", "0").replace("TARGET", target) for target in ("285", "281"))
ALL_NAMES = DABBED.replace("ASKED", "answers.run(dabbed, {})").replace("ROW", "9")
"""An image that is new in each turn, another question about it, and the names of another one."""

SEEN = """(() => { const begun = performance.now(); lab.photo.render(); return performance.now() - begun; })()"""

CONTROLS = """(async () => {
  const move = MOVED, places = [...document.querySelectorAll('.lab:not([data-lab=photo])')];
  for (const place of places) {
    place.scrollIntoView();
    while (!place.dataset.state) await new Promise((done) => setTimeout(done, 50));
  }
  const { network, drawings } = await lab.theCreatures();
  const timed = (work) => { const begun = performance.now(); work(); return performance.now() - begun; };
  const tried = [['once', null, () => network.gradient(network.run(drawings[0]), lab.cotangent(10, 0))]];
  for (const place of places) for (const control of place.querySelectorAll('select, input'))
    tried.push([place.dataset.lab, control, (turn) => move(control, turn)]);
  const times = tried.map(() => []);
  for (let turn = 0; turn < TURNS; turn++) tried.forEach(([,, work], i) => times[i].push(timed(() => work(turn))));
  return tried.map(([name], i) => [name, times[i].slice(WARM)]);
})()"""


def session() -> onnxruntime.InferenceSession:
    """The graph, in Python, with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(lite0().SerializeToString(), options, providers=["CPUExecutionProvider"])


def feeds(target: int) -> dict[str, Any]:
    """What is asked: the gradient of one class for the first photo."""
    image = sl.to_tensor(next(iter(sl.sample_photos().values())).load()).numpy()
    gate, slope = (np.array([value], np.float32) for value in GATES["backprop"])
    cotangent = np.eye(1, CLASSES, target, np.float32)
    asked = {"image": image, "cotangent": cotangent, "gate": gate, "slope": slope, "wanted": np.array(True)}
    return asked | {"known": np.zeros(0, bool)}


def memory(browser: Browser) -> float:
    """Megabytes of the largest process that shows pages."""
    tabs = [
        child.memory_full_info().uss
        for child in psutil.Process(browser.process.pid).children(recursive=True)
        if "--type=renderer" in child.cmdline()
    ]
    return max(tabs) / 1e6


def kept(browser: Browser) -> float:
    """The same, after the browser has thrown away what nothing refers to."""
    browser.call("HeapProfiler.collectGarbage")
    return memory(browser)


def main(command: list[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(__doc__, command)
    path = executable()
    page = Project().site / "lab.html"
    if path is None or not page.is_file():
        raise SystemExit("this needs Chromium and a built site: make book")
    python, asked = session(), feeds(285)
    questions = {
        "a first map of an image": (FIRST_MAP, asked),
        "a further map of it": (FURTHER_MAP, asked | {"known": python.run(["open"], asked)[0]}),
        "all names at once": (ALL_NAMES, asked | {"wanted": np.array(False)}),
    }
    ours: dict[str, list[float]] = {name: [] for name in questions}
    theirs: dict[str, list[float]] = {name: [] for name in questions}
    shown = []
    with Browser(path) as browser:
        browser.look()
        browser.open(page.as_uri())
        loading, drawing = browser.evaluate(START)
        print(
            f"the model is there {loading / 1e3:.1f} s after the first touch, the first map after {drawing / 1e3:.1f} s"
        )
        for turn in range(options.repeats + 1):
            for name, (script, given) in questions.items():
                ours[name].append(browser.evaluate(script.replace("%d", str(turn))))
                begun = time.perf_counter()
                python.run(None, given)
                theirs[name].append(1e3 * (time.perf_counter() - begun))
            shown.append(browser.evaluate(SEEN))
        timed = (
            CONTROLS.replace("MOVED", MOVED).replace("TURNS", str(options.repeats + WARM)).replace("WARM", str(WARM))
        )
        controls = browser.evaluate(timed)
        first = kept(browser)
        for target in range(MAPS):
            browser.evaluate(MAP % target)
        last, after = memory(browser), kept(browser)
    slowest: dict[str, float] = {}
    for name, times in controls:
        slowest[name] = max(slowest.get(name, 0), statistics.median(times))
    once = slowest.pop("once")
    answer = max(slowest.values())
    each = ", ".join(f"{name} {took:.0f}" for name, took in slowest.items())
    print(f"a pass of the small network forward and back: {once:.0f} ms; slowest control of each lab, ms: {each}")
    print(f"the slowest takes {answer / once:.1f} such passes (limit {PASSES:.0f})")
    missed = answer > PASSES * once or last > MEMORY
    for name in questions:
        page_s, python_s = (statistics.median(times[name][1:]) for times in (ours, theirs))
        print(f"{name}: {page_s:.0f} ms in the page, {python_s:.0f} ms in Python, ratio {page_s / python_s:.2f}")
        missed |= "map" in name and page_s > RATIO * python_s
    print(f"(limit {RATIO} for a map); drawing the names takes {statistics.median(shown):.0f} ms")
    print(
        f"the tab: {last:.0f} MB after {MAPS} maps more (limit {MEMORY}); without garbage {first:.0f} MB before them, "
        f"{after:.0f} MB after"
    )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
