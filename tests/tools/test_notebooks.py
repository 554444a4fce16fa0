"""`make notebooks`: the chapters open in JupyterLab, and a live slider there changes its figure."""

import contextlib
import importlib.util
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import nbformat
import pytest
from browser import Browser, in_a_browser
from conftest import SECOND, make_book, write_notebook
from nbformat.v4 import new_code_cell, new_markdown_cell

from tools import notebooks
from tools.project import Project

CHAPTER = "02_second.ipynb"
SLIDER = """from PIL import Image
from saliency_lib import widgets

widgets.slider(lambda red: Image.new("RGB", (60, 40), (red, 0, 0)), [0, 80, 160, 240], name="red", alt="a red card")"""
LAB = Path(sys.prefix, "share", "jupyter", "lab", "static", "index.html")


def test_a_reader_s_changes_are_kept(book: Project, capsys: pytest.CaptureFixture[str]) -> None:
    folder = notebooks.lay(book)
    first, second = sorted(folder.glob("*.ipynb"))
    ids = [cell.id for cell in nbformat.reads(first.read_text("utf-8"), as_version=4).cells]
    assert not notebooks.ELSEWHERE & set(ids)
    first.write_text(first.read_text("utf-8").replace("print(", "print(1, "), "utf-8")
    second.unlink()
    notebooks.lay(book)
    assert "print(1, " in first.read_text("utf-8")
    assert second.is_file()
    assert f"{first.name}: kept" in capsys.readouterr().out


def test_a_notebook_that_only_was_run_is_brought_up_to_date(book: Project) -> None:
    path = notebooks.lay(book) / "01_first.ipynb"
    notebook = nbformat.reads(path.read_text("utf-8"), as_version=4)
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.outputs, cell.execution_count = [nbformat.v4.new_output("stream", text="ran")], 3
    path.write_text(nbformat.writes(notebook), "utf-8")
    notebooks.lay(book)
    assert "ran" not in path.read_text("utf-8")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of JupyterLab on a chapter with a slider, as `make notebooks` starts it."""
    book = make_book(tmp_path_factory.mktemp("lab") / "book")
    write_notebook(book.chapters[1], [new_markdown_cell(SECOND), new_code_cell(SLIDER)])
    folder = notebooks.lay(book)
    options = ["--no-browser", "--allow-root", "--port=0", "--IdentityProvider.token=open", "--expose-app-in-browser"]
    home = {"JUPYTER_CONFIG_DIR": str(folder / ".c"), "JUPYTER_RUNTIME_DIR": str(folder / ".r")}
    process = subprocess.Popen(
        notebooks.command(folder, *options),
        env={**notebooks.environment(), **home},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield address(folder / ".r")
    finally:
        process.terminate()
        process.wait()


def address(runtime: Path, seconds: int = 120) -> str:
    """Where the server that notes itself in this folder answers."""
    for _ in range(seconds * 4):
        for note in runtime.glob("jpserver-*.json"):
            # The note is written before the server listens, and maybe half: then it is looked at again.
            with contextlib.suppress(URLError, json.JSONDecodeError):
                # The browser knows this machine by its number only.
                url = json.loads(note.read_text("utf-8"))["url"].replace("localhost", "127.0.0.1")
                with urllib.request.urlopen(f"{url}api/status?token=open") as answer:
                    assert answer.status == 200
                return url
        time.sleep(0.25)
    raise AssertionError("JupyterLab did not start")


RUN = """(async () => {
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  for (let i = 0; i < 300 && !window.jupyterapp; i++) await pause(100);
  const app = window.jupyterapp;
  await app.restored;
  const panel = await app.commands.execute('docmanager:open', {path: 'CHAPTER', factory: 'Notebook'});
  await panel.context.ready; await panel.sessionContext.ready;
  const cells = panel.content.widgets, source = (cell) => cell.model.sharedModel.getSource();
  const myst = /^(```|:::)\\s*\\{|\\{[\\w:]+\\}`/m;
  panel.content.activeCellIndex = cells.findIndex((cell) => source(cell).includes('widgets.slider'));
  await app.commands.execute('notebook:run-cell');
  for (let i = 0; i < 1200 && !panel.node.querySelector('.widget-image'); i++) await pause(100);
  return {
    raw: cells.filter((cell) => cell.model.type === 'markdown' && myst.test(source(cell))).length,
    kernel: panel.sessionContext.session.kernel.name,
  };
})()"""
LOOK = """(() => {
  const image = document.querySelector('.jp-Notebook .widget-image');
  const label = document.querySelector('.jp-Notebook .widget-readout');
  return {picture: image && image.src, label: label && label.textContent};
})()"""


@in_a_browser
@pytest.mark.skipif(not importlib.util.find_spec("jupyterlab") or not LAB.is_file(), reason="no JupyterLab here")
def test_a_live_slider_changes_its_figure(browser: Browser, lab: str) -> None:
    browser.look()
    browser.open(f"{lab}lab?token=open")
    assert browser.evaluate(RUN.replace("CHAPTER", CHAPTER)) == {"raw": 0, "kernel": "python3"}
    before = looked(browser)
    browser.evaluate("document.querySelector('.jp-Notebook .noUi-handle').focus()")
    browser.press("ArrowRight")
    after = looked(browser, different_from=before["picture"])
    assert (before["label"], after["label"]) == ("80", "160")
    assert after["picture"] != before["picture"]


def looked(browser: Browser, different_from: str = "") -> dict[str, Any]:
    """What the slider's output shows, once it differs."""
    for _ in range(200):
        state = browser.evaluate(LOOK)
        if state["picture"] and state["picture"] != different_from:
            return state
        time.sleep(0.1)
    raise AssertionError("the figure does not change")
