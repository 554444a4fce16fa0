"""A tiny book in a temporary directory: everything the real one has, with a library of three lines."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from browser import Browser, executable
from filelock import FileLock
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools import refresh, site, vendor
from tools.project import ROOT, Project

SHORTEST_ALT = 20

GUIDE = """# Guide

```{math}
:label: eq-guide
S_c(I) \\approx w^\\top I + b
```

Equation {eq}`eq-guide`, {numref}`fig-line`, chapter {doc}`/chapters/02_second`, {term}`saliency map`,
{cite:t}`simonyan2013deep` and {cite:p}`simonyan2013deep`; `{eq}` is code and $a_1$ is math.

(sec-order)=
## The order of things

$$
R_1 = S - w^\\top I
$$ (eq-rest)

```{warning}
Not the {ref}`sec-order` you meant.
```

```{prf:theorem} Exact inside a region
:label: thm-exact
The expansion {eq}`eq-rest` is exact.
```
"""

EXERCISES = """## Exercises

````{exercise} A sum
:label: ex-sum
What is

```{math}
:label: eq-sum
1 + 1
```
````

```{solution} ex-sum
:class: dropdown
Two, by {eq}`eq-sum`.
```

```{exercise}
:label: ex-run
Run it.
```"""

SECOND = """# Second

As {numref}`fig-line` and {eq}`eq-guide` say, see {ref}`sec-order` and {prf:ref}`thm-exact`.

```{math}
:label: eq-second
1 = 1
```

So {eq}`eq-second`.
"""

NAMES = """from saliency_lib.names import NAMES

len(NAMES) + 1 + 1"""

PLOT = """import matplotlib.pyplot as plt
from saliency_lib import double

figure, axes = plt.subplots(figsize=(3, 2))
axes.plot([0, double(1)])
plt.show()"""

FIGURE = {
    "figure": {"name": "fig-line", "caption": "A line through {eq}`eq-guide`."},
    "image": {"alt": "A straight line that rises from zero to two."},
}


def plain_cells() -> list[nbformat.NotebookNode]:
    """A first chapter in which everything occurs that chapters use."""
    return [
        new_markdown_cell(GUIDE),
        new_code_cell(PLOT, metadata={"mystnb": FIGURE}),
        new_code_cell("print(object())", metadata={"tags": ["nbval-ignore-output"]}),
        new_markdown_cell(EXERCISES),
        new_markdown_cell("```{solution-start} ex-run\n:class: dropdown\n```\nAs follows."),
        new_code_cell("double(2)"),
        new_markdown_cell("```{solution-end}\n```"),
    ]


def write_notebook(path: Path, cells: list[nbformat.NotebookNode]) -> None:
    """A notebook whose cells have the identifiers c0, c1, ..."""
    for number, cell in enumerate(cells):
        cell["id"] = f"c{number}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(new_notebook(cells=cells)), "utf-8")


LIBRARY = {
    "saliency_lib/__init__.py": '"""A library."""\n\n__all__ = ["double"]\n\n\n'
    'def double(x):\n    """Twice `x`."""\n    return 2 * x  # exactly\n',
    "saliency_lib/names.py": "from pathlib import Path\n\n"
    'FILE = Path(__file__).parent.parent / "data" / "names.tsv"\nNAMES = FILE.read_text().split()\n',
    "saliency_lib/cli.py": "from saliency_lib.names import NAMES\n\nprint(NAMES)\n",
    "data/names.tsv": "0\ttench\n",
    "data/photos.json": "{}\n",
}
"""A package of three modules, with data: the first chapter uses its first module, the second also names.py."""


def write_library(root: Path) -> None:
    """The library of the tiny book, with data."""
    for name, text in LIBRARY.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)


def link_assets(root: Path) -> None:
    """The real book's copies of what pages load, so that a tiny book fetches nothing."""
    if vendor.prepare(ROOT):
        (root / ".cache").mkdir()
        (root / ".cache" / "vendor").symlink_to(ROOT / ".cache" / "vendor")


def make_book(root: Path) -> Project:
    """A tiny book below `root`."""
    root.mkdir(parents=True, exist_ok=True)
    for name in ("_config.yml", "requirements.txt"):
        shutil.copy(ROOT / name, root)
    for name in ("_ext", "_static"):
        (root / name).symlink_to(ROOT / name)
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: intro\nparts:\n"
        "  - caption: Chapters\n    numbered: true\n    chapters:\n"
        "      - file: chapters/01_first\n      - file: chapters/02_second\n"
        "  - caption: Reference\n    chapters:\n"
        "      - file: reference/glossary\n      - file: reference/bibliography\n"
    )
    (root / "intro.md").write_text("# A tiny book\n\nIt begins with {doc}`chapters/01_first`.\n")
    (root / "reference").mkdir()
    shutil.copy(ROOT / "reference" / "references.bib", root / "reference")
    shutil.copy(ROOT / "reference" / "bibliography.md", root / "reference")
    (root / "reference" / "glossary.md").write_text("# Glossary\n\n```{glossary}\nsaliency map\n  A map.\n```\n")
    write_library(root)
    link_assets(root)
    (root / ".pytest_cache").mkdir()
    (root / ".pytest_cache" / "README.md").write_text("# No page of the book\n")
    write_notebook(root / "chapters" / "01_first.ipynb", plain_cells())
    write_notebook(root / "chapters" / "02_second.ipynb", [new_markdown_cell(SECOND), new_code_cell(NAMES)])
    return Project(root)


def alt_problem(alt: str | None) -> str:
    """What is wrong with an alternative text; empty if nothing is."""
    alt = (alt or "").strip()
    if re.fullmatch(r"[\w./-]+\.\w{3,4}", alt):
        return "a file name for an alt text"
    return "" if len(alt) >= SHORTEST_ALT else f"an alt text too short to say what the picture shows: {alt!r}"


@pytest.fixture
def book(tmp_path: Path) -> Project:
    """A tiny book that has never been run."""
    return make_book(tmp_path / "book")


@pytest.fixture(scope="session")
def real_site() -> Project:
    """The real book with its site up to date; built by one worker while others wait."""
    project = Project()
    (project.root / "_build").mkdir(exist_ok=True)
    with FileLock(project.root / "_build" / ".lock"):
        site.build(project)
    return project


@pytest.fixture(scope="session")
def small_site(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny book, run and built; once for all workers, so change nothing of it."""
    folder = tmp_path_factory.getbasetemp()
    project = Project((folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "small-site" / "book")
    with FileLock(project.root.parent.with_suffix(".lock")):
        if not project.root.exists():
            make_book(project.root)
            refresh.refresh(project, project.chapters)
        site.build(project)
    return project


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests of a file."""
    path = executable()
    assert path
    with Browser(path) as running:
        yield running


@pytest.fixture
def edit() -> Callable[[Path, str, str], None]:
    """Replace text in a file that must contain it."""

    def replace(path: Path, old: str, new: str) -> None:
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    return replace
