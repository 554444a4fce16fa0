"""From three numbers a pixel to one."""

import math

import pytest
import scipy.stats
import torch
from helpers import raises_one_line
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import saliency_lib as sl


def gradients() -> st.SearchStrategy[Tensor]:
    """Gradients (N, 3, H, W) in float64, of every magnitude at which a square neither overflows nor vanishes."""
    numbers = st.floats(-1e6, 1e6).map(lambda x: 0.0 if abs(x) < 1e-6 else x)
    shapes = st.tuples(st.integers(1, 3), st.just(3), st.integers(1, 4), st.integers(1, 4))
    return shapes.flatmap(
        lambda shape: st.lists(numbers, min_size=(n := torch.Size(shape).numel()), max_size=n).map(
            lambda values: torch.tensor(values, dtype=torch.float64).view(shape)
        )
    )


def test_the_reductions_of_one_pixel_by_hand() -> None:
    pixel = torch.tensor([3.0, -4.0, 0.0]).view(1, 3, 1, 1)
    assert [sl.reduce_channels(pixel, how).item() for how in ("max", "l2", "sum")] == [4.0, 5.0, 7.0]
    assert sl.reduce_channels(pixel).item() == 4.0  # the paper's is the default


@given(gradients())
def test_max_l2_and_sum_lie_within_a_factor_of_three(w: Tensor) -> None:
    largest, norm, total = (sl.reduce_channels(w, how) for how in ("max", "l2", "sum"))
    assert largest.shape == norm.shape == total.shape == (len(w), *w.shape[2:])
    assert (largest >= 0).all()
    slack = 1 + 1e-12
    assert (largest <= norm * slack).all()
    assert (norm <= total * slack).all()
    assert (total <= 3 * largest * slack).all()


@given(gradients())
def test_the_maximum_is_the_loop_of_the_paper(w: Tensor) -> None:
    found = sl.reduce_channels(w)
    for n, i, j in torch.cartesian_prod(*map(torch.arange, found.shape)).tolist():
        assert found[n, i, j] == max(abs(w[n, k, i, j].item()) for k in range(3))


@given(gradients(), st.sampled_from(["max", "l2", "sum"]), st.floats(0.1, 10))
def test_a_map_scales_with_the_gradient_and_knows_no_sign(w: Tensor, how: str, factor: float) -> None:
    expected = factor * sl.reduce_channels(w, how)
    assert torch.allclose(sl.reduce_channels(-factor * w, how), expected, rtol=1e-9)
    assert torch.equal(sl.reduce_channels(w.flip(1), "max"), sl.reduce_channels(w, "max"))


def test_a_gradient_is_not_changed_by_its_reduction() -> None:
    w = torch.randn(2, 3, 4, 4)
    before = w.clone()
    for how in ("max", "l2", "sum"):
        sl.reduce_channels(w, how)
    assert torch.equal(w, before)


@pytest.mark.parametrize(
    ("gradient", "how", "message"),
    [
        (torch.rand(1, 3, 2, 2), "mean", "no reduction 'mean': use 'max', 'l2', 'sum'"),
        (torch.rand(1, 3, 2, 2), None, "no reduction None"),
        (torch.rand(1, 3, 2, 2), ["max"], "no reduction"),
        (torch.rand(3, 2), "max", r"shape \(N, 3, H, W\), and got \(3, 2\)"),
        (torch.rand(2, 2), "max", "expected a gradient"),
        (None, "max", "expected a gradient"),
    ],
)
def test_what_cannot_be_reduced_says_so(gradient: object, how: object, message: str) -> None:
    with raises_one_line(sl.SaliencyError, message):
        sl.reduce_channels(gradient, how)


def pairs() -> st.SearchStrategy[tuple[list[int], list[int]]]:
    """Two lists of one length, with many ties, neither of them constant."""
    values = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=40)
    lists = values.map(lambda rows: tuple(map(list, zip(*rows, strict=True))))
    return lists.filter(lambda ab: len(set(ab[0])) > 1 and len(set(ab[1])) > 1)


@given(pairs())
def test_rank_correlation_is_spearmans_with_ties(ab: tuple[list[int], list[int]]) -> None:
    ours = sl.rank_correlation(*(torch.tensor(values) for values in ab))
    assert ours == pytest.approx(scipy.stats.spearmanr(*ab).statistic, abs=1e-12)


def test_rank_correlation_of_maps_sees_the_order_only() -> None:
    a, b = torch.rand(2, 224, 224)
    assert sl.rank_correlation(a, b) == pytest.approx(scipy.stats.spearmanr(a.flatten(), b.flatten()).statistic)
    assert sl.rank_correlation(a, a.double().exp()) == pytest.approx(1)
    assert sl.rank_correlation(a, -a) == pytest.approx(-1)
    assert sl.rank_correlation(a.requires_grad_(), b) == sl.rank_correlation(b, a)


def test_rank_correlation_of_a_constant_map_is_not_a_number() -> None:
    assert math.isnan(sl.rank_correlation(torch.rand(3, 3), torch.ones(3, 3)))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (torch.rand(3, 3), torch.rand(1, 3, 3)),
        (torch.rand(1), torch.rand(1)),
        (torch.tensor([1.0, float("nan")]), torch.rand(2)),
    ],
)
def test_rank_correlation_says_what_it_cannot_compare(a: Tensor, b: Tensor) -> None:
    with raises_one_line(sl.SaliencyError):
        sl.rank_correlation(a, b)
