"""What every data set that is drawn owes: images, the same bytes for the same seed however many, and refusals."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from helpers import nothing_changes, raises_one_line
from torch import Tensor, nn

import saliency_lib as sl

SETS: dict[str, Callable[..., Any]] = {
    "creatures": sl.creatures,
    "companions": partial(sl.companions, kind="owl"),
    "phantoms": partial(sl.phantoms, hospital="B", ill=True, marked=True),
    "scenes": sl.scenes,
    "roads": sl.roads,
    "captioned": sl.captioned,
    "worded": partial(sl.worded, things=2),
}


def parts(drawn: Any, count: int) -> Iterator[Any]:
    """All that was drawn first, as bytes or words, masks one by one."""
    for value in drawn:
        for part in value.values() if isinstance(value, dict) else [value]:
            yield part[:count].numpy().tobytes() if isinstance(part, Tensor) else part[:count]


@pytest.mark.parametrize("name", SETS)
def test_a_drawing_depends_on_its_seed_and_number_only(name: str) -> None:
    with nothing_changes(nn.Identity()):
        few = SETS[name](3, seed=5)
    many, other = SETS[name](8, seed=5), SETS[name](8, seed=6)
    assert [*parts(few, 3)] == [*parts(many, 3)]
    assert (many.images - other.images).abs().mean() > 0.02
    assert len({image.numpy().tobytes() for image in torch.cat([many.images, other.images])}) == 16


@pytest.mark.parametrize("name", SETS)
def test_images_are_images_and_masks_are_of_their_size(name: str) -> None:
    drawn = SETS[name](8, seed=5)
    assert (drawn.images.dtype, drawn.images.ndim, len(drawn.images)) == (torch.float32, 4, 8)
    assert 0 <= drawn.images.min() < drawn.images.max() <= 1
    for mask in drawn.masks.values() if isinstance(drawn.masks, dict) else [drawn.masks]:
        assert mask.dtype == torch.bool
        assert (len(mask), mask.shape[-2:]) == (8, drawn.images.shape[2:])


@pytest.mark.parametrize("name", SETS)
def test_wrong_numbers_say_so(name: str) -> None:
    for wrong in ({"count": 0}, {"count": 2.5}, {"count": "3"}, {"seed": -1}):
        with raises_one_line(sl.ImageError, rf"{next(iter(wrong))} should be a whole number"):
            SETS[name](**{"count": 1} | wrong)
