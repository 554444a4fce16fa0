"""A ReLU that is not called one: a rule reaches it, or refuses; part of a network following a rule is never silent."""

import contextlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import Act, architecture, raises_one_line, relative, small_network
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import saliency_lib as sl


class TutorialReLU(torch.autograd.Function):
    """The ReLU of PyTorch's tutorial on functions of one's own."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        ctx.save_for_backward(z)
        return z.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Tensor:
        (z,) = ctx.saved_tensors
        return upstream[0] * (z >= 0)


def in_parts(x: Tensor) -> Tensor:
    """In place, on a part after the other."""
    x = x.clone()
    x[:, :2].relu_()
    x[:, 2:].clamp_(min=0)
    return x


REACHED: dict[str, Callable[[Tensor], Tensor]] = {
    "maximum": lambda x: torch.maximum(x, torch.zeros(())),
    "maximum, other order": lambda x: torch.maximum(torch.zeros_like(x), x),
    "max": lambda x: torch.max(x, torch.tensor(0.0)),
    "fmax": lambda x: torch.fmax(x, torch.zeros_like(x)),
    "clamp by a tensor": lambda x: x.clamp(min=torch.tensor(0)),
    "clamp by tensors": lambda x: torch.clamp(x, min=torch.zeros_like(x)),
    "clamp by NumPy": lambda x: x.clamp(min=np.float32(0)),  # type: ignore[arg-type]
    "operator": torch.ops.aten.relu,
    "overload": lambda x: torch.ops.aten.relu.default(x),
    "operator clamp_min": lambda x: torch.ops.aten.clamp_min(x, 0),
    "checkpoint": lambda x: checkpoint(torch.relu, x, use_reentrant=False),
    "checkpoint of a clamp": lambda x: checkpoint(lambda x: (x * 1).clamp(min=0), x, use_reentrant=False),
    "vmap": torch.vmap(torch.relu),
    "compiled, not fused": torch.compile(torch.relu, backend="eager"),
}

WRITTEN_OUT: dict[str, Callable[[Tensor], Tensor]] = {
    "x * (x > 0)": lambda x: x * (x > 0),
    "(x > 0).float() * x": lambda x: (x > 0).float() * x,
    "in place": lambda x: x.clone().mul_(x > 0),
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "where, other order": lambda x: torch.where(x <= 0, torch.zeros_like(x), x),
    "Tensor.where": lambda x: x.where(x > 0, torch.tensor(0.0)),
    "masked_fill": lambda x: x.masked_fill(x < 0, 0),
    "x[x < 0] = 0": lambda x: (y := x.clone(), y.__setitem__(x < 0, 0))[0],
    "x + |x|": lambda x: (x + x.abs()) / 2,
    "|x| + x": lambda x: 0.5 * (x.abs() + x),
    "a maximum over two": lambda x: torch.stack([x, torch.zeros_like(x)]).max(0).values,
    "amax": lambda x: torch.stack([torch.zeros_like(x), x], -1).amax(-1),
    "cat": lambda x: torch.cat([x[None], torch.zeros_like(x)[None]]).max(0).values,
    "pad": lambda x: F.pad(x[..., None], (0, 1)).max(-1).values,
    "sort": lambda x: torch.stack([x, torch.zeros_like(x)]).sort(0).values[1],
    "topk": lambda x: torch.stack([x, torch.zeros_like(x)]).topk(1, 0).values[0],
    "pool": lambda x: F.max_pool2d(torch.stack([x, torch.zeros_like(x)], -1).flatten(1, -2)[:, None], (1, 2)).view_as(
        x
    ),
    "zero times": lambda x: torch.maximum(x, 0 * x),
    "amax, zero times": lambda x: torch.stack([x, 0 * x], -1).amax(-1),
    "cat, times zero": lambda x: torch.cat([(x * 0)[None], x[None]]).max(0).values,
    "pool, zero times": lambda x: F.max_pool2d(torch.stack([x, 0 * x], -1).flatten(1, -2)[:, None], (1, 2)).view_as(x),
    "times zero": lambda x: torch.fmax(x * 0, x),
    "where, twice x": lambda x: torch.where(x > 0, x, x * 0),
    "minimum": lambda x: -torch.minimum(-x, torch.zeros(())),
    "fmin": lambda x: -torch.fmin(torch.zeros_like(x), -x),
    "clamp max": lambda x: -(-x).clamp(max=0),
    "rest": lambda x: x - x.clamp(max=0),
    "a function of one's own": TutorialReLU.apply,
}

HIDDEN: dict[str, Callable[[Tensor], Tensor]] = {
    "reentrant checkpoint": lambda x: checkpoint(torch.relu, x, use_reentrant=True),
    "in place, in parts": in_parts,
    "compiled": torch.compile(lambda x: torch.relu(x * 1), backend="aot_eager"),
}


def with_second(function: Callable[[Tensor], Tensor], net: nn.Sequential) -> nn.Sequential:
    """The network with another second activation."""
    return nn.Sequential(*net[:3], Act(function), *net[4:])


@pytest.mark.parametrize("form", REACHED)
def test_a_relu_by_another_name_follows_the_rule(form: str, net: nn.Sequential, images: Tensor) -> None:
    for rule in ("deconvnet", "guided", "backprop", lambda g, z: g * z.clamp(min=0).sigmoid()):
        expected = sl.input_gradient(net, images, 1, rule=rule)
        assert relative(sl.input_gradient(with_second(REACHED[form], net), images, 1, rule=rule), expected) < 1e-6


def derivative_from(mixed: nn.Sequential, net: nn.Sequential, images: Tensor) -> Tensor:
    """Guided at the first ReLU, and the plain derivative above it."""
    z = net[0](images).detach()
    h = z.relu().requires_grad_()
    (g,) = torch.autograd.grad(mixed[2:](h)[:, 1].sum(), h)
    return F.conv_transpose2d(g * (z > 0) * (g > 0), net[0].weight, padding=1)


@pytest.mark.parametrize("form", WRITTEN_OUT)
def test_what_may_be_a_relu_is_refused_unless_one_says_so(form: str, net: nn.Sequential, images: Tensor) -> None:
    """The graph does not tell x * (x > 0) from any other mask."""
    mixed = with_second(WRITTEN_OUT[form], net)
    for network in (mixed, nn.Sequential(net, Act(WRITTEN_OUT[form])), sl.as_classifier(mixed, size=8)):
        for rule in ("deconvnet", "guided"):
            with raises_one_line(sl.ModelError, "others='backprop'"):
                sl.input_gradient(network, images, 1, rule=rule)
    rule = sl.relu_rule("guided", others="backprop")
    for _ in range(2):  # it can be used again
        assert relative(sl.input_gradient(mixed, images, 1, rule=rule), derivative_from(mixed, net, images)) < 1e-5


@pytest.mark.parametrize("form", HIDDEN)
def test_what_no_rule_reaches_is_refused(form: str, net: nn.Sequential, images: Tensor) -> None:
    mixed = with_second(HIDDEN[form], net)
    for network in (mixed, nn.Sequential(net, Act(HIDDEN[form]))):
        for rule in ("deconvnet", sl.relu_rule("guided", others="backprop")):
            with raises_one_line(sl.ModelError, "part of the network would not follow"):
                sl.input_gradient(network, images, 1, rule=rule)


@pytest.mark.parametrize("make", [torch.jit.script, lambda net: torch.jit.trace(net, torch.rand(3, 3, 8, 8))])
@pytest.mark.parametrize("whole", [True, False])
def test_scripted_and_traced_networks_are_right_or_refused_at_each_call(
    make: Callable, whole: bool, net: nn.Sequential, images: Tensor
) -> None:
    """Their first calls record plain nodes, later ones a single one that hides its ReLUs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixed = make(net) if whole else nn.Sequential(make(net[:4]), *net[4:])
        expected = sl.input_gradient(net, images, 1, rule="guided")
        for _ in range(4):
            with contextlib.suppress(sl.ModelError):
                assert relative(sl.input_gradient(mixed, images, 1, rule="guided"), expected) < 1e-6


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * torch.full_like(x, 0.5),
        lambda x: torch.maximum(x, torch.full((), 0.1)),
        lambda x: x.exp() * torch.ones_like(x),
        lambda x: x.abs() + 1,
        lambda x: x.clamp(min=torch.tensor(-0.1)),
        lambda x: torch.maximum(x, x.flip(1)),
        lambda x: torch.stack([x, x.flip(1)]).amax(0),
    ],
)
def test_what_is_no_relu_keeps_its_derivative(function: Any, net: nn.Sequential, images: Tensor) -> None:
    mixed = with_second(function, net)
    expected = derivative_from(mixed, net, images)
    assert relative(sl.input_gradient(mixed, images, 1, rule="guided"), expected) < 1e-5


def test_a_network_that_cannot_be_differentiated_says_so(net: nn.Sequential, images: Tensor) -> None:
    mixed = with_second(HIDDEN["reentrant checkpoint"], net)
    spoiled = with_second(lambda x: (y := x.sigmoid(), y.mul_(2))[0], net)
    for network in (mixed, spoiled):
        for use in (lambda n: sl.input_gradient(n, images, 1), lambda n: sl.layer_saliency(n, images, 1, layer="0")):
            with raises_one_line(sl.ModelError, "cannot be differentiated"):
                use(network)


def test_layers_that_compute_something_else_have_no_deconvnet(images: Tensor) -> None:
    class Standardized(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            weight = (self.weight - self.weight.mean()) / self.weight.std()
            return F.conv2d(x, weight, self.bias, self.stride, self.padding)

    class Doubled(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    net = small_network()
    hooked = small_network()
    hooked[0].register_forward_hook(lambda module, inputs, output: 3 * output)
    first = nn.Sequential(Standardized(3, 4, 3, padding=1), *net[1:])
    for wrong in (first, nn.Sequential(*net[:-1], Doubled(96, 5)), hooked):
        with raises_one_line(sl.ModelError, "does not compute what"):
            sl.deconvnet_reconstruction(wrong, images, 1)
    normed = nn.Sequential(nn.utils.parametrizations.weight_norm(small_network()[0]), *net[1:])
    for branching in (normed, architecture("resnet18"), architecture("googlenet")):
        with raises_one_line(sl.ModelError, r"no plain sequence|a DeconvNet is defined for"):
            sl.deconvnet_reconstruction(branching, torch.rand(1, 3, 64, 64) if branching is not normed else images, 1)


def test_a_module_s_backward_hook_is_no_activation() -> None:
    """Hooks run a function of torch's own that hands gradients on: under a rule they watch, and change nothing."""
    model, images, seen = small_network(), torch.rand(2, 3, 8, 8), []
    expected = sl.input_gradient(model, images, 1, rule="guided")
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_full_backward_hook(lambda *_: seen.append(1))
    torch.testing.assert_close(sl.input_gradient(model, images, 1, rule="guided"), expected)
    assert seen
