"""The book as files: where its chapters are, and what its configuration says."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent


class BookError(Exception):
    """Something a person has to mend, told in one sentence."""


@dataclass(frozen=True)
class Project:
    """A book rooted at a directory; the tests make tiny ones elsewhere."""

    root: Path = ROOT

    @cached_property
    def toc(self) -> dict[str, Any]:
        """`_toc.yml`, parsed."""
        return yaml.safe_load((self.root / "_toc.yml").read_text("utf-8"))

    @cached_property
    def pages(self) -> list[Path]:
        """Every page in the order of `_toc.yml`, the root page first; raises BookError for a missing one."""
        return [self._page(name) for name in [self.toc["root"], *_files(self.toc)]]

    @property
    def chapters(self) -> list[Path]:
        """The pages that are notebooks."""
        return [page for page in self.pages if page.suffix == ".ipynb"]

    @cached_property
    def numbers(self) -> dict[Path, int]:
        """Chapter number of each page in a numbered part of `_toc.yml`, counted through the book."""
        names = [name for part in self.toc.get("parts", ()) if part.get("numbered") for name in _files(part)]
        return {self._page(name): number for number, name in enumerate(names, start=1)}

    @cached_property
    def _config(self) -> dict[str, Any]:
        return yaml.safe_load((self.root / "_config.yml").read_text("utf-8"))

    @property
    def address(self) -> str:
        """Address of the site; no slash at the end."""
        return self._config["html"]["baseurl"].rstrip("/")

    @property
    def _repository(self) -> dict[str, str]:
        return self._config["repository"]

    @property
    def repository(self) -> str:
        """Address of the repository, from the one place where it is written; no slash at the end."""
        return self._repository["url"].rstrip("/")

    @property
    def branch(self) -> str:
        """Branch that links and Colab follow."""
        return self._repository["branch"]

    @property
    def site(self) -> Path:
        """Directory of the built site."""
        return self.root / "_build" / "html"

    def relative(self, path: Path) -> str:
        """Path as people write it: from the root, with forward slashes."""
        path, root = path.resolve(), self.root.resolve()
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()

    def _page(self, name: str) -> Path:
        for suffix in ("", ".ipynb", ".md"):
            page = self.root / f"{name}{suffix}"
            if page.is_file():
                return page
        raise BookError(f"_toc.yml names {name}, and there is no such page.")


def _files(node: Any) -> list[str]:
    """Every `file:` below a node of the table of contents, in reading order."""
    found: list[str] = []
    for key in ("parts", "chapters", "sections"):
        for child in node.get(key, ()):
            found += [child["file"]] if "file" in child else []
            found += _files(child)
    return found
