"""The edition for students: the site without solutions, in `_build/student/`; `python -m tools.book build --student`.

It is built from a copy of the book whose chapters have none, so that neither a page nor the notebook behind it does;
the buttons that open Colab's copies, which have them, are left out.
"""

import shutil
import tempfile
from pathlib import Path

import yaml

from tools import site, vendor
from tools.course.versions import unsolved
from tools.project import BookError, Project
from tools.tidy import dumps, read, replace

LEFT = shutil.ignore_patterns(".*", "_build", "tests", "benchmarks", "colab", "*.egg-info", "__pycache__")


def copy(project: Project, root: Path) -> Project:
    """The book without its solutions, in another folder."""
    shutil.copytree(project.root, root, ignore=LEFT)
    (root / ".cache").symlink_to(project.root / ".cache")  # what pages load, fetched once
    made = Project(root)
    for chapter in made.chapters:
        notebook = read(chapter)
        notebook.cells = unsolved(notebook)
        replace(chapter, dumps(notebook))
    config = yaml.safe_load((root / "_config.yml").read_text("utf-8"))
    config.pop("launch_buttons", None)
    replace(root / "_config.yml", yaml.safe_dump(config, allow_unicode=True))
    return made


def build(project: Project) -> Path:
    """Build the edition, warnings being errors; the folder with its pages."""
    vendor.prepare(project.root)
    target = project.root / "_build" / "student"
    with tempfile.TemporaryDirectory() as folder:
        made = copy(project, Path(folder) / "book")
        if trouble := site.pages(made, Path(folder) / "built"):
            raise BookError("\n".join(trouble))
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(Path(folder) / "built" / "_build" / "html", target)
    print(f"The students' edition is in {target}.")
    return target
