"""Every method on fifteen networks of other people's making: equal to its formula written out, or one sentence."""

import pytest
from helpers import raises_one_line

import saliency_lib as sl
from benchmarks.any_network import CASES, METHODS, case, found, verdict

QUICK = ["gradient", "occlusion", "grad-cam", "lrp", "guided backpropagation"]
"""One of each kind; `python -m benchmarks.any_network` tries all on all."""


@pytest.mark.parametrize("name", CASES)
def test_a_map_is_right_or_refused(name: str) -> None:
    for method in QUICK:
        words = verdict(method, name)
        assert words.startswith(("right", "refused")), f"{method}: {words}"
        if words.startswith("refused"):
            with raises_one_line(sl.SaliencyError):
                found(method, case(name))


@pytest.mark.parametrize("method", sorted({*METHODS} - {*QUICK}))
def test_every_method_is_right_on_a_network_that_works_in_place(method: str) -> None:
    assert verdict(method, "in place").startswith("right")
