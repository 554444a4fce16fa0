"""Pages that passed here as they are, with all that they made the browser load: `make test` need not open them again.

`.cache/pages/` keeps a file for each page that passed: digests of what it loaded, and of what judged it. `make test
ALL=1` opens every page, and so do CI, a fresh clone, and pytest called by hand.
"""

import json
import os
from urllib.parse import unquote, urlsplit

import pytest
from browser import Browser

from tools import passed
from tools.project import ROOT, Project
from tools.stamp import digest

JUDGES = [*(ROOT / "tests" / "tools").glob("*.py"), *(ROOT / "tools" / f"{name}.py" for name in ("browser", "vendor"))]


def judge(browser: Browser) -> str:
    """Digest of the tests, of the browser, and of the machine."""
    version = browser.call("Browser.getVersion")["product"]
    return digest([version, *passed.surroundings((), {}), *(path.read_bytes() for path in sorted(JUDGES))])


class Spared:
    """A page of the site, and what is known of it."""

    def __init__(self, project: Project, page: str, judge: str) -> None:
        self.site, self.page, self.judge = project.site, page, judge
        self.record = project.root / ".cache" / "pages" / f"{page.replace('/', '-')}.json"

    def skip_if_known(self) -> None:
        """Skip, where that is asked for, what passed here as it is."""
        if os.environ.get(passed.SPARE) and self.record.is_file():
            kept = json.loads(self.record.read_text("utf-8"))
            if kept == self.state(kept["files"]):
                pytest.skip(passed.SPARED)
        self.record.unlink(missing_ok=True)

    def remember(self, requests: list[str]) -> None:
        """Keep what was loaded."""
        self.record.parent.mkdir(parents=True, exist_ok=True)
        paths = (unquote(urlsplit(url).path).lstrip("/") for url in requests if url.startswith("http"))
        self.record.write_text(json.dumps(self.state(sorted({self.page, *paths})), indent=1), "utf-8")

    def state(self, files: list[str]) -> dict[str, object]:
        """What can be compared."""
        found = [self.site / name for name in files]
        return {"judge": self.judge, "files": files, "digest": digest(p.read_bytes() for p in found if p.is_file())}
