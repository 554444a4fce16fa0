"""The DeconvNet built layer by layer, against the ReLU rule, against autograd at every layer, against literal loops."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from helpers import architecture, images_for, nothing_changes, relative
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.methods.deconvnet import run_forward, sequence, spread, step_back, transposed_convolution, unpool
from saliency_lib.methods.relu_rules import RULES, deconvnet


def small_net() -> nn.Sequential:
    """Every kind of layer, with a stride that leaves pixels unread, overlapping pools, groups and dilation."""
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
        nn.Conv2d(6, 8, 3, padding=2, dilation=2, groups=2), nn.ReLU(), nn.MaxPool2d(2, 2, ceil_mode=True),
        nn.AdaptiveAvgPool2d((2, 3)), nn.Flatten(), nn.Dropout(), nn.Linear(48, 12), nn.ReLU(), nn.Linear(12, 4),
    ).double().eval()  # fmt: skip


@pytest.mark.parametrize("name", ["alexnet", "vgg11"])
def test_equals_the_rule_on_the_networks_of_the_paper_s_time(name: str) -> None:
    model, images = architecture(name), images_for(name)
    rule = sl.input_gradient(model, images, 3, rule="deconvnet")
    assert relative(sl.deconvnet_reconstruction(model, images, 3), rule) <= 1e-5
    assert relative(sl.input_gradient(model, images, 3), rule) > 0.1  # and is not the gradient


@pytest.mark.parametrize("rule", [*RULES, lambda g, z: g.sign() * z.sigmoid()])
def test_equals_every_rule_on_a_small_network_with_awkward_layers(rule: str | Callable) -> None:
    net, images = small_net(), torch.rand(3, 3, 47, 53, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    reconstruction = sl.deconvnet_reconstruction(net, images, [0, 1, 3], rule=rule)
    assert relative(reconstruction, sl.input_gradient(net, images, [0, 1, 3], rule=rule)) <= 1e-12


def test_the_theorem_layer_by_layer() -> None:
    """Handed the same signal, each layer's step back is autograd's, except for the ReLU's."""
    net, images = small_net(), torch.rand(1, 3, 47, 53, dtype=torch.float64)
    layers = list(sequence(net))
    inputs, _ = run_forward(layers, images)
    differ = []
    for layer, x in zip(layers, inputs, strict=True):
        leaf = x.clone().requires_grad_()
        output = layer(leaf.clone())
        signal = torch.randn_like(output)
        (gradient,) = torch.autograd.grad(output, leaf, signal)
        step = step_back(layer, x, signal, deconvnet)
        assert step.shape == gradient.shape
        differ.append(relative(step, gradient) > 1e-12)
    assert [type(layer) for layer, different in zip(layers, differ, strict=True) if different] == [nn.ReLU] * 3


def test_transposed_convolution_is_convolution_with_flipped_filters() -> None:
    layer = nn.Conv2d(3, 5, 3, padding=1, bias=True).double()
    x, R = torch.rand(2, 3, 8, 9).double(), torch.randn(2, 5, 8, 9).double()
    flipped = layer.weight.flip(2, 3).transpose(0, 1)
    assert relative(transposed_convolution(layer, x, R), F.conv2d(R, flipped, padding=1)) < 1e-14


def test_transposed_convolution_is_the_transpose() -> None:
    """<A x, R> = <x, A^T R>, for strides that leave rows unread too."""
    for size in range(7, 13):
        layer = nn.Conv2d(2, 4, 4, stride=3, padding=1, bias=False).double()
        x = torch.randn(1, 2, size, size + 1).double()
        R = torch.randn_like(layer(x))
        assert (layer(x) * R).sum().item() == pytest.approx((x * transposed_convolution(layer, x, R)).sum().item())


def test_unpooling_puts_values_at_their_switches_and_adds_where_windows_share_one() -> None:
    x = torch.tensor([[1.0, 0, 0, 0, 2], [0, 0, 0, 0, 0], [0, 0, 9, 0, 0], [0, 0, 0, 0, 0], [3, 0, 0, 0, 4]])[
        None, None
    ]
    R = torch.tensor([[10.0, 20], [30, 40]])[None, None]
    back = unpool(nn.MaxPool2d(3, 2), x, R)  # all four windows contain the 9
    expected = torch.zeros(1, 1, 5, 5)
    expected[..., 2, 2] = 100
    assert torch.equal(back, expected)


def test_the_average_pool_spreads_by_overlapping_windows() -> None:
    for size, out in (((5, 7), (2, 3)), ((6, 6), (6, 6)), ((2, 2), (7, 7)), ((4, 4), (1, 1))):
        x = torch.rand(2, 3, *size, dtype=torch.float64, requires_grad=True)
        y = F.adaptive_avg_pool2d(x, out)
        R = torch.randn_like(y)
        assert relative(spread(x.detach(), R), torch.autograd.grad(y, x, R)[0]) < 1e-14


def test_a_batch_equals_its_images_one_by_one() -> None:
    net, images = small_net(), torch.rand(3, 3, 47, 53, dtype=torch.float64)
    whole = sl.deconvnet_reconstruction(net, images)
    single = torch.cat([sl.deconvnet_reconstruction(net, image[None]) for image in images])
    assert relative(whole, single) < 1e-12


def test_nothing_of_the_caller_s_changes() -> None:
    net, images = small_net().train(), torch.rand(1, 3, 47, 53, dtype=torch.float64)
    with nothing_changes(net, images):
        sl.deconvnet_reconstruction(net, images, 1)


def test_networks_that_are_no_sequence_are_refused() -> None:
    images = torch.rand(1, 3, 64, 64)
    with pytest.raises(sl.ModelError, match="BatchNorm2d"):
        sl.deconvnet_reconstruction(
            nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(15376, 3)), images
        )

    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.pool, self.head = nn.Conv2d(3, 3, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Linear(3, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.pool(x + self.conv(x)).flatten(1))

    with pytest.raises(sl.ModelError, match="no plain sequence"):
        sl.deconvnet_reconstruction(Skip(), images)
    with pytest.raises(sl.ModelError, match="zero padding"):
        sl.deconvnet_reconstruction(
            nn.Sequential(nn.Conv2d(3, 2, 3, padding="same"), nn.Flatten(), nn.Linear(8192, 3)), images
        )
    with pytest.raises(sl.TargetError):
        sl.deconvnet_reconstruction(small_net(), torch.rand(1, 3, 47, 53).double(), lambda scores: scores[:, 0])
