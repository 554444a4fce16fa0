"""Gradients at a layer: the numbers by finite differences, by Captum, by hand; and nothing of the caller's changes."""

import pytest
import torch
from captum.attr import LayerGradCam
from helpers import nothing_changes, relative, says, small_network
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.methods.gradients import Recording
from saliency_lib.methods.layers import GRID, spread
from saliency_lib.models.networks.efficientnet_lite import LAYERS

LITE0 = LAYERS["efficientnet_lite0"]


@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_the_gradient_at_a_layer_by_finite_differences(index: int, images: Tensor) -> None:
    net = small_network(activation=nn.Softplus).double()
    images, target = images.double(), [0, 3, 4]
    (at,) = Recording(net, images, [net[index]]).at_layers(target)
    after = net[index + 1 :]
    assert torch.equal(at.output, net[: index + 1](images))
    step = 1e-5
    for k, i, j in ((0, 0, 0), (1, 2, 3), (3, 3, 1)):
        nudge = torch.zeros_like(at.output)
        nudge[:, k, i, j] = step
        slope = (after(at.output + nudge) - after(at.output - nudge))[range(3), target] / (2 * step)
        assert torch.allclose(at.gradient[:, k, i, j], slope, atol=1e-8)
    expected = at.gradient.abs().amax(1)
    assert torch.equal(sl.layer_saliency(net, images, target, layer=net[index]), expected)


def test_without_layers_the_images_are_the_layer(net: nn.Module, images: Tensor) -> None:
    recording = Recording(net, images)
    assert torch.equal(recording.gradient(recording.numbers(2)), sl.input_gradient(net, images, 2))
    assert torch.equal(recording.I, images)


def test_one_recording_answers_for_every_class(net: nn.Module, images: Tensor) -> None:
    model = sl.as_model(net, size=8, head=sl.Head("softmax", list("abcde")))
    layers = [*model.network[:3]]
    recording = Recording(model, images, layers)
    assert torch.equal(recording.answer.scores.detach(), model(images))
    for target in (None, 4, [1, 2, 3], "d"):
        for layer, at in zip(layers, recording.at_layers(target), strict=True):
            alone = sl.layer_saliency(model, images, target, layer=layer)
            assert relative(at.gradient.abs().amax(1), alone) < 1e-5


def test_grad_cam_equals_captum(net: nn.Module, images: Tensor) -> None:
    positive = 0
    for index in (0, 2):
        for target in range(5):
            theirs = LayerGradCam(net, net[index]).attribute(images, target, relu_attributions=True)[:, 0].detach()
            assert torch.allclose(sl.grad_cam(net, images, target, layer=net[index]), theirs, rtol=1e-4, atol=1e-7)
            positive += int((theirs > 0).sum())
    assert positive > 100


def test_grad_cam_of_the_embedded_network_is_its_class_activation_map(embedded: sl.Model, photos: Tensor) -> None:
    seen = {}
    with embedded.network.bn2.register_forward_hook(lambda m, i, o: seen.update(h=o)):
        embedded(photos)
    weights = embedded.network.classifier.weight[[285, 967, 665]]
    expected = torch.einsum("nk,nkij->nij", weights, seen["h"]).relu() / 49
    assert relative(sl.grad_cam(embedded, photos, [285, 967, 665]), expected) < 1e-4


def test_the_object_map_is_the_three_maps_by_hand(embedded: sl.Model, photos: Tensor) -> None:
    late, later, head = (embedded.network.get_submodule(name) for name in LITE0.localization)
    maps = [
        sl.grad_cam(embedded, photos, 5, layer=head),
        sl.layer_saliency(embedded, photos, 5, layer=later),
        sl.layer_saliency(embedded, photos, 5, layer=late),
    ]
    assert [tuple(M.shape[1:]) for M in maps] == [(7, 7), (7, 7), (14, 14)]
    fine = [spread(M, shift=LITE0.shift) for M in maps]
    expected = sum(M / M.mean((1, 2), keepdim=True) for M in fine)
    found = sl.object_map(embedded, photos, 5)
    assert found.shape == (3, GRID, GRID)
    assert relative(found, expected) < 1e-4
    assert found.min() >= 0


def test_the_blocks_are_the_tenth_and_the_thirteenth(embedded: sl.Model) -> None:
    blocks = [block for stage in embedded.network.blocks for block in stage]
    assert [blocks[i] for i in (10, 13)] == [embedded.network.get_submodule(name) for name in LITE0.localization[:2]]


def test_a_dot_is_within_a_third_of_a_cell_of_where_its_cells_are_placed(embedded: sl.Model) -> None:
    """Which cells a dot stirs, averaged with weights, is where the dot is, once the cells are placed."""
    places = ((80, 80), (120, 100), (100, 140), (143, 125), (112, 112), (96, 127))
    images = torch.full((1 + len(places), 3, 224, 224), 0.5)
    for image, (x, y) in zip(images[1:], places, strict=True):
        image[:, y - 6 : y + 6, x - 6 : x + 6] = 1.0
    pixels = torch.arange(224) + 0.5
    layers = [embedded.network.get_submodule(name) for name in LITE0.localization]
    for h, stride in zip(Recording(embedded, images, layers).sources, (16, 32, 32), strict=True):
        h = h.detach()
        maps = spread((h[1:] - h[:1]).square().sum(1), 224, shift=LITE0.shift, smoothing=0)
        errors = []
        for M, (x, y) in zip(maps, places, strict=True):
            errors += [float((M.sum(0) * pixels).sum() / M.sum()) - x, float((M.sum(1) * pixels).sum() / M.sum()) - y]
        assert abs(sum(errors) / len(errors)) < stride / 3


def test_spreading_by_hand() -> None:
    ramp = torch.arange(4.0)[None, None].expand(1, 4, 4)
    plain = spread(ramp, 8, smoothing=0)
    assert torch.allclose(plain[0, 0], torch.tensor([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0]))
    moved = spread(ramp, 8, shift=0.2, smoothing=0)
    assert torch.allclose(moved[0, 3], torch.tensor([0, 0.05, 0.55, 1.05, 1.55, 2.05, 2.55, 3.0]))
    assert torch.allclose(moved.transpose(1, 2), spread(ramp.transpose(1, 2), 8, shift=0.2, smoothing=0))
    assert torch.allclose(spread(torch.full((2, 7, 7), 3.0), shift=0.25), torch.tensor(3.0))  # a constant stays


def test_smoothing_is_a_gaussian_of_one_cell() -> None:
    dot = torch.zeros(1, 41, 41)
    dot[0, 20, 20] = 1
    at = torch.arange(41.0) - 20
    gaussian = torch.exp(-(at**2) / 2) / torch.exp(-(at**2) / 2).sum()
    assert torch.allclose(spread(dot, 41)[0], gaussian[:, None] * gaussian, atol=1e-7)


def test_layers_that_are_followed_by_work_in_place(images: Tensor) -> None:
    net, other = small_network(), small_network()
    other.load_state_dict(net.state_dict())
    other[1].inplace = other[3].inplace = True
    for index in (0, 2):
        expected = sl.layer_saliency(net, images, 1, layer=net[index])
        assert torch.equal(sl.layer_saliency(other, images, 1, layer=other[index]), expected)
    both = [at.output for at in Recording(other, images, [other[0], other[2]]).at_layers(1)]
    assert all(torch.equal(h, net[: i + 1](images)) for h, i in zip(both, (0, 2), strict=True))


def test_nothing_changes_on_errors_either(images: Tensor) -> None:
    class Breaks(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("broken")

    net = small_network()
    broken = nn.Sequential(*net[:3], Breaks()).train()
    twice = nn.Sequential(net[0], net[1], nn.Conv2d(4, 3, 1), net[0], *net[1:])
    foreign = nn.Conv2d(3, 3, 1)
    mistakes = [
        (lambda: sl.layer_saliency(broken, images, layer=broken[2]), broken, "cannot run"),
        (lambda: sl.layer_saliency(net, images, layer=net[5]), net, "(N, C, H, W)"),
        (lambda: sl.layer_saliency(net, images, layer=foreign), net, "did not run"),
        (lambda: sl.layer_saliency(net, images, layer="features"), net, "no layer 'features'"),
        (lambda: sl.layer_saliency(twice, images, layer=twice[0]), twice, "more than once"),
        (lambda: sl.layer_saliency(net, images, 77, layer=net[2]), net, "no class 77"),
        (lambda: sl.layer_saliency(net, images + 1, layer=net[2]), net, "[0, 1]"),
        (lambda: sl.grad_cam(net, images), net, "name one (layer=)"),
        (lambda: sl.object_map(net, images), net, "name one (layer=)"),
        (lambda: sl.layer_saliency(net, images, lambda s: torch.ones(3), layer=net[2]), net, "does not depend"),
    ]
    for call, of, word in mistakes:
        with nothing_changes(of, images), pytest.raises(sl.SaliencyError) as caught:
            call()
        assert word in says(caught.value)


def test_other_networks_name_their_layers(net: nn.Module, images: Tensor) -> None:
    M = sl.object_map(net, images, 1, layers=[net[0], net[2]])
    assert M.shape == (3, GRID, GRID)
    parts = [sl.grad_cam(net, images, 1, layer=net[2]), sl.layer_saliency(net, images, 1, layer=net[0])]
    fine = [spread(part) for part in parts]
    assert relative(M, sum(part / part.mean((1, 2), keepdim=True) for part in fine)) < 1e-5


def test_a_layer_costs_no_more_graph_than_what_follows_it(net: nn.Module, images: Tensor) -> None:
    recording = Recording(net, images, [net[2]])
    assert recording.sources[0].is_leaf  # nothing below it was recorded


def test_one_layer_that_is_known_is_the_one_that_is_taken(net: nn.Module, images: Tensor) -> None:
    """And not the pixels, of which `layer-saliency` once gave the map in silence."""
    model = sl.as_model(net, size=8, layers=sl.Layers(("2",)))
    for name in ("layer-saliency", "grad-cam"):
        named = sl.find_method(name)(model, images, layer="2").maps(1)
        assert torch.equal(sl.find_method(name)(model, images).maps(1), named)
        assert named.shape == (3, 4, 4)
