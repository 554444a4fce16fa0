"""The environment: `.venv` with everything in requirements.txt, made once, renewed when the pins change.

    python -m tools.environment COMMAND ...    # prepares .venv, then runs `python -m tools.book COMMAND ...`

Runs on the reader's own Python before anything is installed: standard library only, and no syntax newer than
Python 3.6, so that it can say what is wrong instead of failing with a SyntaxError.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from typing import Callable, List, NoReturn, Optional, Tuple

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INPUTS = ("requirements.txt", "constraints.txt", "pyproject.toml")


def fail(sentence: str) -> NoReturn:
    """End with one sentence and exit code 2."""
    sys.stderr.write(sentence + "\n")
    raise SystemExit(2)


def newer_python() -> Optional[str]:
    """Path of a Python that is new enough, among those a shell would find; None where there is none."""
    for minor in range(OLDEST[1] + 6, OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and subprocess.call([found, "-c", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
            return found
    return None


def require_python(version: Tuple[int, ...], newer: Callable[[], Optional[str]] = newer_python) -> None:
    """Go on under a Python that is new enough, or say in one sentence that there is none."""
    if version[:2] >= OLDEST:
        return
    other = newer()
    if other:
        raise SystemExit(subprocess.call([other, "-m", "tools.environment", *sys.argv[1:]], cwd=ROOT))
    fail(
        f"The book needs Python {OLDEST[0]}.{OLDEST[1]} or newer, and this is {version[0]}.{version[1]}. "
        "Install one (python.org, or your package manager), then say which: make book PYTHON=/path/to/python3"
    )


def interpreter(venv: str) -> str:
    """Path of the Python inside a virtual environment, on Windows and elsewhere."""
    return os.path.join(venv, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))


def digest(root: str) -> str:
    """Hash of the files that say what to install; line endings do not count."""
    total = hashlib.sha256()
    for name in INPUTS:
        with open(os.path.join(root, name), "rb") as file:
            total.update(file.read().replace(b"\r\n", b"\n") + b"\0")
    return total.hexdigest()


def works(python: str) -> bool:
    """Whether this interpreter starts: one copied from elsewhere, or whose base was removed, does not."""
    try:
        return subprocess.call([python, "-c", ""], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def create(venv: str) -> None:
    """Make an empty virtual environment, replacing a broken one."""
    print("Creating .venv ...", flush=True)
    if subprocess.call([sys.executable, "-m", "venv", "--clear", venv]) != 0:
        fail("No virtual environment could be made; on Debian and Ubuntu it takes: apt install python3-venv")


def install(python: str, root: str) -> None:
    """Install requirements.txt with a progress line; pip's own words are shown only if it fails."""
    print("Installing requirements.txt (PyTorch is large: a few minutes the first time) ...", flush=True)
    command = [python, "-m", "pip", "install", "--no-compile", "--disable-pip-version-check", "-r", "requirements.txt"]
    environment = dict(os.environ, PIP_PROGRESS_BAR="off", PYTHONUNBUFFERED="1")
    lines: List[str] = []
    started = told = time.time()
    pip = subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True
    )
    # pip is silent for minutes while it unpacks: read in a thread, so that the progress line keeps coming.
    reader = threading.Thread(target=lambda: lines.extend(pip.stdout or ()), daemon=True)
    reader.start()
    while pip.poll() is None:
        time.sleep(0.2)
        if time.time() - told > 10:
            told = time.time()
            print(f"  {told - started:3.0f} s  {lines[-1].strip()[:80] if lines else ''}", flush=True)
    reader.join()
    if pip.returncode != 0:
        sys.stderr.write("".join(lines[-20:]))
        fail("pip could not install requirements.txt; its last lines are above.")
    print(f"Installed in {time.time() - started:.0f} s.", flush=True)


def ensure(root: str = ROOT) -> str:
    """Path of the environment's Python, after making or renewing the environment where that is needed."""
    venv = os.environ.get("BOOK_VENV") or os.path.join(root, ".venv")
    python, stamp = interpreter(venv), os.path.join(venv, ".installed")
    current = digest(root)
    if not works(python):
        create(venv)
    elif os.path.exists(stamp):
        with open(stamp) as file:
            if file.read() == current:
                return python
    install(python, root)
    # Written last: an interrupted installation is taken up again next time.
    with open(stamp, "w") as file:
        file.write(current)
    return python


def main() -> NoReturn:
    """Prepare the environment, then hand the command over to it."""
    require_python(tuple(sys.version_info[:2]))
    python = ensure()
    if len(sys.argv) == 1:
        raise SystemExit(0)
    try:
        raise SystemExit(subprocess.call([python, "-m", "tools.book", *sys.argv[1:]], cwd=ROOT))
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
