"""Photos in, tensors out.

    photo = sl.load_image("cat.jpg")     # any file that Pillow opens -> an RGB picture, upright
    images = sl.to_tensor(photo)         # -> (1, 3, 224, 224), values in [0, 1]

Every tensor of images in this package has the shape (N, 3, H, W) and values in [0, 1]; the normalization that a
network was trained with lives inside the network (see `models`), so a gradient is always taken with respect to what
one sees.
"""

import importlib.resources
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from saliency_lib.errors import ImageError

MAX_PIXELS = 80_000_000
"""Largest photo that `load_image` decodes (about 240 MB as RGB). Below the number at which Pillow warns of a bomb."""


@dataclass(frozen=True)
class SamplePhoto:
    """One photo that comes with the package: its author, license and source, and what a person says is in it.

    `box` is `(x0, y0, x1, y1)` in pixels of the photo, x1 and y1 exclusive, drawn by hand around the object of class
    `label`.
    """

    name: str
    file: str
    title: str
    label: str
    box: tuple[int, int, int, int]
    author: str
    license: str
    source: str

    @property
    def path(self) -> Path:
        """Where the file lies on this machine."""
        return Path(str(importlib.resources.files("saliency_lib.data") / "photos" / self.file))

    def load(self) -> Image.Image:
        """The photo, RGB."""
        return load_image(self.path)


@cache
def _photos() -> dict[str, SamplePhoto]:
    text = (importlib.resources.files("saliency_lib.data") / "photos.json").read_text("utf-8")
    return {entry["name"]: SamplePhoto(**entry | {"box": tuple(entry["box"])}) for entry in json.loads(text)}


def sample_photos() -> dict[str, SamplePhoto]:
    """The photos that need no download, by name, in a fixed order (chapter 1 introduces them)."""
    return dict(_photos())


def sample_photo(name: str) -> Image.Image:
    """One of `sample_photos` as an RGB picture.

    Raises `ImageError` if there is none of that name.
    """
    if name not in _photos():
        raise ImageError(f"there is no sample photo {name!r}; there are {', '.join(_photos())}")
    return _photos()[name].load()


def load_image(source: str | Path | IO[bytes] | Image.Image) -> Image.Image:
    """Any photo that Pillow opens, as an upright RGB picture.

    Turned upright by its EXIF tag; the first frame of an animation; transparency laid over white; 16-bit and
    floating-point gray brought to 8 bits (see `_to_8_bit`).

    Raises `ImageError` if the file is missing, is no image, is cut short, or has more than `MAX_PIXELS` pixels.
    """
    if isinstance(source, Image.Image):
        with _clear_errors("the picture"):
            return _to_rgb(source)
    name = str(getattr(source, "name", None) or source) if not isinstance(source, str | Path) else str(source)
    with _clear_errors(name), Image.open(source) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ImageError(
                f"{name} has {width} x {height} = {width * height / 1e6:.0f} million pixels; "
                f"the limit is {MAX_PIXELS / 1e6:.0f} million: make it smaller first"
            )
        return _to_rgb(image)


@contextmanager
def _clear_errors(name: str) -> Iterator[None]:
    """Turn what Pillow and the file system say into one sentence that names the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is the tighter one
            yield
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(f"there is no file {name}") from None
    except IsADirectoryError:
        raise ImageError(f"{name} is a folder, not a photo") from None
    except UnidentifiedImageError:
        raise ImageError(f"{name} is not an image that can be opened here") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{name} has far more pixels than the limit of {MAX_PIXELS / 1e6:.0f} million") from None
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, ...
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name} cannot be read, it may be damaged or cut short ({reason})") from None


def _to_rgb(image: Image.Image) -> Image.Image:
    if 0 in image.size:
        raise ImageError("the picture is empty: it has no pixels")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        image = _to_8_bit(image)
    if image.mode in ("La", "PA"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Gray of more than 8 bits: divide by the full scale, 65535 for 16-bit files.

    Modes I and F do not say their scale: take the smallest of 1 (F only), 255, 65535 that covers the values.
    """
    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all() or values.min() < 0:
        raise ImageError("the gray values of the image are negative or not finite, so white is not defined")
    scales = [65535.0] if image.mode.startswith("I;16") else [1.0, 255.0, 65535.0][image.mode != "F" :]
    scale = next((scale for scale in scales if values.max() <= scale), values.max())
    return Image.fromarray(np.rint(values * (255.0 / scale)).astype(np.uint8))


def to_tensor(image: Image.Image, size: int = 224, *, crop: bool = True) -> Tensor:
    """The largest centered square of a photo, resized to `size` pixels: shape (1, 3, size, size), values in [0, 1].

    Without `crop` the whole photo is squeezed into the square, so that a map of it covers the whole photo: what
    localization needs. Bicubic with anti-aliasing, on the CPU. Raises `ImageError` if `image` is not a picture or
    `size` is not positive.
    """
    if not isinstance(image, Image.Image):
        raise ImageError(f"expected a PIL image, as sl.load_image returns, and got {type(image).__name__}")
    if not isinstance(size, int) or size < 1:
        raise ImageError(f"the size must be a whole number of pixels, at least 1, and is {size!r}")
    upright = load_image(image)
    box = center_square(*upright.size) if crop else None
    square = upright.resize((size, size), Image.Resampling.BICUBIC, box=box)
    values = np.array(square, dtype=np.float32) / 255
    return torch.from_numpy(values).permute(2, 0, 1)[None].contiguous()


def center_square(width: int, height: int) -> tuple[float, float, float, float]:
    """The box `(x0, y0, x1, y1)` of the largest centered square of a photo: what `to_tensor` keeps."""
    side = min(width, height)
    x0, y0 = (width - side) / 2, (height - side) / 2
    return x0, y0, x0 + side, y0 + side


def to_image(images: Tensor) -> Image.Image:
    """A picture of one image tensor, (3, H, W) or (1, 3, H, W), values in [0, 1] (others are clipped for display).

    Raises `ImageError` for any other shape or kind of numbers.
    """
    if not isinstance(images, Tensor) or not images.is_floating_point():
        raise ImageError("expected a floating-point tensor with values in [0, 1]")
    if images.ndim == 4 and len(images) == 1:
        images = images[0]
    if images.ndim != 3 or images.shape[0] != 3 or images.numel() == 0:
        raise ImageError(f"expected one image of shape (3, H, W), and got {tuple(images.shape)}")
    values = images.detach().cpu().float().nan_to_num(0).clamp(0, 1).permute(1, 2, 0).numpy()
    return Image.fromarray(np.rint(values * 255).astype(np.uint8))


def check_images(images: Tensor) -> Tensor:
    """`images` itself, if it is a batch of images: floating point, (N, 3, H, W), N > 0, finite, in [0, 1].

    Raises `ImageError`, with the first thing that is wrong.
    """
    if not isinstance(images, Tensor):
        raise ImageError(f"expected a tensor of images, and got {type(images).__name__}: use sl.to_tensor(photo)")
    shape = tuple(images.shape)
    if images.ndim != 4:
        hint = ": add the batch dimension with images[None]" if images.ndim == 3 else ""
        raise ImageError(f"expected images of shape (N, 3, H, W), and got {shape}{hint}")
    if images.numel() == 0:
        raise ImageError(f"the batch of images is empty: its shape is {shape}")
    if images.shape[1] != 3:
        raise ImageError(f"expected 3 color channels, shape (N, 3, H, W), and got {images.shape[1]} in {shape}")
    if not images.is_floating_point():
        raise ImageError(f"expected floating-point images in [0, 1], and got {images.dtype}: divide by 255 first")
    low, high = (value.item() for value in torch.aminmax(images.detach()))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ImageError("the images contain NaN or infinite pixels")
    if low < 0 or high > 1:
        raise ImageError(
            f"expected pixels in [0, 1], and found values from {low:.4g} to {high:.4g}: "
            "pass images before normalization (the model normalizes them itself)"
        )
    return images
