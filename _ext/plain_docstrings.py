"""Sphinx extension: docstrings are plain text, as a reader of the source sees them, and the API page shows them so.

In reStructuredText `|w|`, `x*` and `R_` would be markup; here they are themselves. What remains of markup is what
plain text has: paragraphs, lists that begin with `- `, blocks set off by indentation (shown as they are, in the
code font), names in single backticks, which become links where they are public names of the package, formulas
between dollars, and titles of pages between asterisks.
"""

import inspect
import re
import textwrap
from typing import Any

from sphinx.application import Sphinx

import saliency_lib

INLINE = re.compile(r"(``[^`\n]+``|`[^`]+`|\$[^$`]+\$|(?<![\w*])\*[A-Z][a-z][\w ,?\n]+\*(?![\w*]))")
SPECIAL = re.compile(r"([\\*|])|(?<=\w)(_)(?!\w)")
LIST = re.compile(r"(- |\d+\. )")
COMMAND = re.compile(r"(python|pip|make) ")


def inline(text: str) -> str:
    """Lines of a paragraph: names linked or shown as code, formulas set, titles slanted, everything else escaped."""
    ways = {"$": formula, "`": code, "*": str}
    prose, marked = INLINE.split(text)[::2], [ways[m[0]](m) for m in INLINE.findall(text)]
    return "".join(escaped(before) + shown for before, shown in zip(prose, [*marked, ""], strict=True))


def escaped(text: str) -> str:
    """Plain text in which nothing is markup."""
    return SPECIAL.sub(lambda match: "\\" + match[0], text)


def formula(piece: str) -> str:
    """A formula between dollars."""
    return f":math:`{piece.strip('$')}`"


def code(piece: str) -> str:
    """A backticked piece as a literal, or as a link if it is a public name of the package."""
    content = " ".join(piece.strip("`").split())
    name = content.removeprefix("sl.").removeprefix("saliency_lib.").removesuffix("()")
    known = name in saliency_lib.__all__ and not inspect.ismodule(getattr(saliency_lib, name))
    return f":py:obj:`{content} <saliency_lib.{name}>`" if known else f"``{content}``"


def converted(text: str) -> list[str]:
    """A whole docstring as reStructuredText lines."""
    lines: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        rows = block.split("\n")
        if COMMAND.match(rows[0]):  # to be pasted into a shell: nothing of it is prose, quotation marks least of all
            lines += ["::", "", *textwrap.indent("\n".join(rows), "    ").split("\n"), ""]
            continue
        if LIST.match(rows[0]) or not rows[0].startswith(" "):
            first_indented = next((i for i, row in enumerate(rows) if i and row.startswith("    ")), len(rows))
            prose = rows if LIST.match(rows[0]) else rows[:first_indented]
            lines += [*inline("\n".join(prose)).split("\n"), ""]
            rows = rows[len(prose) :]
        if rows:
            lines += ["::", "", *textwrap.indent(textwrap.dedent("\n".join(rows)), "    ").split("\n"), ""]
    return lines


def process(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Convert in place the docstring that autodoc has just read."""
    lines[:] = converted("\n".join(lines))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
