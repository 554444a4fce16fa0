"""The exercises of the page on statistics of maps, and what the page computes."""

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
    assert len(blocks) == 2
    lines = [line for line in blocks[0].splitlines() if line.strip()]
    assert len(lines) <= 10
    for block in blocks:
        exec(block, {})
    said = capsys.readouterr().out
    assert re.search(r"\d+ photos: [+-]0\.\d+, 95 % interval [+-]0\.\d+ to [+-]0\.\d+", said)
    assert "Wilcoxon p" in said


def test_the_numbers_of_the_page() -> None:
    assert stats.binomtest(4, 4).proportion_ci().low == pytest.approx(0.40, abs=0.005)
    assert pytest.approx(3 / 300, rel=0.01) == 1 - 0.05 ** (1 / 300)
    assert photos_needed(1, 1) == 8
    assert photos_needed(1, 4) == 126
