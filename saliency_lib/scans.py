"""Scans in, tensors out: medical pictures in the DICOM format, with one channel and more than 8 bits.

    scan = sl.load_scan("chest.dcm", window=(40, 400))     # -> (1, 1, H, W), values in [0, 1]
    scan = sl.load_scan(sorted(folder.glob("*.dcm")))      # a series -> (1, 1, D, H, W), in the order of the slices

What a file stores is brought to its unit first, Hounsfield units for CT: x = slope * stored + intercept. A window with
center c and width w is the part that is looked at, in that unit: (x - c + 1/2) / (w - 1) + 1/2, cut off at 0 and 1
(DICOM PS3.3, C.11.2.1.2). It is to the picture what the exposure is to a photo, so a map depends on it: report it.

It needs the package pydicom: `pip install 'saliency-lib[scans]'`.
"""

from collections.abc import Sequence
from os import PathLike
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from saliency_lib.checks import MAX_PIXELS, number, numbers
from saliency_lib.errors import ImageError, SaliencyError

Source = str | PathLike[str] | IO[bytes]
Window = tuple[float, float]
"""Center and width, in the unit of the file."""


def load_scan(source: Source | Sequence[Source], window: Window | None = None) -> Tensor:
    """A DICOM file as a tensor (1, 1, H, W), one of several frames or a series of files as (1, 1, D, H, W), in [0, 1].

    `window` is (center, width) in the unit of the file, which is Hounsfield's for CT; None takes the file's own (its
    first), and where it has none all values from the lowest to the highest. Pictures whose small values mean bright,
    MONOCHROME1, are turned, so that 1 is bright. A series is ordered by where its slices lie, or by their numbers. The
    grid is the file's own: nothing is cropped or made smaller.

    Raises `ImageError` if a file is missing, damaged, holds no gray picture, or the slices differ in size or have no
    order; `SaliencyError` if the window is none, or pydicom is not installed. *Other kinds of network* uses it.
    """
    if window is not None:
        center, width = numbers("the window, its center and width", window, 2)
        window = center, number("the window's width", width, 1)
    files: list[Any] = list(source) if isinstance(source, list | tuple) else [source]
    if not files:
        raise ImageError("a series has at least one file")
    slices = [_read(file) for file in files]
    if len(slices) > 1:
        slices.sort(key=_order(slices))
        if len(shapes := {(one.Rows, one.Columns) for one in slices}) > 1:
            raise ImageError(f"the slices of a series have one size, and these have {sorted(shapes)}")
    values = np.stack([_in_its_unit(one) for one in slices])
    values = values.reshape(-1, *values.shape[-2:])
    low, high = _range(slices[0], window, values)
    shown = np.clip((values - low) / (high - low), 0, 1) if high > low else (values > low).astype(float)
    if slices[0].PhotometricInterpretation == "MONOCHROME1":
        shown = 1 - shown
    scan = torch.from_numpy(shown.astype(np.float32))
    return scan[None] if len(scan) == 1 else scan[None, None]


def _read(source: Source) -> Any:
    """The data set of a file. Raises `ImageError` if it holds no gray picture."""
    try:
        import pydicom
    except ImportError:
        raise SaliencyError("scans are read by the package pydicom: pip install 'saliency-lib[scans]'") from None
    name = str(getattr(source, "name", source))
    try:
        found = pydicom.dcmread(source)
    except FileNotFoundError:
        raise ImageError(f"there is no file {name}") from None
    except Exception as error:
        raise ImageError(f"{name} is no DICOM file ({type(error).__name__})") from None
    kind = found.get("PhotometricInterpretation")
    if kind is None:
        raise ImageError(f"{name} holds no picture")
    if not kind.startswith("MONOCHROME"):
        raise ImageError(f"{name} is in color ({kind}): save its picture as PNG, and use load_image")
    pixels = found.Rows * found.Columns * int(found.get("NumberOfFrames") or 1)
    if pixels > MAX_PIXELS:
        raise ImageError(f"{name} has {pixels / 1e6:.0f} million pixels; the limit is {MAX_PIXELS / 1e6:.0f} million")
    return found


def _in_its_unit(found: Any) -> np.ndarray:
    """slope * stored + intercept, (frames, H, W) or (H, W)."""
    try:
        stored = found.pixel_array.astype(np.float64)
    except Exception as error:
        name = getattr(found, "filename", None) or "the file"
        raise ImageError(f"the picture in {name} cannot be read, it may be damaged or cut short ({error})") from None
    return stored * float(found.get("RescaleSlope") or 1) + float(found.get("RescaleIntercept") or 0)


def _range(found: Any, window: Window | None, values: np.ndarray) -> tuple[float, float]:
    """What becomes 0 and what becomes 1."""
    if window is None and found.get("WindowCenter") is not None and found.get("WindowWidth") is not None:
        own = np.ravel(found.WindowCenter)[0], np.ravel(found.WindowWidth)[0]
        window = float(own[0]), float(own[1])
    if window is None:
        return float(values.min()), float(values.max())
    center, width = window[0] - 0.5, window[1] - 1
    return center - width / 2, center + width / 2


def _order(slices: Sequence[Any]) -> Any:
    """By what the slices are sorted: their places along the normal of the first, or their numbers."""
    first = slices[0].get("ImageOrientationPatient")
    if first is not None and all(one.get("ImagePositionPatient") is not None for one in slices):
        normal = np.cross(first[:3], first[3:])
        return lambda one: float(np.dot(normal, one.ImagePositionPatient))
    if all(one.get("InstanceNumber") is not None for one in slices):
        return lambda one: int(one.InstanceNumber)
    raise ImageError("nothing says in which order these slices lie: give one file, or files with their positions")
