"""`make test` counts honestly: a failed check, a failed test and a run without tests all fail it."""

from pathlib import Path

import pytest

from tools import checks, site, verify
from tools.project import BookError, Project

PASSING = "def test_a(): pass\n"


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of one line need no workers."""
    monkeypatch.setattr(verify, "SHARED", [])


def project(root: Path, test: str) -> Project:
    """A project with one file of tests and no chapters."""
    (root / "tests").mkdir()
    (root / "tests" / "test_one.py").write_text(test)
    (root / "_toc.yml").write_text("format: jb-book\nroot: intro\n")
    (root / "intro.md").write_text("# Intro\n")
    return Project(root)


def test_counts_what_passed_failed_and_was_skipped(tmp_path: Path) -> None:
    tests = f"import pytest\n{PASSING}def test_b(): assert 0\n@pytest.mark.skip\ndef test_c(): pass\n"
    assert verify.pytest(project(tmp_path, tests), "tests", ["tests"]) == {"passed": 1, "failed": 1, "skipped": 1}


@pytest.mark.parametrize("tests", ["", "import nothing_of_that_name\n"])
def test_a_run_without_a_test_has_failed(tmp_path: Path, tests: str) -> None:
    counts = verify.pytest(project(tmp_path, tests), "tests", ["tests"])
    assert (counts["passed"], counts["failed"]) == (0, 1)


@pytest.mark.parametrize("trouble", ["checks", "site", ""])
def test_everything_that_can_fail_fails_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trouble: str
) -> None:
    def build(project: Project) -> None:
        if trouble == "site":
            raise BookError("The site was not built cleanly")

    monkeypatch.setattr(site, "build", build)
    monkeypatch.setattr(checks, "problems", lambda project: ["stale"] if trouble == "checks" else [])
    monkeypatch.setattr(verify, "CHAPTERS", ["tests"])
    small = project(tmp_path, PASSING)
    if trouble:
        with pytest.raises(BookError, match="Not everything passed"):
            verify.verify(small)
    else:
        verify.verify(small)
    assert f"\n2 passed, {int(bool(trouble))} failed, 0 skipped\n" in capsys.readouterr().out
