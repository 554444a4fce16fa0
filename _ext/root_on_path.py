"""Sphinx extension: the root of the book is importable, so that autodoc finds the package and `_ext` finds `tools`."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def setup(app: object) -> dict[str, Any]:
    """Nothing more to register: importing this file is what counts, and it comes first in `_config.yml`."""
    return {"parallel_read_safe": True, "parallel_write_safe": True}
