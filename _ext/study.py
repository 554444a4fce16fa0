"""Sphinx extension: the role `study` says what a stored study found (see `tools/studies.py`)."""

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

from tools.project import BookError
from tools.studies import FILE, spoken

logger = logging.getLogger(__name__)


class StudyRole(SphinxRole):
    """Numbers from `data/studies.json`; a page is made anew when they change; a name unknown there is an error."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The number as text."""
        root = Path(self.env.srcdir)
        self.env.note_dependency(str(root / FILE))
        try:
            said = spoken(root, self.text)
        except BookError as error:
            logger.warning(str(error), location=self.get_location())
            said = self.rawtext
        return [nodes.inline(self.rawtext, said, classes=["study"])], []


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_role("study", StudyRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
