"""The links that lead out of the book, each tried once by Sphinx: what is found broken needs a network to be found."""

import json
import tempfile
from pathlib import Path

from tools.project import BookError, Project
from tools.site import jupyter_book

OUT = ("http://", "https://")


def check(project: Project) -> None:
    """Try every link; raises BookError, after showing them, if some are broken, or if none could be reached."""
    print("Trying the links that lead out of the book (minutes) ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        jupyter_book(project, Path(folder), "--builder", "linkcheck")
        found = list(Path(folder).rglob("output.json"))
        if not found:
            raise BookError("The links could not be tried: see what `python -m tools.book build` says.")
        tried = [json.loads(line) for line in found[0].read_text("utf-8").splitlines()]
    print(told(tried, project.repository))


def told(tried: list[dict], own: str) -> str:
    """What came of the links, but for those of the book's own repository; raises BookError if some are broken.

    `tried` holds Sphinx's records: `uri`, `status`, `info`, and where the link stands, `filename` and `lineno`.
    """
    outside = [one for one in tried if one["uri"].startswith(OUT) and not one["uri"].startswith(own)]
    broken = [one for one in outside if one["status"] in ("broken", "timeout")]
    if outside and len(broken) == len(outside):
        raise BookError(f"None of {len(outside)} links could be reached: is there a network?")
    if broken:
        lines = [f"{one['filename']}:{one['lineno']}: {one['uri']}: {one['info'][:100]}" for one in broken]
        raise BookError("\n".join([*lines, f"{len(broken)} of {len(outside)} links are broken."]))
    return f"{len(outside)} links, none broken."
