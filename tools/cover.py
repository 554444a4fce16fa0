"""The picture at the top of the README and of the book: photographs, and the saliency maps of their top class.

    python -m tools.cover

Rule: the first three photos of the package's list, each with the map of the class that EfficientNet-Lite0 scores
highest, drawn like every other map in the book. Nothing is picked by its result.
"""

import io
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from PIL import Image

import saliency_lib as sl
from tools.project import ROOT

COVER = ROOT / "_static" / "cover.webp"
PHOTOS = 3
SIDE = 320
GAP = 12


def panel(model: sl.Classifier, name: str) -> tuple[Image.Image, Image.Image]:
    """A photo and the map of its top class, both as pictures of SIDE by SIDE pixels."""
    images = sl.to_tensor(sl.sample_photo(name))
    values = sl.saliency_map(model, images)[0].cpu()
    share = (values / values.quantile(0.995)).clamp(0, 1)
    rgb = np.asarray(colormaps["inferno"](share.numpy()))[..., :3]
    colored = Image.fromarray((255 * rgb).astype(np.uint8))
    size, smooth = (SIDE, SIDE), Image.Resampling.LANCZOS
    return sl.to_image(images).resize(size, smooth), colored.resize(size, smooth)


def cover() -> Image.Image:
    """The photos in a row, their maps below."""
    model = sl.load_model("efficientnet_lite0")
    names = list(sl.sample_photos())[:PHOTOS]
    sheet = Image.new("RGBA", (PHOTOS * (SIDE + GAP) - GAP, 2 * SIDE + GAP), (0, 0, 0, 0))
    for column, name in enumerate(names):
        for row, picture in enumerate(panel(model, name)):
            sheet.paste(picture, (column * (SIDE + GAP), row * (SIDE + GAP)))
    return sheet


def write(path: Path = COVER) -> int:
    """Write the picture and return its size in bytes."""
    buffer = io.BytesIO()
    cover().save(buffer, "WEBP", quality=88, method=6)
    path.write_bytes(buffer.getvalue())
    return len(buffer.getvalue())


if __name__ == "__main__":
    print(f"{COVER.relative_to(ROOT)}: {write() / 1000:.0f} kB")
