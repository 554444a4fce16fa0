"""The site in a real browser that has no network: the real book's every page, and a tiny book for what is rare.

Page weight counts everything that a page makes the browser load, pictures, styles, scripts and fonts of the theme
included, except the scripts and fonts in `vendor/`, which all pages share and a reader loads once. Text is sent
compressed, as every web host does.
"""

import functools
import gzip
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from browser import IN_A_BROWSER, Browser, Visit, executable
from conftest import alt_problem, make_book

from tools import refresh, site, vendor
from tools.project import BookError, Project

HEAVIEST = 3_000_000
FIRST_PAGE = 700_000
PHONE = 390
CHROMIUM = executable()

pytestmark = IN_A_BROWSER

STATE = """(() => {
  const article = document.querySelector('.bd-article') || document.querySelector('main');
  const prose = article.cloneNode(true);
  prose.querySelectorAll('pre, code, script, mjx-container').forEach((node) => node.remove());
  return {
    math: document.querySelectorAll('mjx-container').length,
    formulas: document.querySelectorAll('.math').length,
    merrors: [...document.querySelectorAll('mjx-merror, [data-mjx-error]')].map((node) => node.textContent),
    raw: (prose.textContent.match(/\\$\\$|\\\\\\(|\\\\\\[|\\\\begin\\{/g) || []).length,
    images: [...article.querySelectorAll('img')].map((image) => ({
      source: image.src.slice(0, 120),
      // The picture of a card is there for the eye alone: the card says what it leads to.
      alt: image.closest('.chapter-card')?.textContent || image.alt,
      loaded: image.complete && image.naturalWidth > 0,
    })),
    width: document.documentElement.scrollWidth,
    headings: document.querySelectorAll('h1').length,
    stops: document.querySelectorAll('mjx-container[tabindex="0"]').length,
    cut: [...document.querySelectorAll('div.math mjx-container')].filter(
      (node) => getComputedStyle(node).overflow !== 'visible').length ? ['a formula'] : [],
    wide: [...article.querySelectorAll('.cell_input pre')].filter(
      (node) => node.scrollWidth > node.clientWidth + 1).map((node) => node.textContent.slice(0, 80)),
    theme: document.documentElement.dataset.theme,
    background: getComputedStyle(document.body).backgroundColor,
    color: getComputedStyle(article).color,
    searches: [...document.querySelectorAll('input[type=search]')].filter((node) => node.checkVisibility()).length,
  };
})()"""


CUT = """[...document.querySelectorAll('.bd-article .highlight pre, .bd-article div.math')].filter(
  (node) => node.checkVisibility() && node.scrollWidth > node.clientWidth + 1
).map((node) => node.textContent.slice(0, 80))"""


SETTLE = """document.getAnimations().forEach((change) => {
  if (Number.isFinite(change.effect.getComputedTiming().endTime)) change.finish();
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all pages."""
    assert CHROMIUM
    with Browser(CHROMIUM) as running:
        yield running


class Host(http.server.SimpleHTTPRequestHandler):
    """A web host: files of a folder, text compressed."""

    def do_GET(self) -> None:
        """Answer with a file."""
        path = Path(self.translate_path(self.path))
        if path.suffix not in (".html", ".css", ".js", ".svg") or not path.is_file():
            super().do_GET()
            return
        body = gzip.compress(path.read_bytes(), 6)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


class Served(NamedTuple):
    """A built site while it is served."""

    address: str
    folder: Path


def served(project: Project) -> Iterator[Served]:
    """A project's built site over http."""
    handler = functools.partial(Host, directory=str(project.site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield Served(f"http://127.0.0.1:{running.server_address[1]}", project.site)
        running.shutdown()


@pytest.fixture(scope="module")
def book(real_site: Project) -> Iterator[Served]:
    """The real book."""
    yield from served(real_site)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A tiny book."""
    root = tmp_path_factory.mktemp("tiny") / "book"
    project = make_book(root)
    refresh.refresh(project, project.chapters)
    site.build(project)
    yield from served(project)


def addresses(project: Project) -> list[str]:
    """Every page of the site, those that Sphinx adds included."""
    try:
        pages = [project.relative(page.with_suffix(".html")) for page in project.pages]
    except BookError:
        pages = []
    return [*pages, "search.html", "genindex.html"]


def assert_quiet(visit: Visit, start: str) -> None:
    """Nothing failed, nothing complained, and nothing was asked of another machine."""
    assert visit.failures == []
    assert visit.errors == []
    assert [url for url in visit.requests if not url.startswith((start, "data:", "blob:"))] == []


@pytest.mark.parametrize("page", addresses(Project()))
def test_every_page_of_the_book(browser: Browser, book: Served, page: str) -> None:
    browser.look()
    visit = browser.open(f"{book.address}/{page}")
    assert_quiet(visit, book.address)
    state = browser.evaluate(STATE)
    assert state["math"] >= state["formulas"]
    assert (state["merrors"], state["raw"], state["stops"], state["cut"], state["wide"]) == ([], 0, 0, [], [])
    assert [image for image in state["images"] if not image["loaded"]] == []
    assert [image for image in state["images"] if alt_problem(image["alt"])] == []
    assert (state["headings"], state["theme"]) == (1, "light")
    assert state["searches"] <= (1 if page == "search.html" else 0)
    assert (state["formulas"] > 0) == any("/mathjax/" in url for url in visit.requests)
    weight = sum(size for url, size in visit.sizes.items() if "/vendor/" not in url)
    assert 0 < weight < (FIRST_PAGE if page == "intro.html" else HEAVIEST), f"{weight / 1e6:.2f} MB"
    assert unreadable(browser) == []


@pytest.mark.parametrize("page", addresses(Project()))
def test_phones_and_themes(browser: Browser, book: Served, page: str) -> None:
    browser.look(PHONE, 844, "dark")
    assert_quiet(browser.open(f"{book.address}/{page}"), book.address)
    for theme in ("dark", "light"):
        if theme == "light":
            browser.evaluate("document.documentElement.dataset.theme = 'light'")
        state = browser.evaluate(STATE)
        assert state["width"] <= PHONE
        assert state["wide"] == []
        assert state["theme"] == theme
        ground, ink = brightness(state["background"]), brightness(state["color"])
        assert (ground > 220 and ink < 100) if theme == "light" else (ground < 50 and ink > 180)
    browser.look(theme="dark")
    browser.evaluate("document.documentElement.dataset.theme = 'dark'")
    # The first listings have all the colors that the others have; in the light every one is looked at.
    browser.evaluate("[...document.querySelectorAll('.highlight')].slice(9).forEach((node) => node.remove())")
    assert unreadable(browser, "{runOnly: ['color-contrast'], resultTypes: ['violations']}") == []


def unreadable(browser: Browser, options: str = "{resultTypes: ['violations']}") -> list[str]:
    """What the checker axe-core finds that somebody could not read or reach; skips where it cannot be had."""
    folder = vendor.AXE.folder(Project().root)
    try:
        if not folder.is_dir():
            vendor.fetch(vendor.AXE, Project().root)
    except BookError as error:
        pytest.skip(str(error))
    script = folder / "axe.min.js"
    browser.evaluate(script.read_text("utf-8") + ";0")
    # A change of theme fades: colors are judged where they come to rest.
    browser.evaluate(SETTLE)
    found = "result.violations.map((v) => `${v.id}: ${v.nodes.length} x ${v.nodes[0].html.slice(0, 150)}`)"
    return browser.evaluate(f"axe.run(document, {options}).then((result) => {found})")


def brightness(color: str) -> float:
    """Mean of the channels of `rgb(r, g, b)`, 0 to 255."""
    channels = [float(part) for part in color[color.index("(") + 1 : -1].split(",")[:3]]
    return sum(channels) / 3


def test_a_folded_solution_opens(browser: Browser, tiny: Served) -> None:
    browser.look()
    browser.open(f"{tiny.address}/chapters/01_first.html")
    height = "document.querySelector('.solution').offsetHeight"
    closed = browser.evaluate(height)
    browser.evaluate("document.querySelector('.solution .toggle-button').click()")
    browser.evaluate("new Promise((done) => setTimeout(done, 700))")
    assert browser.evaluate(height) > closed


def test_a_click_on_a_solution_s_header_stays_there(browser: Browser, tiny: Served) -> None:
    browser.look()
    browser.open(f"{tiny.address}/chapters/01_first.html")
    assert browser.evaluate("document.querySelectorAll('.solution > .admonition-title a').length") == 0
    title = "document.querySelector('.solution > .admonition-title').textContent.trim()"
    assert browser.evaluate(title).startswith("Solution to Exercise 1.1")


def test_a_figure_opens_large_and_closes(browser: Browser, tiny: Served) -> None:
    browser.look(PHONE, 844)
    browser.open(f"{tiny.address}/chapters/01_first.html")
    browser.evaluate("document.querySelector('a.enlarge img').click()")
    width = "(document.querySelector('dialog[open] img') || {}).clientWidth"
    assert browser.evaluate(width) >= 1.5 * PHONE
    closed = "const dialog = document.querySelector('dialog[open]'); dialog.addEventListener('close', done)"
    browser.evaluate(f"new Promise((done) => {{ {closed}; dialog.querySelector('button').click(); }})")
    assert browser.evaluate("document.querySelectorAll('dialog').length") == 0
    assert browser.evaluate("document.activeElement.className") == "enlarge"


DARK = """[...document.querySelectorAll('.bd-article :is(div, fieldset, code, pre, td, th)')].filter((node) => {
  const [r, g, b, alpha = 1] = getComputedStyle(node).backgroundColor.match(/[\\d.]+/g).map(Number);
  return node.checkVisibility() && alpha > 0.2 && r + g + b < 300;
}).map((node) => node.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("page", ["lab.html", "chapters/01_what_does_a_convnet_see.html"])
def test_on_paper_no_line_is_cut_and_nothing_is_black(browser: Browser, book: Served, page: str) -> None:
    browser.look(width=720)
    browser.open(f"{book.address}/{page}")
    browser.call("Emulation.setEmulatedMedia", media="print", features=[])
    browser.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert browser.evaluate(CUT) == []
    assert browser.evaluate(DARK) == []
    state = browser.evaluate(STATE)
    assert brightness(state["background"]) > 250
    assert brightness(state["color"]) < 60
    browser.call("Emulation.setEmulatedMedia", media="")


@pytest.mark.parametrize("query", ["guided+backpropagation", "guided+back-propagation"])
def test_the_search_finds_hyphens_and_quotes_the_text(browser: Browser, book: Served, query: str) -> None:
    browser.look()
    browser.open(f"{book.address}/search.html?q={query}")
    browser.evaluate(
        "new Promise((done) => { const look = () => document.querySelector('#search-results p.context')"
        " ? done() : setTimeout(look, 50); look(); })"
    )
    found = browser.evaluate("[...document.querySelectorAll('#search-results li')].map((item) => item.textContent)")
    assert any("4. One rule apart" in text for text in found)
    assert not [text for text in found if ".pdf" in text]


def test_opened_as_a_file(browser: Browser, tiny: Served) -> None:
    if not vendor.ready(Project().root):
        pytest.skip("MathJax could not be fetched here")
    browser.look()
    visit = browser.open((tiny.folder / "chapters" / "01_first.html").as_uri())
    assert_quiet(visit, "file://")
    assert browser.evaluate(STATE)["math"] > 3
