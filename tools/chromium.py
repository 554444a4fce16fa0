"""A Chromium of this machine, which makes PDFs of pages."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tools.project import BookError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]


def executable() -> str | None:
    """Its path, or None; the variable `CHROMIUM` names one elsewhere."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def pdf(address: str, target: Path, *, patience: int = 60, limit: int = 600) -> None:
    """Print a page as PDF, once all of it is there; raises BookError where that fails.

    `patience` is how many seconds of the page's own time its scripts get: pictures to load, formulas to be set.
    """
    path = executable()
    if path is None:
        raise BookError("A PDF needs Chromium (Debian: apt install chromium).")
    with tempfile.TemporaryDirectory() as profile:
        options = [f"--user-data-dir={profile}", f"--virtual-time-budget={1000 * patience}", "--no-pdf-header-footer"]
        try:
            subprocess.run(
                [path, *OPTIONS, *options, "--generate-pdf-document-outline", f"--print-to-pdf={target}", address],
                check=True,
                timeout=limit,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise BookError(f"{address} could not be printed ({type(error).__name__})") from None
    if not target.is_file():
        raise BookError(f"Chromium printed nothing of {address}.")
