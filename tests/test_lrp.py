"""Relevance propagation: by hand on paper, by literal loops, by Captum, and what the two forms owe."""

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision
from captum.attr import LRP
from captum.attr._utils.custom_modules import Addition_Module
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule
from helpers import architecture, images_for, lively_class, nothing_changes, relative, says, small_network
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torchvision.models.resnet import BasicBlock

import saliency_lib as sl

FORMS = {"epsilon": "lrp", "z-plus": "lrp-z-plus"}


class Small(nn.Module):
    """The small network of the tests, written so that Captum's LRP can follow it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.relu1, self.conv2, self.relu2, _, self.linear = small_network()

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.relu2(self.conv2(self.relu1(self.conv1(x)))).flatten(1))


class Residual(BasicBlock):
    """torchvision's block, with a ReLU and a sum that Captum's hooks can tell apart."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu2(self.sum(y, x if self.downsample is None else self.downsample(x)))


def resnet18(seed: int = 1) -> nn.Module:
    """ResNet-18 with random weights, as `Residual` blocks."""
    torch.manual_seed(seed)
    network = torchvision.models.resnet18(num_classes=20)
    for module in list(network.modules()):
        if isinstance(module, BasicBlock):
            module.__class__ = Residual
            module.relu2, module.sum = nn.ReLU(), Addition_Module()
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return network.eval().requires_grad_(False)


def captums(network: nn.Module, images: Tensor, target: int, rule: Any) -> Tensor:
    """Captum's LRP with one rule for all layers that have inputs to share among."""
    for module in network.modules():
        if not list(module.children()) and not isinstance(module, nn.ReLU):
            module.rule = rule()  # type: ignore[assignment]
    return LRP(network).attribute(images.clone(), target=target).detach()


@pytest.mark.parametrize(("kind", "epsilon"), [("small", 1e-6), ("small", 0.5), ("resnet18", 0.1)])
def test_epsilon_equals_captums(kind: str, epsilon: float) -> None:
    network, size = (Small().eval(), 8) if kind == "small" else (resnet18(), 64)
    images = torch.rand(2, 3, size, size) - 0.5 * (kind == "resnet18")
    images = images.clamp(min=0)
    target = lively_class(network, images)
    found = sl.lrp(network, images, target, epsilon=epsilon)
    assert relative(found, captums(network, images, target, lambda: EpsilonRule(epsilon))) < 1e-4


def test_z_plus_equals_captums_where_the_score_is_positive(images: Tensor) -> None:
    network = Small().eval()
    with torch.no_grad():
        scores = network(images)
    target = int(scores.amin(0).argmax())
    assert scores[:, target].min() > 0
    found = sl.lrp(network, images, target, form="z-plus", epsilon=1e-9)
    expected = captums(network, images, target, lambda: Alpha1_Beta0_Rule(set_bias_to_zero=True))
    assert relative(found, expected) < 1e-4


@pytest.mark.parametrize("form", FORMS)
def test_a_residual_block_by_literal_loops(form: str) -> None:
    """y = relu(W x + b), z = y + V y, S = U relu(z): unit by unit, as the equations say."""
    torch.manual_seed(3)
    W, V, U = torch.randn(5, 6), torch.randn(5, 5), torch.randn(2, 5)
    b = torch.randn(5)
    x = torch.randn(6)

    class Block(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            y = nn.functional.linear(images.flatten(1), W, b).relu()
            z = nn.functional.linear(y, V)
            z += y
            return nn.functional.linear(z.relu(), U)

    def shared(contributions: Tensor, total: Tensor, R: Tensor) -> Tensor:
        """Rows are outputs, columns inputs; what each input gets of R."""
        received = torch.zeros(contributions.shape[1])
        for j in range(len(R)):
            if form == "epsilon":
                parts, whole = contributions[j], total[j] + (1e-6 if total[j] >= 0 else -1e-6)
            else:
                parts = contributions[j].clamp(max=0) if total[j] < 0 else contributions[j].clamp(min=0)
                whole = parts.sum()
            for i in range(len(received)):
                received[i] += parts[i] / whole * R[j] if R[j] != 0 else 0
        return received

    y = (W @ x + b).relu()
    v = V @ y
    z = y + v
    S = (U @ z.relu())[1]
    R_z = shared(U[1:2] * z.relu(), S[None], S[None])
    both = torch.cat([torch.diag(y), torch.diag(v)], 1)
    R_y, R_v = shared(both, z, R_z).split(5)
    R_y = R_y + shared(V * y, v, R_v)
    expected = shared(W * x, W @ x + b, R_y)
    with pytest.raises(sl.ImageError):
        sl.lrp(Block(), x.view(1, 1, 2, 3), 1, form=form)  # no image: negative
    model = sl.as_model(Block(), mean=[0.5], std=[0.25])
    image = x.view(1, 1, 2, 3) * 0.25 + 0.5
    assert image.min() >= 0
    assert relative(sl.lrp(model, image, 1, form=form).flatten(), expected) < 1e-4


@pytest.mark.parametrize("name", ["alexnet", "googlenet"])
def test_with_a_small_epsilon_it_is_gradient_times_the_normalized_input(name: str) -> None:
    model, images = architecture(name), images_for(name, 2)
    target = lively_class(model, images)
    expected = (images - model.mean) * sl.input_gradient(model, images, target)
    assert relative(sl.lrp(model, images, target, epsilon=1e-12), expected) < 1e-3


def test_the_whole_score_arrives_under_z_plus_and_has_one_sign() -> None:
    model = sl.load_model("creature_convnet").cpu()
    drawn = sl.creatures(6, seed=5)
    found = sl.lrp(model, drawn.images, drawn.labels, form="z-plus")
    S = model(drawn.images).gather(1, drawn.labels[:, None])[:, 0]
    assert relative(found.flatten(1).sum(1), S) < 1e-3
    assert ((found * S.sign().view(-1, 1, 1, 1)) >= 0).all()


def test_filters_that_live_on_their_bias_lose_the_relevance(embedded: sl.Model, photos: Tensor) -> None:
    found = sl.lrp(embedded, photos[:1], form="z-plus")
    assert 0 < found.sum() < 0.1 * embedded(photos[:1]).max()


def test_what_has_no_rule_is_named(images: Tensor) -> None:
    class Gate(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x * x).flatten(1)

    vit = sl.load_model("creature_vit").cpu()
    for model, given, part in (
        (Gate(), images, "no epsilon rule for mul"),
        (nn.Sequential(nn.Sigmoid(), nn.Flatten()), images, "no epsilon rule for sigmoid"),
        (vit, torch.rand(1, 3, 64, 64), "no epsilon rule for layer_norm"),
    ):
        with nothing_changes(model, given), pytest.raises(sl.ModelError) as caught:
            sl.lrp(model, given)
        assert part in says(caught.value)
    with pytest.raises(sl.ModelError) as caught:
        sl.lrp(architecture("resnet18"), images_for("resnet18"), form="z-plus")
    assert "fold it into the convolution" in says(caught.value)
    for wrong in ({"form": "gamma"}, {"epsilon": 0}):
        with pytest.raises(sl.SaliencyError):
            sl.lrp(small_network(), images, **wrong)  # type: ignore[arg-type]


# --- what is seen, and what descends from the image ----------------------------------------------------------------


class Second(nn.Module):
    """The small network with something in place of its second activation."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.net, self.function = small_network(), function
        self.b = nn.Parameter(torch.rand(6, 1, 1) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.net[4:](self.function(self.net[:3](x), self.b))  # type: ignore[call-arg]


class Twice(torch.autograd.Function):
    """A function with a derivative of its own."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        return 2 * z

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Tensor:
        return 2 * upstream[0]


@pytest.mark.parametrize("form", ["epsilon", "z-plus"])
@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda h, b: Twice.apply(h), "does not see"),
        (lambda h, b: torch.vmap(torch.relu)(h), "does not see|no .* rule"),
        (lambda h, b: torch.jit.trace(torch.relu, h.detach(), check_trace=False)(h), "does not see"),
        (lambda h, b: checkpoint(lambda h: h.relu() * 2, h, use_reentrant=False), "checkpoint"),
        (lambda h, b: nn.LSTM(4, 4, batch_first=True)(h.flatten(1, 2))[0].unflatten(1, (6, 4)), "lstm"),
        (lambda h, b: h * h.sigmoid(), "sigmoid"),
        (lambda h, b: F.layer_norm(h, h.shape[1:]), "layer_norm"),
        (lambda h, b: h.topk(4)[0], "topk"),
    ],
)
def test_what_relevance_propagation_does_not_see_is_refused(function: Any, words: str, form: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(sl.ModelError, match=words) as caught:
            sl.lrp(Second(function), torch.rand(2, 3, 8, 8), 1, form=form)
    says(caught.value)
    whole = torch.jit.trace(small_network(), torch.rand(2, 3, 8, 8))
    with pytest.raises(sl.ModelError, match="does not see"):
        sl.lrp(whole, torch.rand(2, 3, 8, 8), 1, form=form)


@pytest.mark.parametrize("form", ["epsilon", "z-plus"])
@pytest.mark.parametrize(
    ("function", "same"),
    [
        (lambda h, b: h * b, None),
        (lambda h, b: (h - b) / b, None),
        (lambda h, b: torch.add(h, h.relu(), alpha=0.5), lambda h, b: h + 0.5 * h.relu()),
        (lambda h, b: torch.sub(input=h, other=h.relu(), alpha=2), lambda h, b: h + (-2 * h.relu())),
        (lambda h, b: h.movedim(1, -1).flip(0).roll(1, 0).movedim(-1, 1), lambda h, b: h),
        (lambda h, b: torch.stack(h.unbind(1), 1), lambda h, b: h),
        (lambda h, b: -(1 - h) + 1, lambda h, b: h),
        (lambda h, b: F.interpolate(h, scale_factor=2)[..., ::2, ::2], lambda h, b: h),
        (lambda h, b: F.prelu(h, torch.tensor([0.2])), lambda h, b: F.leaky_relu(h, 0.2)),
        (
            lambda h, b: (h.movedim(1, 3) @ (b[:, 0, 0].diag() - 0.3).T).movedim(3, 1),
            lambda h, b: F.conv2d(h, (b[:, 0, 0].diag() - 0.3)[..., None, None]),
        ),
        (
            lambda h, b: F.conv_transpose2d(h, (b[:, 0, 0].diag() - 0.3)[..., None, None]),
            lambda h, b: F.conv2d(input=h, weight=(b[:, 0, 0].diag() - 0.3).T[..., None, None]),
        ),
    ],
)
def test_relevance_is_that_of_the_same_function_written_otherwise_trainable_or_frozen(
    function: Any, same: Any, form: str
) -> None:
    model, images = Second(function), torch.rand(2, 3, 8, 8)
    frozen = copy.deepcopy(model).requires_grad_(False)
    found = sl.lrp(model, images, 1, form=form)
    assert relative(found, sl.lrp(frozen, images, 1, form=form)) < 1e-5
    if same is not None:
        model.function = same
        assert relative(found, sl.lrp(model, images, 1, form=form)) < 1e-4
