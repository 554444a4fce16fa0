"""The step of a random walk among cells that look alike, and the threshold: against slow copies of the equations."""

import json
import math
from importlib.resources import files

import numpy as np
import pytest
import torch
from helpers import nothing_changes
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage.filters import threshold_otsu
from torch import Tensor

import saliency_lib as sl
from benchmarks.localization_trials import CHOSEN, TODAY, TRIALS
from saliency_lib.localization.extent import ObjectExtent, of_maximum_one, otsu, otsu_box, step, walk
from saliency_lib.localization.localizers import find_localizer


@pytest.fixture
def features() -> Tensor:
    return torch.randn(2, 5, 4, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def pictures() -> Tensor:
    return torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@pytest.fixture
def drawn() -> tuple[sl.Model, Tensor]:
    """A network with a layer of middle features, and three images for it."""
    model = sl.load_model("creature_convnet").cpu()
    model.layers = model.layers._replace(middle="features.4")
    return model, sl.creatures(3, seed=5).images


def literal_walk(h: Tensor, image: Tensor) -> list[list[float]]:
    """The step for one picture, number by number: features (C, 4, 6), image (3, 8, 12)."""
    cells = [(i, j) for i in range(4) for j in range(6)]
    mean = [sum(h[f, i, j].item() for i, j in cells) / 24 for f in range(5)]
    x = [[h[f, i, j].item() - mean[f] for f in range(5)] for i, j in cells]
    c = [[image[k, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean().item() for k in range(3)] for i, j in cells]
    P = []
    for a in range(24):
        row = []
        for b in range(24):
            cosine = sum(u * v for u, v in zip(x[a], x[b], strict=True)) / math.hypot(*x[a]) / math.hypot(*x[b])
            row.append(max(cosine, 0) ** 2 * (1 + math.exp(-(math.dist(c[a], c[b]) ** 2) / (2 * 0.2**2))))
        P.append([value / sum(row) for value in row])
    return P


def test_the_walk_is_the_equation_number_by_number(features: Tensor, pictures: Tensor) -> None:
    found = walk(features, pictures)
    for P, h, image in zip(found, features, pictures, strict=True):
        torch.testing.assert_close(P, torch.tensor(literal_walk(h, image), dtype=torch.float64), rtol=1e-6, atol=1e-8)


def test_rows_sum_to_one_and_nothing_is_negative(features: Tensor, pictures: Tensor) -> None:
    P = walk(features, pictures)
    torch.testing.assert_close(P.sum(2), torch.ones(2, 24, dtype=torch.float64))
    assert (P >= 0).all()


def test_a_step_keeps_a_constant_map_and_stays_within_the_values(features: Tensor, pictures: Tensor) -> None:
    P, maps = walk(features, pictures), torch.rand(2, 4, 6, dtype=torch.float64)
    torch.testing.assert_close(step(P, torch.full_like(maps, 0.7), features), torch.full_like(maps, 0.7))
    moved = step(P, maps, features)
    assert maps.amin() <= moved.amin()
    assert moved.amax() <= maps.amax()
    assert not torch.allclose(moved, maps, atol=0.05)


def test_constant_features_give_the_map_back(pictures: Tensor) -> None:
    features, maps = torch.ones(2, 5, 4, 6, dtype=torch.float64), torch.rand(2, 4, 6, dtype=torch.float64)
    torch.testing.assert_close(step(walk(features, pictures), maps, features), maps)


def test_two_kinds_of_cells_share_nothing(pictures: Tensor) -> None:
    """With one feature on the left half and its negative on the right, each half becomes its own mean, in one color."""
    features = torch.ones(1, 1, 4, 6, dtype=torch.float64)
    features[..., 3:] = -1
    maps = torch.rand(1, 4, 6, dtype=torch.float64)
    moved = step(walk(features, torch.full((1, 3, 8, 12), 0.5, dtype=torch.float64)), maps, features)
    for half in (slice(0, 3), slice(3, 6)):
        expected = maps[..., half].mean().expand(1, 4, 3)
        torch.testing.assert_close(moved[..., half], expected, rtol=1e-6, atol=1e-8)


def test_scale_and_offset_of_the_features_do_not_matter(features: Tensor, pictures: Tensor) -> None:
    offset = torch.randn(1, 5, 1, 1, dtype=torch.float64)
    torch.testing.assert_close(walk(3 * features + offset, pictures), walk(features, pictures), rtol=1e-6, atol=1e-8)


@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=60))
def test_otsu_leaves_the_largest_variance_between_the_parts(values: list[float]) -> None:
    v = np.array(values)
    found = otsu(torch.tensor(values, dtype=torch.float64))

    def between(t: float) -> float:
        above = v >= t
        w = above.mean()
        return 0.0 if w in (0, 1) else w * (1 - w) * (v[above].mean() - v[~above].mean()) ** 2

    best = max(between(t) for t in v)
    assert between(found) == pytest.approx(best, rel=1e-6, abs=1e-12)


def test_otsu_is_that_of_skimage() -> None:
    values = torch.rand(40, 40, generator=torch.Generator().manual_seed(0)) ** 3
    assert otsu(values) == pytest.approx(threshold_otsu(values.numpy(), nbins=10_000), abs=2e-3)


def test_a_bright_square_gets_its_box() -> None:
    saliency = torch.full((10, 20), 0.1)
    saliency[2:6, 5:9] = 0.8
    assert otsu_box(Image.new("RGB", (200, 100)), saliency) == (50, 20, 90, 60)


def test_nothing_is_found_in_a_map_of_zeros() -> None:
    assert otsu_box(Image.new("RGB", (20, 10)), torch.zeros(7, 7)) is None
    assert torch.equal(of_maximum_one(torch.zeros(1, 2, 2)), torch.zeros(1, 2, 2))


def test_a_batch_is_its_images_one_by_one(drawn: tuple[sl.Model, Tensor]) -> None:
    model, images = drawn
    together = ObjectExtent(model, images).maps(torch.tensor([6, 2, 1]))
    for i, label in enumerate((6, 2, 1)):
        alone = ObjectExtent(model, images[i : i + 1]).maps(label)
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-3, atol=1e-4)
    assert together.shape == (3, 56, 56)
    assert (together >= 0).all()


def test_nothing_of_the_callers_is_changed(drawn: tuple[sl.Model, Tensor]) -> None:
    model, images = drawn[0], drawn[1].requires_grad_()
    with nothing_changes(model, images):
        ObjectExtent(model, images).maps(6)


def test_a_network_without_a_known_middle_is_told_so() -> None:
    model = sl.load_model("creature_convnet")
    with pytest.raises(sl.ModelError, match="a layer with middle features is not known"):
        find_localizer("object-extent").look(model, torch.rand(1, 3, 64, 64))


def test_the_stored_trials_are_those_of_the_command() -> None:
    stored = json.loads((files("saliency_lib.data") / "localization_trials.json").read_text("utf-8"))
    assert [row["trial"] for row in stored["trials"]] == list(TRIALS)
    assert (stored["today"], stored["chosen"]) == (TODAY, CHOSEN)
    assert stored["photos"] == 2 * stored["half"]
