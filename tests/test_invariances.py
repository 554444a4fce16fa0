"""What stays and what changes when something changes that no answer depends on."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from helpers import nothing_changes
from torch import Tensor

import saliency_lib as sl
from saliency_lib.cli.main import main
from saliency_lib.comparison.explainers import Explainer, find_explainers
from saliency_lib.errors import SaliencyError
from saliency_lib.invariances import table
from saliency_lib.invariances.changes import CHANGES, Asked, Change
from saliency_lib.invariances.questions import PROOFS, QUESTIONS
from saliency_lib.invariances.table import Entry, as_json, entries, from_json, markdown, measured
from saliency_lib.methods.method import method_names

ROOT = Path(__file__).resolve().parent.parent
QUICK = [
    "gradient",
    "guided",
    "deconvnet",
    "gradient-times-input",
    "lrp",
    "lrp-z-plus",
    "grad-cam",
    "layer-saliency",
    "occlusion",
]


@cache
def asked() -> Asked:
    model = sl.load_model("creature_convnet").cpu().double()
    images = sl.creatures(2, seed=3).images.double()
    label = int(model(images[:1]).argmax(1))
    return Asked(model, images, label, label, model.layers.localization)


@cache
def explainer(method: str) -> Explainer:
    (found,) = find_explainers([method], asked().model, "creature_convnet")
    return replace(found, settings={"patch": 16}) if method == "occlusion" else table._with_few(found)


@cache
def entry(method: str, change: str) -> Entry:
    (found,) = entries(explainer(method), asked(), [change])
    return found


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_description_changes_no_answer(name: str) -> None:
    before, after = CHANGES[name].pair(asked())
    with torch.no_grad():
        P = after.model.head.probabilities(after.model(after.images))
        assert P is not None
        expected = before.model(before.images).softmax(1)
    assert torch.allclose(CHANGES[name].answers(P).double(), expected, atol=1e-5)
    assert before.model is asked().model


def test_a_change_that_is_more_than_one_of_description_is_refused() -> None:
    darker = Change("the image is darker", lambda at: at._replace(images=at.images * 0.5))
    with pytest.raises(SaliencyError, match="says something else"):
        darker.pair(asked())


def test_nothing_of_the_callers_changes() -> None:
    with nothing_changes(asked().model, asked().images):
        for change in CHANGES.values():
            change.pair(asked())


@pytest.mark.parametrize("change", PROOFS)
def test_what_is_proved_is_so(change: str) -> None:
    proved = [entry(name, change) for name in PROOFS[change][1] if name in QUICK]
    assert len(proved) >= 3
    for one in proved:
        assert one.stands, one
        assert one.rank is not None
        assert one.rank > 0.999


def test_the_factor_is_that_of_the_chain_rule() -> None:
    assert entry("gradient", "pixel scale").factor == pytest.approx(2)
    assert entry("gradient", "pixel origin").factor == pytest.approx(1)
    assert entry("gradient-times-input", "pixel scale").factor == pytest.approx(1)
    assert entry("gradient", "enlarge").factor == pytest.approx(1 / 4)
    with torch.no_grad():
        P = asked().model(asked().images).softmax(1)[:, asked().label]
    one = asked()._replace(images=asked().images[:1])
    by_probability, by_odds = entries(explainer("gradient"), one, ["probability", "log-odds"])
    assert by_probability.factor == pytest.approx(P[0].item())
    assert by_odds.factor == pytest.approx(1 / (1 - P[0].item()))


def test_what_is_known_to_fall_falls() -> None:
    assert not entry("gradient", "offset").stands
    assert not entry("gradient-times-input", "pixel origin").stands
    assert not entry("layer-saliency", "feature units").stands
    assert entry("grad-cam", "feature units").stands
    assert entry("lrp-z-plus", "batch norm").said == "-"
    assert not entry("gradient", "block size").stands


def _gradient_where_it_is_bright(at: Asked) -> Tensor:
    return sl.saliency_map(at.model, at.images, at.target) * (at.images.mean(1) > 0.5)


def _size_of_features(at: Asked) -> Tensor:
    return sl.activations(at.model, at.images, ["features.7"])["features.7"].norm(dim=1)


@pytest.mark.parametrize(
    ("planted", "change"), [(_gradient_where_it_is_bright, "pixel origin"), (_size_of_features, "feature units")]
)
def test_a_planted_error_shows(planted: table.Explain, change: str) -> None:
    one = measured("planted", planted, change, asked())
    assert not one.stands
    assert one.relative is not None
    assert one.relative > 0.1
    others = [measured("planted", planted, name, asked()) for name in ("functions", "two layers", "constant")]
    assert all(other.stands for other in others)


def test_every_method_says_what_it_answers() -> None:
    assert set(method_names()) | {"guided", "deconvnet"} <= set(QUESTIONS)
    assert set(QUESTIONS.values()) == {"change", "share", "intervention", "none"}
    assert all(set(names) <= set(QUESTIONS) for _, names in PROOFS.values())


def test_the_page_shows_what_was_measured() -> None:
    text = (ROOT / "data" / "invariances.json").read_text("utf-8")
    kept = from_json(text)
    assert as_json(kept) == text
    page = (ROOT / "reference" / "invariances.md").read_text("utf-8")
    for network, rows in kept.items():
        assert table.stored(network) == rows
        assert markdown(rows) in page, network
    stored = {(one.method, one.change): one for one in kept["creature_convnet"]}
    for change, (_, names) in PROOFS.items():
        for name in names:
            if name in QUICK or (name, change) in stored:
                assert stored[name, change].stands, (name, change)
    assert not stored["gradient", "offset"].stands
    assert not stored["layer-saliency", "feature units"].stands


def test_a_method_that_is_measured_anew_leaves_the_others_their_rows(tmp_path: Path, capsys) -> None:
    file = tmp_path / "rows.json"
    first = [one for one in table.stored("creature_convnet") if one.method in ("gradient", "grad-cam")]
    file.write_text(as_json({"creature_convnet": first}), "utf-8")
    asked = ["--model", "creature_convnet", "--methods", "gradient", "--images", "1", "--single", "--json", str(file)]
    assert main(["invariances", *asked]) == 0
    kept = from_json(file.read_text("utf-8"))["creature_convnet"]
    assert {one.method for one in kept} == {"gradient", "grad-cam"}
    assert [one for one in kept if one.method == "grad-cam"] == [one for one in first if one.method == "grad-cam"]
    assert str(file) in capsys.readouterr().out
