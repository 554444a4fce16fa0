"""An atlas: the image that each class of a network asks for, on one sheet, and what two networks say of each.

    python -m tools.atlas atlas                  # the thousand of EfficientNet-Lite0, about a second and a half each
    python -m tools.atlas atlas --limit 20       # twenty more
    python -m tools.atlas atlas --publish        # the sheet and its numbers, for the page `atlas` of the book

Every class gets one recipe with one seed; nothing is picked. The recipe is chapter 6's, for a tile of 96 pixels:
smaller images, fewer and longer steps, less noise. An image is a file in the folder, written when it is done, so a run
may be broken off anywhere and goes on where it was; several may work in one folder. Another recipe asks for another.

The classes come in eight rounds, each every eighth class in the order of its number. Published is what there is without
a gap in this order, so that what is missing is no accident.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

import saliency_lib as sl
from saliency_lib.class_images.parameterizations import Colors, Fourier, Sigmoid
from saliency_lib.class_images.priors import Crop, Noise
from tools.project import ROOT, BookError

PUBLISHED = ROOT / "_static" / "atlas"
TILE, COLUMNS = 96, 25
ROUNDS = (0, 4, 2, 6, 1, 5, 3, 7)
"""Remainders of a class's number by eight, in the order of the rounds."""

QUALITY = 60
"""Of the sheet, as WebP counts."""

NOISES = 100
STALE = 1800
"""After so many seconds an image that somebody began is begun again."""


def priors(noise: float) -> tuple[Any, ...]:
    """Those of chapter 6, with noise of its own strength."""
    return Fourier(decay=1.35, contrast=1.0), Colors(), Sigmoid(), Crop(0.3, 1.0), Noise(noise)


class Atlas:
    """A folder that an atlas grows in."""

    def __init__(self, folder: Path, model: sl.Model, settings: dict[str, Any]) -> None:
        if model.categories is None:
            raise BookError("An atlas needs a network that names classes.")
        self.folder, self.model, self.settings = folder, model, settings
        self.names = model.categories.names
        folder.mkdir(parents=True, exist_ok=True)
        self._settle()

    def _settle(self) -> None:
        """Note the settings in a new folder; raises BookError if the folder's own are others."""
        path, text = self.folder / "settings.json", json.dumps(self.settings, indent=1, sort_keys=True) + "\n"
        if not path.is_file():
            path.write_text(text, "utf-8")
        elif path.read_text("utf-8") != text:
            raise BookError(f"{self.folder} was begun with other settings: see {path.name}, or take another folder.")

    def ordered(self) -> list[int]:
        """All classes, round by round."""
        return [label for first in ROUNDS for label in range(first, len(self.names), len(ROUNDS))]

    def done(self) -> list[int]:
        """The classes that have their image, up to the first that has none, in the order in which they come."""
        return list(itertools.takewhile(lambda label: self.tile(label).is_file(), self.ordered()))

    def tile(self, label: int) -> Path:
        """Where the image of a class lies."""
        return self.folder / f"{label:04d}.png"

    def grow(self, batch: int, limit: int | None = None) -> Iterator[int]:
        """Climb for classes that nobody has begun, a batch at a time; yields how many this run has made."""
        count, every = 0, self.ordered()
        while labels := self._taken(every, min(batch, len(every) if limit is None else limit - count)):
            for label, image in zip(labels, self._climb(labels), strict=True):
                picture = sl.to_image(image[None]).resize((TILE, TILE), Image.Resampling.LANCZOS)
                picture.save(self._part(label), "PNG")
                os.replace(self._part(label), self.tile(label))
            count += len(labels)
            yield count

    def _part(self, label: int) -> Path:
        return self.tile(label).with_suffix(".part")

    def _taken(self, labels: list[int], count: int) -> list[int]:
        """So many of the classes, and from now on nobody else's."""
        mine: list[int] = []
        for label in labels:
            if len(mine) >= count:
                break
            part = self._part(label)
            if self.tile(label).is_file():
                continue
            try:
                if time.time() - part.stat().st_mtime > STALE:
                    part.unlink()
            except FileNotFoundError:
                pass
            try:
                part.open("x").close()
            except FileExistsError:
                continue
            mine.append(label)
        return mine

    def _climb(self, labels: list[int]) -> Tensor:
        """The images of some classes (N, 3, H, W) in [0, 1]."""
        given = {name: self.settings[name] for name in ("steps", "step_size", "size", "seed")}
        noise = priors(self.settings["noise"])
        found = sl.class_image(self.model, labels, priors=noise, start="noise", progress=False, **given)
        if not found.complete:
            raise KeyboardInterrupt
        return found.image

    def sheet(self) -> Image.Image:
        """The tiles to be published, row by row, in the order of their numbers."""
        labels = sorted(self.done())
        sheet = Image.new("RGB", (COLUMNS * TILE, max(1, -(-len(labels) // COLUMNS)) * TILE))
        for place, label in enumerate(labels):
            sheet.paste(Image.open(self.tile(label)), corner(place))
        return sheet

    def publish(self, name: str, folder: Path) -> None:
        """Write the sheet, and what two networks say of its tiles as they are seen there and of tiles of noise."""
        second = sl.load_model(name)
        folder.mkdir(parents=True, exist_ok=True)
        self.sheet().save(folder / "sheet.webp", quality=QUALITY, method=6)
        sheet, labels = Image.open(folder / "sheet.webp").convert("RGB"), sorted(self.done())
        tiles = [cut(sheet, place) for place in range(len(labels))]
        noise = noises(self.model, self.settings["size"])
        said = {
            "model": self.settings["model"],
            "second": name,
            "classes": len(self.names),
            "rounds": len(ROUNDS),
            "last": self.done()[-1],
            "tiles": [
                {"label": label, "name": self.names[label], "own": own, "second": other[0]}
                for label, own, other in zip(labels, told(self.model, tiles), told(second, tiles), strict=True)
            ],
            "noise": {"own": firsts(told(self.model, noise)), "second": firsts(told(second, noise))},
        }
        lines = (f'"{key}": {written(value)}' for key, value in said.items())
        (folder / "said.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def written(value: Any) -> str:
    """JSON, of a list of dictionaries a line for each."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(map(written, value)) + "\n]"
    return json.dumps(value, ensure_ascii=False)


def corner(place: int) -> tuple[int, int]:
    """Where the tile of this place in the sheet begins: column and row of pixels."""
    return place % COLUMNS * TILE, place // COLUMNS * TILE


def cut(sheet: Image.Image, place: int) -> Image.Image:
    """A tile of the sheet."""
    x, y = corner(place)
    return sheet.crop((x, y, x + TILE, y + TILE))


def told(model: sl.Model, tiles: list[Image.Image]) -> list[list[tuple[str, float]]]:
    """The two best names of each tile, enlarged to what the network takes, with their probabilities."""
    best = (model.top(model.to_tensor(tile), 2)[0] for tile in tiles)
    return [[(p.name, round(p.probability or 0.0, 2)) for p in two] for two in best]


def firsts(answers: list[list[tuple[str, float]]]) -> list[str]:
    """The best name of each."""
    return [two[0][0] for two in answers]


def noises(model: sl.Model, size: int) -> list[Image.Image]:
    """Tiles that no class was asked for: waves of random strength, with the spectrum and colors of the priors."""
    random = torch.Generator().manual_seed(0)
    fourier, colors, sigmoid, *_ = priors(0.0)
    z = torch.randn(fourier.shape((NOISES, 3, size, size)), generator=random)
    images = sigmoid.image(colors.image(fourier.image(z, model.mean), model.mean), model.mean) + model.mean
    return [sl.to_image(image[None]).resize((TILE, TILE), Image.Resampling.LANCZOS) for image in images]


def main(words: list[str] | None = None) -> None:
    """Read the command line; grow the atlas, or publish what there is."""
    parser = argparse.ArgumentParser(prog="python -m tools.atlas", description="The image that each class asks for.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--steps", type=int, default=96)
    parser.add_argument("--step-size", type=float, default=0.06)
    parser.add_argument("--noise", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=5)
    parser.add_argument("--limit", type=int, help="how many classes at most, this time")
    parser.add_argument("--publish", action="store_true", help="write what there is for the book's page")
    parser.add_argument("--second", default="efficientnet_lite1", help="who else says what it sees, when published")
    given = parser.parse_args(words)
    settings = {name: getattr(given, name) for name in ("model", "size", "steps", "step_size", "noise", "seed")}
    try:
        atlas = Atlas(given.folder, sl.load_model(given.model), settings)
        if given.publish:
            atlas.publish(given.second, PUBLISHED)
            return
        for count in atlas.grow(given.batch, given.limit):
            print(f"{count} more; {len(atlas.done())} of {len(atlas.names)} without a gap", flush=True)
    except (BookError, sl.SaliencyError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("Interrupted: the same command goes on from here.")


if __name__ == "__main__":
    main()
