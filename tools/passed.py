"""Chapters that passed on this machine as they are: `make test` need not run them again.

`.cache/passed.json` keeps, for each chapter of which every cell passed, a digest of all that could let it fail another
time: its stamp, and what the stamp leaves out, this machine and what is installed on it. A stale chapter has none. Nor
does one that `make book` has just run: what a run writes is compared with nothing, and a number that differs from run
to run is found by the second. `make test ALL=1` runs every chapter, and so does CI, and so does a fresh clone.
"""

import json
import os
import platform
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from xml.etree import ElementTree

from tools import stamp
from tools.project import Project
from tools.tidy import read, replace

SPARE, SPARED = "BOOK_SPARE", "passed here as it is"
"""The variable by which `make test` lets tests skip what passed here, and what they say then."""

RUNS = ("nbval", "nbclient", "ipykernel")
MATTERS = ("SALIENCY_", "OMP_", "MKL_", "CUDA_", "TORCH_", "PYTORCH_")
"""How the names of variables begin that can change a number."""


def digests(project: Project, environment: Mapping[str, str]) -> dict[str, str]:
    """By its name, for each chapter that is not stale, what tells whether it would run as it did before."""
    known, found = stamp.stamps(project), {}
    for path in project.chapters:
        if not stamp.reasons(project, path, read(path)):
            own = known[path.name]
            found[path.name] = stamp.digest([json.dumps(own, sort_keys=True), *surroundings(own["pins"], environment)])
    return found


def surroundings(packages: Iterable[str], environment: Mapping[str, str]) -> list[str]:
    """This machine, Python, the installed versions of packages, and the variables that matter."""
    devices = sorted(map(str, Path("/dev").glob("nvidia[0-9]*")))
    machine = [platform.node(), platform.platform(), platform.processor(), str(os.cpu_count()), *devices]
    variables = [f"{name}={value}" for name, value in sorted(environment.items()) if name.startswith(MATTERS)]
    return [sys.version, *machine, *(f"{name} {installed(name)}" for name in (*packages, *RUNS)), *variables]


def installed(package: str) -> str:
    """The version that is installed; empty if none is."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def passed(project: Project) -> dict[str, str]:
    """The digests of the chapters that passed here."""
    path = record(project)
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def record(project: Project) -> Path:
    """Where they are kept."""
    return project.root / ".cache" / "passed.json"


def remember(project: Project, before: Mapping[str, str], after: Mapping[str, str], report: Path) -> None:
    """Keep the digests of those whose every cell passed, by pytest's report, and which nobody edited meanwhile."""
    good, bad = cells(report)
    kept = passed(project)
    for path in project.chapters:
        wanted = sum(cell.cell_type == "code" for cell in read(path).cells)
        if bad[path.name] or good[path.name]:
            kept.pop(path.name, None)
        if good[path.name] == wanted and not bad[path.name] and before.get(path.name) == after.get(path.name, ""):
            kept[path.name] = before[path.name]
    record(project).parent.mkdir(exist_ok=True)
    replace(record(project), json.dumps(kept, indent=1))


def skipped(report: Path) -> int:
    """How many tests skipped what passed here."""
    cases = ElementTree.parse(report).iter("skipped") if report.is_file() else ()
    return sum(case.get("message") == SPARED for case in cases)


def cells(report: Path) -> tuple[Counter[str], Counter[str]]:
    """How many cells of each notebook passed, and how many did not."""
    good, bad = Counter[str](), Counter[str]()
    for case in ElementTree.parse(report).iter("testcase") if report.is_file() else ():
        name = case.get("classname", "")
        if name.endswith(".ipynb"):
            (bad if len(case) else good)[name.split(".", 1)[1]] += 1
    return good, bad
