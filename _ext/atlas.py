"""Sphinx extension: the atlas, from `_static/atlas/` (written by `tools.atlas`), as a page and as a poster.

The directive `atlas` shows one tile for each class, all cut from one sheet, with what two networks say of it, and a
field to search by name. The poster lies beside the sheet: the same tiles with their names, on one page of paper.
"""

import html
import json
from collections import Counter
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

FOLDER = "_static/atlas"
COLUMNS = 25


def read(root: Path) -> dict[str, Any]:
    """What `tools.atlas` published."""
    return json.loads((root / FOLDER / "said.json").read_text("utf-8"))


def title(name: str) -> str:
    """A network as people call it."""
    return name.replace("efficientnet_lite", "EfficientNet-Lite")


def share(count: int, total: int) -> str:
    """ "12 of 40 (30 %)"."""
    return f"{count} of {total} ({count / total:.0%})".replace("%)", "\u00a0%)")


def rule(said: dict[str, Any]) -> str:
    """Which classes there are, where not all are: those of whole rounds, and the beginning of another."""
    every, last = said["rounds"], said["last"]
    labels = {tile["label"] for tile in said["tiles"]}
    whole = sum(all(label in labels for label in range(first, said["classes"], every)) for first in range(every))
    begun = f"every {every}th" if not whole else f"another of every {every}"
    rules = [f"{whole} of every {every}"] * (whole > 0)
    rules += [f"{begun}, as far as number {last}"] * (last + every < said["classes"])
    return ", and ".join(rules)


def summary(said: dict[str, Any]) -> list[str]:
    """Which classes there are, and how many tiles each network names as they were asked for, with the null."""
    tiles, noise = said["tiles"], said["noise"]
    own = sum(tile["own"][0][0] == tile["name"] for tile in tiles)
    second = sum(tile["second"][0] == tile["name"] for tile in tiles)

    def names(who: str) -> str:
        called = Counter(noise[who])
        name, times = called.most_common(1)[0]
        return f"{len(called)} names for them, most often “{html.escape(name)}” ({times} times)"

    count, first, other = len(noise["own"]), title(said["model"]), title(said["second"])
    lines = []
    if len(tiles) < said["classes"]:
        lines.append(f"These are {len(tiles)} of the {said['classes']} classes: {rule(said)}.")
    lines.append(
        f"{first} climbed them, and names {share(own, len(tiles))} first as what they were asked for, seen at "
        f"the size and quality that you see. {other}, which had no part in it, names {share(second, len(tiles))}. "
        f"Who guesses is right once in {said['classes']}."
    )
    lines.append(
        f"And {count} tiles of noise, waves with the spectrum and the colors of the recipe and no class? "
        f"{first} has {names('own')}, {other} has {names('second')}."
    )
    return lines


def place(number: int, rows: int) -> str:
    """The part of the sheet that a tile shows, at any size."""
    x, y = number % COLUMNS / (COLUMNS - 1), number // COLUMNS / max(1, rows - 1)
    return f"background-position: {100 * x:.3f}% {100 * y:.3f}%"


def rows_of(said: dict[str, Any]) -> int:
    """How many rows the sheet has."""
    return -(-len(said["tiles"]) // COLUMNS)


def card(tile: dict[str, Any], where: str) -> str:
    """A tile with its name, and what the networks say of it."""
    name, (second, _) = html.escape(tile["name"]), tile["second"]
    own = ", ".join(f"{html.escape(said)} {chance:.2f}" for said, chance in tile["own"])
    kind = f"{int(tile['own'][0][0] == tile['name'])}{int(second == tile['name'])}"
    return (
        f'<figure data-name="{name.lower()}" data-kind="{kind}"><div role="img" aria-label="The image that {name} asks '
        f'for" style="{where}"></div><figcaption><b>{name}</b><span>{own}</span>'
        f"<span><i>{html.escape(second)}</i></span></figcaption></figure>"
    )


STYLE = """
.bd-main:has(.atlas) .bd-sidebar-secondary { display: none }
.bd-main:has(.atlas) .bd-content .bd-article-container { max-width: 80rem }
.bd-article:has(.atlas) > section > :is(p, section) { max-width: 46rem }
.atlas-find { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; font-family: var(--book-sans);
  position: sticky; top: var(--pst-header-height, 0); background: var(--pst-color-background); padding: 0.6rem 0;
  z-index: 2 }
.atlas-find :is(input, select) { font: inherit; color: inherit; background: var(--pst-color-background);
  border: 1px solid var(--book-quiet); border-radius: 99px; padding: 0.35rem 1rem; max-width: 100% }
.atlas-find input { flex: 1 1 14rem }
.atlas { display: grid; grid-template-columns: repeat(auto-fill, minmax(6.6rem, 1fr)); gap: 1rem 0.7rem;
  font-family: var(--book-sans); min-height: 60vh; align-content: start }
.bd-article .atlas figure { margin: 0; content-visibility: auto; contain-intrinsic-size: auto 7rem auto 12rem }
.bd-article .atlas figure[hidden] { display: none }
.atlas figure div { aspect-ratio: 1; border-radius: 8px; background: #15121d url(SHEET); background-size: 2500% auto }
.bd-article .atlas figcaption { margin: 0.3rem 0 0; font-size: 0.8rem; line-height: 1.3; color: var(--book-quiet) }
.atlas figcaption :is(b, span) { display: block; overflow-wrap: anywhere }
.atlas figcaption b { color: var(--pst-color-text-base); font-size: 0.88rem }
@media print { .atlas-find { display: none } .atlas figure div { print-color-adjust: exact } }
"""

SCRIPT = """
(() => {
  const cards = [...document.querySelectorAll(".atlas figure")], told = document.querySelector(".atlas-find output");
  const [text, kind] = document.querySelectorAll(".atlas-find :is(input, select)");
  const find = () => {
    const words = text.value.toLowerCase().split(/\\s+/).filter(Boolean), wanted = new RegExp(`^${kind.value}$`);
    let found = 0;
    for (const card of cards) {
      card.hidden = !wanted.test(card.dataset.kind) || !words.every((word) => card.dataset.name.includes(word));
      found += !card.hidden;
    }
    told.textContent = found === cards.length ? "" : `${found} found`;
  };
  text.addEventListener("input", find);
  kind.addEventListener("change", find);
  find();
})();
"""

FIND = """<div class="atlas-find"><input type="search" placeholder="Search by name …" aria-label="Search by name"
autocomplete="off"><select aria-label="Which" autocomplete="off"><option value="..">all</option>
<option value="11">both networks name it</option><option value=".0">the second does not</option>
<option value="0.">its own does not</option></select><output></output></div>"""


class AtlasPage(SphinxDirective):
    """All tiles."""

    def run(self) -> list[nodes.Node]:
        """Numbers, a field to search in, the tiles."""
        root = Path(self.env.srcdir)
        self.env.note_dependency(str(root / FOLDER / "said.json"))
        said = read(root)
        cards = "\n".join(card(tile, place(i, rows_of(said))) for i, tile in enumerate(said["tiles"]))
        up = "../" * self.env.docname.count("/") + FOLDER
        return [
            nodes.raw(
                "",
                f"<style>{STYLE.replace('SHEET', f'{up}/sheet.webp')}</style>"
                f"{''.join(f'<p>{line}</p>' for line in summary(said))}"
                f"<p>Below each name: what its own network sees, with the probabilities of the two best names; then, "
                f'<i>slanted</i>, what the second one sees. <a href="{up}/poster.html">All of it as a poster</a>, to '
                f"print.</p>{FIND}<div class='atlas'>{cards}</div><script>{SCRIPT}</script>",
                format="html",
            )
        ]


POSTER = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>What each class asks for: a poster</title><style>
@page { size: 594mm {height}mm; margin: 12mm }
* { print-color-adjust: exact }
body { margin: 0; padding: 4mm; background: #15121d; color: #f0ecf8; font: 11pt/1.35 system-ui, sans-serif }
h1 { font-size: 40pt; line-height: 1.1; margin: 0 0 3mm } p { margin: 0 0 2mm; max-width: 320mm }
main { display: grid; grid-template-columns: repeat(25, 1fr); gap: 1.2mm; margin-top: 5mm; width: 560mm }
div { aspect-ratio: 1; border-radius: 1mm; background: url(sheet.webp); background-size: 2500% auto }
b { display: block; font-size: 5.5pt; font-weight: 500; line-height: 1.5; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis }
</style></head><body><h1>What each class asks for</h1>
{lines}<main>{tiles}</main></body></html>
"""


def poster(said: dict[str, Any]) -> str:
    """A page of paper, 594 mm wide, with every tile and its name."""
    rows = rows_of(said)
    tiles = "".join(
        f'<span><div style="{place(i, rows)}"></div><b>{html.escape(tile["name"])}</b></span>'
        for i, tile in enumerate(said["tiles"])
    )
    lines = "".join(f"<p>{line}</p>" for line in summary(said))
    return POSTER.replace("{height}", str(150 + 27 * rows)).replace("{lines}", lines).replace("{tiles}", tiles)


def finish(app: Sphinx, error: Exception | None) -> None:
    """Lay the poster beside the sheet, where there is one."""
    folder = Path(app.outdir) / FOLDER
    if not error and app.builder.format == "html" and folder.is_dir():
        (folder / "poster.html").write_text(poster(read(Path(app.srcdir))), "utf-8", newline="\n")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("atlas", AtlasPage)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
