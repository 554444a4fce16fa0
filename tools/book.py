"""The command line of the workshop: `python -m tools.book COMMAND`.

book       run stale chapters again, build the site, say where it is      (make book)
test       check everything, run every test and every chapter             (make test)
serve      the same as book, then serve the site on this machine          (make serve)
refresh    run stale chapters again            [CHAPTER ...] [--force] [--timeout SECONDS] [--check]
colab      write the notebooks that Colab opens                    [--check]
build      build the site, warnings being errors                   [--force]
check      say what is stale or missing, and run nothing
"""

import argparse
import contextlib
import subprocess
import sys
from pathlib import Path

from tools import checks, colab, refresh, site, verify
from tools.project import ROOT, BookError, Project


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(
        prog="python -m tools.book", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("book")
    commands.add_parser("test")
    commands.add_parser("check")
    commands.add_parser("serve").add_argument("--port", type=int, default=8000)
    commands.add_parser("build").add_argument("--force", action="store_true")
    commands.add_parser("colab").add_argument("--check", action="store_true")
    again = commands.add_parser("refresh")
    again.add_argument("chapters", nargs="*", type=Path)
    again.add_argument("--check", action="store_true")
    again.add_argument("--force", action="store_true")
    again.add_argument("--timeout", type=int, default=600)
    return top


def make(project: Project) -> None:
    """Everything from stale sources to a finished site."""
    print("Chapters:")
    run(project, project.chapters)
    colab.write(project)
    site.build(project)


def run(project: Project, chapters: list[Path], *, force: bool = False, timeout: int = 600) -> None:
    """Refresh chapters; raises BookError if one failed."""
    failures = refresh.refresh(project, chapters, force=force, timeout=timeout)
    if failures:
        raise BookError(f"{len(failures)} of {len(chapters)} chapters could not be brought up to date.")


def where(project: Project) -> None:
    """Say where the site is and how to open it."""
    index = project.site / "index.html"
    print(f"\nThe book is at {index}\nOpen it in a browser: {index.as_uri()}  (or over http: make serve)")


def serve(project: Project, port: int) -> None:
    """Show the site to this machine until interrupted; raises BookError if the port is taken."""
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(project.site)]
    with contextlib.suppress(KeyboardInterrupt):
        if subprocess.call(command) == 0:
            return
        raise BookError(f"Port {port} cannot be used: choose another with --port.")


def require(problems: list[str]) -> None:
    """Raise BookError if there are problems, one a line."""
    if problems:
        raise BookError("\n".join(problems))


def dispatch(options: argparse.Namespace) -> None:
    """Do what the command line asks for; raises BookError."""
    project = Project(options.root.resolve())
    match options.command:
        case "book":
            make(project)
            where(project)
        case "serve":
            make(project)
            serve(project, options.port)
        case "build":
            site.build(project, force=options.force)
        case "check":
            require(checks.problems(project))
            print(checks.GOOD)
        case "colab" if options.check:
            require(checks.colab(project))
        case "colab":
            colab.write(project)
        case "refresh" if options.check:
            require(checks.stale(project))
        case "refresh":
            chapters = [path.resolve() for path in options.chapters] or project.chapters
            run(project, chapters, force=options.force, timeout=options.timeout)
        case "test":
            verify.verify(project)


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
