"""The process in which a submission runs: it gives values and judges nothing. Run by `marking` as a script, alone.

A line of JSON on standard input is a job: what is given, cells to run one after another on top of it, and tests, each
run after all cells in a copy of their namespace. A line on standard output answers it, behind the job's sign: for each
test `["value", V]`, V plain lists and numbers, or `["error", sentence]`. Whatever a submission does to Python, IPython
or PyTorch in here changes its own values, and nothing that compares them.
"""

import ast
import copy
import json
import os
import pkgutil
import random
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

LARGEST = 200_000
"""Numbers that a value may have: no test asks for more."""


def plain(value: Any) -> Any:
    """A value as JSON can carry it: tensors and arrays as lists, tuples as lists, keys of dictionaries as text."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if value.numel() > LARGEST:
            raise ValueError(f"a tensor of {value.numel()} numbers")
        return value.tolist()
    if hasattr(value, "tolist"):
        return value.tolist()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a {type(value).__name__}, where numbers are asked for")


def run(source: str, space: dict[str, Any], seed: int) -> Any:
    """Run a cell from seeded random numbers; the value of its last line, if that is an expression."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002, the generator that a submission would use
    torch.manual_seed(seed)
    # a notebook's magics and shell lines are none of the answer
    tree = ast.parse(re.sub(r"^[ \t]*[%!].*$", "", source, flags=re.MULTILINE))
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        exec(compile(tree, "cell", "exec"), space)
        return None
    exec(compile(ast.Module(tree.body[:-1], []), "cell", "exec"), space)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), space)


@contextmanager
def forbidden(*names: str) -> Iterator[None]:
    """Functions that an answer must not use, such as `"torch.autograd.grad"`: in here, a call of one is an error."""
    kept = []
    for name in names:
        owner, _, attribute = name.rpartition(".")
        kept.append((pkgutil.resolve_name(owner), attribute))
    before = [getattr(owner, attribute) for owner, attribute in kept]

    def refuse(*given: Any, **more: Any) -> Any:
        raise RuntimeError("it uses what the question forbids")

    for owner, attribute in kept:
        setattr(owner, attribute, refuse)
    try:
        yield
    finally:
        for (owner, attribute), function in zip(kept, before, strict=True):
            setattr(owner, attribute, function)


def said(error: BaseException) -> str:
    """An error in one line."""
    words = str(error).strip().splitlines()
    return f"{type(error).__name__}: {words[0]}" if words else type(error).__name__


def fresh(space: dict[str, Any]) -> dict[str, Any]:
    """A copy of a namespace in which nothing that a test changes is shared."""
    modules = [value for value in space.values() if isinstance(value, ModuleType)]
    return copy.deepcopy(space, {id(module): module for module in modules})


def answer(job: dict[str, Any], given: dict[str, Any]) -> list[tuple[str, Any]]:
    """What comes of each test, in a copy of the namespace in which the cells ran. Of those each may fail alone."""
    space, stopped = fresh(given), ""
    found: list[tuple[str, Any]] = []
    for source in job["cells"]:
        stopped = ""
        try:
            run(source, space, job["seed"])
        except BaseException as error:
            stopped = said(error)
    for test in job["tests"]:
        try:
            found.append(("value", plain(run(test, fresh(space), job["seed"]))))
        except BaseException as error:
            found.append(("error", stopped or said(error)))
    return found


def main() -> None:
    """Answer jobs until there are no more. What a submission prints goes nowhere."""
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    known: dict[str, dict[str, Any]] = {}
    for line in sys.stdin:
        job = json.loads(line)
        key = json.dumps([job["given"], job["seed"]])
        if key not in known:
            known = {key: {"__name__": "__main__", "seed": job["seed"], "forbidden": forbidden}}
            for source in job["given"]:
                run(source, known[key], job["seed"])
        told.write(job.pop("sign") + json.dumps(answer(job, known[key])) + "\n")
        told.flush()


if __name__ == "__main__":
    main()
