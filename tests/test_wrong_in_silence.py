"""Networks of other people's making: the right answer or one sentence, where once a wrong map came without a word."""

import warnings
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from helpers import Act, nothing_changes, raises_one_line, relative, small_network
from torch import Tensor, nn

import saliency_lib as sl

# --- the one place where a network is called -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "mixing",
    [
        lambda x: F.batch_norm(x, None, None, training=True),
        lambda x: x - x.mean(0),
        lambda x: x.softmax(0),
        nn.BatchNorm2d(3, track_running_stats=False),
    ],
)
def test_images_that_depend_on_each_other_are_found_by_trying(mixing: Any, net: nn.Module) -> None:
    mixed, images = nn.Sequential(Act(mixing), net).eval(), torch.rand(2, 3, 8, 8)
    for ask in (lambda x: sl.input_gradient(mixed, x, 1), lambda x: sl.occlusion(mixed, x, 1)):
        with nothing_changes(mixed, images), raises_one_line(sl.ModelError, "one by one"):
            ask(images)
    assert sl.input_gradient(mixed, images[:1], 1).shape == (1, 3, 8, 8)
    assert sl.occlusion(mixed, images[:1], 1, batch_size=1).shape == (1, 8, 8)


def test_what_only_looks_like_it_is_no_mixing(net: nn.Module, images: Tensor) -> None:
    """Noise, and outputs of other kinds than one tensor."""
    noisy = nn.Sequential(Act(lambda x: x + 0.1 * torch.randn(x.shape)), net)
    several = Act(lambda x: {"scores": net(x), "size": x.shape, "all": x.mean()})
    assert sl.input_gradient(noisy, images, 1).shape == images.shape
    found = sl.input_gradient(several, images, lambda output: output["scores"][:, 1])
    assert relative(found, sl.input_gradient(net, images, 1)) < 1e-6


# --- the one place where a layer's output is read ------------------------------------------------------------------


class Last(nn.Module):
    """Keeps its maps channels last between two layers that have names."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 40, 3, padding=1)
        self.norm = Act(lambda x: x.permute(0, 2, 3, 1) * 2)
        self.back = Act(lambda x: x.permute(0, 3, 1, 2).relu())
        self.last = nn.Linear(40, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.back(self.norm(self.first(x))).mean((2, 3)))


@pytest.mark.parametrize("size", [(8, 8), (6, 12)])
def test_channels_that_come_last_are_told_or_refused(size: tuple[int, int]) -> None:
    model, images = Last(), torch.rand(2, 3, *size)
    for method in ("grad-cam", "layer-saliency"):
        with raises_one_line(sl.ModelError, r"channels last: say sl.tokens"):
            sl.find_method(method)(model, images, layer="norm").maps(1)
        found = sl.find_method(method)(model, images, layer=sl.tokens("norm", skip=0)).maps(1)
        assert found.shape == (2, *size)
    expected = sl.grad_cam(
        nn.Sequential(
            model.first,
            model.norm,
            Act(lambda x: x.permute(0, 3, 1, 2)),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            model.last,
        ),
        images,
        1,
        layer="2",
    )
    assert relative(sl.grad_cam(model, images, 1, layer=sl.tokens("norm", skip=0)), expected) < 1e-5
    with pytest.raises(sl.ModelError, match="channels last"):
        sl.input_gradient(model, images, sl.unit("norm", 3))


def test_a_layer_that_cannot_be_used_leaves_no_hook_behind(net: nn.Sequential, images: Tensor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixed = nn.Sequential(*net[:4], torch.jit.script(net[4]), net[5])
    for names in (["0", "1", "2", "3", "4"], ["4"], ["4", "3", "0"]):
        with nothing_changes(mixed[:4], images), raises_one_line(sl.ModelError, "cannot be looked into"):
            sl.activations(mixed, images, names)


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (lambda x: (x, x), "is a tuple"),
        (lambda x: {"x": x}, "is a dict"),
        (lambda x: x.argmax(1), "is a Tensor"),
        (lambda x: x.flatten(0, 1), "one thing for each image"),
    ],
)
def test_what_a_layer_puts_out_instead_of_a_map_is_named(odd: Any, words: str, images: Tensor) -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.layer = small_network(), Act(odd)

        def forward(self, x: Tensor) -> Tensor:
            self.layer(x)
            return self.net(x)

    with raises_one_line(sl.ModelError, words):
        sl.grad_cam(Odd(), images, 1, layer="layer")


def test_layers_of_a_wrapped_network_have_their_own_names(net: nn.Module, images: Tensor) -> None:
    expected = sl.grad_cam(net, images, 1, layer="2")
    for wrapped in (torch.compile(net, backend="eager"), nn.DataParallel(net)):
        assert torch.equal(sl.grad_cam(wrapped, images, 1, layer="2"), expected)


def test_tokens_that_no_score_depends_on_are_no_map_of_zeros(images: Tensor) -> None:
    class First(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.last = Act(lambda x: F.pad(x.flatten(2).transpose(1, 2), (0, 0, 1, 0))), nn.Linear(3, 5)

        def forward(self, x: Tensor) -> Tensor:
            t = self.tokens(x)
            return self.last(t[:, 0] + 1)

    with raises_one_line(sl.ModelError, "none of these tokens"):
        sl.grad_cam(First(), images, 1, layer=sl.tokens("tokens"))


# --- the one place where a target is asked of a batch --------------------------------------------------------------


class Named(NamedTuple):
    """Outputs with names."""

    scores: Tensor
    more: Tensor


@pytest.mark.parametrize(
    ("wrap", "pick"),
    [
        (lambda s: s, lambda o: o),
        (lambda s: (s, s.sum()), lambda o: o[0]),
        (lambda s: {"a": [s], "b": None}, lambda o: o["a"][0]),
        (lambda s: Named(s, 2 * s), lambda o: o.scores),
    ],
)
@pytest.mark.parametrize("method", ["integrated-gradients", "lime"])
def test_a_function_of_one_value_an_image_is_asked_of_that_image(
    method: str, wrap: Any, pick: Any, net: nn.Module
) -> None:
    """Whatever the number of versions in a batch: as many as there are images, fewer, or more."""
    labels, images = torch.tensor([0, 3, 1, 4, 2]), torch.rand(5, 3, 8, 8)
    model, more = nn.Sequential(net, Act(wrap)), {"lime": {"samples": 12}, "occlusion": {}}

    def mine(output: Any) -> Tensor:
        return pick(output)[torch.arange(5), labels]

    for batch_size in (2, 5, 7):
        settings = {"batch_size": batch_size, **more.get(method, {"steps": 3} if method[0] == "i" else {"samples": 3})}
        expected = sl.find_method(method)(net, images, **settings).maps(labels)
        assert relative(sl.find_method(method)(model, images, **settings).maps(mine), expected) < 1e-5
        both = sl.weighted([(mine, 2.0), (lambda output: pick(output)[:, 1], 0.0)])
        assert relative(sl.find_method(method)(model, images, **settings).maps(both), 2 * expected) < 1e-5


@pytest.mark.parametrize("method", ["gradient", "occlusion", "smoothgrad"])
@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_a_number_that_is_none_is_refused(method: str, value: float, net: nn.Module, images: Tensor) -> None:
    masked = nn.Sequential(net, Act(lambda s: s * 1 + torch.tensor([value, 0, 0, 0, 0])))
    with raises_one_line(sl.ModelError, r"infinite or NaN|returns NaN"):
        sl.find_method(method)(masked, images).maps(0)


def test_a_gradient_that_is_none_is_refused(images: Tensor) -> None:
    root = Act(lambda x: (x * 0).sqrt().sum((2, 3)) + x.mean((2, 3)))
    with raises_one_line(sl.ModelError, "gradient at the image is infinite or NaN"):
        sl.input_gradient(root, images, 1)


# --- the model itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_network_in_another_number_format_is_asked_in_its_own(dtype: torch.dtype) -> None:
    net = small_network()
    model = sl.as_model(net.to(dtype))
    images = torch.rand(2, 3, 8, 8)
    expected = sl.saliency_map(sl.as_model(net.to(torch.float32)), images, 1)
    assert relative(sl.saliency_map(model, images, 1).float(), expected) < 0.05
    assert sl.saliency_map(model, images.to(dtype), 1).dtype == dtype


def test_a_model_normalizes_where_its_weights_lie() -> None:
    model = sl.as_model(small_network().to("meta"))
    assert {buffer.device.type for buffer in (model.mean, model.std)} == {"meta"}


def test_one_output_without_a_meaning_is_a_question(images: Tensor) -> None:
    net = nn.Sequential(*small_network()[:-1], nn.LazyLinear(1))
    net(images)
    model = sl.as_classifier(net)
    assert sl.saliency_map(model, images).any()
    for ask in (lambda: model.top(images), lambda: sl.saliency_map(model, images, sl.posterior(0))):
        with raises_one_line(sl.ModelError, "head=sl.Head"):
            ask()
    with raises_one_line(sl.ModelError, "one output, and 2 names"):
        sl.as_classifier(net, categories=["no", "yes"]).top(images)
    owl = sl.as_model(net, head=sl.Head("sigmoid", ["owl"])).top(images)[0][0]
    assert owl.probability == pytest.approx(1 / (1 + torch.tensor(-owl.score).exp().item()))


# --- pictures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grain_leaves_about_as_many_superpixels_as_were_asked_for(channels: int) -> None:
    found = sl.superpixels(torch.rand(1, channels, 64, 64), 30)
    assert 15 <= found.unique().numel() <= 45


def test_a_picture_that_cannot_be_used_is_told_what_it_is(tmp_path: Any) -> None:
    with raises_one_line(sl.ImageError, "fromarray"):
        sl.load_image(torch.zeros(4, 4, 3).byte().numpy())
    heic = tmp_path / "x.heic"
    heic.write_bytes(b"\x00\x00\x00\x18ftypheic" + b"\0" * 100)
    with raises_one_line(sl.ImageError, r"HEIC\): save it as JPEG"):
        sl.load_image(heic)
    with raises_one_line(sl.ImageError, "one or three channels, and these have 4"):
        sl.removed(torch.rand(1, 4, 8, 8), torch.eye(8).bool()[None], "inpainting")
