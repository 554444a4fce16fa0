"""What tests in a browser share: the browser, their marks, and what is skipped where it cannot be had."""

import functools
from collections.abc import Callable

import pytest

from tools.browser import AT_REST, MOVED, Browser, Visit, served, visit  # noqa: F401 -- for the tests
from tools.chromium import executable
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
