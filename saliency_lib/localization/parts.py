"""Which part of a photo a map covers: a box of a centered crop is not a box of the photo."""

import math

from PIL import Image
from torch import Tensor

from saliency_lib.checks import numbers
from saliency_lib.errors import ImageError
from saliency_lib.images import Part, center_crop, is_cut_out, part_of
from saliency_lib.localization.boxes import Box


def covered(image: Image.Image, saliency: Tensor, part: str | Part | None = None) -> Box:
    """The box of the photo, in whole pixels, that a map covers; `part` as in `localize`.

    Raises `ImageError` if nobody says, and the map has another shape than the photo: it may be of a crop.
    """
    width, height = image.size
    if part is None and isinstance(saliency, Tensor):
        part = part_of(saliency) or (None if is_cut_out(saliency) else _same_shape(saliency, image))
    if isinstance(part, str) and part in ("whole", "center"):
        x0, y0, x1, y1 = (0, 0, width, height) if part == "whole" else center_crop(width, height)
    elif part is not None and not isinstance(part, str):
        shares = numbers("the part of a photo", part, 4, error=ImageError)
        x0, y0, x1, y1 = shares[0] * width, shares[1] * height, shares[2] * width, shares[3] * height
    else:
        raise ImageError(
            f'the part of a photo is "whole", "center" or four shares of its sides, not {part!r}'
            if part is not None
            else "this map does not say which part of the photo it covers: pass part='whole' if the network was given "
            "all of it (crop=False), part='center' if it was given the centered square"
        )
    if not (0 <= x0 < x1 <= width + 1e-6 and 0 <= y0 < y1 <= height + 1e-6):
        raise ImageError(f"the part {part} does not lie in the photo")
    return math.floor(x0), math.floor(y0), max(round(x1), math.floor(x0) + 1), max(round(y1), math.floor(y0) + 1)


def _same_shape(saliency: Tensor, image: Image.Image) -> str | None:
    """All of the photo, for a map of its shape: a centered crop would not have it."""
    height, width = saliency.shape[-2:] if saliency.ndim > 1 else (0, 0)
    return "whole" if height and abs(width * image.height - height * image.width) < max(height, width) else None
