"""What is found because its file lies in a folder: a method, a metric. A new one is one new file, and no list.

A class there declares its name in a line of its own, `name = "fancy"` or `name, title = "fancy", "..."`. That line is
read, not run: a file is imported when somebody asks for what is in it, so that nothing depends on what it does not use.
"""

import importlib
import re
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from saliency_lib.checks import one_of

DECLARATION = re.compile(r'^    name\b[ \w,]*= "([^"]+)"', re.MULTILINE)


@cache
def declared(folder: ModuleType) -> dict[str, str]:
    """The names of all that is declared in a package's files, each with its module."""
    files = sorted(path for place in folder.__path__ for path in Path(place).glob("*.py"))
    return dict(
        sorted(
            (name, f"{folder.__name__}.{path.stem}")
            for path in files
            for name in DECLARATION.findall(path.read_text("utf-8"))
        )
    )


def find(folder: ModuleType, what: str, name: str) -> Any:
    """The class of a name. Raises `SaliencyError` if there is none, naming all."""
    known = declared(folder)
    module = importlib.import_module(known[one_of(what, name, known)])
    return next(kind for kind in vars(module).values() if isinstance(kind, type) and vars(kind).get("name") == name)
