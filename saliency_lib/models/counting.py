"""Whole numbers of steps, and a bar that counts them where there is somebody to see it."""

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from saliency_lib.errors import SaliencyError

if TYPE_CHECKING:
    from tqdm import tqdm


def whole(name: str, value: object, least: int) -> int:
    """`value` itself, if it is a whole number and at least `least`. Raises `SaliencyError` that names it."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SaliencyError(f"{name} should be a whole number, at least {least}, and is {value!r}")
    return value


def counted(things: Iterable, total: int, unit: str, progress: bool | None = None) -> "tqdm":
    """The things themselves, with a bar: by default where there is a terminal or a live notebook."""
    from tqdm.auto import tqdm

    static = os.environ.get("SALIENCY_STATIC") or "PYTEST_CURRENT_TEST" in os.environ
    seen = not static and (sys.stderr.isatty() or "ipykernel" in sys.modules)
    return tqdm(things, total=total, unit=unit, disable=not (seen if progress is None else progress))
