"""In the dark a figure has no white card: beside it lies a copy whose paper is dark and whose ink is light.

Photographs and maps stay as they are. They are the large filled pieces of a figure; what is not inside one of them is
paper, text, axes and curves, whose lightness is turned over while their colors stay. `_static/book.js` shows the copy
where the theme is dark; where it does not run, the figure keeps its card.
"""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from finishing.page import Page

PAPER = 245
"""The least value of a channel that is paper."""

FILLED, LEAST = 0.6, 24
"""The share of its box that a picture fills, and its shorter side in pixels; text and curves fill less."""

EDGE = 3
"""Pixels about a picture that are half paper: turned over they would be a bright line."""

GROUND = np.array([21.0, 18.0, 29.0])
"""The page's color in the dark, `--pst-color-background`."""


def copies(page: Page) -> None:
    """Lay the dark copy beside every figure and every frame of a player on white paper, and name it."""
    if not page.name.startswith(("chapters/", "reference/")):
        return
    for picture in page.article.select(".cell_output img"):
        path = page.file(str(picture.get("src", "")))
        if not path or not path.is_file() or path.suffix == ".svg":
            continue
        made = copy(path, page.root / ".cache" / "dark")
        if made:
            target = page.site / "_images" / made.name
            if not target.is_file():
                target.write_bytes(made.read_bytes())
            picture["data-dark"] = page.link(target.relative_to(page.site).as_posix())


def copy(path: Path, cache: Path) -> Path | None:
    """The dark copy of a picture, made once; None where the picture has no white paper."""
    made = cache / f"dark-{hashlib.sha256(path.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:16]}.webp"
    if not made.is_file():
        picture = np.asarray(Image.open(path).convert("RGB"))
        corners = picture[[0, 0, -1, -1], [0, -1, 0, -1]]
        if corners.min() < PAPER:
            return None
        cache.mkdir(parents=True, exist_ok=True)
        Image.fromarray(turned(picture)).save(made, "WEBP", quality=82, method=4)
    return made


def turned(picture: np.ndarray) -> np.ndarray:
    """The figure (H, W, 3) with dark paper and light ink; photographs and maps inside it stay."""
    kept = pictures(picture)
    edge = ndimage.binary_dilation(kept, iterations=EDGE) & ~kept
    values = picture.astype(float)
    low, high = values.min(-1, keepdims=True), values.max(-1, keepdims=True)
    # The lightness l becomes 255 - l; differences between the channels, which are the color, stay as they are.
    light = values + 255 - low - high
    light = GROUND + light * (255 - GROUND) / 255
    light[edge] = GROUND
    return np.where(kept[..., None], values, light.clip(0, 255)).round().astype(np.uint8)


def pictures(picture: np.ndarray) -> np.ndarray:
    """Where photographs and maps are (H, W): the boxes of large pieces that are filled."""
    kept = np.zeros(picture.shape[:2], bool)
    pieces, _ = ndimage.label(picture.min(-1) < PAPER)
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        height, width = (part.stop - part.start for part in box)
        if min(height, width) >= LEAST and (pieces[box] == number).mean() >= FILLED:
            kept[box] = True
    return kept


STEPS = (copies,)
