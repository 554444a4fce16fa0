"""Nothing is shipped that no page loads."""

import re
import shutil
from pathlib import Path

LOADS = re.compile(r"""(?:src|href|content)=["']([^"'#?]+)|(?:url\(|@import )["']?([^"')#?]+)""")
MAP = re.compile(r"\n?(?://|/\*)# sourceMappingURL=\S+(?: ?\*/)?")
LICENSES = re.compile(r"licen[cs]e", re.IGNORECASE)


def sweep(site: Path) -> None:
    """Remove the sources, and of the theme's and the extensions' files those that no page and no style sheet names."""
    shutil.rmtree(site / "_sources", ignore_errors=True)
    (site / ".buildinfo").unlink(missing_ok=True)
    loaded = reached(site)
    for path in (site / "_static").rglob("*"):
        if path.suffix == ".ttf" and path.with_suffix(".woff2") in loaded:
            path.unlink()  # the same font once more, for browsers of before 2018
        elif path.is_file() and path not in loaded and not LICENSES.search(path.name):
            path.unlink()
    for folder in sorted((site / "_static").rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    for path in loaded:
        if path.is_file() and path.suffix in (".js", ".css"):
            path.write_text(MAP.sub("", path.read_text("utf-8")), "utf-8", newline="\n")


def reached(site: Path) -> set[Path]:
    """The files below `_static/` that pages name, and those that these name in turn."""
    found: set[Path] = set()
    waiting = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    while waiting:
        path = waiting.pop()
        for pair in LOADS.findall(path.read_text("utf-8")):
            name = (pair[0] or pair[1]).split("/_static/")[-1] if "://" in pair[0] else pair[0] or pair[1]
            target = (site / "_static" / name if "://" in pair[0] else path.parent / name).resolve()
            if target.is_file() and target.is_relative_to(site.resolve() / "_static") and target not in found:
                found.add(target)
                waiting += [target] if target.suffix in (".css", ".svg") else []
    return found
