"""What numbers of some photos say of photos in general.

    interval(values)                    # the mean of numbers, one a photo, and between which bounds it lies
    interval(values, groups=patients)   # photos that belong together are drawn together
    verdict("more", found)              # what a difference and its interval decide

The unit is the photo (or the patient, or the network), never the pixel: two pixels of one photo are no two witnesses.
The page *Statistics of maps* teaches it.
"""

import warnings
from collections.abc import Callable, Hashable, Sequence
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from saliency_lib.checks import number, one_of
from saliency_lib.errors import SaliencyError

RESAMPLES = 2000
DIRECTIONS = ("more", "less", "equal")


class Interval(NamedTuple):
    """The mean of some numbers, and the bounds between which the mean of all such numbers is taken to lie."""

    mean: float
    low: float
    high: float


def interval(
    values: Sequence[float], groups: Sequence[Hashable] | None = None, *, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """The mean of numbers, one a photo, with its interval by the bootstrap (BCa, scipy) over photos.

    Where `groups` says which photos belong together, whole groups are drawn. Numbers that are 0 or 1 throughout are
    counted, and get the exact interval of Clopper and Pearson: 4 of 4 is at least 40 percent. Of fewer than two photos,
    or groups, nothing is known: the bounds are nan. Raises `SaliencyError` for numbers that are not finite, or groups
    that are not one a number.
    """
    from scipy import stats  # here, because it takes a second to import

    x = np.asarray(list(values), dtype=float)
    number("confidence", confidence, 0, 1)
    if x.ndim != 1 or not np.isfinite(x).all() or (groups is not None and len(groups) != len(x)):
        raise SaliencyError("expected finite numbers, one a photo, and as many groups where there are any")
    mean = float(x.mean()) if len(x) else float("nan")
    if groups is None and len(x) and np.isin(x, (0, 1)).all():
        bounds = stats.binomtest(int(x.sum()), len(x)).proportion_ci(confidence)
        return Interval(mean, float(bounds.low), float(bounds.high))
    order = np.unique([str(group) for group in groups], return_inverse=True)[1] if groups is not None else None
    sums, counts = (x, np.ones_like(x)) if order is None else (np.bincount(order, x), np.bincount(order).astype(float))
    if len(sums) < 2:
        return Interval(mean, float("nan"), float("nan"))
    if np.ptp(sums / counts) == 0:
        return Interval(mean, mean, mean)
    found = stats.bootstrap(
        (sums, counts),
        lambda s, n, axis=-1: s.sum(axis) / n.sum(axis),
        n_resamples=RESAMPLES,
        paired=True,
        confidence_level=confidence,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(mean, float(found.low), float(found.high))


def of_means(statistic: Callable[..., Any], *values: Sequence[float], confidence: float = 0.95) -> Interval:
    """A number made of the means of several numbers a photo, as a ratio of two, and its interval by the same bootstrap.

    `statistic` takes as many means, or arrays of them. Where BCa knows no bounds, because resampled means hardly
    differ, they are quantiles. Raises `SaliencyError` if a number is not finite, or there are not as many of each.
    """
    from scipy import stats

    rows = [np.asarray(list(one), dtype=float) for one in values]
    if not all(np.isfinite(row).all() and row.ndim == 1 and len(row) == len(rows[0]) for row in rows):
        raise SaliencyError("expected finite numbers, as many of each kind")
    value = float(statistic(*(row.mean() for row in rows)))
    if len(rows[0]) < 2:
        return Interval(value, float("nan"), float("nan"))
    if all(np.ptp(row) == 0 for row in rows):
        return Interval(value, value, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of resampled means that are all alike
        found = stats.bootstrap(
            rows,
            lambda *some, axis=-1: statistic(*(row.mean(axis) for row in some)),
            n_resamples=RESAMPLES,
            paired=True,
            vectorized=True,
            confidence_level=confidence,
            rng=np.random.default_rng(0),
        )
    low, high = found.confidence_interval
    if not np.isfinite([low, high]).all():
        low, high = np.quantile(found.bootstrap_distribution, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high))


def verdict(direction: str, difference: Interval, margin: float = 0.0) -> str:
    """What a mean difference from the null, with its interval, decides: "holds", "fails" or "open".

    `direction` is what is claimed: "more" than the null, "less", or "equal" to within the `margin`. A claim holds where
    the whole interval says so, and fails where the whole interval says the reverse.
    """
    one_of("direction", direction, DIRECTIONS)
    _, low, high = difference
    if direction == "equal":
        inside, outside = -margin <= low and high <= margin, low > margin or high < -margin
    else:
        side = 1 if direction == "more" else -1
        inside, outside = min(side * low, side * high) > 0, max(side * low, side * high) < 0
    return "holds" if inside else "fails" if outside else "open"


def against(direction: str, differences: Sequence[float], margin: float = 0.0) -> float:
    """The share of photos that contradict the claim, one by one; a tie contradicts "more" and "less"."""
    d = np.asarray(list(differences), dtype=float)
    wrong = {"more": d <= 0, "less": d >= 0, "equal": np.abs(d) > margin}[one_of("direction", direction, DIRECTIONS)]
    return float(wrong.mean()) if len(d) else float("nan")


def sign_test(differences: Sequence[float]) -> float:
    """p that as many differences, or more, have one sign if either sign is as likely; ties are left out.

    Of hits (differences of 0 and 1) it is McNemar's exact test.
    """
    from scipy.stats import binomtest

    up, down = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    return float(binomtest(up, up + down).pvalue) if up + down else 1.0


def holm(p: Sequence[float]) -> list[float]:
    """p-values of several tests at once, in their order: that of rank i from below times those left, never falling.

    Holm (1979): the chance that any true null is rejected stays below the level.
    """
    order = sorted(range(len(p)), key=lambda i: p[i])
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = largest
    return adjusted


def between(first: Sequence[float], second: Sequence[float], *, confidence: float = 0.95) -> Interval:
    """The difference of two independent means, each given as (mean, standard deviation, count): Welch's interval."""
    from scipy.stats import t

    (m, s, n), (M, S, N) = first, second
    a, b = s**2 / n, S**2 / N
    if a + b == 0 or min(n, N) < 2:
        return Interval(m - M, m - M, m - M)
    freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (N - 1))
    reach = float(t.ppf((1 + confidence) / 2, freedom)) * sqrt(a + b)
    return Interval(m - M, m - M - reach, m - M + reach)


def photos_needed(difference: float, deviation: float, *, power: float = 0.8, level: float = 0.05) -> int:
    """How many photos it takes to find a mean paired difference, if the differences deviate by so much from photo to
    photo: ((z_level + z_power) deviation / difference)^2, by the normal distribution."""
    from scipy.stats import norm

    number("difference", abs(difference), 1e-12)
    return int(np.ceil(((norm.ppf(1 - level / 2) + norm.ppf(power)) * deviation / difference) ** 2))
