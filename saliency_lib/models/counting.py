"""A bar that counts steps where there is somebody to see it."""

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm


def counted(things: Iterable, total: int, unit: str, progress: bool | None = None) -> "tqdm":
    """The things themselves, with a bar: by default where there is a terminal or a live notebook."""
    from tqdm.auto import tqdm

    static = os.environ.get("SALIENCY_STATIC") or "PYTEST_CURRENT_TEST" in os.environ
    seen = not static and (sys.stderr.isatty() or "ipykernel" in sys.modules)
    return tqdm(things, total=total, unit=unit, disable=not (seen if progress is None else progress))
