"""The picture at the top of the README and of the book: photographs, and the saliency maps of their top class.

    python -m tools.cover

Rule: the first three photos of the package's list, each with the map of the class that EfficientNet-Lite0 scores
highest, drawn like every other map in the book. Nothing is picked by its result.
"""

from PIL import Image

import saliency_lib as sl
from tools.project import ROOT

COVER = ROOT / "_static" / "cover.webp"
PHOTOS, SIDE, GAP = 3, 320, 12


def cover() -> Image.Image:
    """The photos in a row, their maps below."""
    model = sl.load_model("efficientnet_lite0")
    sheet = Image.new("RGBA", (PHOTOS * (SIDE + GAP) - GAP, 2 * SIDE + GAP))
    for column, name in enumerate(list(sl.sample_photos())[:PHOTOS]):
        images = sl.to_tensor(sl.sample_photo(name))
        for row, picture in enumerate([sl.to_image(images), sl.plots.colorize(sl.saliency_map(model, images)[0])]):
            smooth = picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(smooth, (column * (SIDE + GAP), row * (SIDE + GAP)))
    return sheet


if __name__ == "__main__":
    cover().save(COVER, quality=88, method=6)
