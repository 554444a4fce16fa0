"""Drawings with words, and their masks."""

import pytest
import torch
from helpers import says

import saliency_lib as sl


def test_words_are_whose_masks_there_are() -> None:
    for things in (1, 2):
        images, words, masks = sl.worded(60, seed=3, things=things)
        assert images.shape == (60, 3, 32, 32 * things)
        assert masks.shape == (60, things, 32, 32 * things)
        assert [len(said) for said in words] == [things] * 60
        areas = masks.sum((2, 3))
        assert areas.min() > 40
        assert areas.max() < 32 * 32
        assert len({word for said in words for word in said}) == 10
    left, right = masks[:, 0], masks[:, 1]
    assert not left[..., 32:].any()
    assert not right[..., :32].any()


def test_a_network_names_what_the_words_name() -> None:
    """The classifier of the larger drawings, which knows nothing of words."""
    drawn, net = sl.worded(100, seed=4), sl.load_model("creature_convnet").cpu()
    large = torch.nn.functional.interpolate(drawn.images, (64, 64), mode="bilinear")
    assert [top[0].name for top in net.top(large)] == [said[0] for said in drawn.words]


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(sl.ImageError) as error:
        sl.worded(1, things=3)
    assert "things" in says(error.value)
