"""The command line of the workshop: `python -m tools.book COMMAND`.

book       run stale chapters again, build the site, say where it is      (make book)
test       every test, and every chapter that did not pass here as it is   (make test)    [--all]
serve      the same as book, then show the site to this machine           (make serve)   [--port N]
refresh    run stale chapters again            [CHAPTER ...] [--force] [--timeout SECONDS]
store      compute again, and keep, what takes minutes in a chapter  [CHAPTER ...] [--timeout SECONDS]
colab      write the notebooks that Colab opens
build      build the site, warnings being errors   [--student: without solutions, to _build/student/]
slides     write the slides of every lecture                               (make slides)
schedules  add up the schedules of the page For the teacher
figures    write every figure as a file, with a contact sheet              (make figures)
editions   print the whole book as one PDF                                  (make editions)
course     write student's and instructor's notebooks and graded assignments  (make course)  [--seed SEED]
grade      grade an assignment's submissions       NAME [--course SECRET]
notebooks  open the chapters in JupyterLab                                (make notebooks)
colab-run  run the notebooks of colab/ as Colab would  [CHAPTER ...] [--torch VERSION]
check      say which chapters and which copies for Colab are stale, and run nothing
links      try every link that leads out of the book; needs a network
"""

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import colab, links, notebooks, passed, refresh, site
from tools.course import colab_run, editions, figures, grading, schedules, slides, student
from tools.course import make as course
from tools.course.assignments import find
from tools.project import ROOT, BookError, Project

PLAIN = (
    "book",
    "check",
    "links",
    "colab",
    "build",
    "notebooks",
    "slides",
    "schedules",
    "editions",
    "figures",
)
"""The commands that take no options."""

CHAPTERS = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600"]
# A worker takes a core and up to 3 GB: two at least, four at most.
WORKERS = str(min(4, max(2, os.cpu_count() or 2)))
# Any other distribution would split a chapter between two kernels. What takes longest comes first, see below.
SHARED = ["-n", WORKERS, "--dist", "loadscope", "--no-loadscope-reorder", "--durations=10", "--durations-min=5"]


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(
        prog="python -m tools.book", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in PLAIN:
        commands.add_parser(name)
    commands.add_parser("test").add_argument("--all", action="store_true", default=bool(os.environ.get("CI")))
    commands.add_parser("serve").add_argument("--port", type=int, default=8000)
    colabs = commands.add_parser("colab-run")
    colabs.add_argument("chapters", nargs="*")
    colabs.add_argument("--torch")
    commands.choices["build"].add_argument("--student", action="store_true", help="without solutions")
    commands.add_parser("course").add_argument("--seed", default="", help="draws the assignments' numbers")
    graded = commands.add_parser("grade")
    graded.add_argument("name", help="the assignment, such as problem-set-1")
    graded.add_argument("--course", default="", help="decides the random numbers of the tests, if not the seed")
    again = commands.add_parser("refresh")
    again.add_argument("--force", action="store_true")
    for command, patience in ((again, 600), (commands.add_parser("store"), 7200)):
        command.add_argument("chapters", nargs="*", type=Path)
        command.add_argument("--timeout", type=int, default=patience)
    return top


def make(project: Project) -> None:
    """Everything from stale sources to a finished site."""
    print("Chapters:")
    refresh.refresh(project, project.chapters)
    colab.write(project)
    site.build(project)


def serve(project: Project, port: int) -> None:
    """Show the site to this machine until interrupted; raises BookError if the port cannot be used."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            raise BookError(f"Port {port} cannot be used: choose another, up to 65535, with --port.") from None
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(project.site)]
    with contextlib.suppress(KeyboardInterrupt):
        subprocess.call(command)


def test(project: Project, *, everything: bool) -> None:
    """Run every test and every chapter, or those that did not pass here as they are; raises BookError if one failed."""
    environment = {"OMP_NUM_THREADS": "1", **refresh.kernel_environment(project.root)}
    environment |= {} if everything else {passed.SPARE: "1"}
    # One core builds the site while the other begins with the chapters, which take longest: none waits for the other.
    tests = sorted((project.root / "tests").glob("**/test_*.py"), key=_turn)
    before, known = passed.digests(project, environment), {} if everything else passed.passed(project)
    chapters = [path for path in project.chapters if known.get(path.name, "") != before.get(path.name)]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", f"--junitxml={report}", *SHARED, *CHAPTERS]
        command += map(str, [*tests[:1], *chapters, *tests[1:]])
        status = subprocess.call(command, cwd=project.root, env=environment, stdin=subprocess.DEVNULL)
        passed.remember(project, before, passed.digests(project, environment), report)
        spared, pages = len(project.chapters) - len(chapters), passed.skipped(report)
    if spared or pages:
        left = f"{spared} of {len(project.chapters)} chapters were not run, {pages} pages not opened again"
        print(f"{left}: they passed here as they are. All of them: make test ALL=1", flush=True)
    if status:
        raise BookError("Not everything passed.")


def _turn(tests: Path) -> tuple[bool, bool, Path]:
    """What builds the site comes first, then what needs it, then the library's own tests."""
    return tests.name != "test_api.py", tests.parent.name == "tests", tests


def dispatch(options: argparse.Namespace) -> None:
    """Do what the command line asks for; raises BookError."""
    project = Project(options.root.resolve())
    match options.command:
        case "book":
            make(project)
            index = project.site / "index.html"
            print(f"\nThe book is at {index}\nOpen it in a browser: {index.as_uri()}  (or over http: make serve)")
        case "serve":
            make(project)
            serve(project, options.port)
        case "notebooks":
            notebooks.open_lab(project)
        case "test":
            test(project, everything=options.all)
        case "build":
            student.build(project) if options.student else site.build(project)
        case "links":
            links.check(project)
        case "colab":
            colab.write(project)
        case "course":
            course.write(project, options.seed)
        case "grade":
            seed = course.seed(project)
            assignment = find(project, options.name, seed)
            for row in grading.grade(course.folder(project) / "nbgrader", assignment, options.course or seed):
                print("  ".join(row))
        case "slides":
            slides.write(project)
        case "schedules":
            schedules.show(project)
        case "figures":
            figures.write(project)
        case "colab-run":
            colab_run.run(project, options.chapters, options.torch)
        case "editions":
            editions.write(project)
        case "refresh":
            chapters = [path.resolve() for path in options.chapters] or project.chapters
            refresh.refresh(project, chapters, force=options.force, timeout=options.timeout)
        case "store":
            chapters = [path.resolve() for path in options.chapters] or project.chapters
            refresh.store(project, chapters, options.timeout)
        case "check":
            if problems := [*refresh.stale(project), *colab.stale(project)]:
                raise BookError("\n".join(problems))
            print("Chapters and their copies for Colab are up to date.")


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0, 1 for something to mend, 130 when interrupted."""
    try:
        dispatch(parser().parse_args(arguments))
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; a chapter that was running keeps its old outputs.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
