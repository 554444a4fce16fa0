"""What one waits for: a bar that counts steps, and a sentence about what is being loaded.

A bar is shown where there is somebody to see it. Of loading only a command speaks, after it has called
`speak_from_now`, and only if nothing else has been said for two seconds; a program that uses the package is not spoken
to.
"""

import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

PATIENCE = 2.0

_until = float("inf")


def progress_bar(things: Iterable, total: int, unit: str, progress: bool | None = None) -> "tqdm":
    """The things themselves, with a bar: by default where there is a terminal or a live notebook."""
    from tqdm.auto import tqdm

    static = os.environ.get("SALIENCY_STATIC") or "PYTEST_CURRENT_TEST" in os.environ
    seen = not static and (sys.stderr.isatty() or "ipykernel" in sys.modules)
    return tqdm(things, total=total, unit=unit, disable=not (seen if progress is None else progress))


def speak_from_now() -> None:
    """From now on, whoever waits for something to load is spoken to after `PATIENCE` seconds."""
    global _until
    _until = time.monotonic() + PATIENCE


@contextmanager
def loading(what: str) -> Iterator[None]:
    """A block that loads something, and says so on standard error if the command is already old, or gets old in it."""
    if _until == float("inf"):
        yield
        return
    with said_after(max(0.0, _until - time.monotonic()), f"loading {what} ..."):
        yield


@contextmanager
def said_after(seconds: float, words: str) -> Iterator[None]:
    """A block that says something on standard error if it takes longer than this."""
    timer = threading.Timer(seconds, print, [words], {"file": sys.stderr, "flush": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
