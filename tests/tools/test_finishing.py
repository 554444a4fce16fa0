"""What the finished pages get: folds behind their figures, tables without empty rows, dark figures, sections."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from tools.project import ROOT

sys.path.insert(0, str(ROOT / "_ext"))

from finishing import code, dark, folds, sections


def page(html: str, name: str = "chapters/01_first") -> SimpleNamespace:
    """As much of a page as the steps ask for."""
    soup = BeautifulSoup(f"<article class='bd-article'>{html}</article>", "html.parser")
    return SimpleNamespace(soup=soup, article=soup.article, name=name)


def cell(code: str, output: str = "") -> str:
    """A folded cell as myst-nb writes it."""
    titles = "".join(f"<p class='{kind} admonition-title'>{kind}</p>" for kind in ("collapsed", "expanded"))
    shown = f"<div class='cell_output'>{output}</div>" if output else ""
    fold = f"<details class='admonition hide above-input'><summary>{titles}</summary><pre>{code}</pre></details>"
    return f"<div class='cell'>{fold}{shown}</div>"


FIGURE = "<figure><img src='a.png'><figcaption><span class='caption-number'>Figure 4.1 </span>A</figcaption></figure>"


def test_a_chapter_opens_with_its_figure_and_folds_say_what_they_make() -> None:
    seen = page(f"<p>A question?</p>{cell('import a')}{cell('draw()', FIGURE)}{cell('print()', '<pre>1</pre>')}")
    for step in folds.STEPS:
        step(seen)
    text = seen.article.get_text(" ")
    assert text.index("Figure 4.1") < text.index("import a") < text.index("draw()")
    titles = [title.get_text() for title in seen.article.select(".collapsed")]
    assert titles == ["Code that prepares", "Code of Figure 4.1", "Code of what it prints"]
    assert seen.article.select("pre")[0].get_text() == "import a"


def test_cells_that_show_something_before_the_figure_stay() -> None:
    seen = page(f"{cell('table()', '<table></table>')}{cell('import a')}{cell('draw()', FIGURE)}")
    before = [pre.get_text() for pre in seen.article.select("pre")]
    for step in folds.STEPS:
        step(seen)
    assert [pre.get_text() for pre in seen.article.select("pre")] == before
    text = seen.article.get_text(" ")
    assert text.index("import a") < text.index("Figure 4.1") < text.index("draw()")
    assert seen.article.select_one(".collapsed").get_text() == "Code of the table"


@pytest.mark.parametrize(("rows", "kept"), [(["", "a", "b"], 1), (["", "a", "x"], 2)])
def test_the_name_of_an_index_needs_no_row(rows: list[str], kept: int) -> None:
    low = ["photo", "", "" if kept == 1 else "unit"]
    head = "".join("<tr>" + "".join(f"<th>{text}</th>" for text in row) + "</tr>" for row in (rows, low))
    seen = page(f"<table class='dataframe'><thead>{head}</thead><tbody></tbody></table>")
    folds.indices(seen)
    assert len(seen.article.select("thead tr")) == kept
    assert seen.article.select_one("th").get_text() == ("photo" if kept == 1 else "")


def test_paper_is_dark_ink_is_light_and_photographs_stay() -> None:
    picture = np.full((120, 200, 3), 255, np.uint8)
    photo = np.random.default_rng(0).integers(0, 200, (60, 60, 3), np.uint8)
    picture[30:90, 20:80] = photo
    picture[50, 100:190] = (31, 119, 180)  # a curve
    picture[10:14, 30:32] = 0  # a letter
    found = dark.turned(picture)
    assert (found[30:90, 20:80] == photo).all()
    assert (found[0, 0] == dark.GROUND).all()
    assert found[11, 31].min() > 230
    red, _, blue = found[50, 150].astype(int)
    assert blue > red + 60  # still blue
    assert blue > 150
    assert found[27:93, 17:83].reshape(-1, 3)[:66].max() <= 29  # no bright line about the photo


def test_a_picture_without_paper_gets_no_copy(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(np.full((30, 30, 3), 90, np.uint8)).save(path)
    assert dark.copy(path, tmp_path / "cache") is None


def test_frames_of_a_player_get_dark_paper_as_figures_do(tmp_path: Path) -> None:
    for name, value in (("plot", 255), ("photo", 90)):
        Image.fromarray(np.full((30, 30, 3), value, np.uint8)).save(tmp_path / f"{name}.png")
    shown = "".join(f"<span class='frame'><img src='{name}.png'></span>" for name in ("plot", "photo"))
    seen = page(f"<div class='cell_output'><div class='frame-player'>{shown}</div></div>")
    seen.root = seen.site = tmp_path
    seen.file, seen.link = (lambda address: tmp_path / address), str
    (tmp_path / "_images").mkdir()
    dark.copies(seen)
    plot, photo = seen.article.select("img")
    assert (np.asarray(Image.open(tmp_path / plot["data-dark"]).convert("RGB")) < 40).all()
    assert not photo.has_attr("data-dark")


def test_each_line_of_code_knows_how_far_in_it_begins() -> None:
    before, after = '<div class="{} notranslate"><div class="highlight"><pre>', "</pre></div></div>"
    text = '<span></span><span class="k">def</span> f():\n    <span class="k">pass</span>\n'
    listing, printed = before.format("highlight-ipython3"), before.format("output stream highlight-myst-ansi")
    rest = f"{after}<p>b</p>{printed}{text}{after}"
    plain, listings = code.held(f"<p>a</p>{listing}{text}{rest}")
    assert plain == f'<p>a</p>{listing[:-1]} data-listing="0">def f():\n    pass{rest}'
    assert code.released(plain, listings) == (
        f'<p>a</p>{listing}<span class="line"><span class="k">def</span> f():\n</span>'
        f'<span class="line" style="--in:4">    <span class="k">pass</span>\n</span>{rest}'
    )


def test_sections_hold_the_text_between_headings_and_no_code() -> None:
    seen = page(
        "<section id='top'><h1><span class='section-number'>4. </span>Maps</h1><p>First ( a ) words.</p>"
        f"{cell('import a')}<section id='why'><h2>Why</h2><p>The rule, <code>g</code>.</p><pre>x = 1</pre></section>"
        "<section id='exercises'><h2>Exercises</h2><p>Try.</p></section></section>"
    )
    found = {each.anchor: each for each in sections.sections(seen)}
    assert found["top"].text == "First (a) words."
    assert (found["why"].title, found["why"].trail, found["why"].text) == ("Why", "Maps", "The rule, g.")
    assert [found[name].kind for name in ("top", "why", "exercises")] == ["text", "text", "aside"]
    sections.attach(list(found.values()), {})
    assert found["why"].words == []


def test_a_term_is_a_synonym_of_the_section_that_speaks_of_it_most() -> None:
    glossary = page(
        "<dl class='glossary'><dt id='term-gate'>gate</dt>"
        "<dd><p>It passes. See <a href='../chapters/01_first.html'>Maps</a>.</p></dd></dl>",
        "reference/glossary",
    )
    found = [
        sections.Section("chapters/01_first", "a", "First", "Maps", "a gate"),
        sections.Section("chapters/01_first", "b", "Second", "Maps", "gate after gate"),
        sections.Section("chapters/02_second", "c", "Third", "Maps", "gate gate gate"),
    ]
    sections.attach(found, sections.meant([glossary]))
    assert [each.words for each in found] == [[], ["gate"], []]
