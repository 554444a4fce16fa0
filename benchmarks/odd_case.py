"""One odd thing to do, and what came of it."""

import contextlib
import io
import signal
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import saliency_lib as sl

PATIENCE = 10


class Late(BaseException):
    """A case took too long."""


class Bad(Exception):
    """What a case found itself: `lost`, `wrong` or `executed`."""


@dataclass(frozen=True)
class Case:
    """Something odd to do. `accepts` says of what is returned whether it is right; a case may raise `Bad` itself."""

    room: str
    title: str
    run: Callable[[], Any]
    accepts: Callable[[Any], bool] = lambda found: True


def outcome(case: Case) -> tuple[str, str]:
    """What came of a case, and a word on it."""

    def late(*_: object) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(PATIENCE)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            found = case.run()
            return ("right", "") if case.accepts(found) else ("wrong", f"returned {type(found).__name__}")
    except Late:
        return "hang", f"more than {PATIENCE} s"
    except sl.SaliencyError as error:
        text = str(error)
        return ("clear", text) if text and "\n" not in text and len(text) < 400 else ("frames", "a long sentence")
    except Bad as error:
        return str(error.args[0]), str(error.args[1])
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return "frames", f"{type(error).__name__}: {str(error)[:80]!r} at {last.filename[-40:]}:{last.lineno}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
