"""What `pyproject.toml` cannot say: the README as a package index shows it, where no other file lies beside it."""

import re
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).resolve().parent
RELATIVE = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://|#)([^)\s]+)\)")


def described(readme: str, repository: str, tag: str) -> str:
    """The README with the whole address, at a tag of the repository, of each picture and link that is relative."""
    return RELATIVE.sub(
        lambda found: f"{found[1]}[{found[2]}]({repository}/{'raw' if found[1] else 'blob'}/{tag}/{found[3]})", readme
    )


def repository() -> str:
    """The address of the repository, from the one place where it is written."""
    settings = (ROOT / "_config.yml").read_text("utf-8")
    return re.findall(r"^repository:\n  url: (\S+)$", settings, re.MULTILINE)[0].rstrip("/")


def version() -> str:
    """The version of the package."""
    return re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)[0]


if __name__ == "__main__":
    setup(
        long_description=described((ROOT / "README.md").read_text("utf-8"), repository(), f"v{version()}"),
        long_description_content_type="text/markdown",
        project_urls={"Source": repository(), "Changelog": f"{repository()}/blob/v{version()}/CHANGELOG.md"},
    )
