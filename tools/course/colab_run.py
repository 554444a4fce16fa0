"""The notebooks of `colab/`, run as Colab runs them: `python -m tools.book colab-run [CHAPTER ...]`.

A fresh environment, the package as a wheel built here, and no repository beside the notebook. PyTorch and the rest are
those of this environment, as Colab keeps its own; `--torch 2.9.0` installs another version over it, by download.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from tools.environment import interpreter
from tools.project import BookError, Project

# Runs in the fresh environment, whose own kernel it starts; the module that it finds must not be the repository's.
RUN = """import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=600, resources={"metadata": {"path": "."}}).execute()
"""


def wheel(project: Project, folder: Path) -> Path:
    """The package as a wheel, built from a copy, so that nothing is left in the repository."""
    copy = folder / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "setup.py", "_config.yml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(project.root / name, copy)
    for name in ("saliency_lib", "data"):
        shutil.copytree(project.root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        str(folder),
        str(copy),
    ]
    if subprocess.call(command, stdout=subprocess.DEVNULL) != 0:
        raise BookError("The package could not be built into a wheel.")
    return next(folder.glob("saliency_lib-*.whl"))


def environment(folder: Path, package: Path, torch: str | None) -> str:
    """A fresh environment with the wheel, and the packages of this one behind it; its Python."""
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = interpreter(str(venv))
    site = Path(
        subprocess.check_output([python, "-c", "import site; print(site.getsitepackages()[-1])"], text=True).strip()
    )
    # A .pth file found by way of another one is not read: an editable install of the book stays out of sight.
    behind = [path for path in sys.path if path.endswith("site-packages")] or [sysconfig.get_path("purelib")]
    (site / "behind.pth").write_text("\n".join(behind))
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site)]
    if subprocess.call([*pip, str(package)]) or (torch and subprocess.call([*pip, f"torch=={torch}"])):
        raise BookError("The fresh environment could not be filled.")
    return python


def run(project: Project, chapters: list[str], torch: str | None = None) -> None:
    """Run the notebooks of `colab/`, or those whose names begin as said; raises BookError naming each that fails."""
    chosen = [
        path
        for path in sorted((project.root / "colab").glob("*.ipynb"))
        if not chapters or path.name.startswith(tuple(Path(name).name for name in chapters))
    ]
    failures = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = environment(folder, wheel(project, folder), torch)
        alone = folder / "content"
        alone.mkdir()
        for path in chosen:
            started = time.time()
            trouble = _execute(path, alone, python)
            failures += [f"{path.name}: {trouble}"] if trouble else []
            print(f"  {path.name}: {trouble or 'runs'} ({time.time() - started:.0f} s)", flush=True)
    if failures:
        raise BookError("\n".join(failures))


def _execute(path: Path, folder: Path, python: str) -> str:
    """What went wrong in a notebook run in that folder by that Python; empty if nothing did."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "SALIENCY_STATIC")}
    done = subprocess.run(
        [python, "-c", RUN, str(path)],
        cwd=folder,
        env={**kept, "JUPYTER_PREFER_ENV_PATH": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if done.returncode and lines else "" if done.returncode == 0 else "failed"
