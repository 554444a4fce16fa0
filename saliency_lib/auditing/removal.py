"""An image without a part of it: three things that can take the place of a region, each wrong in its own way.

    removed(images, masks, "inpainting")        # (N, C, H, W), changed where a mask (N, H, W) is true and nowhere else

mean         the mean color of the rest of the image: an edge remains, in the shape of what was there; on any grid
blur         the image itself, blurred by an eighth of its shorter side: a smear in the region's own color remains
inpainting   what Telea (2004) makes of the region's surroundings, by OpenCV: a texture that may look like something

A network may answer to what is put in as well as to what was taken out. What all three agree on is worth more.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from saliency_lib.checks import check_images, one_of
from saliency_lib.errors import ImageError

BLUR = 8
"""The standard deviation of the blur is the image's shorter side divided by this."""

RADIUS = 3
"""Pixels of known surroundings that inpainting looks at."""


def _mean(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    around = image[~mask] if not mask.all() else image.reshape(-1, image.shape[-1])
    return np.broadcast_to(around.mean(0), image.shape)


def _blur(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.GaussianBlur(image, (0, 0), min(mask.shape) / BLUR).reshape(image.shape)


def _inpainting(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    if image.shape[2] not in (1, 3):
        raise ImageError(f"inpainting takes images of one or three channels, and these have {image.shape[2]}")
    import cv2

    if mask.all():
        return _mean(image, mask)
    wider = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))  # what mixes with the region is not copied in
    known = np.rint(image * 255).astype(np.uint8)
    filled = cv2.inpaint(known if image.shape[2] > 1 else known[..., 0], wider, RADIUS, cv2.INPAINT_TELEA)
    return filled.reshape(image.shape).astype(np.float32) / 255


WAYS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mean": _mean,
    "blur": _blur,
    "inpainting": _inpainting,
}
"""From an image (*grid, C) and a mask (*grid) to an image from which the region is taken."""


def removed(images: Tensor, masks: Tensor, way: str) -> Tensor:
    """The images (N, C, H, W) in [0, 1] with other pixels where the masks (N, H, W) are true, and unchanged elsewhere.

    `way` is "mean", which takes signals (N, C, L) and volumes (N, C, D, H, W) too, "blur" or "inpainting" (see
    `removal`). Raises `ImageError` if the images or the masks cannot be used, or there is no such way. Chapter 11
    teaches it.
    """
    check_masks(masks, check_images(images))
    if one_of("way to remove a region", way, WAYS, ImageError) != "mean" and images.ndim != 4:
        raise ImageError(f'"{way}" is for images (N, C, H, W), and not {tuple(images.shape)}: take "mean"')
    filled = images.detach().cpu().float().clone()
    for image, mask in zip(filled, masks.cpu(), strict=True):
        pixels = image.movedim(0, -1).contiguous().numpy()
        other = torch.from_numpy(WAYS[way](pixels, mask.numpy()).copy()).movedim(-1, 0).clamp(0, 1)
        image.copy_(torch.where(mask, other, image))
    return filled


def check_masks(masks: Tensor, images: Tensor, name: str = "") -> Tensor:
    """The masks themselves. Raises `ImageError` unless they are (N, H, W), of booleans, one for each image."""
    title = f"the masks of {name!r}" if name else "masks"
    wanted = len(images), *images.shape[2:]
    if not isinstance(masks, Tensor) or masks.dtype != torch.bool or tuple(masks.shape) != wanted:
        got = f"{masks.dtype} of shape {tuple(masks.shape)}" if isinstance(masks, Tensor) else type(masks).__name__
        raise ImageError(f"{title} are booleans of shape {wanted}, one for each image: got {got}")
    return masks
