"""The notebooks that Colab opens: written from the chapters, never by hand.

Colab shows plain Markdown only and has no environment prepared, so each copy begins with a cell that installs the
package, carries no outputs, and has every directive, role and number of the chapter spelled out.
"""

import re
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools.citations import Bibliography
from tools.labels import labels
from tools.markdown import Markdown, colab_address
from tools.myst import Directive, parse
from tools.project import Project
from tools.tidy import METADATA, dumps, read

BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
ABOUT = """[![Open in Colab]({badge})]({address}/{name})

*Chapter {number} of [Deep Inside ConvNets]({repository}), a book you can run. Written by a program from
`chapters/{name}`, which is where to propose changes. Run all cells from the top (Runtime → Run all); no GPU is
needed, and one is used if you choose it (Runtime → Change runtime type).*"""
INSTALL = """# The book's package, where it is not installed yet; Colab keeps its own PyTorch.
import importlib.util

if importlib.util.find_spec("saliency_lib") is None:
    %pip install --quiet "saliency_lib @ git+{repository}@{branch}\""""


def notebooks(project: Project) -> dict[Path, str]:
    """Path and text of every generated notebook."""
    known = labels(project)
    bibliography = Bibliography(project.root / "reference" / "references.bib")
    folder = project.root / "colab"
    return {
        folder / page.name: dumps(notebook(Markdown(project, page, known, bibliography))) for page in project.chapters
    }


def notebook(markdown: Markdown) -> NotebookNode:
    """The generated copy of one chapter."""
    project, page = markdown.project, markdown.page
    folded: list[str] = []
    cells = head(project, page)
    for cell in read(page).cells:
        copy = converted(cell, markdown)
        if any(isinstance(p, Directive) and p.name == "solution-start" for p in parse(cell.source)):
            # Colab folds what follows a heading; a <details> cannot reach over code cells.
            folded.append(cell.id)
        cells += copy
    if markdown.cited:
        works = [markdown.bibliography.reference(key) for key in sorted(markdown.cited)]
        cells.append(new_markdown_cell("## Works cited\n\n" + "\n".join(works), id="works-cited"))
    fold = {"provenance": [], "toc_visible": True, "collapsed_sections": folded}
    return new_notebook(cells=cells, metadata={**METADATA, "colab": fold})


def head(project: Project, page: Path) -> list[NotebookNode]:
    """The cells that come before the chapter: what this is, and the installation."""
    about = ABOUT.format(
        badge=BADGE,
        address=colab_address(project.repository, project.branch),
        repository=project.repository,
        name=page.name,
        number=project.numbers.get(page, ""),
    )
    install = INSTALL.format(repository=project.repository, branch=project.branch)
    return [new_markdown_cell(about, id="about-this-copy"), new_code_cell(install, id="install")]


def converted(cell: NotebookNode, markdown: Markdown) -> list[NotebookNode]:
    """The cells that one cell of a chapter becomes: none, itself, or a code cell and its figure's caption."""
    if cell.cell_type == "markdown":
        text = markdown.convert(cell.source)
        return [new_markdown_cell(text, id=cell.id, metadata={"id": cell.id})] if text else []
    hidden = {"hide-input", "remove-input"} & set(cell.metadata.get("tags", ()))
    metadata = {"id": cell.id, **({"cellView": "form"} if hidden else {})}
    result = [new_code_cell(cell.source, id=cell.id, metadata=metadata)]
    if figure := cell.metadata.get("mystnb", {}).get("figure"):
        caption = markdown.caption(figure.get("name", ""), figure.get("caption", ""))
        result.append(new_markdown_cell(caption, id=re.sub(r"[^\w-]", "-", f"{cell.id}-caption")[-64:]))
    return result


def write(project: Project) -> None:
    """Bring `colab/` up to date: changed notebooks written, orphans removed."""
    wanted = notebooks(project)
    folder = project.root / "colab"
    folder.mkdir(exist_ok=True)
    for orphan in set(folder.glob("*.ipynb")) - set(wanted):
        orphan.unlink()
    for path, text in wanted.items():
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8", newline="\n")
            print(f"  {project.relative(path)}: written")


def stale(project: Project) -> list[str]:
    """What is wrong with `colab/`, one sentence a file."""
    wanted = notebooks(project)
    there = set((project.root / "colab").glob("*.ipynb"))
    problems = [f"{project.relative(path)} is left over." for path in sorted(there - set(wanted))]
    for path, text in wanted.items():
        if not path.is_file() or path.read_text("utf-8") != text:
            problems.append(f"{project.relative(path)} is not what its chapter gives now: python -m tools.book colab")
    return problems
