"""MyST turned into the plain Markdown that Colab and Jupyter render, with the site's numbers and citations."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import normpath

from tools.citations import Bibliography
from tools.labels import Label
from tools.myst import TARGET, Code, Directive, Text, parse, split_title, substitute
from tools.project import BookError, Project

ADMONITIONS = frozenset("attention caution danger error hint important note seealso tip warning".split())  # noqa: SIM905
SOLUTIONS = frozenset({"solution", "dropdown"})
LINK = re.compile(r"(?P<start>!?\[[^\]\n]*\]\()(?P<path>[^)\s:#]+\.(?:ipynb|md|png|webp|svg|jpg))(?P<end>[^)]*\))")
API_ROLES = frozenset({"func", "class", "meth", "mod", "attr", "obj", "data", "exc"})


@dataclass
class Markdown:
    """A converter for one page; it remembers which works were cited."""

    project: Project
    page: Path
    labels: dict[str, Label]
    bibliography: Bibliography
    cited: dict[str, None] = field(default_factory=dict)

    def convert(self, text: str) -> str:
        """Plain Markdown for a MyST text; raises BookError for what it does not know."""
        parts = []
        for piece in parse(text):
            match piece:
                case Text():
                    parts.append(self.prose(piece.text))
                case Code():
                    parts.append(piece.text)
                case Directive():
                    parts.append(f"\n{self.directive(piece)}\n")
        return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).strip("\n")

    def prose(self, text: str) -> str:
        """Roles, labelled math, targets, comments and links of a text without directives."""
        text = TARGET.sub("", text + "\n")
        text = re.sub(r"^(%.*|\+\+\+.*)\n", "", text, flags=re.MULTILINE)
        text = substitute(text, self.role, self.equation)
        return LINK.sub(lambda m: m["start"] + self.address(m["path"], m["start"][0] == "!") + m["end"], text).rstrip(
            "\n"
        )

    def equation(self, body: str, label: str) -> str:
        """Displayed math with its number."""
        body = body.strip()
        if "\\\\" in body and "\\begin" not in body:
            body = f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"
        tag = f" \\tag{{{self.known(label).number}}}" if label else ""
        return f"$$\n{body}{tag}\n$$"

    def known(self, label: str) -> Label:
        """What a label stands for; raises BookError for an unknown one."""
        if label not in self.labels:
            raise BookError(f"{self.project.relative(self.page)} refers to {label}, which nothing is called.")
        return self.labels[label]

    def role(self, name: str, content: str) -> str:
        """A role as Markdown."""
        title, target = split_title(content)
        match name:
            case "eq":
                return self.known(target).name
            case "numref":
                return title.replace("%s", self.known(target).number) if title else self.known(target).name
            case "ref" | "prf:ref" | "exercise:ref":
                return self.reference(title, self.known(target))
            case "doc":
                return f"[{title or self.title(target)}]({self.address(target)})"
            case "term":
                return f"*{title or target}*"
            case "math":
                return f"${content}$"
            case "cite:t" | "cite:p" | "cite":
                return self.citation(name, [key.strip() for key in content.split(",")])
        if name.removeprefix("py:") in API_ROLES:
            return f"`{title or target.removeprefix('~').removeprefix('saliency_lib.')}`"
        raise BookError(f"{self.project.relative(self.page)}: Colab copies cannot show the role {{{name}}}.")

    def reference(self, title: str, label: Label) -> str:
        """A reference, as a link where it leads to another page."""
        text = title or label.name
        return text if label.page == self.page else f"[{text}]({self.page_address(label.page)})"

    def citation(self, name: str, keys: list[str]) -> str:
        """A citation in the text or in brackets."""
        self.cited.update(dict.fromkeys(keys))
        if name == "cite:t":
            return ", ".join(self.bibliography.textual(key) for key in keys)
        return self.bibliography.parenthetical(keys)

    def title(self, target: str) -> str:
        """The heading of the page that a {doc} role names."""
        page = self.resolved(target)
        text = page.read_text("utf-8")
        heading = re.search(r'^\s*"?# (.+?)(?:\\n)?"?,?$', text, re.MULTILINE)
        return heading[1] if heading else page.stem

    def resolved(self, target: str) -> Path:
        """The page of the book that a path without suffix, from here or from the root, leads to."""
        start = self.project.root if target.startswith("/") else self.page.parent
        path = start / target.lstrip("/")
        for candidate in (path, Path(f"{path}.ipynb"), Path(f"{path}.md")):
            if candidate.is_file():
                return Path(normpath(candidate))
        raise BookError(f"{self.project.relative(self.page)} links to {target}, which is not there.")

    def address(self, target: str, picture: bool = False) -> str:
        """The address on the web of a file of the book."""
        path = self.resolved(target)
        if picture:
            return f"{self.project.repository}/raw/{self.project.branch}/{self.project.relative(path)}"
        return self.page_address(path)

    def page_address(self, page: Path) -> str:
        """Where a page can be read: chapters in Colab, other pages in the repository."""
        repository, branch = self.project.repository, self.project.branch
        if page.suffix == ".ipynb":
            return f"{colab_address(repository, branch)}/{page.name}"
        return f"{repository}/blob/{branch}/{self.project.relative(page)}"

    def directive(self, piece: Directive) -> str:
        """A directive as Markdown."""
        title = self.prose(piece.argument)
        if piece.name == "math":
            return self.equation(piece.body or piece.argument, piece.label)
        if piece.name in ADMONITIONS or piece.name == "admonition":
            heading = title if piece.name == "admonition" else piece.name.capitalize()
            folded = "dropdown" in piece.options.get("class", "")
            return self.folded(heading, piece.body) if folded else self.quoted(f"**{heading}**", piece.body)
        if piece.name == "dropdown":
            return self.folded(title, piece.body)
        if piece.name in ("exercise", "exercise-start"):
            heading = self.known(piece.label).name + (f": {title}" if title else "")
            return f"#### {heading}\n\n{self.convert(piece.body)}"
        if piece.name == "solution":
            return self.folded(f"Solution to {self.known(piece.argument).name}", piece.body)
        if piece.name == "solution-start":
            return f"#### Solution to {self.known(piece.argument).name}\n\n{self.convert(piece.body)}"
        if piece.name in ("solution-end", "exercise-end"):
            return ""
        if piece.name.startswith("prf:"):
            kind = piece.name.removeprefix("prf:").title()
            name = self.known(piece.label).name if piece.name != "prf:proof" else kind
            return self.quoted(f"**{name}**" + (f" ({title})" if title else ""), piece.body)
        if piece.name in ("figure", "image"):
            picture = f"![{piece.options.get('alt', '')}]({self.address(piece.argument, picture=True)})"
            return picture + (f"\n\n{self.caption(piece.label, piece.body)}" if piece.body else "")
        raise BookError(f"{self.project.relative(self.page)}: Colab copies cannot show the directive {{{piece.name}}}.")

    def caption(self, label: str, text: str) -> str:
        """A figure's number and caption."""
        number = f"**{self.known(label).name}.** " if label else ""
        return number + self.convert(text)

    def quoted(self, heading: str, body: str) -> str:
        """A heading and a body, set off by a line at the left."""
        lines = f"{heading}\n\n{self.convert(body)}".split("\n")
        return "\n".join(f"> {line}".rstrip() for line in lines)

    def folded(self, heading: str, body: str) -> str:
        """A body that opens on a click."""
        summary = re.sub(r"\*\*?(.+?)\*\*?", r"<em>\1</em>", heading)
        return f"<details>\n<summary><b>{summary}</b></summary>\n\n{self.convert(body)}\n\n</details>"


def colab_address(repository: str, branch: str) -> str:
    """Where Colab opens the generated notebooks of a GitHub repository."""
    return f"{repository.replace('https://github.com', 'https://colab.research.google.com/github')}/blob/{branch}/colab"
