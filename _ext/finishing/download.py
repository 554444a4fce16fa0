"""The notebook that a chapter offers for download is the one that Colab opens: it runs anywhere and reads as it is."""

from functools import cache
from pathlib import Path

from finishing.page import Page
from tools import colab
from tools.project import Project

FOLDER = "notebooks"


@cache
def notebooks(root: Path) -> dict[str, str]:
    """Text of every generated notebook by its name."""
    return {path.stem: text for path, text in colab.notebooks(Project(root)).items()}


def notebook(page: Page) -> None:
    """Lay the chapter's generated notebook beside the site and let the button lead to it; no other page has one."""
    for button in page.soup.select("a.btn-download-source-button"):
        text = notebooks(page.root).get(page.path.stem) if page.name.startswith("chapters/") else None
        if text is None:
            item = button.find_parent("li")
            (item or button).decompose()
            continue
        path = page.site / FOLDER / f"{page.path.stem}.ipynb"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
        button["href"] = page.link(path.relative_to(page.site).as_posix())
        button["title"], button["download"] = "Notebook, as Colab opens it", path.name
        del button["target"]


STEPS = (notebook,)
