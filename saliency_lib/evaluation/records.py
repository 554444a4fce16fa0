"""The results of an evaluation on disk: one JSON line an image, safe against kills, torn lines and second runs.

The first process of a run appends to the results, every other one to a file of its own beside them, `NAME.part-R`. At
the end, and when an interrupted run goes on, the parts are merged into the results. A line that a kill cut short is
dropped and its image done again.
"""

import errno
import glob
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from saliency_lib.errors import SaliencyError

Record = dict[str, Any]


def read(path: Path) -> dict[str, Record]:
    """The records of a file by image; empty if there is no file. The last line may be torn; no other may.

    Raises `SaliencyError` if the file is not made of records.
    """
    if not path.exists():
        return {}
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise SaliencyError(f"{path} cannot be read ({error.strerror})") from None
    records = {}
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line) if line else None
        except ValueError:
            if number == len(lines):
                break  # a kill came while it was written
            raise SaliencyError(f"line {number} of {path} is no JSON: it is no file of results") from None
        if record is not None:
            if not isinstance(record, dict) or "image" not in record:
                raise SaliencyError(f"line {number} of {path} is no record of an image")
            records[record["image"]] = record
    return records


def parts(path: Path) -> list[Path]:
    """The files to which processes have appended and that are not merged yet."""
    return sorted(path.parent.glob(f"{glob.escape(path.name)}.part-*"))


def part(path: Path, rank: int) -> Path:
    """Where process `rank` appends."""
    return path.with_name(f"{path.name}.part-{rank}")


def read_all(path: Path) -> dict[str, Record]:
    """The records of the results and of all parts, ordered by image."""
    records = read(path)
    for file in parts(path):
        records |= read(file)
    return dict(sorted(records.items()))


def merge(path: Path) -> dict[str, Record]:
    """Bring results and parts into one file, ordered by image, in one step; returns the records."""
    ordered = read_all(path)
    partial = path.with_name(f"{path.name}.partial")
    try:
        with writing(path):
            with partial.open("w", encoding="utf-8") as file:
                file.writelines(line(record) for record in ordered.values())
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    for merged in parts(path):
        merged.unlink()
    return ordered


def line(record: Mapping[str, Any]) -> str:
    """A record as one line, the same for the same numbers."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def append(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Add records to a file in one call to the system, so that a kill of the process cannot lose them any more."""
    with writing(path), path.open("ab", buffering=0) as file:
        data = "".join(line(record) for record in records).encode()
        if file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say it in one sentence if a file cannot be written, as on a full disk."""
    try:
        yield
    except OSError as error:
        raise SaliencyError(
            f"{path} cannot be written ({error.strerror}); what was done before is kept: run again to go on"
        ) from None


@contextmanager
def locked(path: Path, patience: float = 5.0) -> Iterator[None]:
    """Keep a second run off the same results; the lock ends with the process, however it ends.

    A run whose launcher was killed needs a moment to notice: wait `patience` seconds for it. Raises `SaliencyError`.
    """
    lock, until = path.with_name(f"{path.name}.lock"), time.monotonic() + patience
    with writing(lock):
        file = lock.open("a")
    with file:
        while not _lock(file):
            if time.monotonic() > until:
                raise SaliencyError(f"another run is writing {path}: wait for it, or choose another file")
            time.sleep(0.1)
        yield


def _lock(file: IO[str]) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
