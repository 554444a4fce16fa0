"""Evaluations of odd folders and odd results: everything is counted, said, or put in order, and nothing is lost."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import says
from PIL import Image

import saliency_lib as sl
from saliency_lib.cli import main
from saliency_lib.localization_benchmark.evaluate import evaluate
from saliency_lib.runs import records

TEXT = (
    "<annotation><size><width>{}</width><height>{}</height></size><object><name>n0{}</name><bndbox><xmin>3</xmin>"
    "<ymin>2</ymin><xmax>30</xmax><ymax>20</ymax></bndbox></object></annotation>"
)


BOMB = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]><annotation>&j;</annotation>"
)
"""Ten letters, ten times ten times."""


def build(folder: Path, shade: int = 0, count: int = 5) -> Path:
    """Small images in the official layout, with ten classes: those of the creatures."""
    for kind in ("Data", "Annotations"):
        (folder / kind / "CLS-LOC/val").mkdir(parents=True)
    (folder / "LOC_synset_mapping.txt").write_text("".join(f"n0{i} thing\n" for i in range(10)))
    for i in range(count):
        name, drawing = f"val_{i}", sl.creatures(1, seed=i + shade, size=40).images
        sl.to_image(drawing).crop((0, 0, 40, 32)).save(image(folder, name))
        note(folder, name).write_text(TEXT.format(40, 32, i % 10))
    return folder


def image(folder: Path, name: str) -> Path:
    return folder / "Data/CLS-LOC/val" / f"{name}.JPEG"


def note(folder: Path, name: str) -> Path:
    return folder / "Annotations/CLS-LOC/val" / f"{name}.xml"


def run(folder: Path, out: Path, **options: Any) -> dict[str, Any]:
    result = evaluate(folder, out, method="centered-box", model="creature_convnet", batch_size=2, **options)
    assert result is not None
    return result


def refused(folder: Path, out: Path, **options: Any) -> str:
    """The sentence of a run that must not begin; what is in the file stays."""
    before = out.read_bytes() if out.is_file() else None
    with pytest.raises(sl.SaliencyError) as caught:
        run(folder, out, **options)
    assert before is None or out.read_bytes() == before
    return says(caught.value)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return build(tmp_path / "data")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return tmp_path / "results" / "r.jsonl"


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def declared(encoding: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(f'<?xml version="1.0" encoding="{encoding}"?>' + path.read_text())


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (declared("gb2312"), "multi-byte encodings are not supported"),
        (declared("shift_jis"), "multi-byte encodings are not supported"),
        (declared("martian"), "unknown encoding"),
        (declared("utf-16"), ""),
        (lambda path: path.write_text(BOMB), ""),
        (
            lambda path: path.write_text('<!DOCTYPE a [<!ENTITY x SYSTEM "/etc/passwd">]><annotation>&x;</annotation>'),
            "",
        ),
        (pipe, "pipe or a device"),
        (lambda path: path.write_bytes(b""), "no element found"),
        (lambda path: path.write_bytes(bytes(range(256)) * 9), "not well-formed"),
        (lambda path: path.write_text(TEXT.format(32, 40, 0)), "of an image of (32, 40) pixels"),
        (lambda path: path.write_text(path.read_text().replace("20<", "<")), "four ordered numbers"),
    ],
)
def test_an_odd_annotation_is_counted_as_broken(
    data: Path, out: Path, spoil: Callable[[Path], object], reason: str
) -> None:
    spoil(note(data, "val_0"))
    for _ in range(2):
        result = run(data, out)
        assert (result["n"], result["broken"]) == (4, 1)
        assert reason in result["broken_images"]["val_0"]


def test_annotations_in_other_encodings_and_without_a_size_are_read(data: Path, out: Path) -> None:
    declared("iso-8859-1")(note(data, "val_0"))
    note(data, "val_1").write_text(TEXT.format(0, 0, 1))
    note(data, "val_2").write_text(TEXT.format("?", "", 2))
    assert run(data, out)["n"] == 5


def test_a_name_that_is_no_utf8_is_spelled_out(data: Path, out: Path) -> None:
    strange = os.fsdecode(b"val_\xff\xe9")
    image(data, "val_0").rename(image(data, strange))
    note(data, "val_0").rename(note(data, strange))
    image(data, "val_1").rename(image(data, os.fsdecode(b"val_\xfe")))
    result = run(data, out, summary=out.with_suffix(".json"))
    assert (result["n"], result["broken"]) == (4, 1)
    assert list(result["broken_images"]) == ["val_\\xfe"]
    assert "val_\\xff\\xe9" in records.read(out)
    assert json.loads(out.with_suffix(".json").read_text("utf-8")) == result
    before = out.read_bytes()
    assert run(data, out) == result
    assert out.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"n00 a\nn00 b\n", bytes(range(256)), b"\0" * 99])
def test_a_mapping_that_is_none(data: Path, out: Path, content: bytes) -> None:
    (data / "LOC_synset_mapping.txt").write_bytes(content)
    before = [path.name for path in data.iterdir()]
    try:
        assert run(data, out)["n"] == 0
    except sl.SaliencyError as error:
        says(error)
    assert [path.name for path in data.iterdir()] == before


def test_a_pipe_in_the_place_of_the_mapping_or_an_image(data: Path, out: Path) -> None:
    pipe(image(data, "val_3"))
    assert "pipe or a device" in run(data, out)["broken_images"]["val_3"]
    pipe(data / "LOC_synset_mapping.txt")
    assert "pipe or a device" in refused(data, out)


def test_one_torn_line_and_nothing_else_is_put_in_order(data: Path, out: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "whole.jsonl")
    for torn in (b'{"image":"val_0","la', b'{"im', b"{"):
        out.write_bytes(torn)
        run(data, out)
        assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    out.write_bytes(b"notes of mine")
    assert "no file of results" in refused(data, out)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda line: line[:40], "no JSON"),
        (lambda line: line.replace(b'"top1_correct":', b'"top1_korrect":'), "a damaged one"),
        (lambda line: line.replace(b"true", b"maybe"), "no JSON"),
        (lambda line: line.replace(b'"label":', b'"label":1'), "a damaged one"),
        (lambda line: line[:-40] + b"\0" * 40, "no JSON"),
        (lambda line: b'{"image":7}', "a damaged one"),
    ],
)
def test_a_damaged_line_in_the_middle_is_noticed(
    data: Path, out: Path, damage: Callable[[bytes], bytes], sentence: str
) -> None:
    run(data, out)
    lines = out.read_bytes().splitlines()
    lines[2] = damage(lines[2])
    out.write_bytes(b"\n".join(lines) + b"\n")
    said = refused(data, out)
    assert "line 3" in said
    assert sentence in said


def test_two_results_of_one_image_that_differ(data: Path, out: Path) -> None:
    run(data, out)
    first = out.read_bytes().splitlines(keepends=True)[0]
    records.part(out, 1).write_bytes(first)
    run(data, out)  # the same twice is what a kill between two steps of merging leaves
    assert len(out.read_bytes().splitlines()) == 5
    other = records.read(out)["val_0"] | {"box": [0, 0, 1, 1]}
    records.part(out, 1).write_text(records.line(other))
    assert "two results of val_0 that differ" in refused(data, out)
    assert records.part(out, 1).exists()


def test_an_image_that_was_broken_and_is_mended_is_done(data: Path, out: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "whole.jsonl")
    content, text = image(data, "val_1").read_bytes(), note(data, "val_4").read_bytes()
    image(data, "val_1").write_bytes(content[:300])
    note(data, "val_4").unlink()
    assert run(data, out)["broken"] == 2
    image(data, "val_1").write_bytes(content)
    assert run(data, out)["broken"] == 1
    note(data, "val_4").write_bytes(text)
    assert run(data, out)["broken"] == 0
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_another_folder_with_the_same_names(data: Path, out: Path, tmp_path: Path) -> None:
    run(data, out, limit=2)
    other = build(tmp_path / "other", shade=7)
    assert "of another val_0 than the one" in refused(other, out)
    note(data, "val_1").unlink()
    assert "of another val_1 than the one" in refused(data, out)


def test_files_that_would_overwrite_each_other_or_what_is_read(data: Path, out: Path, tmp_path: Path) -> None:
    for name in ("r.jsonl", "r.jsonl.lock", "r.jsonl.part-3", "../results/r.jsonl"):
        assert "where the results go" in refused(data, out, summary=out.parent / name)
    for path in (data / "LOC_synset_mapping.txt", image(data, "val_0"), note(data, "val_0")):
        before = path.read_bytes()
        assert "would be lost" in refused(data, path)
        assert "would be lost" in refused(data, out, summary=path)
        assert path.read_bytes() == before
    assert list(out.parent.iterdir()) == []
    assert "a device" in refused(data, Path(os.devnull))
    assert not Path(f"{os.devnull}.lock").exists()
    pipe_at = tmp_path / "pipe"
    os.mkfifo(pipe_at)
    assert "no file" in refused(data, pipe_at)
    run(data, out, summary=Path(os.devnull))
    assert Path(os.devnull).is_char_device()


def test_strangers_beside_the_results_are_left_alone(data: Path, out: Path) -> None:
    mine = ["r.jsonl.partial", "r.jsonl.part-time", "r.jsonl.part-1.txt", "r.json.bak"]
    for name in mine:
        (out.parent / name).write_text("mine")
    run(data, out)
    run(data, out)
    assert [(out.parent / name).read_text() for name in mine] == ["mine"] * 4


def test_links_and_permissions_of_results_stay(data: Path, out: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.jsonl"
    run(data, real, limit=2)
    real.chmod(0o600)
    out.symlink_to(real)
    run(data, out)
    assert out.is_symlink()
    assert len(real.read_bytes().splitlines()) == 5
    assert real.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("count", ["abc", "0", "-1", "1.5", "", "9" * 30])
def test_a_world_size_of_nonsense(data: Path, out: Path, monkeypatch: pytest.MonkeyPatch, count: str) -> None:
    monkeypatch.setenv("WORLD_SIZE", count)
    assert "WORLD_SIZE is the number of processes" in refused(data, out)


def test_processes_that_do_not_come(
    data: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from datetime import timedelta

    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "cannot meet" in refused(data, out)  # who is this, and where do they meet?
    monkeypatch.setattr("saliency_lib.runs.processes.RENDEZVOUS_TIMEOUT", timedelta(seconds=1))
    monkeypatch.setattr("saliency_lib.runs.processes.SILENCE", 0.2)
    for rank, port in (("0", "29731"), ("1", "29732")):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
        monkeypatch.setenv("MASTER_PORT", port)
        assert "cannot meet" in refused(data, out)
    assert "waiting for the other processes" in capsys.readouterr().err


def test_the_command_says_one_sentence(data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", "--ilsvrc", str(data), "--model", "creature_convnet", "--out", str(out)]
    assert main([*command, "--summary", str(out)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    with Image.open(image(data, "val_0")) as photo:
        assert photo.size == (40, 32)
