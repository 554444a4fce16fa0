"""The rules of a ReLU: against Captum where Captum is right, against formulas everywhere."""

import copy
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import Deconvolution, GuidedBackprop
from helpers import MEAN, STD, architecture, images_for, lively_class, nothing_changes, relative, says, small_network
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.methods.relu_rules import RULES

# --- the formulas, written once more -------------------------------------------------------------------------------


def expected_signal(rule: str, g: np.ndarray, z: np.ndarray, bound: float = np.inf) -> np.ndarray:
    """Element by element, from section 4 of the paper and from Springenberg et al. (2014), section 3.4."""
    down = np.zeros_like(g)
    for at in np.ndindex(g.shape):
        on, positive = z[at] > 0 and (z[at] < bound or bound == np.inf), g[at] > 0
        if {"backprop": on, "deconvnet": positive, "guided": on and positive}[rule]:
            down[at] = g[at]
    return down


def slow_rule(rule: str, g: Tensor, z: Tensor, bound: float) -> Tensor:
    """The same for large tensors."""
    on, positive = torch.logical_and(z > 0, z < bound), g > 0
    keep = {"backprop": on, "deconvnet": positive, "guided": torch.logical_and(on, positive)}[rule]
    return torch.where(keep, g, torch.zeros_like(g))


@contextmanager
def slow_relus(rule: str) -> Iterator[list[str]]:
    """Replace PyTorch's ReLU functions by ones whose backward is a tensor hook, with the formula in it.

    The package's hooks on nodes are not used: forward, a copy of z has the right value added as a constant, so that
    autograd hands the upstream signal to the copy, where the hook waits.
    """
    met: list[str] = []

    def relu_with_bound(name: str, bound: float) -> Callable[..., Tensor]:
        def relu(z: Tensor, *_: Any, **__: Any) -> Tensor:
            met.append(name)
            value = z.detach().clamp(0, None if bound == np.inf else bound)
            passed = z * 1.0
            seen = z.detach().clone()
            passed.register_hook(lambda g: slow_rule(rule, g, seen, bound))
            return passed + (value - passed).detach()

        return relu

    def hardtanh(z: Tensor, low: float, high: float, inplace: bool) -> Tensor:
        assert low == 0
        return relu_with_bound("hardtanh", high)(z)

    with pytest.MonkeyPatch.context() as patch:
        for name, bound in {"relu": np.inf, "relu_": np.inf, "relu6": 6.0}.items():
            patch.setattr(F, name, relu_with_bound(name, bound))
        for owner, name in ((torch, "relu"), (Tensor, "relu"), (Tensor, "relu_")):
            patch.setattr(owner, name, relu_with_bound(name, np.inf))
        patch.setattr(F, "hardtanh", hardtanh)  # which nn.ReLU6 calls
        yield met


def slow_gradient(model: nn.Module, images: Tensor, index: int, rule: str) -> Tensor:
    """The rule's signal at the image by `slow_relus`, in float64."""
    I = images.clone().requires_grad_()
    with slow_relus(rule) as met:
        score = model(I)[:, index].sum()
        (signal,) = torch.autograd.grad(score, I)
    assert met
    return signal


class Functional(nn.Module):
    """ReLUs that no hook on modules can see: functions, methods, clamps, one of them in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.last = nn.Linear(8, 20)

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu(self.first(images))
        x = torch.relu(self.second(x))
        x = (self.second(x) - 0.1).relu_()
        x = F.relu6(self.second(x) * 30)
        return self.last(x.mean((2, 3)).relu())


@pytest.fixture(scope="module")
def functional() -> sl.Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return sl.as_classifier(Functional(), MEAN, STD)


# --- whole networks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["alexnet", "resnet18"])
@pytest.mark.parametrize(("rule", "captums"), [("guided", GuidedBackprop), ("deconvnet", Deconvolution)])
def test_the_rules_equal_captums_where_captum_is_right(name: str, rule: str, captums: Any) -> None:
    """These call nn.ReLU modules only, which is what Captum hooks."""
    model, images = architecture(name), images_for(name)
    target = lively_class(model, images)
    with pytest.warns(UserWarning, match="Setting backward hooks"):
        expected = captums(model).attribute(images.clone(), target=target)
    found = sl.input_gradient(model, images, target, rule=rule)
    assert relative(found, expected) < 1e-5
    assert relative(found, sl.input_gradient(model, images, target)) > 0.01


NETWORKS = ["googlenet", "mobilenet_v2", "densenet121", "functional"]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_rules_equal_the_formulas_on_every_network(name: str, functional: sl.Model) -> None:
    model = copy.deepcopy(functional if name == "functional" else architecture(name)).double()
    images = (torch.rand(1, 3, 64, 64) if name == "functional" else images_for(name)).double()
    target = lively_class(model, images)
    plain = sl.input_gradient(model, images, target)
    assert relative(plain, slow_gradient(model, images, target, "backprop")) < 1e-9
    for rule in ("deconvnet", "guided"):
        found = sl.input_gradient(model, images, target, rule=rule)
        assert relative(found, slow_gradient(model, images, target, rule)) < 1e-9
        assert relative(found, plain) > 0.01


def test_float32_is_the_same_up_to_rounding() -> None:
    model, images = architecture("mobilenet_v2"), images_for("mobilenet_v2")
    double = copy.deepcopy(model).double()
    for rule in ("deconvnet", "guided"):
        exact = sl.input_gradient(double, images.double(), 3, rule=rule)
        assert relative(sl.input_gradient(model, images, 3, rule=rule), exact) < 1e-3


@pytest.mark.parametrize("rule", RULES)
def test_a_network_of_two_layers_in_numpy(rule: str) -> None:
    """S = v^T max(A max(B x + b, 0) + a, 0), forward and backward written out."""
    rng = np.random.default_rng(0)
    B, b, A, a, v = (rng.standard_normal(shape) for shape in ((9, 12), 9, (7, 9), 7, (1, 7)))
    x = rng.random(12)
    z1 = B @ x + b
    z2 = A @ np.maximum(z1, 0) + a
    g1 = A.T @ expected_signal(rule, v[0], z2)
    expected = B.T @ expected_signal(rule, g1, z1)

    first, second, third = nn.Linear(12, 9), nn.Linear(9, 7), nn.Linear(7, 1, bias=False)
    model = nn.Sequential(nn.Flatten(), first, nn.ReLU(), second, nn.ReLU(), third).double()
    for parameter, values in zip(model.parameters(), (B, b, A, a, v), strict=True):
        parameter.data = torch.from_numpy(values)
    found = sl.input_gradient(model, torch.from_numpy(x).view(1, 3, 2, 2), 0, rule=rule)
    assert relative(found.flatten(), torch.from_numpy(expected)) < 1e-12


def test_backprop_changes_nothing_bit_for_bit(embedded: sl.Model, functional: sl.Model) -> None:
    images = torch.rand(2, 3, 64, 64)
    for model in (embedded, functional, architecture("squeezenet1_1")):
        I = images.clone().requires_grad_()
        (expected,) = torch.autograd.grad(model(I).amax(1).sum(), I)
        assert torch.equal(sl.gradient(model(I).amax(1), I, rule="backprop"), expected)
        assert torch.equal(sl.input_gradient(model, images, lambda s: s.amax(1), rule="backprop"), expected)


@pytest.mark.parametrize("rule", RULES)
def test_a_batch_equals_its_images_one_by_one(rule: str) -> None:
    model, images = small_network().double(), torch.rand(3, 3, 8, 8).double()
    together = sl.input_gradient(model, images, [0, 1, 2], rule=rule)
    alone = [sl.input_gradient(model, images[[i]], i, rule=rule) for i in range(3)]
    assert relative(together, torch.cat(alone)) < 1e-12


@pytest.mark.parametrize("rule", ["deconvnet", "guided"])
def test_channels_last_is_the_same(rule: str) -> None:
    model, images = small_network().double(), torch.rand(3, 3, 8, 8).double()
    expected = sl.input_gradient(model, images, 1, rule=rule)
    last = copy.deepcopy(model).to(memory_format=torch.channels_last)
    found = sl.input_gradient(last, images.contiguous(memory_format=torch.channels_last), 1, rule=rule)
    assert relative(found, expected) < 1e-12


def test_activation_checkpoints_keep_the_rule() -> None:
    """A network that computes its activations a second time during the backward pass."""
    plain = architecture("densenet121")
    saving = copy.deepcopy(plain)
    for module in saving.modules():
        if hasattr(module, "memory_efficient"):
            module.memory_efficient = True
    images = images_for("densenet121")
    for rule in RULES:
        expected = sl.input_gradient(plain, images, 0, rule=rule)
        assert relative(sl.input_gradient(saving, images, 0, rule=rule), expected) < 1e-6


@pytest.mark.parametrize("rule", ["deconvnet", "guided"])
def test_the_rules_within_autocast(rule: str) -> None:
    z, g = torch.randn(2, 50), torch.randn(2, 50)
    expected = torch.from_numpy(expected_signal(rule, g.bfloat16().float().numpy(), z.bfloat16().float().numpy()))
    I = z.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = F.relu(I @ torch.eye(50))
    assert out.dtype == torch.bfloat16
    found = sl.gradient(out * g.bfloat16(), I, rule=rule)
    assert relative(found, expected) < 0.01


@pytest.mark.parametrize("rule", RULES)
def test_the_rules_on_every_device(rule: str, device: torch.device) -> None:
    model, images = small_network(), torch.rand(2, 3, 8, 8)
    expected = sl.input_gradient(model, images, 1, rule=rule)
    assert relative(sl.input_gradient(model.to(device), images.to(device), 1, rule=rule), expected) < 1e-3


# --- one activation ------------------------------------------------------------------------------------------------

EDGES = torch.tensor([-np.inf, -7.0, -1e-30, -0.0, 0.0, 1e-30, 1.0, 5.999, 6.0, 6.001, 7.0, np.inf, np.nan])
SIGNALS = torch.tensor([-2.0, -0.0, 0.0, 3.0])
Z, G = (grid.clone() for grid in torch.meshgrid(EDGES, SIGNALS, indexing="ij"))


def signal_through(call: Callable[[Tensor], Tensor], rule: str | Callable) -> tuple[Tensor, Tensor]:
    """What an activation returns for every pre-activation in Z, and what it hands down for every signal in G."""
    leaf = Z.clone().requires_grad_()
    out = call(leaf * 1)  # not the leaf itself, which may not be overwritten
    return out.detach(), sl.gradient(out * G, leaf, rule=rule)


UNBOUNDED: dict[str, Callable[[Tensor], Tensor]] = {
    "nn.ReLU": nn.ReLU(),
    "nn.ReLU in place": nn.ReLU(inplace=True),
    "F.relu in place by position": lambda z: F.relu(z, True),
    "torch.relu_": torch.relu_,
    "Tensor.relu": lambda z: z.relu(),
    "torch.clamp": lambda z: torch.clamp(z, 0),
    "Tensor.clip by keyword": lambda z: z.clip(min=0),
    "Tensor.clamp_": lambda z: z.clamp_(0),
    "torch.clamp_min": lambda z: torch.clamp_min(z, 0),
    "Tensor.clamp_min_": lambda z: z.clamp_min_(min=0.0),
    "F.threshold": lambda z: F.threshold(z, 0, 0),
    "nn.Threshold in place": nn.Threshold(0.0, 0.0, inplace=True),
    "aten.relu_": torch.ops.aten.relu_,
}
BOUNDED: dict[str, Callable[[Tensor], Tensor]] = {
    "nn.ReLU6": nn.ReLU6(),
    "F.relu6 in place": lambda z: F.relu6(z, inplace=True),
    "F.hardtanh by keyword": lambda z: F.hardtanh(z, min_val=0.0, max_val=6.0),
    "F.hardtanh_": lambda z: F.hardtanh_(z, 0.0, 6.0),
    "torch.clamp by keyword": lambda z: torch.clamp(z, max=6, min=0),
    "Tensor.clip_": lambda z: z.clip_(0, 6),
    "_nn.relu6_": torch._C._nn.relu6_,
    "aten.hardtanh": lambda z: torch.ops.aten.hardtanh(z, 0, 6),
}
"""Each function of PyTorch once, new and in place: a rule sees what autograd recorded, and not how it was spelled."""

FORMS = [
    (f"{name} to {bound:g}", call, bound)
    for calls, bound in ((UNBOUNDED, np.inf), (BOUNDED, 6.0))
    for name, call in calls.items()
]


@pytest.mark.parametrize(("call", "bound"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS])
@pytest.mark.parametrize("rule", ["deconvnet", "guided"])
def test_every_way_to_call_a_relu_at_every_edge(call: Callable, bound: float, rule: str) -> None:
    """z and g below, at and above 0, z below, at and above the bound, infinite and NaN."""
    value, down = signal_through(call, rule)
    assert torch.equal(value.nan_to_num(-1), Z.clamp(0, None if bound == np.inf else bound).nan_to_num(-1))
    expected = expected_signal(rule, G.numpy(), Z.numpy(), bound)
    assert np.array_equal(down[:-1].numpy(), expected[:-1])  # at NaN there is no right signal, and the value says so
    assert not np.array_equal(down.numpy(), signal_through(call, "backprop")[1].numpy())


@pytest.mark.parametrize("call", [form[1] for form in FORMS], ids=[form[0] for form in FORMS])
def test_backprop_is_pytorchs_own_derivative(call: Callable) -> None:
    leaf = Z.clone().requires_grad_()
    (expected,) = torch.autograd.grad(call(leaf * 1), leaf, G)
    assert np.array_equal(signal_through(call, "backprop")[1].numpy(), expected.numpy(), equal_nan=True)


@pytest.mark.parametrize("call", [nn.ReLU(), nn.ReLU6(), lambda z: z.clamp_(0, 6)])
@pytest.mark.parametrize("name", RULES)
def test_a_function_of_ones_own_equals_the_builtin_rule(call: Callable, name: str) -> None:
    def own(g: Tensor, z: Tensor) -> Tensor:
        on, positive = (z > 0).to(g.dtype), (g > 0).to(g.dtype)
        return {"backprop": g * on, "deconvnet": g * positive, "guided": g * on * positive}[name]

    finite = Z.isfinite()
    found, expected = (signal_through(call, rule)[1] for rule in (own, name))
    if name == "backprop":  # PyTorch's clamp lets the signal through at the very ends
        finite &= (Z != 0) & (Z != 6)
    assert torch.equal(found[finite], expected[finite])


def test_a_function_of_ones_own_is_handed_g_and_z() -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def rule(g: Tensor, z: Tensor) -> Tensor:
        seen.append((g, z))
        return 10 * g

    z = torch.tensor([-1.0, 2.0, 7.0], requires_grad=True)
    out = F.relu(z), F.relu6(z), z.clamp(min=0, max=2), z.clamp(min=0)
    down = sl.gradient(torch.stack(out) * torch.tensor([1.0, 2.0, 3.0]), z, rule=rule)
    assert down.tolist() == [40.0, 80.0, 120.0]
    handed = [[-1.0, 0.0, 0.0], [-1.0, 2.0, 0.0], [-1.0, 2.0, 7.0], [0.0, 2.0, 7.0]]  # the last: a ReLU keeps max(z, 0)
    assert sorted(z.tolist() for _, z in seen) == handed
    assert all(g.tolist() == [1.0, 2.0, 3.0] for g, _ in seen)


@pytest.mark.parametrize("rule", ["gradient", "", "Guided", 3, ["guided"]])
def test_an_unknown_rule_lists_those_there_are(rule: object) -> None:
    for use in (sl.relu_rule, lambda rule: sl.input_gradient(small_network(), torch.rand(1, 3, 8, 8), rule=rule)):
        with pytest.raises(sl.SaliencyError, match="'backprop', 'deconvnet', 'guided'") as caught:
            use(rule)
        says(caught.value)
    with pytest.raises(sl.SaliencyError, match="there is no way with others"):
        sl.relu_rule("guided", others="ignore")


# --- in place ------------------------------------------------------------------------------------------------------


def test_who_reads_a_tensor_after_it_was_overwritten_gets_the_rule_too() -> None:
    """The residual block of many networks: y = relu_(x); out = y + f(x), where x is y by now."""
    x = torch.tensor([-1.0, 2.0, 3.0], requires_grad=True)
    z = x * 1
    out = z.relu_() + 2 * z
    assert sl.gradient(out * torch.tensor([1.0, -1.0, 1.0]), x, rule="guided").tolist() == [0.0, 0.0, 3.0]


def test_who_read_a_tensor_before_it_was_overwritten_keeps_its_own_path() -> None:
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    z = x * 1
    doubled = z * 2
    assert sl.gradient(doubled + z.relu_(), x, rule="guided").tolist() == [2.0, 3.0]


def test_views_that_are_overwritten_in_part_are_refused() -> None:
    """What an operation in place on a part of a tensor does is hidden in one node."""
    x = torch.tensor([[-1.0, 2.0], [3.0, -4.0]], requires_grad=True)
    base = x * 1
    base[0].relu_()
    with pytest.raises(sl.ModelError, match="in place by parts") as caught:
        sl.gradient(base.relu(), x, rule="deconvnet")
    says(caught.value)
    assert sl.gradient(base, x).tolist() == [[0.0, 1.0], [1.0, 1.0]]


def test_relus_in_place_one_after_the_other() -> None:
    x = torch.tensor([-1.0, 2.0, 8.0], requires_grad=True)
    z = F.relu6(x * 1, inplace=True).relu_()
    assert sl.gradient(z * torch.tensor([1.0, -1.0, 1.0]), x, rule="deconvnet").tolist() == [1.0, 0.0, 1.0]


def test_a_network_in_place_equals_the_same_network_not_in_place() -> None:
    model, images = small_network(), torch.rand(2, 3, 8, 8)
    inplace = copy.deepcopy(model)
    for module in inplace.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = True
    for rule in RULES:
        expected = sl.input_gradient(model, images, 1, rule=rule)
        assert torch.equal(sl.input_gradient(inplace, images, 1, rule=rule), expected)


# --- what is no ReLU -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda z: z.clamp(-1, 1),
        lambda z: z.clamp(1e-6),
        lambda z: z.clamp(max=6),
        lambda z: F.hardtanh(z),
        lambda z: F.hardtanh(z, -1, 6),
        lambda z: F.threshold(z, 1.0, 0.0),
        lambda z: z.abs(),
        torch.tanh,
        torch.sigmoid,
    ],
)
def test_other_functions_keep_their_derivative(call: Callable) -> None:
    g = torch.tensor([-2.0, 3.0, -4.0])
    down = []
    for rule in ("backprop", "deconvnet"):
        z = torch.tensor([-3.0, 0.5, 2.0], requires_grad=True)
        out = call(z * 1) * g + 0 * F.relu(z)  # so that one is met
        down.append(sl.gradient(out, z, rule=rule))
    assert torch.equal(*down)


UNDEFINED: dict[str, Callable[..., nn.Module]] = {
    layer.__name__: layer
    for layer in (
        *(nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU),
        *(nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Softplus),
    )
}


@pytest.mark.parametrize("activation", UNDEFINED)
@pytest.mark.parametrize("inplace", [False, True])
def test_an_activation_without_a_rule_is_named(activation: str, inplace: bool) -> None:
    """Even in the middle of a network of ReLUs, and under a classifier."""
    options = {"inplace": True} if inplace else {}
    try:
        layer = UNDEFINED[activation](**options)
    except TypeError:
        pytest.skip("not to be had in place")
    network = small_network()
    network[3] = nn.Sequential(nn.Identity(), layer)
    model, images = sl.as_classifier(network, MEAN, STD), torch.rand(2, 3, 8, 8)
    for rule in ("deconvnet", "guided", lambda g, z: g):
        with nothing_changes(model, images), pytest.raises(sl.ModelError) as caught:
            sl.input_gradient(model, images, rule=rule)
        assert {"SELU": "ELU"}.get(activation, activation) in says(caught.value)
    assert sl.input_gradient(model, images).isfinite().all()


def test_others_may_keep_their_gradient() -> None:
    g = torch.tensor([-2.0, 3.0])
    z = torch.tensor([1.0, -0.5], requires_grad=True)
    (expected,) = torch.autograd.grad(F.silu(z), z, g)
    rule = sl.relu_rule("guided", others="backprop")
    assert torch.equal(sl.gradient(F.silu(z) * g + 0 * F.relu(z).sum(), z, rule=rule), expected)
    with pytest.raises(sl.ModelError, match="no ReLU was met"):
        sl.gradient(F.silu(z), z, rule=rule)


def test_a_network_without_a_relu_says_so() -> None:
    model, images = nn.Sequential(nn.Flatten(), nn.Linear(12, 3), nn.Tanh()), torch.rand(1, 3, 2, 2)
    for rule in ("deconvnet", "guided", lambda g, z: g):
        for explain in (sl.input_gradient, sl.saliency_map, sl.top_class_maps):
            with nothing_changes(model, images), pytest.raises(sl.ModelError, match="no ReLU was met") as caught:
                explain(model, images, rule=rule)
            says(caught.value)
    assert sl.input_gradient(model, images).abs().max() > 0


# --- nothing is left behind ----------------------------------------------------------------------------------------


def test_a_rule_is_a_value() -> None:
    assert sl.relu_rule("guided") == sl.relu_rule("guided", others="raise") != sl.relu_rule("deconvnet")
    with pytest.raises(AttributeError):
        sl.relu_rule("guided").rule = "deconvnet"  # type: ignore[misc]


def test_one_graph_answers_by_every_rule_and_stays_as_it_was() -> None:
    model, images = small_network(), torch.rand(2, 3, 8, 8, requires_grad=True)
    S = model(images)[:, 1]
    for _ in range(2):
        for rule in (*RULES, lambda g, z: 2 * g, None):
            assert torch.equal(sl.gradient(S, images, rule=rule), sl.input_gradient(model, images, 1, rule=rule))
    S.sum().backward()
    assert torch.equal(images.grad, sl.input_gradient(model, images, 1))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, KeyError])
def test_an_exception_in_a_rule_reaches_the_caller_and_leaves_nothing_behind(error: type[BaseException]) -> None:
    def rule(g: Tensor, z: Tensor) -> Tensor:
        raise error("mine")

    model, images = small_network(), torch.rand(1, 3, 8, 8, requires_grad=True)
    S = model(images)[0, 1]
    expected = sl.gradient(S, images)
    with pytest.raises((sl.ModelError, error), match="mine"):
        sl.gradient(S, images, rule=rule)
    with pytest.raises(sl.ModelError, match="GELU"):
        sl.gradient(F.gelu(model(images)[0, 1]), images, rule="guided")
    assert torch.equal(torch.autograd.grad(S, images, retain_graph=True)[0], expected)
    with nothing_changes(model, images), pytest.raises((sl.ModelError, error), match="mine"):
        sl.input_gradient(model, images, 1, rule=rule)


def test_a_rule_that_asks_for_a_gradient_itself_is_one_pass_in_another() -> None:
    """Nested, and of the same graph: the inner pass goes by its own rule, and the outer one goes on by its own."""
    model, images = small_network(), torch.rand(1, 3, 8, 8, requires_grad=True)
    S, inner = model(images)[0, 1], []
    plain, expected = sl.gradient(S, images), sl.gradient(S, images, rule=lambda g, z: 2 * g)

    def rule(g: Tensor, z: Tensor) -> Tensor:
        inner.append((sl.gradient(S, images), sl.gradient(S, images, rule="guided")))
        return 2 * g

    assert torch.equal(sl.gradient(S, images, rule=rule), expected)
    guided = sl.gradient(S, images, rule="guided")
    assert len(inner) == 2
    assert all(torch.equal(one, plain) and torch.equal(other, guided) for one, other in inner)


def test_only_what_lies_between_the_score_and_the_image_counts() -> None:
    """Weights that went through a softplus or a ReLU of their own do not follow a rule, and are not in its way."""
    weight = torch.randn(4, 12, requires_grad=True)
    x = torch.rand(2, 12, requires_grad=True)
    S = torch.relu(x @ F.softplus(weight).T - 3)
    assert torch.equal(
        sl.gradient(S, x, rule="guided"), sl.gradient(torch.relu(x @ F.softplus(weight.detach()).T - 3), x)
    )
    with pytest.raises(sl.ModelError, match="no ReLU was met"):
        sl.gradient(x @ torch.relu(weight).T, x, rule="guided")
    h = F.gelu(x * 1)  # nor is what lies below the place of the derivative
    assert torch.equal(sl.gradient(-torch.relu(h), h, rule="guided"), torch.zeros(2, 12))


def test_a_map_by_a_rule_can_be_differentiated_itself() -> None:
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    w = sl.gradient(torch.relu(x) ** 3, x, rule="guided", create_graph=True)
    assert torch.autograd.grad(w.sum(), x)[0].tolist() == [6.0, 12.0]


def test_ten_threads_with_different_rules_get_their_own_answers() -> None:
    """Also of one graph, which they share."""
    model, images = small_network(), torch.rand(2, 3, 8, 8)
    rules: list[Any] = [*RULES, lambda g, z: 2 * g, lambda g, z: g * z] * 2
    expected = [sl.input_gradient(model, images, 1, rule=rule) for rule in rules]
    assert all(relative(a, b) > 0.01 for i, a in enumerate(expected[:5]) for b in expected[:i])
    wrong: list[int] = []
    together = threading.Barrier(len(rules))
    I = images.clone().requires_grad_()
    S = model(I)[:, 1]

    def work(number: int) -> None:
        together.wait()
        for _ in range(20):
            alone = sl.input_gradient(model, images, 1, rule=rules[number])
            shared = sl.gradient(S, I, rule=rules[number])
            if not (torch.equal(alone, expected[number]) and torch.equal(shared, expected[number])):
                wrong.append(number)

    with ThreadPoolExecutor(len(rules)) as pool:
        list(pool.map(work, range(len(rules))))
    assert not wrong
