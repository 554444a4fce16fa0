"""Files that people own: replaced whole or not at all, and never anything else than a file."""

import itertools
import os
import signal
import stat
import threading
from pathlib import Path

import pytest
from helpers import fork, no_room_for, raises_one_line

import saliency_lib as sl
from saliency_lib import files
from saliency_lib.cli import main


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"x")
    files.write(tmp_path / "new", b"content")
    assert (tmp_path / "new").read_bytes() == b"content"
    assert mode(tmp_path / "new") == mode(tmp_path / "plain")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("permissions", [0o600, 0o640, 0o755])
def test_permissions_stay(tmp_path: Path, permissions: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(permissions)
    files.write(path, b"new")
    assert path.read_bytes() == b"new"
    assert mode(path) == permissions


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_a_link(tmp_path: Path, there: bool) -> None:
    (tmp_path / "elsewhere").mkdir()
    real, link = tmp_path / "elsewhere" / "real", tmp_path / "link"
    if there:
        real.write_bytes(b"old")
    link.symlink_to(real)
    files.write(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["elsewhere", "link", "real"]


def test_a_full_disk_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with no_room_for(1000), raises_one_line(sl.SaliencyError, "cannot be written"):
        files.write(path, bytes(2000))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_stranger_with_any_name_is_left_alone(tmp_path: Path) -> None:
    for name in ("file.partial", "file.part-x", ".file.tmp", "file.part-notes"):
        (tmp_path / name).write_text("mine")
    files.write(tmp_path / "file", b"new")
    assert all(path.read_text() == "mine" for path in tmp_path.iterdir() if path.name != "file")
    assert len(list(tmp_path.iterdir())) == 5


def test_a_device_is_written_through_and_stays_a_device(tmp_path: Path) -> None:
    link = tmp_path / "null"
    link.symlink_to(os.devnull)
    before = os.stat(os.devnull)
    files.write(link, b"new")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    assert os.stat(os.devnull).st_ino == before.st_ino
    if Path("/dev/full").exists():
        with pytest.raises(sl.SaliencyError, match="cannot be written"):
            files.write(Path("/dev/full"), b"new")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for path in ("pipe", "folder", "circle", "n" * 300, "absent/file", "zero\0byte", "half \ud800"):
        for use in (files.check_output, lambda path: files.write(path, b"new")):
            with raises_one_line(sl.SaliencyError, "cannot be written"):
                use(tmp_path / path)
    for path in (None, 5, b"x", ["a"]):
        with pytest.raises(sl.SaliencyError, match="cannot be written"):
            files.check_output(path)  # type: ignore[arg-type]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["circle", "folder", "pipe"]
    with pytest.raises(OSError, match="pipe or a device"):
        files.read(tmp_path / "pipe")


@pytest.mark.parametrize("how", ["itself", "link", "hard link", "way round"])
def test_an_input_is_not_overwritten(tmp_path: Path, how: str, capsys: pytest.CaptureFixture[str]) -> None:
    photo, out = tmp_path / "photo.png", tmp_path / "out.png"
    sl.sample_photo("coffee").resize((40, 30)).save(photo)
    before = photo.read_bytes()
    match how:
        case "itself":
            out = photo
        case "link":
            out.symlink_to(photo)
        case "hard link":
            out.hardlink_to(photo)
        case "way round":
            (tmp_path / "there").mkdir()
            out = tmp_path / "there" / ".." / "photo.png"
    for command in ("saliency", "localize"):
        assert main([command, str(photo), "--out", str(out)]) == 2
        assert "would be lost" in capsys.readouterr().err
    assert photo.read_bytes() == before


def test_the_sample_photos_are_not_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    photo = sl.sample_photos()["coffee"]
    before = photo.path.read_bytes()
    assert main(["saliency", "coffee", "--out", str(photo.path)]) == 2
    assert "would be lost" in capsys.readouterr().err
    assert photo.path.read_bytes() == before


def test_a_picture_that_was_there_survives_a_full_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "map.png"
    out.write_bytes(b"the old picture")
    with no_room_for(5000):
        assert main(["saliency", "coffee", "--out", str(out)]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert out.read_bytes() == b"the old picture"
    assert list(tmp_path.iterdir()) == [out]


def test_a_kill_at_any_moment_leaves_the_old_or_the_new_content(tmp_path: Path) -> None:
    """Ten processes that write without end, killed one after another."""
    path = tmp_path / "file"
    contents = [bytes([number]) * 300_000 for number in range(3)]
    path.write_bytes(contents[0])
    for attempt in range(10):
        pid = fork(lambda: [files.write(path, content) for content in itertools.cycle(contents)])
        waited = threading.Event()
        waited.wait(0.01 + 0.007 * attempt)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert path.read_bytes() in contents
