"""Photos in, tensors out.

    photo = sl.load_image("cat.jpg")     # any file that holds a photo -> an RGB picture, upright
    images = sl.to_tensor(photo)         # -> (1, 3, 224, 224), values in [0, 1]

Every tensor of images in this package has the shape (N, C, H, W), with C = 3 for color, and values in [0, 1]; the
normalization that a network was trained with lives inside the network (see `models`), so a gradient is always taken
with respect to what one sees.
"""

import importlib.resources
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import IO, Any, NamedTuple

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from saliency_lib.checks import MAX_PIXELS, Size, check_photo, check_size, check_tensor, integer, one_of, short_repr
from saliency_lib.errors import ImageError

Part = tuple[float, float, float, float]
"""A part of a photo, `(x0, y0, x1, y1)` as shares of its width and height; all of it is (0, 0, 1, 1)."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF")
"""What a photo may be, by its content. Pillow knows more; for EPS it starts a program that runs the file."""


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
    return _photos()[one_of("sample photo", name, _photos(), ImageError)].load()


def load_image(source: str | Path | IO[bytes] | Image.Image) -> Image.Image:
    """Any photo, a file of one of the `FORMATS`, as an upright RGB picture.

    Turned upright by its EXIF tag; the first frame of an animation; transparency laid over white; 16-bit and
    floating-point gray brought to 8 bits (see `_to_8_bit`).

    Raises `ImageError` if there is no such file, it is no photo, is cut short, or has more than `MAX_PIXELS` pixels.
    """
    if isinstance(source, Image.Image):
        with _clear_errors("the picture"):
            return _to_rgb(source)
    if hasattr(source, "__array__"):
        raise ImageError("an array is no file: PIL.Image.fromarray(array) makes a picture of one of bytes, (H, W, 3)")
    name = str(source) if isinstance(source, str | Path) else str(getattr(source, "name", None) or short_repr(source))
    with _clear_errors(name), _opened(source, name) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ImageError(
                f"{name} has {width} x {height} = {width * height / 1e6:.0f} million pixels; "
                f"the limit is {MAX_PIXELS / 1e6:.0f} million: make it smaller first"
            )
        return _to_rgb(image)


def upright(photo: Image.Image) -> Image.Image:
    """A photo as `load_image` gives it; itself, and no copy, if it is one of these. Errors as in `load_image`."""
    plain = type(photo) is Image.Image and photo.mode == "RGB" and 0 not in photo.size  # and no file, to be read yet
    turned = plain and photo.getexif().get(ExifTags.Base.Orientation, 1) != 1
    return photo if plain and not turned and "transparency" not in photo.info else load_image(photo)


def _opened(source: str | Path | IO[bytes], name: str) -> Image.Image:
    if isinstance(source, str | Path) and not S_ISREG(mode := os.stat(source).st_mode) and not S_ISDIR(mode):
        raise ImageError(f"{name} is a pipe or a device, not a photo")  # opening it could wait forever
    return Image.open(source, formats=FORMATS)


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
        hint = ": save it as JPEG or PNG" if name.casefold().endswith((".heic", ".heif", ".avif")) else ""
        kind = f" ({name.rsplit('.', 1)[1].upper()})" if hint else ""
        raise ImageError(f"{name} is not an image that can be opened here{kind}{hint}") from None
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


def to_tensor(image: Image.Image, size: Size = 224, *, crop: bool = True, channels: int = 3) -> Tensor:
    """A photo as a network takes it: shape (1, channels, H, W), values in [0, 1].

    `size` is (H, W), or one number for a square. The largest centered window of that shape is cut out and resized;
    without `crop` the whole photo is squeezed into it, so that a map of it covers the whole photo. `channels` is 3 for
    RGB, or 1 for gray (ITU-R 601 luma). Bicubic with anti-aliasing, on the CPU. The tensor remembers which part of the
    photo it shows (see `part_of`).

    Raises `ImageError` if `image` is not a picture, `size` is not made of positive whole numbers, or `channels` is
    neither 1 nor 3.
    """
    check_photo(image)
    if integer("channels", channels, 1, 3, ImageError) == 2:
        raise ImageError("a photo has 3 channels, or 1 in gray, and 2 were asked for")
    height, width = sides(check_size(size))
    upright = load_image(image).convert("RGB" if channels == 3 else "L")
    uncut = 0.0, 0.0, float(upright.width), float(upright.height)
    window = center_crop(*upright.size, width / height) if crop else uncut
    small = upright.resize((width, height), Image.Resampling.BICUBIC, box=window)
    values = np.array(small, dtype=np.float32).reshape(height, width, channels) / 255
    pixels = torch.from_numpy(values).permute(2, 0, 1)[None].contiguous()
    x0, y0, x1, y1 = window
    return with_part(pixels, (x0 / upright.width, y0 / upright.height, x1 / upright.width, y1 / upright.height))


def center_crop(width: int, height: int, aspect: float = 1.0) -> tuple[float, float, float, float]:
    """The box `(x0, y0, x1, y1)` of the largest centered window of a photo that is `aspect` times as wide as high."""
    w, h = min(width, height * aspect), min(height, width / aspect)
    x0, y0 = (width - w) / 2, (height - h) / 2
    return x0, y0, x0 + w, y0 + h


def sides(size: Size) -> tuple[int, ...]:
    """Height and width of a size, or the sides of another grid."""
    return size if isinstance(size, tuple) else (size, size)


def each(numbers: Tensor, images: Tensor) -> Tensor:
    """One number for each image, (N,), in a shape that multiplies the images, (N, 1, 1, 1)."""
    return numbers.reshape(-1, *[1] * (images.ndim - 1))


def with_part(result: Tensor, part: Any) -> Tensor:
    """`result` itself, remembering that it shows this part of a photo, or the part that another tensor shows.

    Views that have all of its rows and columns share it: one image of a batch, one map of several. A crop of it, a
    transpose, and what is computed from it do not.
    """
    part = part[0] if isinstance(part, tuple) and isinstance(part[0], Tensor) else part  # (images, table)
    part = part_of(part) if isinstance(part, Tensor) else part
    if part is not None:
        memory = result.untyped_storage()
        memory.shown = [(_Planes.of(result), part), *getattr(memory, "shown", ())]  # type: ignore[attr-defined]
    return result


def part_of(tensor: Tensor) -> Part | None:
    """The part of a photo that a tensor of images or maps shows, `(x0, y0, x1, y1)` as shares of its sides, or None.

    `to_tensor` knows, and so do the maps that the methods of this package make of its images.
    """
    shown = getattr(tensor.untyped_storage(), "shown", ())
    return next((part for planes, part in shown if planes.include(tensor)), None)


def is_cut_out(tensor: Tensor) -> bool:
    """Whether a tensor is a piece, or a transpose, of one that shows a known part of a photo: it shows another."""
    return part_of(tensor) is None and hasattr(tensor.untyped_storage(), "shown")


class _Planes(NamedTuple):
    """Where the rows and columns (..., H, W) of a tensor lie in its memory."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    @classmethod
    def of(cls, tensor: Tensor) -> "_Planes":
        """Those of a tensor."""
        return cls(tuple(tensor.shape), tensor.stride(), int(tensor.storage_offset()))

    def include(self, view: Tensor) -> bool:
        """Whether a view of the tensor consists of whole planes (H, W) of it."""
        if view.ndim < 2 or view.shape[-2:] != self.shape[-2:]:
            return False
        sides = zip(self.shape[-2:], view.stride()[-2:], self.strides[-2:], strict=True)
        left = int(view.storage_offset()) - self.offset
        for stride, count in sorted(zip(self.strides[:-2], self.shape[:-2], strict=True), reverse=True):
            left -= stride * max(0, min(left // max(stride, 1), count - 1))
        return left == 0 and all(size == 1 or one == other for size, one, other in sides)


def to_image(images: Tensor) -> Image.Image:
    """A picture of one image tensor, (C, H, W) or (1, C, H, W), C = 3 or 1, values in [0, 1] (others are clipped).

    Raises `ImageError` for any other shape or kind of numbers.
    """
    if not check_tensor("an image", images, ImageError).is_floating_point():
        raise ImageError("expected a floating-point tensor with values in [0, 1]")
    if images.ndim == 4 and len(images) == 1:
        images = images[0]
    if images.ndim != 3 or images.shape[0] not in (1, 3) or images.numel() == 0:
        hint = ": choose three bands, images[:, [3, 2, 1]]" if images.ndim == 3 and images.shape[0] > 3 else ""
        raise ImageError(f"expected one image of shape (3, H, W), and got {tuple(images.shape)}{hint}")
    values = images.detach().cpu().float().nan_to_num(0).clamp(0, 1).expand(3, -1, -1).permute(1, 2, 0).numpy()
    return Image.fromarray(np.rint(values * 255).astype(np.uint8))
