"""Sphinx extension: the directive `photo-credits` lists the sample photographs as `data/photos.json` describes them."""

import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ADDRESS = re.compile(r"(https://[^\s)]+)")
LICENSES = {
    "CC0 1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC BY 2.0": "https://creativecommons.org/licenses/by/2.0/",
    "CC BY 4.0": "https://creativecommons.org/licenses/by/4.0/",
    "public domain": "https://creativecommons.org/publicdomain/mark/1.0/",
}


class PhotoCredits(SphinxDirective):
    """One entry a photo: its title, who took it, under which license, and where the file comes from."""

    def run(self) -> list[nodes.Node]:
        """The list, which is made anew when the manifest changes."""
        manifest = Path(self.env.srcdir) / "data" / "photos.json"
        self.env.note_dependency(str(manifest))
        listing = nodes.bullet_list()
        for photo in json.loads(manifest.read_text("utf-8")):
            listing += nodes.list_item("", entry(photo))
        return [listing]


def entry(photo: dict[str, Any]) -> nodes.paragraph:
    """What one photo's author is owed."""
    paragraph = nodes.paragraph("", "", nodes.strong("", photo["title"]))
    paragraph += nodes.Text(". ")
    paragraph += nodes.literal("", photo["name"])
    paragraph += nodes.Text(f". By {photo['author']}. ")
    license = photo["license"]
    if license in LICENSES:
        paragraph += nodes.reference("", license, refuri=LICENSES[license], internal=False)
    else:
        paragraph += nodes.Text(license[:1].upper() + license[1:])
    paragraph += nodes.Text(". From ")
    for number, piece in enumerate(ADDRESS.split(photo["source"])):
        paragraph += nodes.reference("", piece, refuri=piece, internal=False) if number % 2 else nodes.Text(piece)
    paragraph += nodes.Text(".")
    return paragraph


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("photo-credits", PhotoCredits)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
