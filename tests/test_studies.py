"""Studies: what they claim, how they are run through interruptions and bad photographs, and what is stored of them."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import nothing_changes
from PIL import Image
from scipy import stats

import saliency_lib as sl
from saliency_lib import cli, controls
from saliency_lib.comparison.metrics.on_the_object import mass
from saliency_lib.errors import SaliencyError
from saliency_lib.studies import results
from saliency_lib.studies.run import CONFIRM, FIND, halves, run_studies
from saliency_lib.studies.study import Case, Found, Study, find_study, studies, study

STORED = results.stored()


def brightness(at: Case) -> Found:
    """Photographs are brighter than black.

    Refuted if one is black.
    """
    value = at.images.mean((1, 2, 3))
    return Found(value, torch.zeros_like(value))


@pytest.fixture
def bright(monkeypatch: pytest.MonkeyPatch) -> Study:
    made = Study("brightness", brightness, "more", 0.0, False, "", 150, ("creature_convnet",))
    monkeypatch.setattr("saliency_lib.studies.run.find_study", lambda name: made)
    return made


def run_study(name: str, out: Path, **settings: Any) -> dict[str, Any]:
    found = run_studies([name], out, **settings)
    assert found is not None
    return found[name]


def photos(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    for number in range(count):
        pixels = rng.integers(1, 255, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")
    return folder


# What they claim


@pytest.mark.parametrize("name", studies())
def test_a_study_says_what_it_claims_and_what_would_refute_it(name: str) -> None:
    said = find_study(name).of.__doc__ or ""
    assert find_study(name).claim.endswith(".")
    assert len(find_study(name).claim) < 160
    assert "Refuted if" in " ".join(said.split())


def test_studies_are_short_and_many() -> None:
    assert len(studies()) >= 20
    import ast
    import inspect
    import textwrap

    lengths = {}
    for name, one in studies().items():
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(one.of))).body
        assert isinstance(tree, ast.FunctionDef)
        lengths[name] = (tree.body[-1].end_lineno or 0) - tree.body[1].lineno + 1
    assert max(lengths.values()) <= 20, lengths


def test_an_unknown_study_is_named_with_all() -> None:
    first, *_, last = studies()
    with pytest.raises(SaliencyError, match=f"{first}.*{last}"):
        find_study("saliency-in-object")
    with pytest.raises(SaliencyError, match="direction"):
        study("higher")


def test_a_study_is_what_its_claim_says() -> None:
    """One of them by hand: the share in the box, beside the larger of the two nulls."""
    model = sl.load_model("creature_convnet").cpu()
    drawn = sl.creatures(3, seed=5)
    value, null = find_study("saliency-on-object").of(Case(model, drawn.images, drawn.labels, drawn.masks))
    maps = sl.saliency_map(model, drawn.images, drawn.labels)
    assert torch.allclose(value, mass(maps, drawn.masks))
    area = drawn.masks.double().mean((1, 2))
    middle = mass(controls.center(drawn.images), drawn.masks)
    assert torch.allclose(null.double(), torch.maximum(area, middle.double()), atol=1e-6)


def test_a_study_leaves_the_network_as_it_was() -> None:
    model = sl.load_model("creature_convnet").cpu()
    drawn = sl.creatures(2, seed=6)
    for name in ("saliency-knows-the-class", "noise-changes-the-map", "linear-part-is-small"):
        with nothing_changes(model, drawn.images):
            found = find_study(name).of(Case(model, drawn.images, drawn.labels, drawn.masks, model))
        assert found.value.shape == found.null.shape == (2,)


# How they are run


def test_halves_are_a_matter_of_the_name() -> None:
    names = [f"{number}.jpg" for number in range(11)]
    found = halves(names)
    assert sorted(found.values()).count(FIND) == 6
    assert halves(names[::-1]) == found
    assert list(halves(names, 2)) == list(found)[:2] + list(found)[6:8]
    few = halves(names, 2)
    assert len(few) == 4
    assert all(found[name] == half for name, half in few.items())


def test_numbers_are_what_scipy_says(bright: Study, tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 24)
    found = run_study("brightness", tmp_path / "r.jsonl", folder=str(folder))
    own = found["networks"]["creature_convnet"]
    assert (own["find"]["n"], own["confirm"]["n"], own["all"]["n"]) == (12, 12, 24)
    model = sl.load_model("creature_convnet")
    half = halves([path.name for path in folder.iterdir()])
    value = np.array(
        [model.to_tensor(sl.load_image(folder / name)).mean().item() for name in sorted(half) if half[name] == CONFIRM]
    )
    assert own["confirm"]["mean"] == pytest.approx(value.mean(), abs=1e-5)
    assert own["confirm"]["deviation"] == pytest.approx(value.std(ddof=1), rel=1e-3)
    bounds = stats.bootstrap((value,), np.mean, rng=0).confidence_interval
    assert own["confirm"]["difference"][1:] == pytest.approx([bounds.low, bounds.high], abs=0.002)
    assert own["confirm"]["against"] == 0
    assert found["verdict"] == "holds"
    assert not any("png" in json.dumps(results.kept(found)[key]) for key in results.kept(found))


def test_photographs_that_cannot_be_used_are_counted_and_named(bright: Study, tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 6)
    (folder / "broken.jpg").write_bytes(b"no photo")
    (folder / "cut.png").write_bytes((folder / "000.png").read_bytes()[:200])
    Image.new("L", (1, 1), 77).save(folder / "tiny.png")
    Image.new("L", (30, 20), 200).save(folder / "gray.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20), "red").save(folder / "rotated.jpg", exif=exif)
    found = run_study("brightness", tmp_path / "r.jsonl", folder=str(folder))
    assert set(found["broken"]) == {"broken.jpg", "cut.png"}
    assert found["networks"]["creature_convnet"]["all"]["n"] == 9
    Image.new("RGB", (9, 9), "blue").save(folder / "broken.jpg")
    mended = run_study("brightness", tmp_path / "r.jsonl", folder=str(folder))
    assert set(mended["broken"]) == {"cut.png"}


def test_what_needs_boxes_says_so(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 2)
    with pytest.raises(SaliencyError, match="needs to know where the objects are"):
        run_study("saliency-on-object", tmp_path / "r.jsonl", folder=str(folder), models=["creature_convnet"])
    with pytest.raises(SaliencyError, match="second network"):
        run_study("networks-agree-less-than-classes", tmp_path / "r.jsonl", models=["creature_convnet"])


def test_all_says_which_do_not_fit(bright: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    boxed = dataclasses.replace(bright, name="in-a-box", masks=True)
    few = {"brightness": bright, "in-a-box": boxed}
    for module in ("run.all_studies", "study.studies"):
        monkeypatch.setattr(f"saliency_lib.studies.{module}", lambda: few)
    assert cli.main(["study", "all", str(photos(tmp_path / "photos", 2))]) == 0
    said = capsys.readouterr().out
    assert "not asked, since they do not fit" in said
    assert said.rstrip().endswith("  in-a-box")


def test_a_study_goes_on_where_it_was_killed(bright: Study, tmp_path: Path) -> None:
    """The file ends in the middle of a line; kills of real processes are in `test_interruptions`."""
    given = {"folder": str(photos(tmp_path / "photos", 20))}
    whole = run_study("brightness", tmp_path / "whole.jsonl", **given)
    text = (tmp_path / "whole.jsonl").read_bytes()
    (tmp_path / "killed.jsonl").write_bytes(text[: len(text) // 2])
    assert run_study("brightness", tmp_path / "killed.jsonl", **given) == whole
    assert (tmp_path / "killed.jsonl").read_bytes() == text


# What is stored


def test_stored_results_name_no_photograph() -> None:
    text = json.dumps(STORED)
    assert "ILSVRC2012" not in text
    assert ".JPEG" not in text
    assert all(isinstance(one["broken"], int) for one in STORED.values())


def test_stored_results_are_of_the_studies_as_they_are() -> None:
    for name, one in STORED.items():
        assert one["settings"] == find_study(name).digest, name
        assert one["claim"] == find_study(name).claim, name
    assert len(STORED) >= 20


@pytest.mark.parametrize("name", STORED)
def test_a_stored_verdict_follows_from_its_photos(name: str) -> None:
    one = find_study(name)
    for parts in STORED[name]["networks"].values():
        photos_ = parts["confirm"]["photos"]
        d = np.array(photos_["value"]) - np.array(photos_["null"])
        assert len(d) == parts["confirm"]["n"]
        assert d.mean() == pytest.approx(parts["confirm"]["difference"][0], abs=0.01 * max(1, abs(d).max()))
        low = parts["confirm"]["difference"][1]
        assert low <= d.mean() + 1e-3 * max(1, abs(d).max())
        if one.direction == "more" and parts["confirm"]["verdict"] == "holds":
            assert low > 0
            assert stats.binomtest(int((d > 0).sum()), len(d)).pvalue < 0.2 or d.mean() > 0


def test_three_networks_agree_as_the_page_on_statistics_says() -> None:
    asked = 0
    for one in STORED.values():
        halves = [one["networks"].get(f"efficientnet_lite{n}", {}).get("confirm", {"n": 0}) for n in range(3)]
        if min(half["n"] for half in halves) >= 60:
            asked += 1
            assert len({half["verdict"] for half in halves}) == 1, one["claim"]
    assert asked > 20


def test_list_has_a_line_for_each(capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["study", "--list"]) == 0
    said = capsys.readouterr().out
    for name, one in studies().items():
        assert said.count(name) >= 1
        assert one.claim in said


def test_a_chapter_takes_its_number_from_the_file() -> None:
    found = results.stored_result("saliency-on-object")
    assert found["n"] > 0
    assert results.stored_result("saliency-on-object", half="find") != found
    with pytest.raises(SaliencyError, match="no results are stored"):
        results.stored_result("saliency-in-object")
    with pytest.raises(SaliencyError, match="there are results of"):
        results.stored_result("saliency-on-object", "vgg16")


def test_other_photographs_are_compared_with_the_stored_half(bright: Study, tmp_path: Path) -> None:
    first = run_study("brightness", tmp_path / "a.jsonl", folder=str(photos(tmp_path / "a", 20)))
    known = {"brightness": results.kept(first)}
    (same,) = results.compared({"brightness": first}, known)
    assert same["agrees"]
    darker = json.loads(json.dumps(first))
    parts: dict[str, Any] = darker["networks"]["creature_convnet"]["all"]
    parts["difference"][0] -= 0.3
    (other,) = results.compared({"brightness": darker}, known)
    assert not other["agrees"]
    assert other["change"].high < 0
