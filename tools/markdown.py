"""MyST turned into the plain Markdown that Colab and Jupyter render, with the site's numbers and citations."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import normpath

from tools.citations import Bibliography
from tools.labels import Label
from tools.myst import INLINE, LABELLED, TARGET, Code, Directive, Text, parse, split_title
from tools.project import BookError, Project
from tools.quiz import Quiz, quiz
from tools.studies import spoken

ADMONITIONS = frozenset({"attention", "caution", "danger", "hint", "important", "note", "seealso", "tip", "warning"})
API_ROLES = frozenset({"func", "class", "meth", "mod", "attr", "obj", "data", "exc"})
IGNORED = re.compile(r"^(%.*|\+\+\+.*)\n", re.MULTILINE)
LINK = re.compile(r"(?P<start>!?\[[^\]\n]*\]\()(?P<path>[^)\s:#]+\.(?:ipynb|md|png|webp|svg|jpg))(?P<end>[^)]*\))")


@dataclass
class Markdown:
    """A converter for one page; it remembers which works were cited."""

    project: Project
    page: Path
    labels: dict[str, Label]
    bibliography: Bibliography
    cited: set[str] = field(default_factory=set)
    beside: bool = False  # whether the other chapters lie beside this one, or are to be opened in Colab

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
        text = IGNORED.sub("", TARGET.sub("", text + "\n"))
        return LINK.sub(self.link, INLINE.sub(self.inline, text)).rstrip("\n")

    def inline(self, match: re.Match[str]) -> str:
        """A role or displayed math as Markdown; code and math in a line as they are."""
        if match["role"]:
            return self.role(match["role"], " ".join(match["content"].split()))
        math = LABELLED.fullmatch(match["display"] or "")
        return self.equation(math["body"], math["label"]) if math else match[0]

    def equation(self, body: str, label: str | None) -> str:
        """Displayed math with its number."""
        body = body.strip()
        if "\\\\" in body and "\\begin" not in body:
            body = f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"
        tag = f" \\tag{{{self.known(label).number}}}" if label else ""
        return f"$$\n{body}{tag}\n$$"

    def link(self, match: re.Match[str]) -> str:
        """A link or picture whose file is in the book, with an address that works everywhere."""
        return match["start"] + self.address(match["path"], picture=match["start"][0] == "!") + match["end"]

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
                label = self.known(target)
                text = title or label.name
                return text if label.page == self.page else f"[{text}]({self.page_address(label.page)})"
            case "doc":
                return f"[{title or self.title(target)}]({self.address(target)})"
            case "term":
                return f"*{title or target}*"
            case "math":
                return f"${content}$"
            case "study":
                return spoken(self.project.root, content)
            case "cite:t" | "cite:p":
                keys = [key.strip() for key in content.split(",")]
                self.cited.update(keys)
                return self.bibliography.citation(keys, in_text=name == "cite:t")
        if name.removeprefix("py:") in API_ROLES:
            return f"`{title or target.removeprefix('~').removeprefix('saliency_lib.')}`"
        raise BookError(f"{self.project.relative(self.page)}: Colab copies cannot show the role {{{name}}}.")

    def title(self, target: str) -> str:
        """The heading of the page that a {doc} role names."""
        page = self.resolved(target)
        heading = re.search(r'^\s*"?# (.+?)(?:\\n)?"?,?$', page.read_text("utf-8"), re.MULTILINE)
        return heading[1] if heading else page.stem

    def resolved(self, target: str) -> Path:
        """The page of the book that a path without suffix, from here or from the root, leads to."""
        path = (self.project.root if target.startswith("/") else self.page.parent) / target.lstrip("/")
        for candidate in (path, Path(f"{path}.ipynb"), Path(f"{path}.md")):
            if candidate.is_file():
                return Path(normpath(candidate))
        raise BookError(f"{self.project.relative(self.page)} links to {target}, which is not there.")

    def address(self, target: str, *, picture: bool = False) -> str:
        """The address on the web of a file of the book."""
        path = self.resolved(target)
        if picture:
            return f"{self.project.repository}/raw/{self.project.branch}/{self.project.relative(path)}"
        return self.page_address(path)

    def page_address(self, page: Path) -> str:
        """Where a page can be read: chapters in Colab or beside this one, other pages in the repository."""
        if page.suffix == ".ipynb" and self.beside:
            return page.name
        if page.suffix == ".ipynb":
            return f"{colab_address(self.project)}/{page.name}"
        return f"{self.project.repository}/blob/{self.project.branch}/{self.project.relative(page)}"

    def directive(self, piece: Directive) -> str:
        """A directive as Markdown."""
        title, name = self.prose(piece.argument), piece.name
        if name == "math":
            return self.equation(piece.body or piece.argument, piece.label)
        if name == "dropdown" or (name == "admonition" and "dropdown" in piece.options.get("class", "")):
            return self.folded(title, piece.body)
        if name == "admonition" or name in ADMONITIONS:
            return self.quoted(f"**{title if name == 'admonition' else name.capitalize()}**", piece.body)
        if name in ("exercise", "exercise-start"):
            heading = self.known(piece.label).name + (f": {title}" if title else "")
            return f"#### {heading}\n\n{self.convert(piece.body)}"
        if name == "solution":
            return self.folded(f"Solution to {self.known(piece.argument).name}", piece.body)
        if name == "solution-start":
            return f"#### Solution to {self.known(piece.argument).name}\n\n{self.convert(piece.body)}"
        if name in ("solution-end", "exercise-end"):
            return ""
        if name == "lab":
            return self.quoted(
                "**In the page**", f"On the site [a lab]({self.lab(piece.argument)}) stands here: try it there."
            )
        if name == "quiz":
            return self.quiz(quiz(piece))
        if name.startswith("prf:"):
            heading = "Proof" if name == "prf:proof" else self.known(piece.label).name
            return self.quoted(f"**{heading}**" + (f" ({title})" if title else ""), piece.body)
        if name in ("figure", "image"):
            picture = f"![{piece.options.get('alt', '')}]({self.address(piece.argument, picture=True)})"
            return picture + (f"\n\n{self.caption(piece.label, piece.body)}" if piece.body else "")
        raise BookError(f"{self.project.relative(self.page)}: Colab copies cannot show the directive {{{name}}}.")

    def lab(self, name: str) -> str:
        """Where a lab of this page lives on the web."""
        page = self.project.relative(self.page.with_suffix(".html"))
        return f"{self.project.address}/{page}#lab-{name}"

    def quiz(self, asked: Quiz) -> str:
        """A question with lettered options, the answer and what is to be said of each folded below."""
        letters = "ABCDEFGH"
        lines = [f"**Predict:** {self.prose(asked.question)}", ""]
        lines += [f"- **{a}.** {self.prose(o.text)}" for a, o in zip(letters, asked.options, strict=False)]
        said = [f"- **{a}.** {o.verdict} {o.said}" for a, o in zip(letters, asked.options, strict=False)]
        return "\n".join([*lines, "", self.folded("Answer", "\n".join(said))])

    def caption(self, label: str, text: str) -> str:
        """A figure's number and caption."""
        return (f"**{self.known(label).name}.** " if label else "") + self.convert(text)

    def quoted(self, heading: str, body: str) -> str:
        """A heading and a body, set off by a line at the left."""
        lines = f"{heading}\n\n{self.convert(body)}".split("\n")
        return "\n".join(f"> {line}".rstrip() for line in lines)

    def folded(self, heading: str, body: str) -> str:
        """A body that opens on a click."""
        summary = re.sub(r"\*\*?(.+?)\*\*?", r"<em>\1</em>", heading)
        return f"<details>\n<summary><b>{summary}</b></summary>\n\n{self.convert(body)}\n\n</details>"


def colab_address(project: Project) -> str:
    """Where Colab opens the generated notebooks."""
    address = project.repository.replace("https://github.com", "https://colab.research.google.com/github")
    return f"{address}/blob/{project.branch}/colab"
