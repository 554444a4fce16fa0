"""`make test`: the sources checked, every test run, every chapter executed, and one line of sums at the end."""

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

from tools import checks, site
from tools.project import BookError, Project

SHARED = ["-n", "2", "--dist", "loadscope"]
CHAPTERS = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600", "-p", "no:cacheprovider"]


def pytest(project: Project, name: str, arguments: list[str]) -> Counter[str]:
    """Run pytest and count what passed, failed and was skipped; a run that found no test has failed."""
    report = project.root / "_build" / "reports" / f"{name}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    print(f"\n{name.capitalize()}:", flush=True)
    environment = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
    environment |= {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"), "JUPYTER_PREFER_ENV_PATH": "1"}
    environment |= {"SALIENCY_STATIC": "1"} if "--nbval-lax" in arguments else {}
    command = [sys.executable, "-m", "pytest", *SHARED, f"--junitxml={report}", *arguments]
    status = subprocess.call(command, cwd=project.root, env=environment, stdin=subprocess.DEVNULL)
    counts = counted(report)
    if status and not counts["failed"]:
        counts["failed"] += 1
    return counts


def counted(report: Path) -> Counter[str]:
    """What a JUnit report counts; empty if there is none."""
    counts: Counter[str] = Counter()
    if not report.is_file():
        return counts
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        number = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
        failed = number["failures"] + number["errors"]
        counts.update(passed=number["tests"] - failed - number["skipped"], failed=failed, skipped=number["skipped"])
    return counts


def verify(project: Project) -> None:
    """Check and test everything, going on after a failure; raises BookError if anything failed."""
    started = time.monotonic()
    problems = checks.problems(project)
    try:
        site.build(project)
    except BookError as error:
        problems.append(str(error))
    print("\n".join(problems) or checks.GOOD, flush=True)
    counts = Counter(failed=len(problems))
    counts += pytest(project, "tests", ["tests"])
    counts += pytest(project, "chapters", [*CHAPTERS, *map(project.relative, project.chapters)])
    print(f"\nEverything in {time.monotonic() - started:.0f} s:", flush=True)
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped", flush=True)
    if counts["failed"]:
        raise BookError("Not everything passed.")
