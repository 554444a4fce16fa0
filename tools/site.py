"""The site is built when anything that it is made of has changed, and always whole.

Sphinx repeats the warnings of a page only when it reads that page again, so an incremental build under `-W` can pass
what a fresh one would refuse. Building everything takes seconds; nothing at all is done when nothing changed.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tools import vendor
from tools.project import ROOT, BookError, Project
from tools.stamp import content, digest

ANSI = re.compile(r"\x1b\[[0-9;]*m")
TROUBLE = re.compile(r"WARNING|ERROR|CRITICAL|Exception|Traceback")
RUN = "from jupyter_book.cli.main import main; main()"


def sources(project: Project) -> Iterator[Path]:
    """Every file that can change what a page looks like."""
    root = project.root
    yield from [root / "_config.yml", root / "_toc.yml", root / "requirements.txt", *project.pages]
    folders = ("_static", "_ext", "lab", "saliency_lib", "reference")
    for folder in (*(root / name for name in folders), ROOT / "tools"):
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".pyc")


def fingerprint(project: Project) -> str:
    """Digest of all sources, and of whether what the pages load lies ready."""
    parts: list[str | bytes] = [str(vendor.ready(project.root))]
    for path in sources(project):
        parts += [project.relative(path), content(path)]
    return digest(parts)


def jupyter_book(project: Project, target: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run every page through Sphinx, into `target/_build`; what it printed, as text."""
    return subprocess.run(
        [sys.executable, "-c", RUN, "build", str(project.root), "--all", "--path-output", str(target), *options],
        # The book's own package for autodoc, and the workshop for `_ext`.
        env={**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": os.pathsep.join([str(project.root), str(ROOT)])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )


def pages(project: Project, target: Path) -> list[str]:
    """Build every page into `target/_build/html`; the lines that tell of trouble."""
    done = jupyter_book(project, target, "-W", "--keep-going", "-n")
    lines = ANSI.sub("", done.stdout).splitlines()
    trouble = [line.replace(f"{project.root}{os.sep}", "") for line in lines if TROUBLE.search(line)]
    return trouble or (lines[-15:] if done.returncode else [])


def build(project: Project) -> None:
    """Bring the site up to date; raises BookError, after showing every warning, if there was one.

    The old site stays until the new one is whole; one with warnings can be looked at, but is built again next time.
    """
    started = time.monotonic()
    vendor.prepare(project.root)
    current, record = fingerprint(project), project.root / "_build" / ".fingerprint"
    if record.is_file() and record.read_text() == current and project.site.is_dir():
        print("The site is up to date.")
        return
    print(f"Building {len(project.pages)} pages ...", flush=True)
    target = project.root / "_build" / "next"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    record.unlink(missing_ok=True)
    trouble = pages(project, target)
    if (target / "_build" / "html" / "index.html").is_file():
        shutil.rmtree(project.site, ignore_errors=True)
        os.replace(target / "_build" / "html", project.site)
    shutil.rmtree(target)
    if trouble:
        print("\n".join(trouble), file=sys.stderr)
        raise BookError("The site was not built cleanly: see the lines above.")
    record.write_text(current)
    print(f"Built in {time.monotonic() - started:.0f} s.")
