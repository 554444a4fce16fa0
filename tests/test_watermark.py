"""The watermark: where its strokes are, what it changes, and what it does to a network trained on ImageNet."""

import pytest
import torch
from helpers import nothing_changes, raises_one_line
from torch import Tensor, nn

import saliency_lib as sl


def test_it_is_a_mixture_with_white_on_its_strokes_only() -> None:
    images = torch.rand(2, 3, 80, 120)
    with nothing_changes(nn.Identity(), images):
        half, full = (sl.watermark(images, opacity=opacity) for opacity in (0.5, 1.0))
    outside = ~half.masks[:, None].expand_as(images)
    assert torch.equal(half.images[outside], images[outside])
    torch.testing.assert_close(half.images - images, (full.images - images) / 2)
    assert full.images.max() == pytest.approx(1)
    assert torch.equal(half.masks, full.masks)
    assert torch.equal(sl.watermark(images, opacity=0).images, images)


def test_it_lies_where_it_is_put_and_as_often_as_it_repeats() -> None:
    masks = sl.watermark(torch.zeros(1, 3, 240, 240), row=0.5).masks[0]
    rows = masks.any(1).nonzero()
    assert 118 <= rows.min() < 126
    assert rows.max() < 162
    assert torch.equal(masks[:, :80], masks[:, 80:160])  # two characters, three times


def test_a_network_takes_it_for_a_sign_of_a_carton(embedded: sl.Model, photos: Tensor) -> None:
    carton = embedded.index("carton")
    with torch.no_grad():
        before, after = embedded(photos)[:, carton], embedded(sl.watermark(photos).images)[:, carton]
    assert (after - before).mean() > 1


@pytest.mark.parametrize("options", [{"opacity": 2.0}, {"row": -1.0}])
def test_numbers_out_of_range_are_refused(options: dict) -> None:
    with raises_one_line(sl.ImageError, "at least 0 and at most 1"):
        sl.watermark(torch.zeros(1, 3, 8, 8), **options)
