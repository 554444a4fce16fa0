"""The command line: what it prints and writes, and one sentence with exit code 2 on everything wrong."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import saliency_lib as sl
from saliency_lib.cli import main
from saliency_lib.models.load import installed


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The sentence on standard error of a command that must exit with 2 and print nothing else."""
    assert main(list(arguments)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err


def test_saliency_prints_what_the_model_says_and_writes_the_picture(tmp_path: Path, capsys) -> None:
    photo, out = tmp_path / "cup.png", tmp_path / "map.png"
    sl.sample_photo("coffee").save(photo)
    assert main(["saliency", str(photo), "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    best = sl.load_model().top(sl.to_tensor(sl.sample_photo("coffee")))[0]
    assert [line.split(maxsplit=3)[3] for line in lines[1:6]] == [p.name for p in best]
    assert [float(line.split()[0]) for line in lines[1:6]] == pytest.approx([p.score for p in best], abs=0.006)
    with Image.open(out) as picture:
        assert picture.width > 2 * picture.height  # three squares side by side
        assert np.asarray(picture.convert("L")).std() > 20


def test_one_sentence_for_every_mistake(tmp_path: Path, capsys) -> None:
    out = str(tmp_path / "map.png")
    text = tmp_path / "text.jpg"
    text.write_text("no photo")
    assert "there is no file" in fails(capsys, "saliency", "absent.jpg", "--out", out)
    assert "not an image" in fails(capsys, "saliency", str(text), "--out", out)
    assert "'coffee mug' (504)" in fails(capsys, "saliency", "coffee", "--class", "mug", "--out", out)
    assert "could be any of" in fails(capsys, "saliency", "coffee", "--class", "crane", "--out", out)
    assert "no class 1000" in fails(capsys, "saliency", "coffee", "--class", "1000", "--out", out)
    assert "no model 'alexnext'" in fails(capsys, "saliency", "coffee", "--model", "alexnext", "--out", out)
    assert "should end in" in fails(capsys, "saliency", "coffee", "--out", str(tmp_path / "map.xyz"))
    assert "no folder" in fails(capsys, "saliency", "coffee", "--out", str(tmp_path / "absent" / "map.png"))
    assert not Path(out).exists()


def test_mistakes_in_the_command_itself_exit_with_2(capsys) -> None:
    for arguments in (
        [],
        ["saliency"],
        ["saliency", "coffee"],
        ["saliency", "coffee", "--rule", "magic", "--out", "x.png"],
    ):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
        assert "usage:" in capsys.readouterr().err


def test_help_names_every_option_and_the_sample_photos(capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["saliency", "--help"])
    shown = capsys.readouterr().out
    for word in ("--class", "--model", "--rule", "--channels", "--out", "guided", *sl.sample_photos()):
        assert word in shown


def test_models_lists_the_embedded_network_first_and_the_cached_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = tmp_path / "hub" / "checkpoints"
    cached.mkdir(parents=True)
    (cached / "squeezenet1_1-b8a52dc0.pth").touch()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert main(["models"]) == 0
    own, lines = list(installed()), capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[: len(own)]] == own
    assert re.fullmatch(r"efficientnet_lite0 +embedded", lines[0])
    assert all(line.endswith(" embedded") for line in lines[: len(own)])
    assert re.fullmatch(r"squeezenet1_1 +cached", lines[len(own)])
    assert all(line.endswith("needs a download") for line in lines[len(own) + 1 :])
    assert any(line.startswith("vgg16 ") for line in lines)


def test_localizing_with_a_network_whose_layers_nobody_knows_says_so(tmp_path: Path, capsys) -> None:
    command = ["localize", "coffee", "--model", "efficientnet_lite1", "--out", str(tmp_path / "x.png")]
    assert "good layers are not known for this network" in fails(capsys, *command)


def test_localize_looks_at_the_whole_photo(tmp_path: Path, capsys) -> None:
    photo = sl.sample_photo("rocket")
    assert main(["localize", "rocket", "--class", "missile", "--out", str(tmp_path / "box.png")]) == 0
    printed = capsys.readouterr().out
    saliency = sl.object_map(sl.load_model(), sl.to_tensor(photo, crop=False), "missile")
    expected = sl.threshold_box(photo, saliency, threshold=0.35).box
    assert f"missile: {expected} of {photo.width} x {photo.height} pixels" in printed
    boxed = ["--model", "creature_convnet", "--class", "owl", "--method", "centered-box"]  # without a map
    assert main(["localize", "rocket", *boxed, "--out", str(tmp_path / "centered.png")]) == 0
    assert "owl: (" in capsys.readouterr().out
    for name in ("box", "centered"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.width > 300


def test_a_map_by_any_method_of_any_target(tmp_path: Path, capsys) -> None:
    asked = {
        "plain": [],
        "class": ["--class", "owl"],
        "rule": ["--rule", "guided"],
        "channels": ["--channels", "sum"],
        "method": ["--method", "grad-cam"],
        "layer": ["--method", "grad-cam", "--layer", "features.4"],
        "difference": ["--class", "owl", "--against", "cat"],
        "unit": ["--unit", "features.7:17"],
    }
    command = ["saliency", "coffee", "--model", "creature_convnet"]
    written = {}
    for name, options in asked.items():
        out = tmp_path / f"{name}.png"
        assert main([*command, *options, "--out", str(out)]) == 0
        written[name] = out.read_bytes()
    assert len(set(written.values())) == len(asked)
    capsys.readouterr()
    out = ("--out", str(tmp_path / "x.png"))
    assert "typed LAYER:CHANNEL" in fails(capsys, *command, "--unit", "17", *out)
    assert "one or the other" in fails(capsys, *command, "--unit", "features.7:1", "--class", "5", *out)
    assert "there is no layer 'block'" in fails(capsys, *command, "--unit", "block:1", *out)
    assert "has no option --layer" in fails(capsys, *command, "--layer", "features.7", *out)


def test_no_library_frames_reach_the_user(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setattr("urllib.request._opener", None)  # one that an earlier test used knows no proxy
    said = fails(capsys, "saliency", "coffee", "--model", "resnet18", "--out", str(tmp_path / "x.png"))
    assert said.startswith("saliency_lib: the weights of resnet18 could not be downloaded")
    assert "efficientnet_lite0 needs no download" in said


def test_class_image_draws_one_picture_a_class_and_says_what_the_network_sees(tmp_path: Path, capsys) -> None:
    out = tmp_path / "sheet.png"
    command = ["class-image", "owl", "8", "--model", "creature_convnet", "--steps", "60", "--out", str(out)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert printed.index("owl, as the network sees it") < printed.index("starfish, as the network sees it")
    first = [line for line in printed.splitlines() if re.match(r" +\d+\.\d+ +1\.000", line)]
    assert [line.split()[-1] for line in first] == ["owl", "starfish"]
    with Image.open(out) as picture:
        assert picture.width > 1.7 * picture.height
    written = out.read_bytes()
    assert main(command) == 0
    assert out.read_bytes() == written  # the same seed
    assert main([*command, "--seed", "1"]) == 0
    assert out.read_bytes() != written


def test_class_image_takes_a_size_and_as_many_steps_as_its_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from saliency_lib.cli import pictures

    asked: list[tuple[int, int]] = []
    original = pictures.class_image

    def brief(*given: object, steps: int, size: int, **more: object) -> sl.ClassImage:
        asked.append((steps, size))
        return original(*given, steps=1, size=size, **more)

    monkeypatch.setattr(pictures, "class_image", brief)
    command = ["class-image", "goose", "--size", "32", "--out", str(tmp_path / "sheet.png")]
    assert main(command) == 0
    assert main([*command, "--recipe", "paper"]) == 0
    assert main([*command, "--recipe", "paper", "--steps", "60"]) == 0
    assert asked == [(320, 32), (160, 32), (60, 32)]


def test_class_image_says_that_it_was_interrupted(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    from saliency_lib.cli import pictures

    def stop(step: int, images: object) -> None:
        if step == 3:
            raise KeyboardInterrupt

    original = pictures.class_image
    monkeypatch.setattr(pictures, "class_image", lambda *a, **k: original(*a, **k, callback=stop))
    out = tmp_path / "sheet.png"
    assert main(["class-image", "owl", "--model", "creature_convnet", "--out", str(out)]) == 0
    assert "interrupted after 3 of 320 steps" in capsys.readouterr().err
    assert out.stat().st_size > 1000


def test_class_image_says_in_one_sentence_what_is_wrong(tmp_path: Path, capsys) -> None:
    out = ["--model", "creature_convnet", "--out", str(tmp_path / "sheet.png")]
    assert "there is no class 'unicorn'" in fails(capsys, "class-image", "owl", "unicorn", *out)
    assert "at least 1" in fails(capsys, "class-image", "owl", "--steps", "0", *out)
    assert "should end in one of" in fails(capsys, "class-image", "owl", "--out", str(tmp_path / "sheet.txt"))
