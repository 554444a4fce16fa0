"""An atlas: the image that each class of a network asks for, on one sheet and in one page that is searched by name.

    python -m tools.atlas atlas                                     # all of EfficientNet-Lite0's thousand, for hours
    python -m tools.atlas atlas --limit 20                          # twenty more, and what there is by then as a page
    python -m tools.atlas atlas --second resnet50                   # what a second network says of each

Every class gets the recipe of chapter 6 with the same seed; nothing is picked. An image is a tile of 96 pixels and a
line of `atlas.jsonl`, with the two names that its own network gives it, written when it is done. So a run may be broken
off anywhere, and goes on where it was; another network, size or number of steps asks for another folder. In the end, or
after `--limit` classes, `sheet.webp` and `index.html` are written anew. The page loads the sheet, and nothing else.
"""

import argparse
import html
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

import saliency_lib as sl
from tools.project import BookError

TILE, COLUMNS = 96, 25
SEED = 0


class Atlas:
    """A folder that an atlas grows in."""

    def __init__(self, folder: Path, model: sl.Model, settings: dict[str, Any], second: sl.Model | None = None) -> None:
        if model.categories is None:
            raise BookError("An atlas needs a network that names classes.")
        self.folder, self.model, self.settings, self.second = folder, model, settings, second
        self.names = model.categories.names
        self.lines = folder / "atlas.jsonl"
        (folder / "tiles").mkdir(parents=True, exist_ok=True)
        self._settle()

    def _settle(self) -> None:
        """Note the settings in a new folder; raises BookError if the folder's own are others."""
        path = self.folder / "settings.json"
        text = json.dumps(self.settings, indent=1, sort_keys=True) + "\n"
        if not path.is_file():
            write(path, text)
        elif path.read_text("utf-8") != text:
            raise BookError(f"{self.folder} was begun with other settings: see {path.name}, or take another folder.")

    def tile(self, label: int) -> Path:
        """Where the image of a class lies."""
        return self.folder / "tiles" / f"{label:04d}.webp"

    def done(self) -> dict[int, dict[str, Any]]:
        """What is known of the classes that have their image. A line that a kill cut short counts for nothing."""
        found: dict[int, dict[str, Any]] = {}
        for line in self.lines.read_text("utf-8").splitlines() if self.lines.is_file() else ():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if self.tile(record["label"]).is_file():
                found[record["label"]] = record
        return dict(sorted(found.items()))

    def grow(self, batch: int, limit: int | None = None) -> Iterator[int]:
        """Climb for the classes that have no image yet, a batch at a time; yields how many there are after each."""
        known = self.done()
        missing = [label for label in range(len(self.names)) if label not in known][:limit]
        for start in range(0, len(missing), batch):
            labels = missing[start : start + batch]
            self._keep(labels, self._climb(labels))
            yield len(known) + start + len(labels)

    def _climb(self, labels: list[int]) -> Tensor:
        """The images of some classes (N, 3, H, W) in [0, 1]."""
        size, steps = self.settings["size"], self.settings["steps"]
        found = sl.class_image(
            self.model, labels, priors="recommended", steps=steps, size=size, seed=SEED, progress=False
        )
        if not found.complete:
            raise KeyboardInterrupt
        return found.image

    def _keep(self, labels: list[int], images: Tensor) -> None:
        """Write each image, and then its line."""
        own = self.model.top(images, 2)
        other = self.second.top(images, 1) if self.second else [[] for _ in labels]
        text = ""
        for label, image, two, one in zip(labels, images, own, other, strict=True):
            picture = sl.to_image(image[None]).resize((TILE, TILE), Image.Resampling.LANCZOS)
            part = self.tile(label).with_suffix(".part")
            picture.save(part, "WEBP", quality=80, method=6)
            os.replace(part, self.tile(label))
            said = [[p.name, round(p.score, 2)] for p in two]
            record = {"label": label, "name": self.names[label], "own": said, "second": [p.name for p in one]}
            text += json.dumps(record, ensure_ascii=False) + "\n"
        before = self.lines.read_bytes() if self.lines.is_file() else b""
        torn = bool(before) and not before.endswith(b"\n")  # a kill came while it was written
        with self.lines.open("a", encoding="utf-8") as out:
            out.write("\n" * torn + text)

    def sheet(self, records: dict[int, dict[str, Any]]) -> Image.Image:
        """All tiles, row by row."""
        rows = -(-len(records) // COLUMNS)
        sheet = Image.new("RGB", (COLUMNS * TILE, max(1, rows) * TILE), "#15121d")
        for place, label in enumerate(records):
            sheet.paste(Image.open(self.tile(label)), (place % COLUMNS * TILE, place // COLUMNS * TILE))
        return sheet

    def publish(self) -> Path:
        """The sheet, and the page that shows it; the address of the page."""
        records = self.done()
        self.sheet(records).save(self.folder / "sheet.webp", quality=62, method=6)
        cards = "".join(card(place, record) for place, record in enumerate(records.values()))
        named = sum(record["own"][0][0] == record["name"] for record in records.values())
        said = f"{len(records)} of {len(self.names)} classes of {html.escape(self.settings['model'])}. "
        said += f"Its own network names {named} of the images first as they were asked for."
        page = self.folder / "index.html"
        write(page, PAGE.replace("{said}", said).replace("{cards}", cards))
        return page


def card(place: int, record: dict[str, Any]) -> str:
    """A tile with its name, and what the networks say of it."""
    x, y = place % COLUMNS * TILE, place // COLUMNS * TILE
    own = ", ".join(f"{html.escape(name)} {score:.1f}" for name, score in record["own"])
    second = f"<br>a second network: {html.escape(record['second'][0])}" if record["second"] else ""
    name = html.escape(record["name"])
    return (
        f'<figure data-words="{name.lower()}"><div role="img" aria-label="The image that {name} asks for" '
        f'style="background-position: -{x}px -{y}px"></div>'
        f"<figcaption><b>{name}</b>{own}{second}</figcaption></figure>\n"
    )


PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>An atlas of what a network asks for</title>
<style>
body { margin: 0 auto; max-width: 82rem; padding: 1rem; background: #15121d; color: #f0ecf8 }
body { font: 16px/1.45 system-ui, sans-serif }
input { font: inherit; width: min(28rem, 100%); box-sizing: border-box; padding: .5rem .9rem; color: inherit }
input { border-radius: 99px; border: 1px solid #8f7fb8; background: #221d2f }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: 1rem; margin-top: 1.2rem }
figure { margin: 0; content-visibility: auto; contain-intrinsic-size: 9rem 12rem } figure[hidden] { display: none }
figure div { width: 96px; height: 96px; border-radius: 8px; background: url(sheet.webp) }
figcaption { font-size: .82rem; color: #cfc4e4 } figcaption b { display: block; color: #fff }
@media print { body { background: #fff; color: #111 } input { display: none } figcaption, figcaption b { color: #111 } }
</style></head><body>
<h1>What does each class ask for?</h1>
<p>{said}</p>
<label>Search by name <input type="search" autocomplete="off"></label> <span role="status"></span>
<main>
{cards}</main>
<script>
const cards = [...document.querySelectorAll("figure")], told = document.querySelector("[role=status]");
document.querySelector("input").addEventListener("input", ({ target }) => {
  const words = target.value.toLowerCase().split(/\\s+/).filter(Boolean);
  for (const card of cards) card.hidden = !words.every((word) => card.dataset.words.includes(word));
  told.textContent = words.length ? `${cards.filter((card) => !card.hidden).length} found` : "";
});
</script></body></html>
"""


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, "utf-8", newline="\n")
    os.replace(part, path)


def main(words: list[str] | None = None) -> None:
    """Read the command line, grow the atlas, and publish what there is."""
    parser = argparse.ArgumentParser(prog="python -m tools.atlas", description="The image that each class asks for.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--second", help="a network that says what it sees in each image")
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--steps", type=int, default=320)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--limit", type=int, help="how many classes at most, this time")
    given = parser.parse_args(words)
    settings = {name: getattr(given, name) for name in ("model", "second", "size", "steps")}
    second = sl.load_model(given.second) if given.second else None
    try:
        atlas = Atlas(given.folder, sl.load_model(given.model), settings, second)
        for count in atlas.grow(given.batch, given.limit):
            print(f"{count} of {len(atlas.names)}", flush=True)
    except (BookError, sl.SaliencyError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("Interrupted: the same command goes on from here.")
    print(atlas.publish())


if __name__ == "__main__":
    main()
