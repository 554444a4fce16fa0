"""Sphinx extension: the root of the book is importable, so that autodoc finds the package and `_ext` finds `tools`."""

import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def setup(app: Sphinx) -> dict[str, Any]:
    """Importing this file is what counts; it comes first in `_config.yml`."""
    # Jupyter Book sets this for an extension that the book does not load, and Sphinx would warn.
    app.add_config_value("comments_config", {}, "")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
