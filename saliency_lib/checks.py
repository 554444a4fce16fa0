"""What may be handed over: one function for each kind of argument, the same sentence wherever it is not of that kind.

    steps = integer("steps", steps, 1)            one_of("rule", rule, RULES)         check_images(images)
    noise = number("noise", noise, 0, 1)        check_size(size)                    check_map(saliency)

Each returns what it was given, as the type that the caller computes with, or raises the kind of `SaliencyError` asked
for. What is too large is refused before memory is taken.
"""

import math
import operator
import reprlib
from collections.abc import Callable, Collection, Iterable, Mapping
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from saliency_lib.errors import ImageError, SaliencyError

Size = int | tuple[int, ...]
"""The side of a square in pixels, (H, W), or the sides of another grid, (L,) or (D, H, W)."""

Kind = type[SaliencyError]

MAX_PIXELS = 80_000_000
"""Largest photo that `load_image` decodes (about 240 MB as RGB). Below the number at which Pillow warns of a bomb."""

MAX_BYTES = 16 * 10**9
"""Largest result that is begun."""

LARGEST_SEED = 2**63 - 1

FARTHEST = 1e18
"""No number of any use is farther from zero; larger whole ones are none that torch can hold."""

MANY = 10**6
"""Most steps, samples or pieces of anything: more would never end."""

_NO_LISTS = (str, bytes, set, frozenset, Mapping)

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80


def short_repr(value: object) -> str:
    """What somebody handed over, for a message: short, whatever it is."""
    try:
        return _short.repr(value)
    except Exception:  # whole numbers of thousands of digits, objects that cannot describe themselves
        return f"a {type(value).__name__}"


def integer(name: str, value: object, least: int, most: int | None = None, error: Kind = SaliencyError) -> int:
    """A whole number, of Python, NumPy or a tensor of one, between `least` and `most`."""
    try:
        found = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        found = None
    if found is None or found < least or (most is not None and found > most):
        limits = f"at least {least}" + ("" if most is None else f" and at most {most}")
        raise error(f"{name} should be a whole number, {limits}, and is {short_repr(value)}")
    return found


def seed_of(seed: object) -> int:
    """What random numbers may come from."""
    return integer("seed", seed, 0, LARGEST_SEED)


def number(
    name: str, value: Any, least: float = -math.inf, most: float = math.inf, error: Kind = SaliencyError
) -> float:
    """A finite number between `least` and `most`."""
    if isinstance(value, Tensor) and not (value.is_nested or value.is_meta) and value.numel() == 1:
        value = value.item()
    real = isinstance(value, Real) and not isinstance(value, bool)
    if real and abs(value) > FARTHEST:
        least, most = max(least, -FARTHEST), min(most, FARTHEST)
    if not real or not least <= value <= most:
        limits = [f"at least {least:g}"] * (least > -math.inf) + [f"at most {most:g}"] * (most < math.inf)
        raise error(f"{name} should be a number{', ' * bool(limits)}{' and '.join(limits)}, and is {short_repr(value)}")
    return value


def numbers(name: str, values: Any, count: int | None = None, **limits: Any) -> tuple[float, ...]:
    """Finite numbers, one or more, or as many as `count`; `limits` as in `number`."""
    try:
        found = None if isinstance(values, _NO_LISTS) else tuple(values)
    except (TypeError, RuntimeError):
        found = None
    if not found or count not in (None, len(found)):
        many = "a list of numbers" if count is None else f"{count} numbers"
        raise limits.get("error", SaliencyError)(f"{name} should be {many}, and is {short_repr(values)}")
    return tuple(number(name, value, **limits) for value in found)


def flag(name: str, value: Any, error: Kind = SaliencyError) -> bool:
    """True or false, of Python or NumPy."""
    if not isinstance(value, bool | np.bool_):
        raise error(f"{name} is True or False, and not {short_repr(value)}")
    return bool(value)


def one_of(kind: str, name: Any, known: Iterable[str], error: Kind = SaliencyError) -> str:
    """One of the names of a kind of thing."""
    if not isinstance(name, str) or name not in known:
        raise error(f"there is no {kind} {short_repr(name)}: use {', '.join(map(repr, known))}")
    return name


def some_of(kind: str, names: Any, known: Collection[str], error: Kind = SaliencyError) -> tuple[str, ...]:
    """Some of the names of a kind of thing, or none."""
    several = list(names) if isinstance(names, Mapping | set | frozenset) else listed(f"the {kind}s", names, error)
    return tuple(one_of(kind, name, known, error) for name in several)


def listed(name: str, values: Any, error: Kind = SaliencyError) -> list[Any]:
    """Things in an order, of whatever kind: no text, no set, no numbers of an array."""
    if isinstance(values, (*_NO_LISTS, Tensor, np.ndarray)) or not isinstance(values, Iterable):
        raise error(f"{name} should be a list, and is {short_repr(values)}")
    return list(values)


def function(name: str, value: Any, error: Kind = SaliencyError) -> Callable[..., Any]:
    """Something that can be called, and is not just anything with a `__call__`."""
    if not callable(value) or isinstance(value, type | torch.nn.Module):
        raise error(f"{name} should be a function, and is {short_repr(value)}")
    return value


def check_room(what: str, size: int, error: Kind = SaliencyError) -> None:
    """Raise, before any memory is taken, if something would take more bytes than `MAX_BYTES`."""
    if size > MAX_BYTES:
        raise error(f"{what} would take {gigabytes(size)}: the limit is {gigabytes(MAX_BYTES)}")


def gigabytes(size: int) -> str:
    """So many bytes, for a message."""
    return f"{size // 10**9:,} GB" if size < 10**24 else "more memory than there is"


def check_size(size: Size, error: Kind = ImageError, axes: int | None = 2) -> Size:
    """A positive whole number of pixels or as many as there are `axes`, at most `MAX_PIXELS` in all; None is 1 to 3."""
    parts = size if isinstance(size, tuple) else (size,) * (axes or 2)
    try:
        grid = tuple(integer("size", part, 1) for part in parts)
    except (SaliencyError, ValueError):
        grid = ()
    if len(grid) not in ((1, 2, 3) if axes is None else (axes,)):
        several = "one to three of them" if axes is None else "two of them (H, W)"
        raise error(f"the size must be a whole number of pixels, at least 1, or {several}, and is {short_repr(size)}")
    if math.prod(grid) > MAX_PIXELS:
        need = f"{' x '.join(map(short_repr, grid))} pixels take {gigabytes(math.prod(grid) * 12)}"
        raise error(f"an image of {need}: the limit is {MAX_PIXELS // 10**6} million pixels")
    return grid if isinstance(size, tuple) else grid[0]


def check_photo(photo: object) -> Image.Image:
    """A picture of Pillow's."""
    if not isinstance(photo, Image.Image):
        raise ImageError(f"expected a PIL image, as sl.load_image returns, and got {type(photo).__name__}")
    return photo


def check_tensor(what: str, value: object, error: Kind = SaliencyError) -> Tensor:
    """A tensor of numbers that lie in memory one by one, as nearly all do."""
    if not isinstance(value, Tensor):
        raise error(f"expected {what}, a tensor, and got {type(value).__name__}")
    plain = value.layout == torch.strided and not (value.is_nested or value.is_meta or value.is_quantized)
    if not plain or (value.dtype.itemsize < 2 and value.is_floating_point()):
        kind = "meta" if value.is_meta else str(value.dtype if value.layout == torch.strided else value.layout)
        raise error(f"expected {what}, a plain tensor, and got one of a kind that is not supported ({kind})")
    return value


class Form(NamedTuple):
    """What images a network takes: their channels, the axes of their grid, and the range of their values."""

    channels: int | None = None
    axes: int | None = None
    low: float = 0.0
    high: float = 1.0


Images = Tensor | tuple[Any, ...]
"""Images (N, C, *grid), or `(images, table, ...)` for a network that takes more."""

ANY = Form()
SHAPES = {None: "(N, C, H, W)", 1: "(N, C, L)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}


def check_images(images: Tensor, form: Form = ANY) -> Tensor:
    """A batch of images: floating point, (N, C, *grid), N > 0, finite, in range, and of the `form`, where it is known.

    The grid has one axis (signals), two (images) or three (volumes). Raises `ImageError`, with the first thing that is
    wrong.
    """
    if not isinstance(images, Tensor):
        raise ImageError(f"expected a tensor of images, and got {type(images).__name__}: use sl.to_tensor(photo)")
    shape = tuple(check_tensor("images", images, ImageError).shape)
    axes = images.ndim - 2
    if axes not in (1, 2, 3) or form.axes not in (None, axes):
        hint = ": add the batch dimension with images[None]" if axes + 1 == (form.axes or 0) else ""
        raise ImageError(f"expected images of shape {SHAPES[form.axes]}, and got {shape}{hint}")
    if images.numel() == 0:
        raise ImageError(f"the batch of images is empty: its shape is {shape}")
    if form.channels not in (None, shape[1]):
        raise ImageError(
            f"expected {form.channels} color channel{'s' * (form.channels != 1)}, shape "
            f"{SHAPES[axes].replace('C', str(form.channels), 1)}, and got {shape[1]} in {shape}"
        )
    if not images.is_floating_point():
        hint = "" if images.is_complex() or images.dtype == torch.bool else ": divide by 255 first"
        raise ImageError(f"expected floating-point images in [0, 1], and got {images.dtype}{hint}")
    low, high = (value.item() for value in torch.aminmax(images.detach()))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ImageError("the images contain NaN or infinite pixels")
    if low < form.low or high > form.high:
        raise ImageError(
            f"expected pixels in [{form.low:g}, {form.high:g}], and found values from {low:.4g} to {high:.4g}: pass "
            "images before normalization (the model normalizes them itself), or say as_model(..., values=(low, high))"
        )
    return images


def check_inputs(inputs: Images, form: Form = ANY) -> tuple[Tensor, ...]:
    """Images, and what is held beside them: `(images, table, ...)`, where a tensor has a row for each image.

    Raises `ImageError` if one has not.
    """
    images, *held = inputs if isinstance(inputs, tuple) and inputs else (inputs,)
    check_images(images, form)
    for value in tree_leaves(held):
        if isinstance(value, Tensor) and value.ndim and len(value) != len(images):
            raise ImageError(
                f"beside {len(images)} images there is a tensor {tuple(value.shape)}: a row for each image"
            )
    return images, *held


def rows_of(inputs: Any, rows: Any) -> Any:
    """These rows of every tensor that has some; whatever else there is stays."""
    return tree_map(lambda value: value[rows] if isinstance(value, Tensor) and value.ndim else value, inputs)


def check_map(saliency: Tensor) -> Tensor:
    """A map as (h, w) floats on the CPU. Raises `ImageError` if it has another shape, or values that are not finite."""
    if not isinstance(saliency, Tensor) or saliency.numel() == 0:
        raise ImageError("expected a saliency map, a tensor of shape (h, w)")
    check_tensor("a saliency map", saliency, ImageError)
    values = saliency[0] if saliency.ndim == 3 and len(saliency) == 1 else saliency
    if values.ndim != 2 or values.is_complex():
        raise ImageError(f"expected the saliency map of one image, shape (h, w), and got {tuple(saliency.shape)}")
    values = values.detach().float().cpu()
    if not values.isfinite().all():
        raise ImageError("the saliency map contains NaN or infinite values")
    return values


def check_box(box: Any) -> tuple[float, float, float, float]:
    """A box `(x0, y0, x1, y1)` as Python's floats: small integers of an array or a tensor would overflow."""
    try:
        sides = () if isinstance(box, _NO_LISTS) else box.tolist() if hasattr(box, "tolist") else box
        x0, y0, x1, y1 = (float(0.0 + side) for side in sides)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        x0, y0, x1, y1 = math.nan, 0, 0, 0
    if not (x0 <= x1 and y0 <= y1 and math.isfinite(x1 - x0 + y1 - y0)):
        raise SaliencyError(f"a box is (x0, y0, x1, y1) with x0 <= x1 and y0 <= y1, not {short_repr(box)}")
    return x0, y0, x1, y1
