"""The loop of a measurement: from chunks of work to a table, through any interruption, by any number of processes.

A run is cut into chunks of a batch each, and the chunks are dealt out to the processes in turn. An image so has the
same neighbors in the same batch however many processes there are and however often the run was interrupted, and its
numbers are the same to the last digit.
"""

import contextlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from saliency_lib import files
from saliency_lib.errors import SaliencyError
from saliency_lib.runs import records
from saliency_lib.runs.processes import ProcessGroup, process_group
from saliency_lib.runs.records import Record


class Item(Protocol):
    """Something that gets one line of the results, under its name."""

    @property
    def name(self) -> str:
        """How it is called in the results."""


class Run(Protocol):
    """What is to be measured, and how."""

    unit: str

    @property
    def title(self) -> str:
        """What the progress bar says."""

    def settings_of(self, record: Record) -> dict[str, str]:
        """What this record says of how it came about, if it came about in this run."""

    def complete(self, record: Record) -> bool:
        """Whether a record has all that this run writes of an item that could be used."""

    @property
    def names(self) -> list[str]:
        """What all records are of, in the order of the table."""

    @property
    def chunks(self) -> Sequence[Sequence[Any]]:
        """All items, a batch at a time."""

    def examine(self, chunk: Sequence[Any]) -> list[Record]:
        """The records of one chunk, each with the name of its item under "image"."""

    def again(self, done: Mapping[str, Record]) -> set[str]:
        """What of this has to be done again, by name. Raises `SaliencyError` if the records are of other things."""

    def summarize(self, results: Sequence[Record]) -> dict[str, Any]:
        """What is made of all records."""


def execute(
    prepare: Callable[[], Run], out: Path, summary: Path | None, reads: Callable[[str], Sequence[Path]]
) -> dict[str, Any] | None:
    """Do all of a run that `out` does not have yet; returns the summary, in the first process only.

    `reads` names the files that are read and should not be overwritten by one of this name. Raises `SaliencyError` if a
    file cannot be written, or if `out` was made with other settings or is being written by another run.
    """
    with process_group() as group, contextlib.ExitStack() as stack:
        group.on_all(lambda: _check_files(out, summary, reads))
        run = group.on_all(prepare)
        if group.rank == 0:
            lock = records.locked(out)
        done = group.on_first(lambda: (stack.enter_context(lock), _resume(out, run))[1])
        group.on_all(lambda: _work(run, group, done, out))
        result = group.on_first(lambda: _finish(run, out, summary))
        return result if group.rank == 0 else None


def _check_files(out: Path, summary: Path | None, reads: Callable[[str], Sequence[Path]]) -> None:
    """Raise `SaliencyError` if results or summary cannot be written, or would overwrite what is read, or each other."""
    for file in (out, summary):
        if file is not None:
            files.check_output(file, reads(file.name))
    if out.exists() and not out.is_file():
        raise SaliencyError(f"{out} cannot be continued: it is a device, not a file")
    own, other = os.path.realpath(out), summary and os.path.realpath(summary)
    if other and other.startswith(own) and re.fullmatch(r"|\.lock|\.part-\d+", other[len(own) :]):
        raise SaliencyError(f"{summary} is where the results go: write the summary to another file")


def _resume(out: Path, run: Run) -> set[str]:
    """The names of what is done; whatever an interrupted run has left is put in order first."""
    done = records.read_all(out, run.complete)
    for record in done.values():
        for key, value in run.settings_of(record).items():
            if record.get(key) != value:
                raise SaliencyError(
                    f"{out} holds results with {key} {record.get(key)!r}, this run has {value!r}: choose another file"
                )
    again = run.again(done)
    if done or out.exists():
        records.merge(out)
    return set(done) - again


def _work(run: Run, group: ProcessGroup, done: set[str], out: Path) -> None:
    """This process's share of the chunks, each recorded as soon as it is done."""
    part = out if group.rank == 0 else records.part(out, group.rank)
    mine = [
        (chunk, [item for item in chunk if item.name not in done])
        for chunk in run.chunks[group.rank :: group.world_size]
    ]
    hidden = True if group.rank or os.environ.get("TQDM_DISABLE") else None  # None: hidden unless on a terminal
    name = run.title + (f" (1 of {group.world_size} processes)" if group.world_size > 1 else "")
    with tqdm(total=sum(len(chunk) for chunk, _ in mine), unit=run.unit, desc=name, disable=hidden) as bar:
        bar.initial = bar.n = sum(len(chunk) - len(missing) for chunk, missing in mine)
        for chunk, missing in mine:
            if missing:
                group.check_launcher()
                wanted = {item.name for item in missing}
                records.append(part, [record for record in run.examine(chunk) if record["image"] in wanted])
                bar.update(len(missing))


def _finish(run: Run, out: Path, summary: Path | None) -> dict[str, Any]:
    everything = records.merge(out)
    result = run.summarize([everything[name] for name in run.names])
    if summary is not None:
        files.write(summary, (json.dumps(result, indent=2, ensure_ascii=False) + "\n").encode())
    return result
