"""Files that people own: a file is written whole or not at all, and nothing else than a file is ever replaced.

`check_output` says before any work is done why a file could not be written; `write` then writes it. What stands in the
file until then stays there until all of the new content is on disk. A link stays a link, permissions stay as they are.
"""

import errno
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from saliency_lib.errors import SaliencyError


def read(path: Path) -> bytes:
    """All that is in a file. Raises `OSError`, also for what is no file: a pipe would keep its reader waiting."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file")
    return Path(path).read_bytes()


def check_output(path: str | os.PathLike[str], inputs: Iterable[object] = ()) -> Path:
    """The path itself, if it can be written. Raises `SaliencyError` if not, or if it is one of the `inputs`.

    What is there may be a file that can be replaced, or a device such as the null device; not a folder, a pipe or a
    socket. Of the `inputs` those that are names of files count.
    """
    try:
        path = Path(path)
        mode = _mode(path)
        folder = Path(os.path.realpath(path)).parent
        there = folder.is_dir()
    except (OSError, TypeError, ValueError) as error:
        raise SaliencyError(f"{path!s} cannot be written ({getattr(error, 'strerror', None) or error})") from None
    if not there:
        raise SaliencyError(f"{path} cannot be written: there is no folder {folder} to write to")
    if mode is not None and not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
        raise SaliencyError(f"{path} cannot be written: it is {'a folder' if stat.S_ISDIR(mode) else 'no file'}")
    if not os.access(folder if mode is None else path, os.W_OK):
        raise SaliencyError(f"{path} cannot be written ({os.strerror(errno.EACCES)})")
    if mode is not None and any(_same(path, other) for other in inputs):
        raise SaliencyError(f"{path} is what is read here, and would be lost: write to another file")
    return path


def _mode(path: Path) -> int | None:
    """What a path is, links followed, or None if there is nothing."""
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _same(path: Path, other: object) -> bool:
    try:
        return isinstance(other, str | os.PathLike) and os.path.samefile(path, other)
    except (OSError, ValueError):
        return False


def write(path: Path, content: bytes) -> None:
    """Put `content` in the place of what is in the file, all at once.

    Raises `SaliencyError`, as on a full disk, and leaves what was there. It is written beside the file, under a name
    that nobody has, and renamed.
    """
    try:
        if check_output(path).is_char_device():
            with path.open("wb") as device:
                device.write(content)
        else:
            _replace(Path(os.path.realpath(path)), content)
    except OSError as error:
        raise SaliencyError(f"{path} cannot be written ({error.strerror})") from None


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name[:40]}.{secrets.token_hex(6)}")
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with open(file, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(file)
        if (mode := _mode(path)) is not None:
            os.chmod(beside, stat.S_IMODE(mode))
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
