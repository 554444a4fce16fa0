"""Sphinx extension: the Colab button opens the generated notebook in `colab/`, which Colab can render."""

from pathlib import PurePosixPath
from typing import Any

from sphinx.application import Sphinx


def redirect(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Replace the chapter's path at the end of every Colab link on the page by that of its generated copy."""
    path = PurePosixPath(page)
    for group in context.get("header_buttons") or ():
        for button in group.get("buttons", ()):
            if button.get("text") == "Colab":
                start = button["url"].removesuffix(f"{path}.ipynb")
                button["url"] = f"{start}colab/{path.name}.ipynb"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx, after the theme has made its buttons."""
    app.connect("html-page-context", redirect, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
