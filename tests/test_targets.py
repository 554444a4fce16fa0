"""What to explain: every way to say it, and every way to get it wrong."""

import numpy as np
import pytest
import torch
from helpers import raises_one_line, says
from hypothesis import given
from hypothesis import strategies as st

import saliency_lib as sl
from saliency_lib.targets import Answer, Target, select

NAMES = sl.Categories(["cat", "dog", "bird"], ["n1", "n2", "n3"])
SCORES = torch.tensor([[1.0, 3.0, 2.0], [9.0, 7.0, 8.0]])


def pick(scores: torch.Tensor, target: Target, names: sl.Categories | None = None) -> torch.Tensor:
    """What a target selects from these scores, of classes with these names."""
    return select(Answer(scores, sl.Head("softmax", names)), target)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (None, [3.0, 9.0]),
        (2, [2.0, 8.0]),
        ("bird", [2.0, 8.0]),
        ("n3", [2.0, 8.0]),
        ("2", [2.0, 8.0]),
        ([0, 1], [1.0, 7.0]),
        ((0, "dog"), [1.0, 7.0]),
        (["n1", "DOG"], [1.0, 7.0]),
        (range(2), [1.0, 7.0]),
        (np.int64(2), [2.0, 8.0]),
        (np.array(2), [2.0, 8.0]),
        (np.array([0, 1], dtype=np.uint8), [1.0, 7.0]),
        (np.array(["cat", "dog"]), [1.0, 7.0]),
        ([np.int32(0), torch.tensor(1)], [1.0, 7.0]),
        (torch.tensor(2), [2.0, 8.0]),
        (torch.tensor([0, 1]), [1.0, 7.0]),
        (torch.tensor([0, 1], dtype=torch.uint8), [1.0, 7.0]),
        (lambda scores: scores[:, 0] * 10, [10.0, 90.0]),
    ],
)
def test_every_kind_of_target_selects_its_scores(target: Target, expected: list[float]) -> None:
    assert pick(SCORES, target, NAMES).tolist() == expected


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (3, "no class 3: the classes are 0 to 2"),
        (-1, "no class -1"),
        ("fish", "no class 'fish'"),
        ("", "no class ''"),
        ([0], "got 1 targets for 2 images"),
        ([0, 1, 2], "got 3 targets for 2 images"),
        ([], "got 0 targets"),
        ([0, None], "a class is an index or a name, not None"),
        ([0, 1.0], "not 1.0"),
        ([[0], [1]], r"not \[0\]"),
        ([True, 0], "not True"),
        (True, "not True"),
        (1.0, "not float"),
        ({0: 1}, "not dict"),
        ({0, 1}, "not set"),
        (object(), "not object"),
        (torch.tensor([0.0, 1.0]), "torch.float32"),
        (torch.tensor([True, False]), "torch.bool"),
        (torch.tensor([0, 1], dtype=torch.complex64), "torch.complex64"),
        (torch.tensor([[0], [1]]), r"shape \(2, 1\)"),
        (torch.tensor([0, 1, 2]), "got 3 targets"),
        (torch.tensor([0, 3]), "no class 3"),
        (np.array([0.5, 1.0]), "not 0.5"),
        (np.array([[0], [1]]), r"not \[0\]"),
        (lambda scores: scores, r"shape \(2,\), and returned \(2, 3\)"),
        (lambda scores: scores.sum(), r"returned \(\)"),
        (lambda scores: scores[:1, 0], r"returned \(1,\)"),
        (lambda scores: 1.0, "returned float"),
        (lambda scores: scores[:, 0].tolist(), "returned list"),
        (lambda scores: None, "returned NoneType"),
    ],
)
def test_wrong_targets_say_what_is_wrong(target: object, message: str) -> None:
    with raises_one_line(sl.TargetError, message):
        pick(SCORES, target, NAMES)  # type: ignore[arg-type]


def test_one_image_is_not_spoken_of_in_the_plural() -> None:
    with pytest.raises(sl.TargetError, match=r"got 2 targets for 1 image$"):
        pick(SCORES[:1], [0, 1], NAMES)


def test_a_model_may_score_fewer_classes_than_have_names() -> None:
    with pytest.raises(sl.TargetError, match="no class 2: the model scores 2 classes"):
        pick(SCORES[:, :2], "bird", NAMES)


def test_without_names_classes_are_numbered() -> None:
    assert pick(SCORES, "class 1").tolist() == [3.0, 7.0]
    with pytest.raises(sl.TargetError, match="no class 'dog'"):
        pick(SCORES, "dog")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 5) | st.integers() | st.floats() | st.text() | st.binary(),
    lambda parts: st.lists(parts, max_size=3) | st.tuples(parts, parts) | st.dictionaries(st.text(), parts, max_size=2),
    max_leaves=4,
)


@given(ANYTHING)
def test_anything_is_a_target_or_a_clear_error(target: object) -> None:
    try:
        selected = pick(SCORES, target, NAMES)  # type: ignore[arg-type]
    except sl.TargetError as error:
        says(error)
    else:
        assert selected.shape == (2,)
        assert all(value in row for value, row in zip(selected.tolist(), SCORES.tolist(), strict=True))


@given(st.lists(st.lists(st.floats(-1e3, 1e3, width=32), min_size=4, max_size=4), min_size=1, max_size=3))
def test_no_target_is_the_highest_score(rows: list[list[float]]) -> None:
    assert pick(torch.tensor(rows), None).tolist() == [max(row) for row in rows]


def test_the_posterior_is_the_softmax() -> None:
    for target in (2, "class 2", [2, 2], torch.tensor([2, 2])):
        assert torch.equal(sl.posterior(target)(SCORES[:, :3]), SCORES.softmax(1)[:, 2])
    assert torch.equal(sl.posterior()(SCORES), SCORES.softmax(1).max(1).values)


def test_the_posterior_knows_the_names_of_the_model_and_guesses_none() -> None:
    scores = torch.randn(2, 1000)
    names = [f"name {i}" for i in range(1000)]
    assert torch.equal(pick(scores, sl.posterior("name 285"), sl.Categories(names)), scores.softmax(1)[:, 285])
    with pytest.raises(sl.TargetError, match="no class 'Egyptian cat'"):  # a thousand scores need not be ImageNet's
        sl.posterior("Egyptian cat")(scores)


@pytest.mark.parametrize("target", [3, -1, [0], "no such class", 1.5])
def test_a_posterior_of_no_class_says_so(target: object) -> None:
    with raises_one_line(sl.TargetError):
        pick(SCORES, sl.posterior(target), NAMES)  # type: ignore[arg-type]


def test_the_targets_and_scores_are_not_changed(device: torch.device) -> None:
    scores = SCORES.clone().to(device).requires_grad_()
    classes = torch.tensor([0, 1], device=device)
    assert pick(scores, classes, NAMES).requires_grad
    for target in (None, [0, 1], classes, sl.posterior(1)):
        assert pick(scores, target, NAMES).device == scores.device
    assert torch.equal(scores.detach().cpu(), SCORES)
    assert classes.tolist() == [0, 1]
    assert scores.grad is None
