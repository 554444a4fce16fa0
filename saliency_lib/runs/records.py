"""The results of a run on disk: one JSON line an image, safe against kills, torn lines and second runs.

The first process of a run appends to the results, every other one to a file of its own beside them, `NAME.part-R`. At
the end, and when an interrupted run goes on, the parts are merged into the results. A line that a kill cut short is
dropped and its image done again; one that was damaged since is noticed, because each carries a check of the rest. An
image that could not be used is looked at again by every run.
"""

import errno
import glob
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from saliency_lib import files
from saliency_lib.errors import SaliencyError

Record = dict[str, Any]

BEGINNING = b'{"image":'
"""What every line begins with; a torn one, as far as it goes."""

Complete = Callable[[Record], bool]
"""Whether a record has all that a run writes; each run has its own kind of records."""


def read(path: Path, complete: Complete = lambda record: True) -> dict[str, Record]:
    """The records of a file by image; empty if there is no file. The last line may be torn; no other may.

    Zeros at the end are what a power cut leaves of what was not written yet. Raises `SaliencyError` if the file is not
    made of records, or two of them contradict each other.
    """
    if not os.path.lexists(path):
        return {}
    try:
        lines = files.read(path).rstrip(b"\0").split(b"\n")
    except OSError as error:
        raise SaliencyError(f"{path} cannot be read ({error.strerror})") from None
    records: dict[str, Record] = {}
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line) if line else None
        except (ValueError, RecursionError):
            if number == len(lines) and BEGINNING.startswith(line[: len(BEGINNING)]):
                break  # a kill came while it was written
            raise SaliencyError(f"line {number} of {path} is no JSON: it is no file of results") from None
        if record is not None:
            if not _is_record(record, complete) or record.pop("check", _check(record)) != _check(record):
                raise SaliencyError(f"line {number} of {path} is no record of an image, or a damaged one")
            records = united(records, {record["image"]: record}, path)
    return records


def _is_record(record: Any, complete: Complete) -> bool:
    """Whether this is what a run writes of an item: its name under "image", and why it is broken or all of the rest."""
    if not isinstance(record, dict) or not isinstance(record.get("image"), str):
        return False
    return isinstance(record["broken"], str) if "broken" in record else complete(record)


def united(some: Mapping[str, Record], more: Mapping[str, Record], path: Path) -> dict[str, Record]:
    """All records; one that could be made takes the place of one that could not.

    Raises `SaliencyError` if two results of one image differ.
    """
    records = dict(some)
    for image, record in more.items():
        known = records.setdefault(image, record)
        if "broken" in known:
            records[image] = record
        elif "broken" not in record and known != record:
            raise SaliencyError(f"{path} holds two results of {image} that differ: delete one of them")
    return records


def parts(path: Path) -> list[Path]:
    """The files to which processes have appended and that are not merged yet."""
    found = path.parent.glob(f"{glob.escape(path.name)}.part-*")
    return sorted(file for file in found if re.fullmatch(r"\.part-\d+", file.name[len(path.name) :]))


def part(path: Path, rank: int) -> Path:
    """Where process `rank` appends."""
    return path.with_name(f"{path.name}.part-{rank}")


def read_all(path: Path, complete: Complete = lambda record: True) -> dict[str, Record]:
    """The records of the results and of all parts, ordered by image."""
    records = read(path, complete)
    for file in parts(path):
        records = united(records, read(file, complete), file)
    return dict(sorted(records.items()))


def merge(path: Path) -> dict[str, Record]:
    """Bring results and parts into one file, ordered by image, in one step; returns the records."""
    ordered, merged = read_all(path), parts(path)
    content = "".join(line(record) for record in ordered.values()).encode()
    if merged or not path.exists() or files.read(path) != content:
        files.write(path, content)
    for file in merged:
        file.unlink(missing_ok=True)
    return ordered


def line(record: Mapping[str, Any]) -> str:
    """A record as one line with a check of itself, the same for the same numbers."""
    return _text({**record, "check": _check(record)}) + "\n"


def _check(record: Mapping[str, Any]) -> str:
    """Eight digits of all that a record says."""
    return f"{zlib.crc32(_text({key: value for key, value in record.items() if key != 'check'}).encode()):08x}"


def _text(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


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
    lock = path.with_name(f"{path.name}.lock")
    files.check_output(lock)
    held = FileLock(lock, poll_interval=0.1)
    with writing(lock):
        try:
            held.acquire(timeout=patience)
        except Timeout:
            raise SaliencyError(f"another run is writing {path}: wait for it, or choose another file") from None
    try:
        yield
    finally:
        held.release()
