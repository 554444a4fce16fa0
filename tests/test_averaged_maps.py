"""The mean of object maps over mirror images and scales: by hand, and what it has to be whatever the network."""

import pytest
import torch
import torch.nn.functional as F
from helpers import relative, says
from torch import Tensor, nn

import saliency_lib as sl


def test_the_mean_by_hand(net: nn.Module) -> None:
    photos, net = torch.rand(3, 3, 56, 56), nn.Sequential(*net[:4], nn.AdaptiveAvgPool2d(4), *net[4:])
    larger = F.interpolate(photos, (72, 72), mode="bicubic", antialias=True).clamp(0, 1)
    shared = {"layers": [net[0], net[2]]}
    expected = torch.zeros(3, 56, 56)
    for images in (photos, larger):
        expected += sl.object_map(net, images, 2, **shared) / 4
        expected += sl.object_map(net, images.flip(3), 2, **shared).flip(2) / 4
    found = sl.object_map(net, photos, 2, scales=(1, 288 / 224), mirror=True, **shared)
    assert relative(found, expected) < 1e-5
    assert relative(found, sl.object_map(net, photos, 2, **shared)) > 0.05  # it is another map
    default = sl.find_method("object-map-averaged")(net, photos, **shared).maps(2)
    assert relative(default, expected) < 1e-5


def test_a_mirrored_photo_has_the_mirrored_map(net: nn.Module, images: Tensor) -> None:
    layers = [net[0], net[2]]
    found = sl.object_map(net, images, 1, layers=layers, mirror=True)
    mirrored = sl.object_map(net, images.flip(3), 1, layers=layers, mirror=True)
    assert relative(mirrored, found.flip(2)) < 1e-5
    alone = sl.object_map(net, images, 1, layers=layers)
    assert relative(sl.object_map(net, images.flip(3), 1, layers=layers), alone.flip(2)) > 1e-3  # without, it has not


def test_the_top_class_is_that_of_the_images_as_they_are(embedded: sl.Model) -> None:
    images = sl.to_tensor(sl.sample_photo("chelsea"), crop=False)
    small = F.interpolate(images, (28, 28), mode="bicubic", antialias=True).clamp(0, 1)
    top, other = embedded(images).argmax(1), embedded(small).argmax(1)
    assert top != other  # a view of an eighth of the size is taken for something else
    found = sl.object_map(embedded, images, scales=(1, 1 / 8))
    assert torch.equal(found, sl.object_map(embedded, images, top, scales=(1, 1 / 8)))
    assert relative(found, sl.object_map(embedded, images, other, scales=(1, 1 / 8))) > 0.01


def test_mistakes_are_named(net: nn.Module, images: Tensor) -> None:
    layers = [net[0], net[2]]
    for scales in ((), (0,), (1, -2)):
        with pytest.raises(sl.SaliencyError) as caught:
            sl.object_map(net, images, 1, layers=layers, scales=scales)
        assert "factors of the images' sides" in says(caught.value)
