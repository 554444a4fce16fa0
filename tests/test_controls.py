"""What a map must beat, and what numbers of some photos say of all."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import nothing_changes
from scipy import stats
from torch import nn

import saliency_lib as sl
from saliency_lib import controls, statistics
from saliency_lib.errors import SaliencyError
from saliency_lib.statistics import Interval, interval, of_means

IMAGES = torch.rand(3, 3, 20, 30, generator=torch.Generator().manual_seed(0))


def explain(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return sl.saliency_map(model, images, labels)


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 9))


def test_a_region_in_the_middle_has_a_larger_null_than_its_area() -> None:
    masks = torch.zeros(2, 20, 30, dtype=torch.bool)
    masks[0, 8:12, 12:18] = True
    masks[1, :4, :6] = True
    middle, corner = controls.region_null(masks).tolist()
    assert middle > 24 / 600 + 0.03
    assert corner == pytest.approx(24 / 600)
    y, x = np.mgrid[0:20, 0:30]
    by_hand = np.exp(-8 * (((y + 0.5) / 20 - 0.5) ** 2 + ((x + 0.5) / 30 - 0.5) ** 2))
    assert middle == pytest.approx(by_hand[8:12, 12:18].sum() / by_hand.sum(), rel=1e-5)


def test_edges_are_the_slope_of_the_brightness() -> None:
    y, x = torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing="ij")
    plane = (0.02 * y + 0.05 * x).expand(1, 3, 9, 9)
    inner = controls.edges(plane)[0, 1:-1, 1:-1]
    assert torch.allclose(inner, torch.full_like(inner, 8 * math.hypot(0.02, 0.05)), rtol=1e-4)


@pytest.mark.parametrize("name", controls.CONTROLS)
def test_a_map_without_a_network_depends_on_its_own_image_alone(name: str) -> None:
    maps = controls.CONTROLS[name](IMAGES)
    assert maps.shape == (3, 20, 30)
    assert torch.equal(maps[1:2], controls.CONTROLS[name](IMAGES[1:2]))
    if name in ("uniform", "center"):
        assert torch.equal(maps[0], maps[1])
    else:
        assert not torch.equal(maps[0], maps[1])


def test_other_classes_are_others_and_depend_on_the_label_alone() -> None:
    labels = torch.tensor([0, 4, 8, 4])
    drawn = controls.other_classes(labels, 9)
    assert drawn.shape == (5, 4)
    assert (drawn != labels).all()
    assert drawn.min() >= 0
    assert drawn.max() <= 8
    assert all(len(set(column.tolist())) == 5 for column in drawn.T)
    assert torch.equal(drawn[:, 1], drawn[:, 3])
    assert torch.equal(controls.other_classes(labels[2:3], 9)[:, 0], drawn[:, 2])
    assert set(controls.other_classes(torch.full((1,), 3), 9, count=8)[:, 0].tolist()) == set(range(9)) - {3}
    with pytest.raises(SaliencyError, match="no 9 others"):
        controls.other_classes(labels, 9, count=9)


def test_the_same_method_is_asked_something_else() -> None:
    model, second, labels = network(7), network(8), torch.tensor([1, 2, 3])
    own = explain(model, IMAGES, labels)
    for name in controls.OTHERWISE:
        with nothing_changes(model, IMAGES, labels):
            maps = explain(*controls.otherwise(name, model, IMAGES, labels, second=second))
        assert maps.shape == own.shape
        assert not torch.allclose(maps, own, atol=0)
    other = explain(*controls.otherwise("other-image", model, IMAGES, labels))[1]
    assert torch.allclose(other, explain(model, IMAGES[:1], labels[1:2])[0])
    other = controls.other_classes(labels, 9, count=1)[0]
    assert torch.equal(controls.otherwise("other-class", model, IMAGES, labels).labels, other)
    assert controls.otherwise("other-seed", model, IMAGES, labels, second=second).model is second


def test_what_a_control_lacks_is_said() -> None:
    model, labels = network(), torch.tensor([1])
    with pytest.raises(SaliencyError, match="no other image"):
        controls.otherwise("other-image", model, IMAGES[:1], labels)
    with pytest.raises(SaliencyError, match="second network"):
        controls.otherwise("other-seed", model, IMAGES[:1], labels)
    with pytest.raises(SaliencyError, match="there is no control 'sobel'"):
        controls.otherwise("sobel", model, IMAGES[:1], labels)
    with pytest.raises(SaliencyError, match="no layer"):
        controls.random_weights(nn.ReLU())


def test_random_weights_are_those_of_a_network_before_training() -> None:
    untrained = controls.random_weights(network(), seed=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        fresh = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 9))
    assert torch.equal(untrained(IMAGES), fresh(IMAGES))
    assert F.mse_loss(untrained(IMAGES), network()(IMAGES)) > 0


def test_attention_is_drawn_anew_too() -> None:
    trained = nn.MultiheadAttention(8, 2).requires_grad_(False)
    before = trained.in_proj_weight.clone()
    assert not torch.equal(controls.random_weights(trained).in_proj_weight, before)
    assert torch.equal(trained.in_proj_weight, before)


def test_the_interval_covers_the_mean_of_all_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = sum(low <= 1 <= high for _, low, high in (interval(rng.exponential(1, 40)) for _ in range(200)))
    assert 176 <= covered <= 198


def test_photos_that_belong_together_are_drawn_together() -> None:
    rng = np.random.default_rng(1)
    patients = np.repeat(np.arange(12), 10)
    values = rng.normal(0, 1, 12)[patients] + rng.normal(0, 0.1, 120)
    alone, together = interval(values), interval(values, groups=patients.tolist())
    assert together.mean == pytest.approx(alone.mean)
    assert together.high - together.low > 2 * (alone.high - alone.low)
    one_each = interval(values, groups=list(range(120)))
    assert (one_each.high - one_each.low) == pytest.approx(alone.high - alone.low, rel=0.1)


def test_small_counts_get_an_exact_interval() -> None:
    assert interval([1, 1, 1, 1]).low == pytest.approx(0.025 ** (1 / 4))
    assert interval([0, 0, 0]).high == pytest.approx(1 - 0.025 ** (1 / 3))


def test_of_one_photo_nothing_is_known() -> None:
    assert math.isnan(interval([0.3]).low)
    assert math.isnan(interval([0.3, 0.4], groups=["a", "a"]).low)
    assert math.isnan(interval([]).mean)
    assert interval([0.5, 0.5, 0.5]) == Interval(0.5, 0.5, 0.5)
    for wrong in ([math.nan, 1.0], [math.inf]):
        with pytest.raises(SaliencyError):
            interval(wrong)
    with pytest.raises(SaliencyError):
        interval([1.0, 2.0], groups=["a"])


@pytest.mark.parametrize(
    ("direction", "low", "high", "said"),
    [
        ("more", 0.1, 0.2, "holds"),
        ("more", -0.1, 0.2, "open"),
        ("more", -0.2, -0.1, "fails"),
        ("less", -0.2, -0.1, "holds"),
        ("less", 0.1, 0.2, "fails"),
        ("equal", -0.04, 0.04, "holds"),
        ("equal", 0.06, 0.2, "fails"),
        ("equal", -0.2, -0.06, "fails"),
        ("equal", 0.0, 0.2, "open"),
        ("more", math.nan, math.nan, "open"),
    ],
)
def test_a_verdict_is_what_the_whole_interval_says(direction: str, low: float, high: float, said: str) -> None:
    assert statistics.verdict(direction, Interval((low + high) / 2, low, high), margin=0.05) == said


def test_photos_against_are_counted_one_by_one() -> None:
    assert statistics.against("more", [1, 0, -1, 2]) == 0.5
    assert statistics.against("less", [1, 0, -1, 2]) == 0.75
    assert statistics.against("equal", [0.01, -0.2], margin=0.05) == 0.5


def test_paired_tests_are_scipys() -> None:
    rng = np.random.default_rng(2)
    d = rng.normal(0.3, 1, 30)
    assert statistics.sign_test(d) == pytest.approx(stats.binomtest(int((d > 0).sum()), 30).pvalue)
    assert statistics.sign_test([0, 0]) == 1
    a, b = np.array([1, 1, 1, 1, 1, 0, 0, 1]), np.array([0, 0, 0, 1, 0, 0, 1, 0])
    only_a, only_b = int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum())
    assert statistics.sign_test(a - b) == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue)  # McNemar


def test_holm_multiplies_by_the_tests_that_are_left() -> None:
    assert statistics.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0]


def test_two_independent_means_differ_as_welch_says() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(0, 1, 20), rng.normal(0.5, 2, 35)
    told = statistics.between((a.mean(), a.std(ddof=1), 20), (b.mean(), b.std(ddof=1), 35))
    right = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert (told.low, told.high) == pytest.approx((right.low, right.high))


def test_as_many_photos_as_it_says_find_a_difference_four_times_in_five() -> None:
    n = statistics.photos_needed(0.5, 1.0)
    rng = np.random.default_rng(4)
    found = sum(stats.ttest_1samp(rng.normal(0.5, 1, n), 0).pvalue < 0.05 for _ in range(500))
    assert 370 <= found <= 430


def test_a_ratio_of_means_gets_the_interval_of_a_slow_bootstrap() -> None:
    """By fresh draws and quantiles: BCa differs from them by its two corrections, which are small here."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(2, 1, 200), rng.normal(3, 1, 200)
    found = of_means(lambda x, y: x / y, a, b)
    draws = rng.integers(0, 200, (4000, 200))
    slow = np.quantile([a[row].mean() / b[row].mean() for row in draws], [0.025, 0.975])
    assert found.mean == pytest.approx(a.mean() / b.mean())
    assert (found.low, found.high) == pytest.approx(tuple(slow), abs=0.01)
    assert of_means(lambda x, y: x / y, a, 2 * a)[1:] == pytest.approx((0.5, 0.5))
    assert of_means(lambda x: x, a).mean == pytest.approx(a.mean())
    assert of_means(lambda x: x, a)[1:] == pytest.approx(interval(a)[1:], abs=1e-9)
