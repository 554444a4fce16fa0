"""Where is it? From a saliency map to a mask and a box, as in section 3.2 of the paper.

    where = sl.localize(photo, saliency)      # where.mask (H, W), where.box (x0, y0, x1, y1) in pixels of the photo

The most salient pixels are taken for object, the least salient ones for background, a color model is fitted to each,
GraphCut labels every pixel, and the largest connected piece is the object. Works with any map of which it is known what
part of the photo it covers.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from saliency_lib.checks import check_map, check_photo, integer, number, numbers
from saliency_lib.errors import SaliencyError
from saliency_lib.images import Part, upright
from saliency_lib.localization.boxes import Box, bounding_box, cover, largest_component, median, scale
from saliency_lib.localization.parts import covered

NO_RECTANGLE = (0, 0, 0, 0)  # the labels say all
LONGEST = 10_000
"""Most pixels a side at which GraphCut runs."""

COMPONENTS = 5
"""Gaussians in the color model of GraphCut: fixed by OpenCV. As many seeds are needed on either side."""


@dataclass(frozen=True)
class Localization:
    """Where an object is: its `mask` (H, W), true on the object, its `box`, and the seeds that it grew from.

    The box is `(x0, y0, x1, y1)` in pixels of the photo, x1 and y1 exclusive; it is None if nothing was found. The
    seeds `foreground` and `background` are masks (h, w) of the size at which GraphCut ran; None without GraphCut.
    """

    mask: Tensor
    box: Box | None
    foreground: Tensor | None = None
    background: Tensor | None = None


def localize(
    image: Image.Image,
    saliency: Tensor,
    *,
    part: str | Part | None = None,
    foreground: float = 0.95,
    background: float = 0.30,
    size: int = 112,
) -> Localization:
    """The object that a map is about, by GraphCut on colors: the procedure of section 3.2.

    `saliency` is (h, w) or (1, h, w), of any size. `part` says which part of the photo it covers: `"whole"`,
    `"center"` (what `to_tensor` cuts out), or `(x0, y0, x1, y1)` as shares of the photo's sides. Maps that the package
    made of images from `to_tensor` know it; of others it must be said, unless map and photo have one shape. What lies
    outside of the part is not object. Pixels above its quantile `foreground`
    are the object's seeds, those up to its quantile `background` the background's. GraphCut runs on the photo with its
    longer side brought to `size` pixels, because its time grows with their number; mask and box are in pixels of the
    photo itself. Nothing is found in a map without differences.

    Raises `SaliencyError` if the quantiles are not 0 <= background <= foreground <= 1, or the size not positive, and
    `ImageError` if the photo or the map cannot be used. Chapter 7 teaches it.
    """
    foreground = number("foreground", foreground, 0, 1)
    if number("background", background, 0, 1) > foreground:
        raise SaliencyError(f"expected 0 <= background <= foreground <= 1, got {background} and {foreground}")
    checked = check_map(saliency)
    image = upright(check_photo(image))  # upright, as the network was given it
    window = covered(image, saliency, part)
    photo = image.crop(window)
    small = _shrink(photo, size)
    values = _resize(checked, small.height, small.width)
    seeds, others = values > values.quantile(foreground), values <= values.quantile(background)
    piece = largest_component(graph_cut(small, seeds, others))
    mask, box = cover(piece, photo.height, photo.width), scale(bounding_box(piece), piece, photo)
    return _placed(image, window, Localization(mask, box, seeds, others))


def threshold_box(
    image: Image.Image,
    saliency: Tensor,
    *,
    part: str | Part | None = None,
    threshold: float | Sequence[float] = 0.35,
) -> Localization:
    """The largest piece of a map above a fraction of its maximum: no colors, no GraphCut.

    With several fractions, each side of the box is the median of their boxes' sides, and the mask is that of the middle
    fraction, of two in the middle that of the larger. Nothing is found in a map that is nowhere positive. `part` as in
    `localize`.

    Raises `SaliencyError` if a fraction is not in (0, 1], and otherwise as `localize`. Chapter 7 teaches it.
    """
    several = (threshold,) if isinstance(threshold, Real) else threshold
    fractions = sorted(numbers("threshold, a fraction of the maximum,", several, least=0, most=1))
    if fractions[0] == 0:
        raise SaliencyError("a threshold is a fraction of the maximum, in (0, 1], and not 0")
    values = check_map(saliency)
    image = upright(check_photo(image))  # upright, as the network was given it
    window = covered(image, saliency, part)
    photo = image.crop(window)
    marked = [(values >= fraction * values.max()) & (values > 0) for fraction in fractions]
    pieces = [largest_component(mask) for mask in marked]
    boxes = [scale(bounding_box(piece), piece, photo) for piece in pieces]
    mask = cover(pieces[len(pieces) // 2], photo.height, photo.width)
    return _placed(image, window, Localization(mask, median([box for box in boxes if box is not None])))


def _placed(image: Image.Image, window: Box, found: Localization) -> Localization:
    """What was found in a window of a photo, in pixels of the photo."""
    x, y, right, bottom = window
    mask = F.pad(found.mask, (x, image.width - right, y, image.height - bottom))
    box = found.box and (found.box[0] + x, found.box[1] + y, found.box[2] + x, found.box[3] + y)
    return replace(found, mask=mask, box=box)


def graph_cut(image: Image.Image, foreground: Tensor, background: Tensor) -> Tensor:
    """The pixels (H, W) that GraphCut calls object, given seeds (H, W) for its two color models.

    Each model is a mixture of five Gaussians in RGB, fitted to the seeds alone; then every pixel gets the label under
    which its color is likely and few edges are cut where neighbors look alike (Rother, Kolmogorov and Blake, 2004, one
    pass). Seeds stay on their sides. With fewer than five seeds on a side there is no model, and the object's seeds are
    returned as they are. OpenCV's random numbers belong to a thread: drawing them in one of its own leaves yours alone.
    """
    if min(int(foreground.sum()), int(background.sum())) < COMPONENTS:
        return foreground.clone()
    colors = np.ascontiguousarray(image.convert("RGB"))
    with ThreadPoolExecutor(1) as thread:
        return torch.from_numpy(thread.submit(_grab_cut, colors, foreground.numpy(), background.numpy()).result())


def _grab_cut(colors: np.ndarray, foreground: np.ndarray, background: np.ndarray) -> np.ndarray:
    import cv2

    model, other = np.zeros((1, 65)), np.zeros((1, 65))
    seeds = np.concatenate([colors[foreground], colors[background]])[None]
    labels = np.full(seeds.shape[:2], cv2.GC_BGD, np.uint8)
    labels[:, : foreground.sum()] = cv2.GC_FGD
    cv2.setRNGSeed(0)  # OpenCV starts its k-means at random
    cv2.grabCut(seeds, labels, NO_RECTANGLE, other, model, 1, cv2.GC_INIT_WITH_MASK)
    labels = np.full(foreground.shape, cv2.GC_PR_BGD, np.uint8)
    labels[foreground], labels[background] = cv2.GC_FGD, cv2.GC_BGD
    cv2.grabCut(colors, labels, NO_RECTANGLE, other, model, 1, cv2.GC_EVAL_FREEZE_MODEL)
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)


def _shrink(image: Image.Image, size: int) -> Image.Image:
    scale = integer("size", size, 1, LONGEST) / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)


def _resize(values: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(values[None, None], (height, width), mode="bilinear", antialias=True)[0, 0]
