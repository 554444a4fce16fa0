"""The environment: `.venv` with everything in requirements.txt, made once, renewed when the pins change.

    python -m tools.environment COMMAND ...    # prepares .venv, then runs `python -m tools.book COMMAND ...`

Runs on the reader's own Python before anything is installed: standard library only, and no syntax newer than
Python 3.6, so that it can say what is wrong instead of failing with a SyntaxError.
"""

import hashlib
import os
import subprocess
import sys
import time

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INPUTS = ("requirements.txt", "pyproject.toml")


def require_python(version: tuple) -> None:
    """Go on under a Python that is new enough, or end with one sentence."""
    if version < OLDEST:
        sys.exit(
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
        sys.exit("No virtual environment could be made; on Debian and Ubuntu it takes: apt install python3-venv")


def install(python: str, root: str) -> None:
    """Install requirements.txt and the package, with a progress line; pip's own words are shown only if it fails."""
    print("Installing requirements.txt (PyTorch is large: a few minutes the first time) ...", flush=True)
    command = [python, "-m", "pip", "install", "--no-compile", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "-r", "requirements.txt", "-e", "."]
    started, path = time.time(), os.path.join(root, ".venv", "pip.log")
    with open(path, "w", encoding="utf-8") as log:
        unbuffered = dict(os.environ, PYTHONUNBUFFERED="1")
        pip = subprocess.Popen(command, cwd=root, stdout=log, stderr=subprocess.STDOUT, env=unbuffered)
    while pip.poll() is None:
        try:
            pip.wait(timeout=10)
        except subprocess.TimeoutExpired:
            print(f"  {time.time() - started:3.0f} s  {last_lines(path, 1).strip()[:80]}", flush=True)
    if pip.returncode != 0:
        sys.exit(last_lines(path, 20) + "pip could not install requirements.txt; its last lines are above.")
    print(f"Installed in {time.time() - started:.0f} s.", flush=True)


def last_lines(path: str, count: int) -> str:
    """The end of a text file that may still be growing."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return "".join(file.readlines()[-count:])


def ensure(root: str = ROOT) -> str:
    """Path of the environment's Python, after making or renewing the environment where that is needed."""
    venv = os.path.join(root, ".venv")
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


def run(python: str, *command: str) -> int:
    """Hand a command over to the environment; its exit status.

    Compiled modules are kept, even where the caller's Python is told not to: what is not kept every process compiles
    anew, and there are hundreds, each of which loads PyTorch, Jupyter or Sphinx.
    """
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.call([python, "-m", "tools.book", *command], cwd=ROOT, env=surroundings)


def main() -> None:
    """Prepare the environment, then hand the command over to it."""
    require_python(tuple(sys.version_info[:2]))
    python = ensure()
    try:
        sys.exit(run(python, *sys.argv[1:]) if sys.argv[1:] else 0)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
