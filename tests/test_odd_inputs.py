"""A sample of the odd inputs that `benchmarks.odd_inputs` tries, and the vocabulary of arguments by generated ones."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import says
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import saliency_lib as sl
from benchmarks.odd_inputs import GOOD, Case, cases, outcome
from saliency_lib import checks

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=9),
    st.lists(st.integers(-9, 9), max_size=5),
    st.tuples(st.floats(), st.floats(), st.floats(), st.floats()),
    st.integers(-9, 9).map(np.int16),
    st.floats(width=32).map(np.float32),
    st.lists(st.floats(width=32), max_size=4).map(torch.tensor),
    st.lists(st.integers(-300, 300), min_size=4, max_size=4).map(lambda box: np.array(box, np.int16)),
    st.just(Image.new("RGB", (3, 3))),
    st.just(object()),
)


def sample(folder: Path) -> list[Case]:
    """Every so many-th case of each room."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nested tensors announce themselves
        every = cases(folder)
    package = [case for case in every if case.room == "package"]
    steps = {"photos": 4, "server": 3, "evaluation": 9, "commands": 60}
    return package[::29] + [c for room, step in steps.items() for c in [c for c in every if c.room == room][::step]]


def test_a_sample_of_odd_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TQDM_DISABLE", "1")
    chosen = sample(tmp_path)
    assert len(chosen) > 200
    found = {f"{case.room}: {case.title}": outcome(case) for case in chosen}
    assert {title: what for title, what in found.items() if what[0] not in GOOD} == {}
    assert sum(kind == "clear" for kind, _ in found.values()) > 100
    assert sum(kind == "right" for kind, _ in found.values()) > 50


def test_there_are_more_than_fifteen_hundred(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        titles = [f"{case.room}: {case.title}" for case in cases(tmp_path)]
    assert len(titles) > 1500
    assert {title.split(":")[0] for title in titles} == {"package", "photos", "commands", "evaluation", "server"}


def test_an_outcome_is_told_apart(tmp_path: Path) -> None:
    """The table can fail: every kind of outcome that a case can have is seen as what it is."""

    def refuse() -> None:
        raise sl.SaliencyError("no")

    def long() -> None:
        raise sl.SaliencyError("")

    assert outcome(Case("x", "x", lambda: 1))[0] == "right"
    assert outcome(Case("x", "x", lambda: 1, lambda found: False))[0] == "wrong"
    assert outcome(Case("x", "x", refuse))[0] == "clear"
    assert outcome(Case("x", "x", long))[0] == "frames"
    assert outcome(Case("x", "x", lambda: 1 / 0))[0] == "frames"


def said(error: BaseException, beginning: str) -> None:
    assert says(error).startswith(beginning)


@settings(max_examples=150, deadline=None)
@given(ANYTHING, st.integers(-3, 3), st.integers(0, 9))
def test_whole_numbers(value: Any, least: int, more: int) -> None:
    try:
        found = checks.whole("n", value, least, least + more)
    except sl.SaliencyError as error:
        said(error, "n should be a whole number")
    else:
        assert type(found) is int
        assert found == value
        assert least <= found <= least + more
        assert not isinstance(value, bool | float)


@settings(max_examples=150, deadline=None)
@given(ANYTHING)
def test_numbers(value: Any) -> None:
    try:
        found = checks.number("x", value, -1, 1)
    except sl.SaliencyError as error:
        said(error, "x should be a number")
    else:
        assert -1 <= found <= 1
        assert not isinstance(value, bool | str)


@settings(max_examples=150, deadline=None)
@given(ANYTHING, ANYTHING)
def test_boxes(a: Any, b: Any) -> None:
    try:
        overlap = sl.box_iou(a, b)
    except sl.SaliencyError as error:
        said(error, "a box is")
    else:
        assert 0 <= overlap <= 1
        assert len(a) == len(b) == 4


@settings(max_examples=100, deadline=None)
@given(ANYTHING)
def test_everything_else_of_the_vocabulary(value: Any) -> None:
    for check in (
        checks.check_size,
        checks.check_photo,
        checks.check_images,
        checks.check_map,
        checks.seed_of,
        lambda value: checks.numbers("x", value),
        lambda value: checks.one_of("word", value, ("a", "b")),
        lambda value: checks.some_of("word", value, ("a", "b")),
        lambda value: checks.function("f", value),
    ):
        try:
            check(value)
        except sl.SaliencyError as error:
            says(error)


def test_what_is_too_large_is_refused_before_memory_is_taken() -> None:
    for use in (
        lambda: sl.creatures(10**9),
        lambda: sl.scenes(10**12),
        lambda: sl.class_image(torch.nn.Flatten(), list(range(10**6)), size=200),
        lambda: sl.to_tensor(Image.new("RGB", (3, 3)), 10**6),
    ):
        with pytest.raises(sl.SaliencyError, match="GB") as caught:
            use()
        says(caught.value)
