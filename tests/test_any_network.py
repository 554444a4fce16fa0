"""Whatever a network computes: numbers, labels, one channel, other shapes, dicts, tokens, and units inside it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision.models
from captum.attr import NeuronGradient
from helpers import nothing_changes, raises_one_line, relative, small_network
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.images import part_of


class Regressor(nn.Module):
    """One number an image, as (N,) or (N, 1): a convolution, a ReLU, a weighted mean."""

    def __init__(self, shape: str, channels: int = 3) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.shape = shape
        self.features = nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU())
        self.weights = nn.Parameter(torch.randn(4, generator=generator))
        with torch.no_grad():
            for parameter in self.features.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        number = self.features(x).mean((2, 3)) @ self.weights
        return number if self.shape == "(N,)" else number[:, None]


ANGLE = sl.Head("numbers", ["steering angle"], "degrees")


@pytest.mark.parametrize("shape", ["(N,)", "(N, 1)"])
def test_a_regressor_is_explained_like_any_other_network(shape: str) -> None:
    model = sl.as_model(Regressor(shape), head=ANGLE, size=8).double()
    images = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    w = sl.input_gradient(model, images)
    step = torch.zeros_like(images)
    step[0, 1, 4, 5] = h = 1e-6
    difference = (model(images + step) - model(images - step)).flatten()[0] / (2 * h)
    assert abs(w[0, 1, 4, 5] - difference) < 1e-8
    assert torch.equal(sl.saliency_map(model, images), w.abs().amax(1))
    assert torch.equal(sl.saliency_map(model, images, "steering angle"), w.abs().amax(1))

    h_layer = model.network.features(images)
    expected = (model.network.weights.abs()[None, :, None, None] / 64).expand_as(h_layer).amax(1)
    assert relative(sl.layer_saliency(model, images, layer="features"), expected) < 1e-12

    (found,), _ = model.top(images)
    assert (found.class_index, found.name, found.probability) == (0, "steering angle", None)
    assert found.score == pytest.approx(model(images).flatten()[0].item())

    climbed = sl.class_image(model, "steering angle", steps=20, step_size=2.0, l2=0.0)
    assert climbed.history.score[-1, 0] > climbed.history.score[0, 0] + 0.1
    assert climbed.image.shape == (1, 3, 8, 8)


def test_a_linear_regressor_has_its_weights_for_a_gradient() -> None:
    """The closed form: f(I) = v^T (I - m) / s + b has the gradient v / s everywhere."""
    linear = nn.Linear(3 * 4 * 4, 1).double()
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
    model = sl.as_model(nn.Sequential(nn.Flatten(), linear), mean=mean, std=std, size=4, head=ANGLE).double()
    v = linear.weight.detach().view(1, 3, 4, 4) / torch.tensor(std).double().view(1, 3, 1, 1)
    images = torch.rand(1, 3, 4, 4, dtype=torch.float64)
    assert relative(sl.input_gradient(model, images), v) < 1e-12
    plane = sl.linear_approximation(model, images)
    other = torch.rand(1, 3, 4, 4, dtype=torch.float64)
    assert relative(plane(other), model(other)[:, 0]) < 1e-12


def test_one_channel_and_no_square_go_through_the_whole_pipeline() -> None:
    """66 x 200 pixels in gray, as a car's camera gives them, from the photo to the box."""
    model = sl.as_model(Regressor("(N,)", channels=1), mean=[0.5], std=[0.25], size=(66, 200), head=ANGLE)
    photo = sl.sample_photo("chelsea")
    images = model.to_tensor(photo)
    assert images.shape == (1, 1, 66, 200)
    gray = sl.to_tensor(photo, (66, 200)) * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    assert (images - gray.sum(1, keepdim=True)).abs().max() < 2 / 255
    saliency = sl.saliency_map(model, images)
    assert saliency.shape == (1, 66, 200)
    x0, y0, x1, y1 = part_of(saliency[0]) or ()
    assert (x0, x1) == (0, 1)
    assert (y1 - y0) * photo.height / photo.width == pytest.approx(66 / 200)
    where = sl.threshold_box(photo, saliency, threshold=0.01)
    assert where.box is not None
    assert y0 * photo.height - 1 <= where.box[1] < where.box[3] <= y1 * photo.height + 1
    assert sl.layer_saliency(model, images, layer="features.0").shape == (1, 66, 200)
    assert sl.class_image(model, 0, steps=2, priors="recommended").image.shape == (1, 1, 66, 200)
    assert model.top(images)[0][0].name == "steering angle"
    with pytest.raises(sl.ImageError, match="expected 1 color channel, "):
        sl.saliency_map(model, torch.rand(1, 3, 66, 200))


def test_a_network_of_labels_has_a_probability_for_each() -> None:
    network = nn.Sequential(nn.Conv2d(3, 20, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    names = [f"label {i}" for i in range(20)]
    model = sl.as_model(network, head=sl.Head("sigmoid", names), size=8)
    images = torch.rand(2, 3, 8, 8)
    scores = model(images)
    best = model.top(images, 20)[1]
    assert [p.class_index for p in best] == scores[1].argsort(descending=True).tolist()
    for p in best:
        assert p.probability == pytest.approx(1 / (1 + torch.exp(-scores[1, p.class_index]).item()), rel=1e-5)
    assert abs(sum(p.probability or 0 for p in best) - 1) > 0.5  # they do not sum to one
    P = scores.sigmoid()[:, 3]
    expected = (P * (1 - P)).detach()[:, None, None, None] * sl.input_gradient(model, images, "label 3")
    assert relative(sl.input_gradient(model, images, sl.posterior("label 3")), expected) < 1e-5
    assert sl.layer_saliency(model, images, "label 3", layer="0").shape == (2, 5, 5)
    assert sl.class_image(model, ["label 3", "label 7"], steps=2).classes == [3, 7]


def test_a_vision_transformers_tokens_are_a_map() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vit = torchvision.models.VisionTransformer(64, 16, 3, 2, 32, 64, num_classes=5).eval()
        nn.init.normal_(vit.heads.head.weight)  # torchvision starts it at zero, and then no class has a gradient
    images = torch.rand(1, 3, 64, 64)
    name = "encoder.layers.encoder_layer_1"
    found = sl.grad_cam(vit, images, 2, layer=sl.tokens(name))
    assert found.shape == (1, 4, 4)

    kept: dict[str, Tensor] = {}
    module = vit.get_submodule(name)
    hook = module.register_forward_hook(lambda m, i, o: kept.update(h=o))
    score = vit(images)[0, 2]
    hook.remove()
    (g,) = torch.autograd.grad(score, kept["h"])
    by_hand = torch.zeros(4, 4)
    weights = g[0, 1:].mean(0)  # the mean over the patches, without the class token
    for i in range(4):
        for j in range(4):
            by_hand[i, j] = max((weights * kept["h"][0, 1 + 4 * i + j].detach()).sum().item(), 0)
    assert by_hand.max() > 0
    assert relative(found[0], by_hand) < 1e-4
    assert sl.saliency_map(vit, images, 2).shape == (1, 64, 64)
    tokens = sl.tokens(name)
    assert sl.activations(vit, images, [tokens])[tokens].shape == (1, 32, 4, 4)
    with raises_one_line(sl.ModelError, "16 tokens do not fill a grid of 3 x 4"):
        sl.grad_cam(vit, images, 2, layer=sl.tokens(name, grid=(3, 4)))


class Detector(nn.Module):
    """Like torchvision's detectors it returns a dictionary: boxes and their scores."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU())
        self.head = nn.Conv2d(6, 2, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        out = self.head(self.backbone(x))
        return {"scores": out[:, :1].flatten(1), "boxes": out[:, 1:].flatten(1)}


def test_a_function_picks_from_a_dictionary() -> None:
    model = sl.as_model(Detector(), size=8)
    images = torch.rand(2, 3, 8, 8)

    def best_score(output: dict[str, Tensor]) -> Tensor:
        return output["scores"].amax(1)

    for i in range(2):
        I = images[i : i + 1].clone().requires_grad_()
        (expected,) = torch.autograd.grad(model(I)["scores"].max(), I)
        assert torch.equal(sl.input_gradient(model, images, best_score)[i : i + 1], expected)
    assert sl.layer_saliency(model, images, best_score, layer="backbone.0").shape == (2, 4, 4)
    assert sl.find_method("gradient")(model, images).maps(best_score).shape == (2, 8, 8)
    climbed = sl.class_image(model, best_score, steps=5)
    assert climbed.history.score[-1, 0] > climbed.history.score[0, 0]
    assert climbed.top == []
    for use in (model.top, lambda I: sl.saliency_map(model, I), lambda I: sl.top_class_maps(model, I[:1])):
        with raises_one_line(sl.ModelError, "returns dict, not a tensor of scores: pass a function"):
            use(images)
    with raises_one_line(sl.TargetError, "failed with KeyError"):
        sl.saliency_map(model, images, lambda output: output["score"])


def test_which_of_several_numbers_has_to_be_said() -> None:
    model = sl.as_model(small_network(), size=8, head=sl.Head("numbers", ["x", "y", "z", "a", "b"], "cm"))
    images = torch.rand(2, 3, 8, 8)
    with raises_one_line(sl.TargetError, "5 numbers, and none of them is the top class"):
        sl.saliency_map(model, images)
    assert torch.equal(sl.saliency_map(model, images, "y"), sl.saliency_map(model, images, 1))
    assert [p.name for p in model.top(images, 3)[0]] == ["x", "y", "z"]
    with pytest.raises(sl.ModelError, match="no probabilities"):
        sl.saliency_map(model, images, sl.posterior("y"))


# --- units, and weights ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torchvision.models.resnet18(weights=None, num_classes=5).eval()


POSITIONS: list[tuple[Any, Callable[[Tensor], Tensor]]] = [
    (None, lambda here: here.mean((1, 2))),
    ("max", lambda here: here.amax((1, 2))),
    ((1, 2), lambda here: here[:, 1, 2]),
]


@pytest.mark.parametrize(("position", "reduce"), POSITIONS)
def test_the_gradient_of_a_unit_equals_captums(resnet: nn.Module, position: Any, reduce: Callable) -> None:
    images = torch.rand(2, 3, 64, 64)
    found = sl.input_gradient(resnet, images, sl.unit("layer3", 17, position))
    neuron = (17, *position) if isinstance(position, tuple) else lambda h: reduce(h[:, 17])
    theirs = NeuronGradient(resnet, resnet.layer3).attribute(images.clone().requires_grad_(), neuron)
    assert theirs.abs().max() > 0
    assert relative(found, theirs) < 1e-5


@pytest.mark.parametrize("position", [position for position, _ in POSITIONS])
def test_the_gradient_of_a_unit_is_its_finite_difference(position: Any) -> None:
    net = small_network(activation=nn.Tanh).double()
    images = torch.rand(1, 3, 8, 8, dtype=torch.float64)
    target = sl.unit("2", 1, position)
    w = sl.input_gradient(net, images, target)
    entry = torch.unravel_index(w.abs().argmax(), w.shape)
    step = torch.zeros_like(images)
    step[entry] = h = 1e-6

    def number(I: Tensor) -> Tensor:
        here = net[2](net[1](net[0](I)))[:, 1]
        return (
            {None: here.mean(), "max": here.max()}.get(position) if not isinstance(position, tuple) else here[0, 1, 2]
        )

    assert abs((number(images + step) - number(images - step)) / (2 * h) - w[entry]) < 1e-8


def test_a_unit_can_be_asked_in_every_way(resnet: nn.Module) -> None:
    images = torch.rand(1, 3, 64, 64)
    target = sl.unit("layer3", 5)
    with nothing_changes(resnet, images):
        M = sl.saliency_map(resnet, images, target)
        assert torch.equal(sl.find_method("gradient")(resnet, images).maps(target), M)
        assert sl.layer_saliency(resnet, images, target, layer="layer2").shape == (1, 8, 8)
        assert sl.grad_cam(resnet, images, target, layer="layer2").shape == (1, 8, 8)
        plane = sl.linear_approximation(resnet, images, target)
        climbed = sl.class_image(resnet, [target, 1], size=32, steps=8)
    expected = sl.activations(resnet, images, ["layer3"])["layer3"][0, 5].mean()
    assert plane(images).item() == pytest.approx(expected.item(), rel=1e-5)
    assert climbed.history.score[-1, 0] > climbed.history.score[0, 0]
    alone = sl.class_image(resnet, target, size=32, steps=8)
    assert relative(climbed.raw[:1], alone.raw) < 1e-4
    with pytest.raises(sl.ModelError, match="does not depend"):
        sl.layer_saliency(resnet, images, target, layer="layer4")  # above the unit, nothing can change it


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (("layer3", 256), "no channel 256"),
        (("layer3", -1), "channel .* is -1"),
        (("layer3", 1.0), "channel .* is 1.0"),
        (("layer3", True), "channel .* is True"),
        (("layer3", 0, (4, 0)), r"no position \(4, 0\) in a layer of 4 x 4"),
        (("layer3", 0, "min"), "not 'min'"),
        (("layer3", 0, (0, -1)), "a position .* is -1"),
        (("layer3", 0, (0, 0, 0)), r"no position \(0, 0, 0\)"),
        (("fc", 2, (0, 3)), r"no position \(0, 3\)"),
    ],
)
def test_a_unit_that_is_not_there_says_so(resnet: nn.Module, target: tuple[Any, ...], words: str) -> None:
    with raises_one_line(sl.TargetError, words):
        sl.saliency_map(resnet, torch.rand(1, 3, 64, 64), sl.unit(*target))


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_weighted_is_linear_in_its_weights(a: float, b: float) -> None:
    net, images = small_network().double(), torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    both = sl.input_gradient(net, images, sl.weighted({1: a, sl.unit("0", 2): b}))
    one, two = sl.input_gradient(net, images, 1), sl.input_gradient(net, images, sl.unit("0", 2))
    assert (both - (a * one + b * two)).abs().max() < 1e-12


def test_weighted_takes_names_functions_and_itself() -> None:
    model = sl.as_classifier(small_network(), categories=list("abcde"), size=8)
    images = torch.rand(2, 3, 8, 8)
    expected = sl.input_gradient(model, images, lambda s: s[:, 0] - 2 * s[:, 3])
    for target in ({"a": 1, "d": -2}, [("a", 1), (lambda s: s[:, 3], -2)], {sl.weighted({"a": 0.5, "d": -1}): 2}):
        assert relative(sl.input_gradient(model, images, sl.weighted(target)), expected) < 1e-6


@pytest.mark.parametrize("terms", [{}, [], {"a": float("nan")}, {"a": "1"}, {"a": float("inf")}])
def test_weights_that_are_none_say_so(terms: Any) -> None:
    with raises_one_line(sl.TargetError, r"a weighted target is|a weight should be a number"):
        sl.weighted(terms)


# --- rules with options, and layers by name ------------------------------------------------------------------------


def test_a_layer_is_a_module_or_its_name() -> None:
    model = sl.as_classifier(small_network(), size=8)
    images = torch.rand(1, 3, 8, 8)
    module = model.network[2]
    expected = sl.layer_saliency(model, images, 1, layer=module)
    for name in ("2", "network.2"):
        assert torch.equal(sl.layer_saliency(model, images, 1, layer=name), expected)
        assert torch.equal(sl.activations(model, images, [name])[name], model.network[:3](images))
    for wrong, words in (("conv3", "no layer 'conv3'"), (3, "not int"), (None, "good layers are not known")):
        with raises_one_line(sl.ModelError, words):
            sl.layer_saliency(model, images, 1, layer=wrong)


def test_a_method_prepares_once_and_answers_many_times() -> None:
    calls = 0

    class Counted(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            return super().forward(x)

    net, images = Counted(*small_network()), torch.rand(2, 3, 8, 8)
    prepared = sl.find_method("gradient")(net, images)
    maps = [prepared.maps(c) for c in range(5)]
    assert calls == 4  # one for these images, three for whether the network keeps images apart, once a network
    for c, M in enumerate(maps):
        assert torch.equal(M, sl.saliency_map(net, images, c))
    with raises_one_line(sl.SaliencyError, "there is no method 'gradcam': use "):
        sl.find_method("gradcam")


def test_activations_change_nothing_and_are_what_the_layer_puts_out(resnet: nn.Module) -> None:
    images = torch.rand(1, 3, 64, 64)
    with nothing_changes(resnet, images):
        found = sl.activations(resnet, images, ["layer1", resnet.fc])
    assert not found["layer1"].requires_grad
    assert torch.equal(found[resnet.fc], resnet(images))
    x = F.max_pool2d(F.relu(resnet.bn1(resnet.conv1(images))), 3, 2, 1)
    assert relative(found["layer1"], resnet.layer1(x)) < 1e-6
