"""The lab's modules as one classic script: a page that is opened as a file may load no modules.

The modules keep to what this needs: `import { name } from "./module.js";` and `export` before a declaration. They share
one scope, so no two of them may declare the same name: the browser would refuse the script, and the tests see it.
"""

import re
from pathlib import Path

from tools.project import BookError

IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class|let)\b)", re.MULTILINE)
MODULE_ONLY = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def bundle(entry: Path) -> str:
    """A module and all that it imports, each before its users. Raises BookError for syntax that it does not know."""
    bodies: dict[Path, str] = {}
    _add(entry, bodies, ())
    return '"use strict";\n(() => {\n' + "\n".join(bodies.values()) + "})();\n"


def _add(path: Path, bodies: dict[Path, str], above: tuple[Path, ...]) -> None:
    if path in above:
        raise BookError(f"lab/{path.name} imports itself by way of {above[-1].name}.")
    if path in bodies:
        return
    text = path.read_text("utf-8")
    for name in IMPORT.findall(text):
        _add(path.parent / name, bodies, (*above, path))
    body = EXPORT.sub("", IMPORT.sub("", text))
    if unknown := MODULE_ONLY.search(body):
        raise BookError(f"lab/{path.name}: the bundle does not know {unknown[0]!r}.")
    bodies[path] = f"// {path.name}\n{body}"
