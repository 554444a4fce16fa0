"""Points for a submission: its values, computed in a process that it cannot leave, compared here with the reference's.

Each problem is marked by itself: where it calls the answer to an earlier one, it gets the reference's, so that one slip
costs once. Numbers agree within a thousandth; a list is as good as a tuple or a tensor, float64 as good as float32.
"""

import hashlib
import json
import math
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from tools.course.assignments import Assignment, Block, defines
from tools.project import BookError

WORKER = Path(__file__).with_name("worker.py")
PATIENCE = 60
"""Seconds that the tests of one problem may take, with the start of a process."""

Job = dict[str, Any]
Values = list[list[Any]]


@dataclass(frozen=True)
class Mark:
    """What one test gave: its problem, its points, those that were had, and the sentence for the student."""

    problem: str
    points: int
    had: int
    says: str


def agrees(found: Any, right: Any) -> bool:
    """Whether two plain values are the same, numbers within 1e-3 of each other, relatively, or 1e-5."""
    if isinstance(right, dict):
        return (
            isinstance(found, dict) and found.keys() == right.keys() and all(agrees(found[k], right[k]) for k in right)
        )
    if isinstance(right, list):
        return isinstance(found, list) and len(found) == len(right) and all(map(agrees, found, right))
    if isinstance(right, int | float) and isinstance(found, int | float):
        return math.isclose(found, right, rel_tol=1e-3, abs_tol=1e-5) or (math.isnan(found) and math.isnan(right))
    return found == right


def answers(assignment: Assignment, notebook: NotebookNode) -> tuple[dict[str, str], list[str], list[str]]:
    """What a notebook answers to each problem, its other cells of code, and what the teacher should know of it.

    A cell is known by nbgrader's name or, where that was lost (Colab, a copy), by the names that it defines.
    """
    found: dict[str, str] = {}
    own, remarks = [], []
    names = {block.name: defines(block.body) for block in assignment.named("answer")}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        known = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        name = known.removeprefix("answer-") if known.startswith("answer-") else ""
        if not known:
            name = next((n for n, defined in names.items() if defined & defines(cell.source)), "")
        if name in names:
            if name in found:
                remarks.append(f"{name} is answered twice: the last cell counts")
            found[name] = cell.source
        elif not known:
            own.append(cell.source)
    remarks += [f"the cell of {name} is missing" for name in names if name not in found]
    return found, own, remarks


def job(assignment: Assignment, name: str, source: str, own: Sequence[str], seed: int) -> Job:
    """One problem of a submission: what is given, the student's own cells, the reference's earlier answers, its own."""
    given = [block.body for block in assignment.blocks if block.kind == "code"]
    answered = assignment.named("answer")
    helpers = [block.body for block in answered[: assignment.problems.index(name)]]
    tests = [block.body for block in assignment.named("test", name)]
    return {"given": given, "cells": [*own, *helpers, source], "tests": tests, "seed": seed}


def values(jobs: Sequence[Job], patience: float = PATIENCE) -> Iterator[Values]:
    """What each job gives. A process that hangs or dies costs the job that it was at, and the next gets a new one."""
    left = list(jobs)
    while left:
        # an empty folder to work in, and Python's isolated mode: nothing of ours is within reach by accident
        with tempfile.TemporaryDirectory() as folder, _worker(folder) as process:
            while left:
                current = left.pop(0)
                found = _asked(process, current, patience)
                if found:
                    yield found
                    continue
                late = process.poll() is None
                process.kill()
                why = f"it did not end within {patience:.0f} s" if late else "its process ended by itself"
                yield [["error", why] for _ in current["tests"]]
                break
            process.kill()


def _worker(folder: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "IPYTHON", "JUPYTER"))}
    return subprocess.Popen(
        [sys.executable, "-I", str(WORKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=folder,
        env=environment,
    )


def _asked(process: subprocess.Popen[str], one: Job, patience: float) -> Values | None:
    """What a process answers, or nothing if it ends or is too slow. Each job has a sign: other lines do not count."""
    assert process.stdin is not None
    sign, found = secrets.token_hex(8), list[Values]()
    try:
        process.stdin.write(json.dumps({**one, "sign": sign}) + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        return None
    reader = threading.Thread(target=_listen, args=(process, sign, len(one["tests"]), found), daemon=True)
    reader.start()
    reader.join(patience)
    if not reader.is_alive() and not found:  # it ends, or has only closed what it would answer on
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    return found[0] if found else None


def _listen(process: subprocess.Popen[str], sign: str, count: int, found: list[Values]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(sign):
            told = json.loads(line.removeprefix(sign))
            if len(told) == count and all(len(one) == 2 for one in told):
                found.append(told)
            return


def reference(assignment: Assignment, seed: int) -> dict[str, Values]:
    """The right values of each problem's tests; raises BookError if the reference itself fails."""
    jobs = [job(assignment, block.name, block.body, (), seed) for block in assignment.named("answer")]
    found = dict(zip(assignment.problems, values(jobs), strict=True))
    for name, right in found.items():
        if wrong := next((told for kind, told in right if kind == "error"), None):
            raise BookError(f"{assignment.name}: the reference's own answer to {name} fails: {wrong}")
    return found


def marks(tests: Sequence[Block], found: Values, right: Values) -> list[Mark]:
    """The marks of one problem."""
    result = []
    for test, (kind, value), (_, wanted) in zip(tests, found, right, strict=True):
        had = test.points if kind == "value" and agrees(value, wanted) else 0
        why = f" ({value})" if kind == "error" else ""
        result.append(Mark(test.name, test.points, had, test.says + why))
    return result


def seed_of(course: str, student: str, variants: int = 16) -> int:
    """Which of some variants of the tests' random numbers a student gets, in a course with a secret of its own."""
    return int(hashlib.sha256(f"{course}/{student}".encode()).hexdigest(), 16) % variants


def mark(
    assignment: Assignment, notebook: NotebookNode, seed: int, right: dict[str, Values]
) -> tuple[list[Mark], list[str]]:
    """The marks of a submission, and remarks for the teacher."""
    found, own, remarks = answers(assignment, notebook)
    jobs = [job(assignment, name, found.get(name, ""), own, seed) for name in assignment.problems]
    result = []
    for name, one in zip(assignment.problems, values(jobs), strict=True):
        result += marks(assignment.named("test", name), one, right[name])
    return result, remarks
