"""Every figure of the book as a file, with a contact sheet and the license: `make figures`.

A figure is what a chapter's cell drew, byte for byte as the site shows it; of a control that moves, the frames for
paper.
"""

import base64
import html
import shutil
from pathlib import Path

from tools.course.deck import pictures
from tools.labels import labels
from tools.project import Project
from tools.tidy import read, replace

LICENSE = """All figures of this folder: CC BY 4.0, the authors of Deep Inside ConvNets, {address}
Photographs in them keep their own licenses: see the page "Credits" of the book.
"""
SHEET = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Figures of Deep Inside ConvNets</title>
<style>
body {{ font: 14px system-ui, sans-serif; margin: 2rem; }}
ul {{ display: grid; gap: 1.2rem; padding: 0; list-style: none; }}
ul {{ grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); }}
img {{ width: 100%; height: 170px; object-fit: contain; }}
</style>
<h1>Figures of <em>Deep Inside ConvNets</em></h1>
<p>CC BY 4.0; photographs as the book's credits say.</p>
<ul>{items}</ul></html>
"""


def write(project: Project) -> Path:
    """Lay the figures, the contact sheet and the license into `_build/figures/`; the folder."""
    folder = project.root / "_build" / "figures"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    known = labels(project)
    items = []
    for chapter in project.chapters:
        for cell in read(chapter).cells:
            figure = cell.metadata.get("mystnb", {}).get("figure")
            shown = pictures(cell, cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")) if figure else []
            for number, (source, alt) in enumerate(shown):
                name = figure["name"] + (f"-{number + 1}" if len(shown) > 1 else "")
                path = folder / f"{name}.{source.partition('image/')[2].partition(';')[0]}"
                path.write_bytes(base64.b64decode(source.partition("base64,")[2]))
                called = html.escape(known[figure["name"]].name)
                items.append(f'<li><img src="{path.name}" alt="{html.escape(alt)}"><br>{called}: {path.name}</li>')
    replace(folder / "index.html", SHEET.format(items="\n".join(items)))
    replace(folder / "LICENSE.txt", LICENSE.format(address=project.repository))
    print(f"{len(items)} figures are in {folder}; index.html shows them all.")
    return folder
