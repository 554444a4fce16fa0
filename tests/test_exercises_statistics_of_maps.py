"""The exercises of the page on statistics of maps, and what the page computes."""

import math
import re
from pathlib import Path

import pytest
from helpers import judged
from scipy import stats

from saliency_lib.statistics import photos_needed

PAGE = Path(__file__).resolve().parent.parent / "reference" / "statistics_of_maps.md"


def test_all_hits() -> None:
    judged(
        "statistics-all-hits",
        stats.binomtest(12, 12).proportion_ci().low,
        [(1, "certain"), (0.05 ** (1 / 12), "two sides"), (0.9, "in a row"), (0.5, "in a row")],
    )


def test_mcnemar() -> None:
    wrong = [(0.0546875, "one-sided"), (90 / 1024, "or *more*"), (0.5, "alone"), (30, "at most 1")]
    judged("statistics-mcnemar", stats.binomtest(8, 10).pvalue, wrong)


def test_how_many() -> None:
    judged("statistics-how-many", 88, [(43, "half of all"), (9.3, "squared"), (176, "paired"), (20, "divide")])


def test_the_worked_example_runs(capsys: pytest.CaptureFixture) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 4
    lines = [line for line in blocks[0].splitlines() if line.strip()]
    assert len(lines) <= 10
    for block in blocks:
        exec(block, {})
    said = capsys.readouterr().out
    assert re.search(r"\d+ photos: [+-]0\.\d+, 95 % interval [+-]0\.\d+ to [+-]0\.\d+", said)
    assert "Wilcoxon p" in said
    widths = [float(high) - float(low) for low, high in re.findall(r"anew: .* interval (0\.\d+) to (0\.\d+)", said)]
    assert widths == sorted(widths)
    assert widths[2] > 1.5 * widths[0]
    points = re.findall(r"threshold (\d\.\d+), (\d+)% found, and (\d+)% of the alarms", said)
    for (tau, found, right), (share, miss) in zip(points, ((0.5, 1), (0.01, 20)), strict=True):
        best = 1 + math.log((1 - share) / (share * miss)) / 2  # where the densities' ratio is that of the costs
        sensitivity, false = stats.norm.sf(best - 2), stats.norm.sf(best)
        worth = share * sensitivity / (share * sensitivity + (1 - share) * false)
        assert float(tau) == pytest.approx(best, abs=0.006)
        assert (int(found), int(right)) == (round(100 * sensitivity), round(100 * worth))


def test_the_numbers_of_the_page() -> None:
    assert stats.binomtest(4, 4).proportion_ci().low == pytest.approx(0.40, abs=0.005)
    assert pytest.approx(3 / 300, rel=0.01) == 1 - 0.05 ** (1 / 300)
    assert photos_needed(1, 1) == 8
    assert photos_needed(1, 4) == 126
    assert stats.norm.cdf(2 / 2**0.5) == pytest.approx(0.92, abs=0.005)  # the area under the ROC curve of the example
