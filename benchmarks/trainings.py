"""Numbers of small networks of several kinds and seeds: trained once, kept in a file, printed as a table."""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.shortcuts import with_error
from saliency_lib import files

Record = dict[str, Any]
DATA = Path(__file__).resolve().parent.parent / "data"


def stored(name: str) -> list[Record]:
    """The records of a file of `data/`; none if it is not there yet."""
    return json.loads(files.read(DATA / name)) if (DATA / name).exists() else []


def store(name: str, found: Sequence[Record]) -> None:
    """Write them, a line each, in one step."""
    files.write(DATA / name, ("[\n" + ",\n".join(map(json.dumps, found)) + "\n]\n").encode())


@dataclass(frozen=True)
class Trainings:
    """Networks of some kinds, each from the same seeds: `measure(kind, seed)` trains one and says what it does.

    `name` is that of the command and of its file, `key` what a record calls its kind. The columns are shares, of which
    the table says percent with a standard error over the seeds, or plain numbers where `plain` names them.
    """

    name: str
    about: str
    key: str
    kinds: Sequence[str]
    seeds: Sequence[int]
    columns: Sequence[str]
    measure: Callable[[str, int], Record]
    plain: Sequence[str] = ()

    def table(self, found: Sequence[Record]) -> list[str]:
        """A line a kind."""
        lines = [f"{'percent':16}" + "".join(f"{name:>15}" for name in self.columns)]
        for kind in self.kinds:
            same = [one for one in found if one[self.key] == kind]
            values = [[one[name] / (100 if name in self.plain else 1) for one in same] for name in self.columns]
            lines += [f"{kind:16}" + "".join(f"{with_error(v):>15}" for v in values)] if same else []
        return lines

    def main(self, command: list[str] | None = None) -> int:
        """Train what is missing, store it, and print."""
        parser = argparse.ArgumentParser(
            prog=f"python -m benchmarks.{self.name}", description=self.about.split("\n")[0]
        )
        parser.add_argument("--tables", action="store_true", help="train nothing")
        options = parser.parse_args(command)
        found = stored(f"{self.name}.json")
        done = {(one["seed"], one[self.key]) for one in found}
        for seed, kind in () if options.tables else product(self.seeds, self.kinds):
            if (seed, kind) not in done:
                found.append(self.measure(kind, seed))
                store(f"{self.name}.json", found)
        print(*self.table(found), sep="\n")
        return 0
