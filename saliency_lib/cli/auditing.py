"""The command that audits a folder of photos."""

import argparse
from pathlib import Path

from saliency_lib.auditing.audit import THRESHOLD
from saliency_lib.cli.arguments import add_model
from saliency_lib.methods.method import method_names


def add_audit(command: argparse.ArgumentParser) -> None:
    """Which folder, which network, which question."""
    command.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="photos; beside NAME.jpg, of its size, NAME.object.png and NAME.shortcut.png: white where it is",
    )
    command.add_argument("--out", required=True, type=Path, metavar="FILE.html", help="where to write the report")
    command.add_argument(
        "--class", dest="target", metavar="NAME|INDEX", help="the class to explain (default: each photo's top one)"
    )
    command.add_argument("--method", default="gradient", choices=method_names(), help="which map (default: gradient)")
    threshold = f"the reliance above which a network is found to rely on the shortcut (default: {THRESHOLD})"
    command.add_argument("--threshold", type=float, default=THRESHOLD, metavar="R", help=threshold)
    command.add_argument(
        "--groups", type=Path, metavar="FILE.csv", help="lines PHOTO,GROUP: an audit of each group, too"
    )
    add_model(command)
    command.set_defaults(run=run_audit)


def run_audit(options: argparse.Namespace) -> None:
    """Audit, print the decision and the table, and say where the report is."""
    from saliency_lib.auditing.folder import audit_folder
    from saliency_lib.auditing.report import sentence

    found = audit_folder(
        options.folder,
        options.out,
        model=options.model,
        target=options.target,
        method=options.method,
        threshold=options.threshold,
        groups=options.groups,
    )
    print(sentence(found), end="\n\n")
    for rows in (found.effects(), found.table()):
        print(*("  ".join(f"{key} {value}" for key, value in row.items()) for row in rows), sep="\n", end="\n\n")
    print(f"wrote {options.out}")
