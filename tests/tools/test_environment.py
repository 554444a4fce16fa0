"""`.venv` is made once and renewed only when what it is made from changes; a Python that is too old is told so."""

import ast
import sys
from pathlib import Path

import pytest

from tools import environment
from tools.project import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A root with pins, an environment that exists already, and no pip."""
    for name in environment.INPUTS:
        (tmp_path / name).write_text(f"# {name}\nnumpy\n")
    python = Path(environment.interpreter(str(tmp_path / ".venv")))
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return tmp_path


@pytest.fixture
def installations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records installations instead of making them."""
    made: list[str] = []
    monkeypatch.setattr(environment, "install", lambda python, root: made.append(root))
    return made


def test_installs_once_and_again_when_a_pin_changes(project: Path, installations: list[str]) -> None:
    for _ in range(2):
        environment.ensure(str(project))
    assert len(installations) == 1
    for name in environment.INPUTS:
        with (project / name).open("a") as file:
            file.write("torch\n")
        environment.ensure(str(project))
        environment.ensure(str(project))
    assert len(installations) == 1 + len(environment.INPUTS)


def test_windows_line_endings_install_nothing(project: Path, installations: list[str]) -> None:
    environment.ensure(str(project))
    for name in environment.INPUTS:
        (project / name).write_bytes((project / name).read_bytes().replace(b"\n", b"\r\n"))
    environment.ensure(str(project))
    assert len(installations) == 1


def test_an_interrupted_installation_is_taken_up_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(python: str, root: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "install", interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            environment.ensure(str(project))


def test_a_broken_environment_is_made_anew(
    project: Path, installations: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.ensure(str(project))
    Path(environment.interpreter(str(project / ".venv"))).unlink()
    made: list[str] = []
    monkeypatch.setattr(environment, "create", made.append)
    environment.ensure(str(project))
    assert made == [str(project / ".venv")]
    assert len(installations) == 2


def test_an_old_python_is_answered_in_one_sentence() -> None:
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer, and this is 3\.8\. Install"):
        environment.require_python((3, 8))
    environment.require_python((3, 11))


@pytest.mark.parametrize("name", ["__init__.py", "environment.py"])
def test_an_old_python_can_read_what_tells_it_so(name: str) -> None:
    source = (ROOT / "tools" / name).read_text("utf-8")
    tree = ast.parse(source, feature_version=(3, 6))
    imported = {
        name
        for node in ast.walk(tree)
        for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [])
        + ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
    }
    assert imported <= set(sys.stdlib_module_names)


def test_a_failing_pip_is_told_in_one_sentence_after_its_own(project: Path) -> None:
    (project / "requirements.txt").write_text("-r missing.txt\n")
    with pytest.raises(SystemExit) as ended:
        environment.install(sys.executable, str(project))
    *words, last = str(ended.value).splitlines()
    assert "missing.txt" in "".join(words)
    assert last.startswith("pip could not install requirements.txt")


def test_every_pinned_package_is_pinned_once_and_exactly() -> None:
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    pins = [line.split("#")[0].strip() for line in lines if line[:1].isalnum()]
    assert all("==" in pin for pin in pins)
    assert len(pins) > 100


def test_compiled_modules_are_kept_whatever_the_caller_s_python_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tools").mkdir()
    book = tmp_path / "tools" / "book.py"
    book.write_text("import sys, tools.other\nassert sys.argv[1:] == ['test', '-x']\nsys.exit(3)\n")
    (tmp_path / "tools" / "__init__.py").touch()
    (tmp_path / "tools" / "other.py").touch()
    monkeypatch.setattr(environment, "ROOT", str(tmp_path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert environment.run(sys.executable, "test", "-x") == 3
    assert list(tmp_path.rglob("other.*.pyc"))
