"""The benchmark of shortcuts: areas under the curve by a slow count, and methods of several kinds scored alike."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import saliency_lib as sl
from benchmarks import shortcut_scores, shortcuts


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    guilty, honest = rng.integers(2, 8, 12) / 8, rng.integers(0, 6, 9) / 8
    slow = np.mean([1.0 if g > h else 0.5 if g == h else 0.0 for g in guilty for h in honest])
    assert shortcuts.area(guilty, honest) == pytest.approx(slow)
    records = [
        {"creature": str(k % 3), "companion": "tree", "seed": 0, "x": [float(value)]} for k, value in enumerate(guilty)
    ]
    others = [{**record, "x": [float(value)]} for record, value in zip(records, honest, strict=False)]
    found = shortcuts.roc(records, others, "x")
    assert found.mean == pytest.approx(slow)
    assert found.low <= slow <= found.high


def test_the_threshold_is_fixed_on_one_seed_and_tried_on_the_other() -> None:
    first, second = shortcuts.ROC_SEEDS
    honest = [{"seed": first, "x": [k / 10]} for k in range(10)] + [{"seed": second, "x": [0.95]}] * 4
    guilty = [{"seed": first, "x": [0.0]}] * 5 + [{"seed": second, "x": [0.85]}] * 3 + [{"seed": second, "x": [0.5]}]
    threshold, found, accused = shortcuts.at_one_in_ten(guilty, honest, "x")
    assert threshold == 0.8  # one of ten lies above
    assert (found.mean, accused.mean) == (0.75, 1.0)


def test_an_even_map_has_no_opinion_and_captums_maps_are_ours() -> None:
    drawn, masks = shortcuts.audited(shortcuts.Setting("roc"))
    assert shortcut_scores.opinion(torch.ones(len(drawn.images), 16, 16), masks) == pytest.approx(0.5, abs=1e-5)
    model = sl.load_model("companion_convnet_shortcut").cpu()
    labels = torch.full((4,), model.index("owl"))
    ours, theirs = (
        shortcut_scores.find(name)(model, drawn.images[:4], labels) for name in ("gradient", "captum.attr:Saliency")
    )
    torch.testing.assert_close(ours.cpu(), theirs)


def uniform(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """A function that somebody else might bring."""
    return images.new_ones(len(images), 8, 8)


def test_a_network_that_is_kept_is_read_again_and_one_that_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortcuts, "SEEN", 50)
    one = shortcuts.Setting("roc", seed=7, examples=50)
    first, again = shortcuts.network(one, tmp_path), shortcuts.network(one, tmp_path)
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(first(images), again(images))
    assert shortcut_scores.find(f"{__name__}:uniform") is uniform
    with pytest.raises(sl.SaliencyError, match="has no starfish-tree"):
        shortcut_scores.score("gradient", tmp_path)


def test_what_is_stored_says_what_the_book_says() -> None:
    """Twenty honest networks of the power part: the map accuses two by lift, and removal none."""
    honest = [r for r in shortcuts.stored() if r["part"] == "power" and not r["dose"]]
    assert len(honest) == 20
    assert sum(r["opinion"][1] > 0.5 for r in honest) == 2
    assert sum(r["reliance"][1] > 0.5 for r in honest) == 0
