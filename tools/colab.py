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
from tools.project import Project
from tools.tidy import METADATA, dumps, read, replace

BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({address}/{name})\n\n"
ABOUT = """*Chapter {number} of [Deep Inside ConvNets]({repository}), a book you can run. Written by a program from
`chapters/{name}`, which is where to propose changes. Run all cells from the top (Runtime → Run all); no GPU is
needed, and one is used if you choose it (Runtime → Change runtime type).*

*What differs from the book: controls are live; PyTorch is Colab's own, so last digits may differ; a GPU rounds
otherwise than the CPU that made the book's figures; solutions are folded under their headings.*"""
INSTALL = """# The book's package, where it is not installed yet; Colab keeps its own PyTorch.
import importlib.util

if importlib.util.find_spec("saliency_lib") is None:
    %pip install --quiet "saliency_lib[chapters] @ git+{repository}@{branch}\""""


def notebooks(project: Project) -> dict[Path, str]:
    """Path and text of every generated notebook."""
    known = labels(project)
    works = Bibliography(project.root / "reference" / "references.bib")
    copies = {page.name: notebook(Markdown(project, page, known, works)) for page in project.chapters}
    return {project.root / "colab" / name: dumps(copy) for name, copy in copies.items()}


def notebook(markdown: Markdown) -> NotebookNode:
    """The generated copy of one chapter."""
    cells = read(markdown.page).cells
    # Colab folds what follows a heading; a <details> cannot reach over code cells.
    folded = [cell.id for cell in cells if cell.cell_type == "markdown" and "{solution-start}" in cell.source]
    fold = {"provenance": [], "toc_visible": True, "collapsed_sections": folded}
    return new_notebook(cells=plain(markdown, cells), metadata={**METADATA, "colab": fold})


def plain(markdown: Markdown, cells: list[NotebookNode]) -> list[NotebookNode]:
    """Cells of a chapter as any notebook program shows them, with an installation before and the works cited after."""
    result = head(markdown.project, markdown.page, badge=not markdown.beside)
    for cell in cells:
        result += converted(cell, markdown)
    if markdown.cited:
        works = [markdown.bibliography.reference(key) for key in sorted(markdown.cited)]
        result.append(new_markdown_cell("## Works cited\n\n" + "\n".join(works), id="works-cited"))
    return result


def head(project: Project, page: Path, *, badge: bool = True) -> list[NotebookNode]:
    """The cells that come before the chapter: what this is, and the installation."""
    text = BADGE * badge + ABOUT
    about = {"name": page.name, "number": project.numbers.get(page, ""), "repository": project.repository}
    return [
        new_markdown_cell(text.format(address=colab_address(project), **about), id="about-this-copy"),
        new_code_cell(INSTALL.format(repository=project.repository, branch=project.branch), id="install"),
    ]


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


def changes(project: Project) -> dict[Path, str | None]:
    """What would have to be written in `colab/`; None for a file that is left over."""
    wanted = notebooks(project)
    there = {path: path.read_text("utf-8") for path in (project.root / "colab").glob("*.ipynb")}
    return {path: wanted.get(path) for path in sorted({*wanted, *there}) if wanted.get(path) != there.get(path)}


def write(project: Project) -> None:
    """Bring `colab/` up to date: changed notebooks written, orphans removed."""
    (project.root / "colab").mkdir(exist_ok=True)
    for path, text in changes(project).items():
        if text is None:
            path.unlink()
        else:
            replace(path, text)
        print(f"  {project.relative(path)}: {'written' if text else 'removed'}")


def stale(project: Project) -> list[str]:
    """The files of `colab/` that are not what the chapters give now, one sentence each."""
    return [f"{project.relative(path)} is not up to date: python -m tools.book colab" for path in changes(project)]
