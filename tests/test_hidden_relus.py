"""A ReLU that is not called one: a rule reaches it, or refuses; part of a network following a rule is never silent."""

import asyncio
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import architecture, relative, says, small_network
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import saliency_lib as sl


class Act(nn.Module):
    """Any function as a layer."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


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


def scripted() -> nn.Module:
    class Inside(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(x * 1.0) + 0.0

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(Inside())


REACHED: dict[str, Callable[[Tensor], Tensor]] = {
    "maximum": lambda x: torch.maximum(x, torch.zeros(())),
    "maximum, other order": lambda x: torch.maximum(torch.zeros_like(x), x),
    "max": lambda x: torch.max(x, torch.tensor(0.0)),
    "fmax": lambda x: torch.fmax(x, torch.zeros_like(x)),
    "x * (x > 0)": lambda x: x * (x > 0),
    "(x > 0).float() * x": lambda x: (x > 0).float() * x,
    "in place": lambda x: x.clone().mul_(x > 0),
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "where, other order": lambda x: torch.where(x <= 0, torch.zeros_like(x), x),
    "Tensor.where": lambda x: x.where(x > 0, torch.tensor(0.0)),
    "clamp by a tensor": lambda x: x.clamp(min=torch.tensor(0)),
    "clamp by tensors": lambda x: torch.clamp(x, min=torch.zeros_like(x)),
    "clamp by NumPy": lambda x: x.clamp(min=np.float32(0)),  # type: ignore[arg-type]
    "operator": torch.ops.aten.relu,
    "overload": lambda x: torch.ops.aten.relu.default(x),
    "operator clamp_min": lambda x: torch.ops.aten.clamp_min(x, 0),
}

HIDDEN: dict[str, Callable[[Tensor], Tensor]] = {
    "a function of one's own": TutorialReLU.apply,
    "x + |x|": lambda x: (x + x.abs()) / 2,
    "|x| + x": lambda x: 0.5 * (x.abs() + x),
    "reentrant checkpoint": lambda x: checkpoint(torch.relu, x, use_reentrant=True),
    "script": scripted(),
}


def with_second(function: Callable[[Tensor], Tensor], net: nn.Sequential) -> nn.Sequential:
    """The network with another second activation."""
    return nn.Sequential(*net[:3], Act(function), *net[4:])


@pytest.mark.parametrize("rule", ["deconvnet", "guided", lambda g, z: g * z.sigmoid()])
@pytest.mark.parametrize("form", REACHED)
def test_a_relu_by_another_name_follows_the_rule(form: str, rule: Any, net: nn.Sequential, images: Tensor) -> None:
    expected = sl.input_gradient(net, images, 1, rule=rule)
    assert relative(sl.input_gradient(with_second(REACHED[form], net), images, 1, rule=rule), expected) < 1e-6
    plain = sl.input_gradient(net, images, 1)
    assert relative(sl.input_gradient(with_second(REACHED[form], net), images, 1), plain) < 1e-6


@pytest.mark.parametrize("rule", ["deconvnet", "guided"])
@pytest.mark.parametrize("form", HIDDEN)
def test_what_no_rule_reaches_is_refused(form: str, rule: str, net: nn.Sequential, images: Tensor) -> None:
    mixed = with_second(HIDDEN[form], net)
    last = nn.Sequential(net, Act(HIDDEN[form]))
    for network in (mixed, last, sl.as_classifier(mixed, size=8)):
        with pytest.raises(sl.ModelError, match="part of the network would not follow") as caught:
            sl.input_gradient(network, images, 1, rule=rule)
        says(caught.value)
    with pytest.raises(sl.ModelError, match="would not follow"), sl.relu_rule(rule):
        mixed(images.clone().requires_grad_())[0, 1]


def test_functions_may_keep_their_derivative_if_one_says_so(net: nn.Sequential, images: Tensor) -> None:
    mixed = with_second(TutorialReLU.apply, net)
    found = sl.input_gradient(mixed, images, 1, rule=sl.relu_rule("guided", others="backprop"))
    z = net[0](images).detach()
    h = z.relu().requires_grad_()
    (g,) = torch.autograd.grad(net[2:](h)[:, 1].sum(), h)
    expected = F.conv_transpose2d(g * (z > 0) * (g > 0), net[0].weight, padding=1)
    assert relative(found, expected) < 1e-5
    with pytest.raises(sl.ModelError, match="would not follow"):  # what *is* called a ReLU has no such excuse
        sl.input_gradient(with_second(scripted(), net), images, 1, rule=sl.relu_rule("guided", others="backprop"))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * (x > 0.1),
        lambda x: torch.maximum(x, torch.full((), 0.1)),
        lambda x: torch.where(torch.ones_like(x, dtype=torch.bool), x, 0.0),
        lambda x: x.exp() * torch.ones_like(x),
        lambda x: x.abs() + 1,
        lambda x: x.clamp(min=torch.tensor(-0.1)),
        lambda x: torch.maximum(x, x.flip(1)),
    ],
)
def test_what_is_no_relu_keeps_its_derivative(function: Any, net: nn.Sequential, images: Tensor) -> None:
    mixed = with_second(function, net)
    z = net[0](images).detach()
    h = z.relu().requires_grad_()
    (g,) = torch.autograd.grad(mixed[2:](h)[:, 1].sum(), h)  # the plain derivative down to the one ReLU there is
    expected = F.conv_transpose2d(g * (z > 0) * (g > 0), net[0].weight, padding=1)
    assert relative(sl.input_gradient(mixed, images, 1, rule="guided"), expected) < 1e-5


def test_a_network_that_cannot_be_differentiated_says_so(net: nn.Sequential, images: Tensor) -> None:
    mixed = with_second(HIDDEN["reentrant checkpoint"], net)
    spoiled = with_second(lambda x: (y := x.sigmoid(), y.mul_(2))[0], net)
    for network in (mixed, spoiled):
        for use in (lambda n: sl.input_gradient(n, images, 1), lambda n: sl.layer_saliency(n, images, 1, layer="0")):
            with pytest.raises(sl.ModelError, match="cannot be differentiated") as caught:
                use(network)
            says(caught.value)


def test_an_own_rule_and_a_checkpoint(net: nn.Sequential, images: Tensor) -> None:
    mixed = with_second(lambda x: checkpoint(torch.relu, x, use_reentrant=False), net)
    for rule in ("deconvnet", "guided"):
        expected = sl.input_gradient(net, images, 1, rule=rule)
        assert relative(sl.input_gradient(mixed, images, 1, rule=rule), expected) < 1e-6
    with pytest.raises(sl.ModelError, match="checkpoint") as caught:
        sl.input_gradient(mixed, images, 1, rule=lambda g, z: g * z)
    says(caught.value)


def test_tasks_that_take_turns_keep_their_rules(net: nn.Sequential, images: Tensor) -> None:
    async def first(opened: asyncio.Event, go: asyncio.Event) -> Tensor:
        with sl.relu_rule("guided"):
            opened.set()
            await go.wait()
            return sl.input_gradient(net, images, 1)

    async def second(opened: asyncio.Event, go: asyncio.Event) -> list[Tensor]:
        await opened.wait()
        found = [sl.input_gradient(net, images, 1)]
        with sl.relu_rule("deconvnet"):
            go.set()
            await asyncio.sleep(0.01)  # the first one leaves its context meanwhile
            found.append(sl.input_gradient(net, images, 1))
        return found

    async def both() -> list[Tensor]:
        opened, go = asyncio.Event(), asyncio.Event()
        guided, (plain, deconvnet) = await asyncio.gather(first(opened, go), second(opened, go))
        return [guided, plain, deconvnet]

    for found, rule in zip(asyncio.run(both()), ("guided", "backprop", "deconvnet"), strict=True):
        assert relative(found, sl.input_gradient(net, images, 1, rule=rule)) < 1e-6
    assert torch._C._len_torch_function_stack() == 0


def test_contexts_that_close_in_another_order(net: nn.Sequential, images: Tensor) -> None:
    def suspended() -> Iterator[None]:
        with sl.relu_rule("guided"):
            net(images)
            yield

    generator = suspended()
    next(generator)
    with sl.relu_rule("deconvnet"):
        net(images)
        list(generator)
        found = sl.input_gradient(net, images, 1)
    assert relative(found, sl.input_gradient(net, images, 1, rule="deconvnet")) < 1e-6
    assert torch._C._len_torch_function_stack() == 0


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
        with pytest.raises(sl.ModelError, match="does not compute what") as caught:
            sl.deconvnet_reconstruction(wrong, images, 1)
        says(caught.value)
    normed = nn.Sequential(nn.utils.parametrizations.weight_norm(small_network()[0]), *net[1:])
    for branching in (normed, architecture("resnet18"), architecture("googlenet")):
        with pytest.raises(sl.ModelError, match=r"no plain sequence|a DeconvNet is defined for") as caught:
            sl.deconvnet_reconstruction(branching, torch.rand(1, 3, 64, 64) if branching is not normed else images, 1)
        says(caught.value)


def test_a_module_s_backward_hook_is_no_activation() -> None:
    """Hooks run a function of torch's own that hands gradients on: under a rule they watch, and change nothing."""
    model, images, seen = small_network(), torch.rand(2, 3, 8, 8), []
    expected = sl.input_gradient(model, images, 1, rule="guided")
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_full_backward_hook(lambda *_: seen.append(1))
    torch.testing.assert_close(sl.input_gradient(model, images, 1, rule="guided"), expected)
    assert seen
