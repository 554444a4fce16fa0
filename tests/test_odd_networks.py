"""Odd outputs, rules, classes and layers: the right answer, or one sentence that says what to do."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers import Act, nothing_changes, raises_one_line, relative
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import saliency_lib as sl
from saliency_lib import plots

# --- what the network puts out ---------------------------------------------------------------------------------------

OUTPUTS: dict[str, Callable[[Tensor], Any]] = {
    "sparse": lambda S: S.to_sparse(),
    "rows compressed": lambda S: S.to_sparse_csr(),
    "float8": lambda S: S.to(torch.float8_e4m3fn),
    "meta": lambda S: S.to("meta"),
    "no class": lambda S: S[:, :0],
    "complex": lambda S: S + 1j,
    "nested": lambda S: torch.nested.nested_tensor(list(S)),
    "none": lambda S: None,
    "numbers": lambda S: S.tolist(),
    "one number": lambda S: S.sum(),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_that_are_no_scores(name: str, net: nn.Module, images: Tensor) -> None:
    network = nn.Sequential(net, Act(OUTPUTS[name]))
    asked: list[Callable[[], object]] = [
        *(lambda m=m: sl.find_method(m)(network, images).maps(1) for m in ("gradient", "occlusion", "lime", "lrp")),
        lambda: sl.as_model(net).top(images) if name == "none" else sl.saliency_map(network, images),
        lambda: sl.class_image(network, 1, steps=1, size=8),
        lambda: sl.saliency_map(net, images, lambda S: OUTPUTS[name](S)),
    ]
    for ask in asked if name != "none" else [asked[0], asked[1], asked[5], asked[6]]:
        with raises_one_line(sl.SaliencyError):
            ask()


def test_scores_for_each_place_are_told_what_to_do(images: Tensor) -> None:
    network = nn.Conv2d(3, 4, 3)
    with raises_one_line(sl.ModelError, r"a function .* lambda output: output\[:, c\].flatten"):
        sl.saliency_map(network, images, 2)
    w = sl.input_gradient(network, images, lambda output: output[:, 2].flatten(1).mean(1))
    assert w.abs().max() > 0


def test_a_class_image_of_a_bare_network_names_the_means() -> None:
    gray = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    with raises_one_line(sl.ModelError, r"as_model\(network, mean="):
        sl.class_image(gray, 1, steps=1, size=8)
    assert sl.class_image(sl.as_model(gray, mean=[0.5], std=[0.5], size=8), 1, steps=1).image.shape == (1, 1, 8, 8)


# --- classes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [bytes, bytearray, lambda x: memoryview(bytes(x))])
def test_bytes_are_no_classes(kind: Any, net: nn.Module) -> None:
    target, images = kind([1, 2]), torch.rand(2, 3, 8, 8)
    asked = (
        lambda: sl.saliency_map(net, images, target),
        lambda: sl.occlusion(net, images, target),
        lambda: sl.class_image(net, target, steps=1, size=8),
        lambda: sl.saliency_map(net, images, sl.unit("0", 1, target)),
    )
    for ask in asked:
        with raises_one_line(sl.TargetError):
            ask()


def test_weights_of_classes_are_no_list_of_classes(net: nn.Module) -> None:
    with pytest.raises(sl.TargetError, match=r"sl\.weighted"):
        sl.class_image(net, {1: 2.0}, steps=1, size=8)


# --- rules -----------------------------------------------------------------------------------------------------------

RULES: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "another shape": lambda g, z: g[..., :1],
    "None": lambda g, z: None,
    "a number": lambda g, z: 1.0,
    "a tensor of one": lambda g, z: g.sum(),
    "complex": lambda g, z: g + 1j,
    "meta": lambda g, z: g.to("meta"),
    "whole numbers": lambda g, z: g.long(),
    "sparse": lambda g, z: g.to_sparse(),
    "NaN": lambda g, z: g * float("nan"),
}
SAID = "a rule returns a tensor|infinite or NaN"


@pytest.mark.parametrize("name", RULES)
def test_rules_of_ones_own_that_are_none(name: str, net: nn.Module, images: Tensor) -> None:
    for ask in (sl.deconvnet_reconstruction, sl.input_gradient):
        with nothing_changes(net, images), raises_one_line(sl.SaliencyError, SAID):
            ask(net, images, 1, rule=RULES[name])


def test_maxima_of_what_depends_on_the_image_are_none() -> None:
    """A maxout, the largest value in a channel, and a pool behind zeros at the border."""
    pool = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.ZeroPad2d(1), nn.MaxPool2d(2))
    maxout = Act(lambda x: torch.stack([x[:, :2], x[:, 2:]]).max(0).values.amax((2, 3)))
    smaller = Act(lambda x: torch.minimum(torch.maximum(x, 2 * x.flip(1)), x.flip(1) + 1).clamp(max=6))
    network, images = nn.Sequential(pool, smaller, maxout), torch.rand(2, 3, 8, 8)
    assert sl.input_gradient(network, images, 1, rule="guided").abs().max() > 0


# --- layers ----------------------------------------------------------------------------------------------------------


class Twins(nn.Module):
    """Two halves of an image's channels through one encoder, which puts out more than a tensor."""

    def __init__(self, kind: type = tuple) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
        self.both = Act(lambda x: {tuple: (x, 1), list: [x, 1], dict: {"x": x, "n": 1}}[kind])
        self.key: Any = "x" if kind is dict else 0
        self.last = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        a, b = (self.both(self.encoder(half))[self.key] for half in (x[:, :3], x[:, 3:]))
        return self.last(torch.cat([a.mean((2, 3)), 2 * b.mean((2, 3))], 1))


@pytest.mark.parametrize("kind", [tuple, list, dict])
def test_a_layer_that_runs_twice_is_asked_for_by_its_call(kind: type) -> None:
    model, images = Twins(kind).eval(), torch.rand(2, 6, 10, 10)
    model.last.weight.data.abs_()
    with nothing_changes(model, images), pytest.raises(sl.ModelError, match=r"say which, sl.at\(layer, call=0\)"):
        sl.grad_cam(model, images, 1, layer="encoder")
    for call, half in enumerate((images[:, :3], images[:, 3:])):
        h = model.encoder(half).detach()
        weights = (1 + call) * model.last.weight[1, 8 * call : 8 * call + 8].detach() / 64
        expected = (weights.view(1, 8, 1, 1) * h).sum(1).relu()
        for layer in (sl.at("encoder", call=call), sl.at("both", call=call, item=model.key)):
            assert relative(sl.grad_cam(model, images, 1, layer=layer), expected) < 1e-5
        assert torch.equal(sl.activations(model, images, [sl.at("encoder", call=call)]).popitem()[1], h)
        w = sl.input_gradient(model, images, sl.unit(sl.at("encoder", call=call), 2))
        assert w[:, 3 * call : 3 * call + 3].abs().max() > 0
        assert not w[:, 3 - 3 * call :][:, :3].any()
    for layer, words in {
        sl.at("encoder", call=2): "2 times, counted from 0",
        sl.at("both", call=0): r"say which part, sl.at\(layer, item=",
        sl.at("both", call=0, item="zebra"): "has no 'zebra'",
        sl.at("both", call=0, item=9): "has no 9",
        sl.at("encoder", call=-1): "call should be a whole number",
        sl.at("encoder", call=0, channels="middle"): "no place 'middle'",
    }.items():
        with nothing_changes(model, images), raises_one_line(sl.ModelError, words):
            sl.grad_cam(model, images, 1, layer=layer)


def test_channels_that_come_last_can_be_said_and_so_can_those_that_come_first(images: Tensor) -> None:
    first = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5))
    last = nn.Sequential(
        first[0], Act(lambda x: x.permute(0, 2, 3, 1)), Act(lambda x: x.permute(0, 3, 1, 2)), *first[1:]
    )
    expected = sl.grad_cam(first, images, 1, layer="0")
    assert relative(sl.grad_cam(last, images, 1, layer=sl.at("1", channels="last")), expected) < 1e-6
    assert relative(sl.grad_cam(first, images, 1, layer=sl.at("0", channels="first")), expected) < 1e-6


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_layer_in_a_checkpoint_is_right_or_says_so(reentrant: bool, net: nn.Sequential, images: Tensor) -> None:
    start, end = net[:4], net[4:]
    network = nn.Sequential(start, end)
    checked = nn.Sequential(Act(lambda x: checkpoint(start, x, use_reentrant=reentrant)), end)
    for method in ("grad-cam", "layer-saliency"):
        find = sl.find_method(method)
        if reentrant:
            with raises_one_line(sl.ModelError, "under no_grad, as in a reentrant checkpoint"):
                find(checked, images, layer=start[0]).maps(1)
        else:
            expected = find(network, images, layer=start[0]).maps(1)
            assert relative(find(checked, images, layer=start[0]).maps(1), expected) < 1e-6


# --- training through a map ------------------------------------------------------------------------------------------


def test_a_map_can_be_differentiated_by_the_weights_and_by_the_images(net: nn.Sequential) -> None:
    """d/dtheta of |M|^2 by double backward in plain PyTorch, and d/dI of it; without the option there is no graph."""
    network = nn.Sequential(net[0], nn.Softplus(), net[2], nn.Softplus(), *net[4:]).double()
    images = torch.rand(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    assert not sl.saliency_map(network, images, 1).requires_grad

    I = images.detach().clone().requires_grad_()
    (w,) = torch.autograd.grad(network(I)[:, 1].sum(), I, create_graph=True)
    wanted = [network[0].weight, network[5].weight]
    expected = torch.autograd.grad(w.abs().amax(1).square().sum(), [I, *wanted])
    M = sl.saliency_map(network, images, 1, create_graph=True)
    found = torch.autograd.grad(M.square().sum(), [images, *wanted])
    for a, b in zip(found, expected, strict=True):
        assert relative(a, b) < 1e-9
    with pytest.raises(sl.SaliencyError, match="create_graph is True or False"):
        sl.saliency_map(network, images, 1, create_graph="yes")  # type: ignore[arg-type]


# --- pictures --------------------------------------------------------------------------------------------------------


def test_small_numbers_have_a_length() -> None:
    w = torch.tensor([3e-30, 4e-30, 0.0]).view(1, 3, 1, 1)
    assert sl.reduce_channels(w, "l2").item() == pytest.approx(5e-30)
    assert sl.reduce_channels(torch.zeros(1, 3, 2, 2), "l2").eq(0).all()


def test_two_predictions_of_one_name_are_two_bars() -> None:
    found = [sl.Prediction(i, "crane", 3.0 - i, 0.5) for i in range(2)]
    figure = plots.scores(found)
    bars = figure.axes[0].patches
    assert len({bar.get_y() for bar in bars}) == 2
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["crane"] * 2


def test_a_title_of_a_megabyte_is_cut() -> None:
    figure = plots.grid({"x" * 10**6: torch.rand(4, 4)})
    assert len(figure.axes[0].get_title()) < 400


def test_a_signed_picture_is_of_one_image() -> None:
    plots.signed(torch.rand(1, 3, 4, 4))
    with pytest.raises(sl.SaliencyError, match="one gradient"):
        plots.signed(torch.rand(2, 3, 4, 4))
