"""What a command is loading: said as soon as nothing else has been said for two seconds.

Only a command speaks, after it has called `begin`; a program that uses the package is not spoken to.
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 2.0

_until = float("inf")


def begin() -> None:
    """From now on, whoever waits is spoken to after `PATIENCE` seconds."""
    global _until
    _until = time.monotonic() + PATIENCE


@contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """A block that loads something, and says so on standard error if the command is already old, or gets old in it."""
    if _until == float("inf"):
        yield
        return
    timer = threading.Timer(max(0.0, _until - time.monotonic()), _say, [what])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _say(what: str) -> None:
    print(f"loading {what} ...", file=sys.stderr, flush=True)
