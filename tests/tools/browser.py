"""What tests in a browser share: the browser, their marks, and what is skipped where it cannot be had."""

import functools
from collections.abc import Callable

import pytest

from tools.browser import AT_REST as AT_REST
from tools.browser import MOVED as MOVED
from tools.browser import Browser as Browser
from tools.browser import Visit as Visit
from tools.browser import served as served
from tools.browser import visit as visit
from tools.chromium import executable as executable
from tools.project import BookError

IN_A_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(executable() is None, reason="no Chromium here (Debian: apt install chromium)"),
]
"""The marks of a file of tests in a browser."""


def in_a_browser(test: Callable) -> Callable:
    """The same marks for one test."""
    return functools.reduce(lambda marked, mark: mark(marked), IN_A_BROWSER, test)


def unreadable(browser: Browser, options: str = "{resultTypes: ['violations']}") -> list[str]:
    """What somebody could not read or reach on the page that is open; skips where the checker cannot be had."""
    try:
        return browser.unreadable(options)
    except BookError as error:
        pytest.skip(str(error))
