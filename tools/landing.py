"""The figure on the book's first page and the card that is shown where a page is shared.

    python -m tools.landing

Rule: the second of the package's photos, asked about the top classes of the first three. For each, the map of guided
backpropagation and that of the gradient, drawn like every other map in the book. Nothing is picked by its result.
"""

import io
import itertools
import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

import saliency_lib as sl
from tools.project import ROOT

FOLDER = ROOT / "_static" / "landing"
CARD = ROOT / "_static" / "card.jpg"
RULES = {"guided": "guided", "gradient": "backprop"}
PHOTOS = 3
SIDE = 336
INK = "#171033"


def questions(model: sl.Classifier) -> list[str]:
    """What is asked: the top class of each of the first photos."""
    photos = list(sl.sample_photos())[:PHOTOS]
    return [model.top(sl.to_tensor(sl.sample_photo(name)), 1)[0][0].name for name in photos]


def maps(model: sl.Classifier, images: Tensor, asked: list[str]) -> dict[str, list[Tensor]]:
    """For each rule the saliency map of every class asked for."""
    return {
        name: [sl.saliency_map(model, images, label, rule=rule)[0].cpu() for label in asked]
        for name, rule in RULES.items()
    }


def agreement(found: list[Tensor]) -> tuple[float, float]:
    """Least and greatest rank correlation between two maps of a list."""
    pairs = [
        float(torch.corrcoef(torch.stack([ranks(a), ranks(b)]))[0, 1]) for a, b in itertools.combinations(found, 2)
    ]
    return min(pairs), max(pairs)


def ranks(values: Tensor) -> Tensor:
    """Place of each pixel in the order of all."""
    return values.flatten().argsort().argsort().double()


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


def write() -> dict[str, Any]:
    """Write every file, and return what the page says of them."""
    FOLDER.mkdir(exist_ok=True)
    pictures, said = figure()
    for name, picture in pictures.items():
        save(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), FOLDER / f"{name}.webp", quality=70, method=6)
    save(card(pictures), CARD, quality=86, optimize=True)
    (FOLDER / "figure.json").write_text(json.dumps(said, indent=1) + "\n", "utf-8")
    return said


def save(picture: Image.Image, path: Path, **options: Any) -> None:
    """Write a picture."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "WEBP" if path.suffix == ".webp" else "JPEG", **options)
    path.write_bytes(buffer.getvalue())
    print(f"{path.relative_to(ROOT)}: {len(buffer.getvalue()) / 1000:.0f} kB")


if __name__ == "__main__":
    print(json.dumps(write()))
