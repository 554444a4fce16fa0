"""The site in a real browser that has no network: the real book's every page, and a tiny book for what is rare.

Page weight counts everything that a page makes the browser load, pictures, styles, scripts and fonts of the theme
included, except the scripts and fonts in `vendor/`, which all pages share and a reader loads once. Text is sent
compressed, as every web host does.
"""

from collections.abc import Iterator

import pytest
from browser import AT_REST, IN_A_BROWSER, Browser, Visit, served, unreadable, visit
from conftest import alt_problem
from spared import Spared, judge

from tools import vendor
from tools.project import BookError, Project

HEAVIEST = 3_000_000
FIRST_PAGE = 700_000
PHONE = 390

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
      // A picture on a button is the button's name, and as short as one.
      alt: image.closest('.chapter-card')?.textContent
        || (image.alt && image.closest('.lab button') ? 'the name of a button: ' : '') + image.alt,
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


THEMES = [("dark", (0, 50), (180, 255)), ("light", (220, 255), (0, 100))]
"""What a page's ground and ink have to be, as mean brightness."""

ONE_OF_EACH = """(() => {
  const seen = new Set();
  for (const line of document.querySelectorAll('.highlight .line')) {
    const place = `${line.closest('.highlight').parentElement.className} ${line.closest('.admonition')?.className}`;
    const kinds = [...line.querySelectorAll('[class]')].map((node) => `${place} ${node.className}`);
    if (seen.has(place) && kinds.every((kind) => seen.has(kind))) line.remove();
    for (const kind of [place, ...kinds]) seen.add(kind);
  }
  for (const like of ['mjx-container', 'dl.py.function', 'dl.py.class', 'dl.py.exception', '.atlas figure']) {
    [...document.querySelectorAll(like)].slice(20).forEach((node) => node.remove());
  }
})()"""
"""Leaves of all listings the lines with a color that no line before has in such a place.

Of the formulas, of the names of each kind and of the pictures of the atlas it leaves twenty.
"""


@pytest.fixture(scope="module")
def book(real_site: Project) -> Iterator[str]:
    """The address of the real book."""
    with served(real_site.site) as address:
        yield address


@pytest.fixture(scope="module")
def tiny(small_site: Project) -> Iterator[str]:
    """The address of a tiny book."""
    with served(small_site.site) as address:
        yield address


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


@pytest.fixture(scope="module")
def jury(browser: Browser) -> str:
    """Digest of what judges the pages."""
    return judge(browser)


@pytest.mark.parametrize("page", addresses(Project()))
def test_every_page_of_the_book(browser: Browser, book: str, jury: str, page: str) -> None:
    known = Spared(Project(), page, jury)
    known.skip_if_known()
    browser.look()
    seen = browser.open(f"{book}/{page}")
    state = browser.evaluate(STATE)
    assert state["math"] >= state["formulas"]
    assert (state["merrors"], state["raw"], state["stops"], state["cut"], state["wide"]) == ([], 0, 0, [], [])
    assert [image for image in state["images"] if not image["loaded"]] == []
    assert [image for image in state["images"] if alt_problem(image["alt"])] == []
    assert (state["headings"], state["theme"]) == (1, "light")
    assert state["searches"] <= (page in ("search.html", "atlas.html"))
    assert (state["formulas"] > 0) == any("/mathjax/" in url for url in seen.requests)
    weight = sum(size for url, size in seen.sizes.items() if "/vendor/" not in url)
    assert 0 < weight < (FIRST_PAGE if page == "intro.html" else HEAVIEST), f"{weight / 1e6:.2f} MB"
    browser.look(PHONE, 844)
    for theme, ground, ink in THEMES:
        browser.evaluate(f"document.documentElement.dataset.theme = '{theme}'; {AT_REST}")
        state = browser.evaluate(STATE)
        assert state["width"] <= PHONE
        assert state["wide"] == []
        assert ground[0] <= brightness(state["background"]) <= ground[1]
        assert ink[0] <= brightness(state["color"]) <= ink[1]
    browser.look()
    browser.evaluate(ONE_OF_EACH)
    assert unreadable(browser) == []
    browser.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert unreadable(browser, "{runOnly: ['color-contrast'], resultTypes: ['violations']}") == []
    assert_quiet(visit(browser.events), book)
    known.remember([*seen.requests, *visit(browser.events).requests])


def test_a_page_opens_as_the_reader_s_system_asks(browser: Browser, tiny: str) -> None:
    for theme, ground, _ in THEMES:
        browser.look(PHONE, 844, theme)
        assert_quiet(browser.open(f"{tiny}/chapters/01_first.html"), tiny)
        state = browser.evaluate(STATE)
        assert state["theme"] == theme
        assert ground[0] <= brightness(state["background"]) <= ground[1]


def brightness(color: str) -> float:
    """Mean of the channels of `rgb(r, g, b)`, 0 to 255."""
    channels = [float(part) for part in color[color.index("(") + 1 : -1].split(",")[:3]]
    return sum(channels) / 3


def test_a_folded_solution_opens_and_its_header_leads_nowhere(browser: Browser, tiny: str) -> None:
    browser.look()
    browser.open(f"{tiny}/chapters/01_first.html")
    assert browser.evaluate("document.querySelectorAll('.solution > .admonition-title a').length") == 0
    title = "document.querySelector('.solution > .admonition-title').textContent.trim()"
    assert browser.evaluate(title).startswith("Solution to Exercise 1.1")
    height = "document.querySelector('.solution').offsetHeight"
    closed = browser.evaluate(height)
    browser.evaluate("document.querySelector('.solution .toggle-button').click()")
    browser.evaluate("new Promise((done) => setTimeout(done, 700))")
    assert browser.evaluate(height) > closed


def test_a_figure_opens_whole_comes_closer_and_closes(browser: Browser, tiny: str) -> None:
    browser.look(PHONE, 844)
    browser.open(f"{tiny}/chapters/01_first.html")
    browser.evaluate("document.querySelector('a.enlarge img').click()")
    large = "document.querySelector('dialog[open] img')"
    assert browser.evaluate(f"[{large}.clientWidth <= innerWidth, {large}.clientHeight <= innerHeight]") == [True, True]
    assert browser.evaluate(f"{large}.clientWidth") >= 0.9 * PHONE
    assert browser.evaluate(f"{large}.click(), {large}.clientWidth") >= 1.5 * PHONE
    assert browser.evaluate(f"{large}.click(), {large}.clientWidth") <= PHONE
    closed = "const dialog = document.querySelector('dialog[open]'); dialog.addEventListener('close', done)"
    browser.evaluate(f"new Promise((done) => {{ {closed}; dialog.querySelector('button').click(); }})")
    assert browser.evaluate("document.querySelectorAll('dialog').length") == 0
    assert browser.evaluate("document.activeElement.className") == "enlarge"


def test_folded_code_stands_behind_its_figure_and_reading_with_it_is_remembered(browser: Browser, book: str) -> None:
    browser.look()
    page = f"{book}/chapters/02_taylor_expansion.html"
    browser.open(page)
    titles = "[...document.querySelectorAll('details.hide summary .collapsed')].map((line) => line.textContent)"
    folds = browser.evaluate(titles)
    assert folds[:2] == ["Code that prepares", "Code of Figure 2.1"]
    assert not [title for title in folds if not title.startswith("Code")]
    order = "document.querySelector('figure').compareDocumentPosition(document.querySelector('details.hide'))"
    assert browser.evaluate(order) & 4  # the figure comes first
    closed = "document.querySelectorAll('details.hide:not([open])').length"
    assert browser.evaluate(closed) > 3
    browser.evaluate("document.querySelector('.reading [value=run]').click()")
    assert browser.evaluate(closed) == 0
    browser.open(page)
    assert browser.evaluate(f"[{closed}, document.querySelector('.reading [value=run]').checked]") == [0, True]
    browser.evaluate("document.querySelector('.reading [value=read]').click()")
    assert browser.evaluate(closed) > 3


def test_in_the_dark_figures_have_no_white_card(browser: Browser, book: str) -> None:
    browser.look(theme="dark")
    browser.open(f"{book}/chapters/03_saliency_maps.html")
    bright = """(async () => {
      const pictures = [...document.querySelectorAll('img[data-dark]')], corners = [];
      for (const picture of pictures) {
        await picture.decode();
        const canvas = new OffscreenCanvas(4, 4), context = canvas.getContext('2d');
        context.drawImage(picture, 0, 0, 4, 4, 0, 0, 4, 4);
        corners.push(Math.max(...context.getImageData(0, 0, 1, 1).data.slice(0, 3)));
      }
      return corners;
    })()"""
    corners = browser.evaluate(bright)
    assert len(corners) > 4
    assert max(corners) < 60
    browser.evaluate("document.documentElement.dataset.theme = 'light'")
    browser.evaluate("new Promise((done) => setTimeout(done, 300))")
    assert min(browser.evaluate(bright)) > 240


def test_a_table_wider_than_the_paper_is_printed_smaller(browser: Browser, tiny: str) -> None:
    browser.look()
    browser.open(f"{tiny}/chapters/01_first.html")
    cells = "<td>0123456789012345678901234</td>" * 9
    table = f"<table class='wide'><tbody><tr>{cells}</tr></tbody></table>"
    browser.evaluate(f"document.querySelector('.bd-article').insertAdjacentHTML('beforeend', `{table}`)")
    width = "document.querySelector('table.wide').getBoundingClientRect().width"
    assert browser.evaluate(width) > 700
    browser.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.evaluate(width) <= 665
    browser.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert browser.evaluate(width) > 700


DARK = """[...document.querySelectorAll('.bd-article :is(div, fieldset, code, pre, td, th)')].filter((node) => {
  const [r, g, b, alpha = 1] = getComputedStyle(node).backgroundColor.match(/[\\d.]+/g).map(Number);
  return node.checkVisibility() && alpha > 0.2 && r + g + b < 300;
}).map((node) => node.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("page", ["lab.html", "chapters/01_what_does_a_convnet_see.html"])
def test_on_paper_no_line_is_cut_and_nothing_is_black(browser: Browser, book: str, page: str) -> None:
    browser.look(width=720)
    browser.open(f"{book}/{page}")
    browser.call("Emulation.setEmulatedMedia", media="print", features=[])
    browser.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert browser.evaluate(CUT) == []
    assert browser.evaluate(DARK) == []
    state = browser.evaluate(STATE)
    assert brightness(state["background"]) > 250
    assert brightness(state["color"]) < 60
    browser.call("Emulation.setEmulatedMedia", media="")


def test_opened_as_a_file(browser: Browser, small_site: Project) -> None:
    if not vendor.ready(Project().root):
        pytest.skip("MathJax could not be fetched here")
    browser.look()
    visit = browser.open((small_site.site / "chapters" / "01_first.html").as_uri())
    assert_quiet(visit, "file://")
    assert browser.evaluate(STATE)["math"] > 3
