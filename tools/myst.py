"""MyST Markdown as far as the chapters use it: directives (nested, with ``` or :::), roles, labelled math.

A text is split into pieces: plain text, code blocks (kept as they are) and directives, whose bodies are MyST again.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

OPENING = re.compile(r"(?P<indent> {0,3})(?P<fence>`{3,}|:{3,})(?P<info>.*)")
NAME = re.compile(r"\{(?P<name>[\w:-]+)\}\s*(?P<argument>.*)")
OPTION = re.compile(r":([\w-]+):\s*(.*)")
LABELLED = re.compile(r"\$\$\s*\n?(?P<body>.*?)\n?\s*\$\$(?:[ \t]*\((?P<label>[\w:-]+)\))?", re.DOTALL)
TARGET = re.compile(r"^\((?P<label>[\w:-]+)\)=[ \t]*\n", re.MULTILINE)
INLINE = re.compile(
    r"\{(?P<role>[\w:-]+)\}(?P<ticks>`+)(?P<content>.+?)(?P=ticks)"
    r"|(?P<code>(?P<fence>`+).+?(?P=fence))"
    r"|(?P<display>\$\$.+?\$\$(?:[ \t]*\([\w:-]+\))?)"
    r"|(?P<math>(?<!\\)\$[^$\n]+?\$)",
    re.DOTALL,
)


@dataclass
class Text:
    """Markdown outside all blocks."""

    text: str


@dataclass
class Code:
    """A fenced block of code, fences included, to be kept as it is."""

    text: str


@dataclass
class Directive:
    """A block with a name, an argument (often its title), options and a body."""

    name: str
    argument: str = ""
    options: dict[str, str] = field(default_factory=dict)
    body: str = ""

    @property
    def label(self) -> str:
        """What others refer to it by; empty if it has none."""
        return self.options.get("label") or self.options.get("name") or ""


Piece = Text | Code | Directive


def parse(text: str) -> list[Piece]:
    """The pieces of a text, in order."""
    pieces: list[Piece] = []
    prose: list[str] = []
    lines = iter(text.replace("\r\n", "\n").split("\n"))
    for line in lines:
        opening = OPENING.fullmatch(line)
        if not opening:
            prose.append(line)
            continue
        if prose:
            pieces.append(Text("\n".join(prose)))
            prose = []
        body = list(_until(lines, opening["fence"]))
        name = NAME.fullmatch(opening["info"].strip())
        if name:
            pieces.append(directive(name["name"], name["argument"].strip(), body))
        else:
            pieces.append(Code("\n".join([line, *body, opening["indent"] + opening["fence"]])))
    if prose:
        pieces.append(Text("\n".join(prose)))
    return pieces


def _until(lines: Iterator[str], fence: str) -> Iterator[str]:
    """The lines before the fence that closes a block: the same character, at least as many, nothing else."""
    for line in lines:
        stripped = line.strip()
        if len(stripped) >= len(fence) and set(stripped) == {fence[0]}:
            return
        yield line


def directive(name: str, argument: str, lines: list[str]) -> Directive:
    """A directive from the lines between its fences, leading `:option: value` lines taken as options."""
    options = {}
    while lines and (option := OPTION.fullmatch(lines[0].strip())):
        options[option[1]] = option[2].strip()
        lines = lines[1:]
    return Directive(name, argument, options, "\n".join(lines).strip("\n"))


def walk(text: str) -> Iterator[Piece]:
    """Every piece at every depth, in reading order; a directive comes before what is in it."""
    for piece in parse(text):
        yield piece
        if isinstance(piece, Directive) and piece.name != "math":
            yield from walk(piece.body)


def split_title(content: str) -> tuple[str, str]:
    """`text <target>` as (text, target); without a text, ("", target)."""
    match = re.fullmatch(r"(.+?)\s*<(.+)>", content)
    return (match[1], match[2]) if match else ("", content)
