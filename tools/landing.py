"""The pictures by which the book is met: its cover, the figure on its first page, the card where a page is shared.

    python -m tools.landing

Rules: the cover is the first three of the package's photos, each with the map of its top class. The figure is the
second of them, asked about the top classes of all three, by guided backpropagation and by the gradient. All maps are
drawn like every other in the book, and nothing is picked by its result.
"""

import itertools
import json
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

import saliency_lib as sl
from saliency_lib.methods.maps import rank_correlation
from tools.project import ROOT

FOLDER = ROOT / "_static" / "landing"
CARD = ROOT / "_static" / "card.jpg"
COVER = ROOT / "_static" / "cover.webp"
RULES = {"guided": "guided", "gradient": "backprop"}
PHOTOS = 3
SIDE = 336
COVER_SIDE, GAP = 320, 12
INK = "#171033"


def questions(model: sl.Model) -> list[str]:
    """What is asked: the top class of each of the first photos."""
    photos = list(sl.sample_photos())[:PHOTOS]
    return [model.top(sl.to_tensor(sl.sample_photo(name)), 1)[0][0].name for name in photos]


def maps(model: sl.Model, images: Tensor, asked: list[str]) -> dict[str, list[Tensor]]:
    """For each rule the saliency map of every class asked for."""
    return {
        name: [sl.saliency_map(model, images, label, rule=rule)[0].cpu() for label in asked]
        for name, rule in RULES.items()
    }


def agreement(found: list[Tensor]) -> tuple[float, float]:
    """Least and greatest rank correlation between two maps of a list."""
    pairs = [rank_correlation(a, b) for a, b in itertools.combinations(found, 2)]
    return min(pairs), max(pairs)


def figure() -> tuple[dict[str, Image.Image], dict[str, Any]]:
    """The pictures by file name, and what the page says of them."""
    model = sl.load_model()
    name = list(sl.sample_photos())[1]
    images = sl.to_tensor(sl.sample_photo(name))
    asked = questions(model)
    found = maps(model, images, asked)
    pictures = {"photo": sl.to_image(images)}
    for rule, of_rule in found.items():
        pictures |= {f"{rule}-{i}": sl.plots.colorize(saliency) for i, saliency in enumerate(of_rule)}
    said = {"photo": name, "asked": asked, **{rule: agreement(of_rule) for rule, of_rule in found.items()}}
    return pictures, said


def card(pictures: dict[str, Image.Image]) -> Image.Image:
    """The picture of 1200 by 630 pixels that stands for a page where it is shared."""
    sheet = Image.new("RGB", (1200, 630), INK)
    draw = ImageDraw.Draw(sheet)
    for column, name in enumerate(("photo", "guided-1", "gradient-1")):
        sheet.paste(pictures[name].resize((SIDE, SIDE), Image.Resampling.LANCZOS), (60 + column * (SIDE + 36), 56))
    draw.text((60, 430), "Deep Inside ConvNets", font=ImageFont.load_default(76), fill="white")
    draw.text(
        (60, 530),
        "A book you can run, on saliency maps and class images",
        font=ImageFont.load_default(38),
        fill="#ffd76a",
    )
    return sheet


def cover() -> Image.Image:
    """The photos in a row, their maps below."""
    model = sl.load_model()
    sheet = Image.new("RGBA", (PHOTOS * (COVER_SIDE + GAP) - GAP, 2 * COVER_SIDE + GAP))
    for column, name in enumerate(list(sl.sample_photos())[:PHOTOS]):
        images = sl.to_tensor(sl.sample_photo(name))
        for row, picture in enumerate([sl.to_image(images), sl.plots.colorize(sl.saliency_map(model, images)[0])]):
            smooth = picture.resize((COVER_SIDE, COVER_SIDE), Image.Resampling.LANCZOS)
            sheet.paste(smooth, (column * (COVER_SIDE + GAP), row * (COVER_SIDE + GAP)))
    return sheet


def write() -> None:
    """Write every picture, and what the page says of the figure."""
    FOLDER.mkdir(exist_ok=True)
    pictures, said = figure()
    for name, picture in pictures.items():
        small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        small.save(FOLDER / f"{name}.webp", quality=70, method=6)
    card(pictures).save(CARD, quality=86, optimize=True)
    cover().save(COVER, quality=88, method=6)
    (FOLDER / "figure.json").write_text(json.dumps(said, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    write()
