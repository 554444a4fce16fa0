"""More than 1,500 odd inputs for the package, the command line, the evaluation and the server, and what came of each.

python -m benchmarks.odd_inputs [--only WORD] [--show]      exits with 1 unless all are right answers or clear errors

right      what was asked for
clear      one sentence, a `SaliencyError` (on the command line, exit code 2)
wrong      an answer to something that has none, or one that is not so
lost       a file that is not what it was, or litter
executed   a file ran something
hang       more than 10 seconds
frames     another exception
changed    the caller's tensors or network are not what they were
"""

import argparse
import collections
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

import saliency_lib as sl
from benchmarks.odd_case import Bad, Case, outcome
from benchmarks.odd_files import file_cases
from benchmarks.odd_values import asked, values

OUTCOMES = ("right", "clear", "wrong", "lost", "executed", "hang", "frames", "changed")
GOOD = ("right", "clear")


def argument_cases() -> Iterator[Case]:
    """Every odd value for every argument of every function."""
    for one in asked():
        for argument, may in one.may.items():
            for title, value in values().items():
                given = one.right | {argument: value}

                def run(one: Any = one, given: dict[str, Any] = given) -> Any:
                    tensors = [value for value in one.right.values() if isinstance(value, torch.Tensor)]
                    before = [tensor.clone() for tensor in tensors]
                    try:
                        return one.function(**given)
                    finally:
                        if not all(map(torch.equal, tensors, before)):
                            raise Bad("changed", "the caller's tensors")

                def accepts(found: Any, may: Any = may, value: Any = value) -> bool:
                    return bool(may(value))

                yield Case("package", f"{one.name}({argument} = {title})", run, accepts)


def cases(folder: Path, only: str = "") -> list[Case]:
    """All cases, or those whose room or title holds a word; files are made in a folder."""
    every = [*argument_cases(), *file_cases(folder)]
    return [case for case in every if only in case.room or only in case.title]


def main() -> int:
    """Try all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD", help="cases whose room or title holds this word")
    parser.add_argument("--show", action="store_true", help="print every case, not only those that got through")
    options = parser.parse_args()
    torch.set_num_threads(1)
    start, table = time.monotonic(), collections.defaultdict(collections.Counter)  # type: ignore[var-annotated]
    os.environ["TQDM_DISABLE"] = "1"
    sl.available_models()  # this and the next line import what takes its time, which would count as a hang
    sl.lime(torch.nn.Flatten(), torch.rand(1, 3, 4, 4), 1, samples=4, superpixels=2)
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(Path(folder), options.only):
            found, word = outcome(case)
            table[case.room][found] += 1
            if options.show or found not in GOOD:
                line = f"{found:9}{case.room:12}{case.title}: {word}"
                print(line.encode("ascii", "backslashreplace").decode(), flush=True)
    print(f"\n{'':14}{'cases':>8}" + "".join(f"{name:>10}" for name in OUTCOMES))
    total: collections.Counter[str] = collections.Counter()
    for room, counts in [*table.items(), ("all", None)]:
        counts = total if counts is None else counts
        print(f"{room:14}{counts.total():>8}" + "".join(f"{counts[name]:>10}" for name in OUTCOMES))
        if counts is not total:
            total.update(counts)
    print(f"\n{time.monotonic() - start:.0f} s, torch {torch.__version__}")
    return int(any(total[name] for name in OUTCOMES if name not in GOOD))


if __name__ == "__main__":
    sys.exit(main())
