"""Evaluations: metrics by hand, and files that no kill, second run, full disk or broken image can spoil."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from helpers import no_room_for, says
from test_odd_data import build as build_drawings

import saliency_lib as sl
from saliency_lib.cli import main
from saliency_lib.datasets.ilsvrc import BrokenImage, Ilsvrc, Sample
from saliency_lib.localization_benchmark.evaluate import Evaluation, evaluate
from saliency_lib.localization_benchmark.metrics import is_pointed, is_right, percentages
from saliency_lib.runs import records

ROOT = Path(__file__).parent.parent
FAST = "centered-box"
DEV = ROOT.parent / "shared" / "ilsvrc-dev"


def annotation(label: str, boxes: list[tuple[int, ...]]) -> str:
    root = ElementTree.Element("annotation")
    for box in boxes:
        item = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(item, "name").text = label
        corners = ElementTree.SubElement(item, "bndbox")
        for side, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True):
            ElementTree.SubElement(corners, side).text = str(value)
    return ElementTree.tostring(root, "unicode")


def build(folder: Path, copies: int = 2) -> Path:
    """The sample photos, of 200 pixels, as a folder in the official layout."""
    images, notes = folder / "Data/CLS-LOC/val", folder / "Annotations/CLS-LOC/val"
    images.mkdir(parents=True)
    notes.mkdir(parents=True)
    names = sl.imagenet_categories()
    mapping = [f"{synset} {name}\n" for synset, name in zip(names.synsets, names.names, strict=True)]
    (folder / "LOC_synset_mapping.txt").write_text("".join(mapping))
    for copy in range(copies):
        for photo in sl.sample_photos().values():
            whole = photo.load()
            scale = 200 / max(whole.size)
            small = whole.resize((round(whole.width * scale), round(whole.height * scale)))
            if copy % 2:
                small = small.rotate(3)
            stem = f"val_{copy:02}_{photo.name}"
            small.save(images / f"{stem}.JPEG")
            box = tuple(round(side * scale) for side in photo.box)
            synset = names.synsets[names.index(photo.label)]
            (notes / f"{stem}.xml").write_text(annotation(synset, [box]))
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("ilsvrc"))


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    """The same, with one image of every kind that cannot be used."""
    folder = build(tmp_path / "spoiled", 1)
    images, notes = folder / "Data/CLS-LOC/val", folder / "Annotations/CLS-LOC/val"
    path = images / "val_00_astronaut.JPEG"
    path.write_bytes(path.read_bytes()[:900])
    (notes / "val_00_chelsea.xml").write_text(annotation("n02124075", []))
    (notes / "val_00_coffee.xml").write_text(annotation("n99999999", [(0, 0, 5, 5)]))
    (notes / "val_00_china.xml").unlink()
    (notes / "val_00_flower.xml").write_text("<annotation><object>")
    (notes / "val_00_rocket.xml").write_text(annotation("n04008634", [(9, 0, 5, 5)]))
    return folder


def command(data: Path, out: Path, *more: str) -> list[str]:
    return ["evaluate", "--ilsvrc", str(data), "--out", str(out), "--summary", str(out.with_suffix(".json")), *more]


def run_to_the_end(data: Path, out: Path, *more: str) -> bytes:
    assert main(command(data, out, *more)) == 0
    return out.read_bytes()


SMALL = ("--model", "creature_convnet", "--batch-size", "3")
QUICK = ("--method", FAST, *SMALL)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_drawings(tmp_path_factory.mktemp("drawn"), count=14)


@pytest.fixture(scope="module")
def uninterrupted(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    """Results and summary of the default method, in this process."""
    out = tmp_path_factory.mktemp("whole") / "results.jsonl"
    return run_to_the_end(drawn, out, *SMALL), out.with_suffix(".json").read_text()


@pytest.fixture(scope="module")
def quick(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    """The same of a method that needs no derivative: files are files."""
    out = tmp_path_factory.mktemp("quick") / "results.jsonl"
    return run_to_the_end(data, out, *QUICK), out.with_suffix(".json").read_text()


def test_right_and_pointed_by_hand() -> None:
    truths = [(10, 10, 20, 20), (50, 0, 60, 40)]
    assert is_right((10, 10, 20, 15), truths)  # exactly a half
    assert not is_right((10, 10, 20, 14), truths)
    assert is_right((50, 0, 60, 30), truths)
    assert not is_right(None, truths)
    assert not is_right((0, 0, 60, 40), truths)
    assert is_pointed((-5, 10), truths)  # 15 pixels off
    assert not is_pointed((-5.5, 10), truths)
    assert is_pointed((75, 20), [(10, 10, 60, 40)])
    assert is_pointed((20, 55), [(10, 10, 60, 40)])
    assert not is_pointed((20, 55.5), [(10, 10, 60, 40)])
    assert is_pointed((20, -5), [(10, 10, 60, 40)])
    assert not is_pointed((20, -5.5), [(10, 10, 60, 40)])
    assert not is_pointed((75.5, 20), [(10, 10, 60, 40)])
    assert is_pointed((55, 39), truths)


def test_percentages_by_hand() -> None:
    fields = ("top1_correct", "top5_correct", "gt_known", "top1_localized", "top5_localized", "pointed")
    rows = [(1, 1, 1, 1, 1, 1), (0, 1, 1, 0, 1, 0), (0, 0, 1, 0, 0, 1), (1, 1, 0, 0, 0, 1)]
    found = percentages([dict(zip(fields, map(bool, row), strict=True)) for row in rows])
    assert found == {
        "top1_error": 50.0,
        "top5_error": 25.0,
        "gt_known_error": 25.0,
        "top1_localization_error": 75.0,
        "top5_localization_error": 50.0,
        "pointing_error": 25.0,
    }
    assert percentages([]) == {}


def test_the_summary_counts_the_records(uninterrupted: tuple[bytes, str]) -> None:
    rows, found = [json.loads(line) for line in uninterrupted[0].splitlines()], json.loads(uninterrupted[1])
    assert found["n"] == 14
    assert found["method"] == "object-map"
    assert found["broken"] == 0
    for name, key in (("gt_known_error", "gt_known"), ("top5_localization_error", "top5_localized")):
        assert found[name] == pytest.approx(100 * sum(not row[key] for row in rows) / 14, abs=1e-3)
    assert found["top1_error"] == pytest.approx(100 * sum(r["top5"][0] != r["label"] for r in rows) / 14, abs=1e-3)
    assert found["top1_localization_error"] >= found["top5_localization_error"] >= found["top5_error"]


def test_each_network_sees_images_of_its_own_size(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    forward = sl.Model.forward

    def watched(self: sl.Model, images: torch.Tensor) -> torch.Tensor:
        shapes.append(tuple(images.shape))
        return forward(self, images)

    monkeypatch.setattr(sl.Model, "forward", watched)
    seen = {}
    for model, size in (("efficientnet_lite0", 224), ("efficientnet_lite1", 240)):
        shapes.clear()
        out = tmp_path / f"{model}.jsonl"
        result = evaluate(data, out, method=FAST, model=model, limit=3, batch_size=4)
        assert result is not None
        assert {shape[1:] for shape in shapes} == {(3, size, size)}
        seen[model] = result["settings"]
    assert len(set(seen.values())) == 2


def test_a_limit_can_be_raised_and_gives_what_was_given_at_once(
    data: Path, tmp_path: Path, quick: tuple[bytes, str]
) -> None:
    out = tmp_path / "r.jsonl"
    first = run_to_the_end(data, out, *QUICK, "--limit", "4")
    assert len(first.splitlines()) == 4
    assert run_to_the_end(data, out, *QUICK) == quick[0]
    run_to_the_end(data, out, *QUICK, "--limit", "4")
    assert out.read_bytes() == quick[0]  # the table is of four, the file keeps all
    assert json.loads(out.with_suffix(".json").read_text())["n"] == 4


def test_two_processes_give_the_same_to_the_last_digit(
    drawn: Path, tmp_path: Path, uninterrupted: tuple[bytes, str]
) -> None:
    out = tmp_path / "r.jsonl"
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    process = subprocess.run(
        [sys.executable, *torchrun, "-m", "saliency_lib", *command(drawn, out, *SMALL)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("object-map on 14 images") == 1
    assert out.read_bytes() == uninterrupted[0]
    assert out.with_suffix(".json").read_text() == uninterrupted[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.json", "r.jsonl", "r.jsonl.lock"]


def test_parts_and_a_torn_line_of_a_killed_run_are_put_in_order(
    data: Path, tmp_path: Path, quick: tuple[bytes, str]
) -> None:
    out, lines = tmp_path / "r.jsonl", quick[0].splitlines(keepends=True)
    out.write_bytes(b"".join(lines[3:6]) + lines[6][:-20])
    records.part(out, 1).write_bytes(b"".join(lines[9:12]) + lines[12][:50])
    records.part(out, 2).write_bytes(b"")
    assert run_to_the_end(data, out, *QUICK) == quick[0]
    assert records.parts(out) == []


def test_zeros_that_a_power_cut_leaves_are_no_results(data: Path, tmp_path: Path, quick: tuple[bytes, str]) -> None:
    """The size of a file may be on disk before what is in it: its end is zeros, and every line before is whole."""
    out, lines = tmp_path / "r.jsonl", quick[0].splitlines(keepends=True)
    for whole, rest in ((4, b""), (3, lines[3][:40])):
        out.write_bytes(b"".join(lines[:whole]) + rest + bytes(300))
        assert len(records.read(out)) == whole
    assert run_to_the_end(data, out, *QUICK) == quick[0]
    out.write_bytes(lines[0] + bytes(300) + lines[1])
    with pytest.raises(sl.SaliencyError, match="no JSON"):
        records.read(out)


def test_what_is_done_is_not_done_again(data: Path, tmp_path: Path, quick: tuple[bytes, str], monkeypatch) -> None:
    out = tmp_path / "r.jsonl"
    out.write_bytes(quick[0])
    monkeypatch.setattr(Evaluation, "examine", lambda *_: pytest.fail("done again"))
    assert run_to_the_end(data, out, *QUICK) == quick[0]
    assert out.with_suffix(".json").read_text() == quick[1]


def test_broken_images_are_counted_and_named_and_the_run_finishes(spoiled: Path, tmp_path: Path, capsys) -> None:
    lines = run_to_the_end(spoiled, tmp_path / "r.jsonl", *QUICK)
    assert len(lines.splitlines()) == 7
    found = json.loads((tmp_path / "r.json").read_text())
    assert (found["n"], found["broken"]) == (1, 6)
    reasons = {
        "astronaut": "damaged or cut short",
        "chelsea": "no box",
        "coffee": "not in LOC_synset_mapping.txt",
        "china": "No such file",
        "flower": "no element found",
        "rocket": "four ordered numbers",
    }
    shown = capsys.readouterr().out
    for name, reason in reasons.items():
        assert reason in found["broken_images"][f"val_00_{name}"]
        assert f"val_00_{name}: " in shown
    assert str(tmp_path) not in lines.decode()
    rows = [json.loads(line) for line in lines.splitlines()]
    clean = run_to_the_end(build(tmp_path / "clean", 1), tmp_path / "c.jsonl", *QUICK)
    assert next(r for r in rows if "box" in r) in [json.loads(line) for line in clean.splitlines()]


def test_a_class_that_the_mapping_lacks_does_not_shift_the_others(tmp_path: Path) -> None:
    folder = build(tmp_path / "data", 1)
    mapping = folder / "LOC_synset_mapping.txt"
    mapping.write_text("".join(line for line in mapping.open() if not line.startswith("n01440764")))
    synsets = sl.imagenet_categories().synsets
    data = Ilsvrc(folder, synsets=synsets)
    labels = {sample.name: data.truth(sample).label for sample in data.samples}
    assert labels["val_00_chelsea"] == 285
    (folder / "x.xml").write_text(annotation("n01440764", [(0, 0, 1, 1)]))
    with pytest.raises(BrokenImage) as caught:
        data.truth(Sample("x", Path(), folder / "x.xml"))
    assert "not in LOC_synset_mapping.txt" in says(caught.value)


def test_all_instances_of_the_class_count(tmp_path: Path) -> None:
    folder = build(tmp_path / "data", 1)
    note = folder / "x.xml"
    note.write_text(annotation("n02124075", [(0, 0, 1, 1), (3, 4, 9, 8)]))
    assert Ilsvrc(folder).truth(Sample("x", Path(), note)).boxes == ((0, 0, 1, 1), (3, 4, 9, 8))


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    return printed.err


def test_settings_are_not_mixed_in_one_file(data: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "r.jsonl"
    before = run_to_the_end(data, out, *QUICK, "--limit", "2")
    capsys.readouterr()
    whole = fails(capsys, *command(data, out, *SMALL, "--method", "whole-image"))
    assert "method 'centered-box', this run has 'whole-image'" in whole
    kept = [{**record, "settings": "x"} for record in records.read(out).values()]
    out.write_text("".join(records.line(record) for record in kept))
    assert "settings" in fails(capsys, *command(data, out, *QUICK))
    out.write_bytes(before)
    kept = [{**record, "method": "whole-image"} for record in records.read(out).values()]
    records.part(out, 1).write_text("".join(records.line(record) for record in kept))
    assert "that differ" in fails(capsys, *command(data, out, *QUICK))
    assert out.read_bytes() == before


def test_one_sentence_for_every_mistake(data: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "r.jsonl"
    (tmp_path / "empty").mkdir()
    assert "no Data" in fails(capsys, *command(tmp_path / "empty", out))
    assert "at least 1" in fails(capsys, *command(data, out, "--limit", "0"))
    assert "at least 1" in fails(capsys, *command(data, out, "--batch-size", "0"))
    assert "there is no folder" in fails(capsys, *command(data, tmp_path / "absent" / "r.jsonl"))
    assert "no model" in fails(capsys, *command(data, out, "--model", "lenet"))
    out.write_text("a diary\nof mine\n")
    assert "no JSON" in fails(capsys, *command(data, out, *QUICK))
    assert out.read_text() == "a diary\nof mine\n"
    out.write_text("[1]\n")
    assert "no record" in fails(capsys, *command(data, out, *QUICK))


def test_two_runs_on_one_file(data: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    out = tmp_path / "r.jsonl"
    monkeypatch.setattr(records, "locked", partial(records.locked, patience=0.1))
    with records.locked(out):
        assert "another run is writing" in fails(capsys, *command(data, out, *QUICK))
    assert not out.exists()
    run_to_the_end(data, out, "--method", FAST, "--limit", "2")
    assert json.loads(out.with_suffix(".json").read_text())["model"] == "efficientnet_lite0"  # which is the default


def test_a_full_disk_loses_nothing(
    data: Path, tmp_path: Path, quick: tuple[bytes, str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r.jsonl"
    with no_room_for(1500):
        assert "cannot be written" in fails(capsys, *command(data, out, *QUICK))
    assert 2 <= len(records.read(out)) < 14
    assert run_to_the_end(data, out, *QUICK) == quick[0]


def test_a_process_whose_launcher_died_ends() -> None:
    from saliency_lib.runs.processes import ProcessGroup

    ProcessGroup(0, 2, os.getppid()).check_launcher()
    ProcessGroup(0, 1, -1).check_launcher()
    with pytest.raises(sl.SaliencyError):
        ProcessGroup(0, 2, -1).check_launcher()


@pytest.mark.skipif(not DEV.exists(), reason="the development images are not here")
def test_on_real_images(tmp_path: Path) -> None:
    found = evaluate(DEV, tmp_path / "r.jsonl", method="object-map", limit=16)
    assert found is not None
    assert found["n"] == 16
    assert found["gt_known_error"] < 40
    assert found["top5_error"] < 20
