"""The commands that try general sentences: studies, and the table of invariances."""

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from saliency_lib import files
from saliency_lib.cli.arguments import add_model
from saliency_lib.errors import SaliencyError


def add_study(command: argparse.ArgumentParser) -> None:
    """Which study, on what, and where the results go."""
    command.add_argument("name", nargs="?", metavar="NAME", help="a study, or all that fit FOLDER")
    command.add_argument(
        "folder",
        nargs="?",
        default="photos",
        metavar="FOLDER",
        help="photos, ILSVRC CLS-LOC in its layout, or creatures: drawings (default: the sample photos)",
    )
    command.add_argument("--list", action="store_true", help="print every study with its stored results")
    command.add_argument("--model", nargs="+", metavar="NAME", help="the networks (default: the study's own)")
    command.add_argument("--images", type=int, metavar="N", help="at most so many pictures of each half")
    command.add_argument(
        "--out", type=Path, metavar="FILE.jsonl", help="where to keep each answer; what is there is not asked again"
    )
    command.add_argument("--summary", type=Path, metavar="FILE.json", help="where to write or renew what came of it")
    command.add_argument(
        "--against-stored",
        action="store_true",
        help="ask whether the difference from the stored confirming half has an interval that contains 0",
    )
    command.set_defaults(run=run_study_command)


def run_study_command(options: argparse.Namespace) -> None:
    """Try studies, print the table, and write what was asked for."""
    from saliency_lib.studies.results import compared, listing, stored, table
    from saliency_lib.studies.study import studies

    if options.list:
        print(listing(stored()))
        return
    if options.name is None:
        raise SaliencyError(f"which study? Name one, or all: {', '.join(studies())}; --list says what each claims")
    if options.summary is not None:
        files.check_output(options.summary)
    found = _found(None if options.name == "all" else [options.name], options)
    if found is None:
        return
    print(table(found))
    left_out = [name for name in studies() if name not in found] if options.name == "all" else []
    if left_out:
        print("\nnot asked, since they do not fit these pictures or networks (each says why if asked by name):")
        print("  " + ", ".join(left_out))
    broken = {name: reason for one in found.values() for name, reason in one["broken"].items()}
    if broken:
        print(f"\n{len(broken)} could not be used by some study:")
        print("\n".join(f"  {name}: {reason}" for name, reason in broken.items()))
    if options.summary is not None:
        _renew(options.summary, found)
    if options.against_stored:
        lines = compared(found, stored())
        for line in lines:
            mean, low, high = line["change"]
            word = "as stored" if line["agrees"] else "otherwise"
            print(f"{line['study']}, {line['network']}: {mean:+.3g} [{low:.3g}, {high:.3g}] {word}")
        print(f"{sum(line['agrees'] for line in lines)} of {len(lines)} intervals contain 0")


def _found(names: list[str] | None, options: argparse.Namespace) -> dict[str, Any] | None:
    from saliency_lib.studies.run import run_studies

    if options.out is None and os.environ.get("WORLD_SIZE", "1") != "1":
        raise SaliencyError("several processes share a file of results: say which, --out FILE.jsonl")
    with tempfile.TemporaryDirectory() as beside:
        out = options.out or Path(beside) / "studies.jsonl"
        return run_studies(names, out, folder=options.folder, models=options.model, count=options.images)


def _renew(path: Path, found: dict[str, Any]) -> None:
    """Write the results, and keep those of other studies and networks that the file has."""
    from saliency_lib.studies.results import kept, united

    known = json.loads(files.read(path)) if path.exists() else {}
    known |= {name: united(known.get(name), kept(one)) for name, one in found.items()}
    text = json.dumps(dict(sorted(known.items())), indent=1, ensure_ascii=False)
    files.write(path, (text + "\n").encode())
    print(f"\nwrote {path}")


def add_invariances(command: argparse.ArgumentParser) -> None:
    """Which network, which methods, which changes."""
    add_model(command)
    command.add_argument("--methods", nargs="+", metavar="NAME", help="which ones (default: all that fit the network)")
    command.add_argument("--images", type=int, default=2, metavar="N", help="so many images (default: 2)")
    command.add_argument("--single", action="store_true", help="single precision: quicker, and rounded")
    command.add_argument("--json", type=Path, metavar="FILE.json", help="where to write or renew the entries")
    command.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    command.set_defaults(run=run_invariances)


def run_invariances(options: argparse.Namespace) -> None:
    """Measure, print the table, and write the entries."""
    from saliency_lib.invariances.table import as_json, from_json, invariances, markdown, text

    found = invariances(options.model, methods=options.methods, images=options.images, double=not options.single)
    print(markdown(found) if options.markdown else text(found))
    if options.json is not None:
        known = from_json(files.read(options.json).decode()) if options.json.exists() else {}
        asked = {one.method for one in found}
        others = [one for one in known.get(options.model, ()) if one.method not in asked]
        files.write(options.json, as_json(known | {options.model: [*others, *found]}).encode())
        print(f"\nwrote {options.json}")
