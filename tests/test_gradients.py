"""The derivative of a score with respect to the image: against differences, closed forms and Captum."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from captum.attr import Saliency
from helpers import (
    MEAN,
    STD,
    architecture,
    images_for,
    lively_class,
    nothing_changes,
    raises_one_line,
    relative,
    small_network,
)
from torch import Tensor, nn

import saliency_lib as sl

EXPLANATIONS: list[Callable] = [sl.input_gradient, sl.saliency_map, sl.linear_approximation, sl.top_class_maps]


def central_differences(model: nn.Module, image: Tensor, index: int, step: float = 1e-5) -> Tensor:
    """(S(I + h e) - S(I - h e)) / 2h for every pixel e of one image in float64; the error is of order h^2."""
    shifts = step * torch.eye(image.numel(), dtype=torch.float64).view(-1, *image.shape[1:])
    with torch.no_grad():
        return ((model(image + shifts) - model(image - shifts))[:, index] / (2 * step)).view_as(image)


@pytest.mark.parametrize("activation", [nn.Tanh, nn.Softplus, nn.SiLU])
def test_the_gradient_equals_central_differences_on_a_smooth_network(activation: type[nn.Module]) -> None:
    model = small_network(activation=activation, size=6).double()
    image = torch.rand(1, 3, 6, 6, dtype=torch.float64)
    for index in range(5):
        expected = central_differences(model, image, index)
        assert relative(sl.input_gradient(model, image, index), expected) < 1e-8


def test_the_gradient_through_a_classifier_is_with_respect_to_what_one_sees() -> None:
    model = sl.as_classifier(small_network(activation=nn.Tanh, size=6), MEAN, STD).double()
    image = torch.rand(1, 3, 6, 6, dtype=torch.float64)
    assert relative(sl.input_gradient(model, image, 2), central_differences(model, image, 2)) < 1e-8


def test_the_gradient_of_a_linear_network_is_its_weights(images: Tensor) -> None:
    """S_c = a_c^T (I - mean) / std + b_c, so dS_c / dI = a_c / std, whatever the image."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 5))
    model = sl.as_classifier(network, MEAN, STD)
    weights = network[1].weight.detach().view(5, 3, 8, 8) / torch.tensor(STD).view(1, 3, 1, 1)
    for index in range(5):
        gradient = sl.input_gradient(model, images, index)
        assert relative(gradient, weights[[index] * 3]) < 1e-6
        assert torch.equal(sl.saliency_map(model, images, index), gradient.abs().max(1).values)


def test_a_relu_network_by_hand() -> None:
    """S = max(2 r - 3 g, 0) at one pixel: the gradient is (2, -3, 0) where it is on, and nothing where it is off."""
    conv = nn.Conv2d(3, 1, 1)
    conv.weight.data = torch.tensor([2.0, -3.0, 0.0]).view(1, 3, 1, 1)
    conv.bias.data.zero_()
    model = nn.Sequential(conv, nn.ReLU(), nn.Flatten())
    on, off = torch.tensor([0.9, 0.1, 0.5]).view(1, 3, 1, 1), torch.tensor([0.1, 0.9, 0.5]).view(1, 3, 1, 1)
    gradient = sl.input_gradient(model, torch.cat([on, off]), 0)
    assert gradient.flatten(1).tolist() == [[2.0, -3.0, 0.0], [0.0, 0.0, 0.0]]
    assert sl.saliency_map(model, on, 0).item() == 3.0


@pytest.mark.parametrize("name", ["alexnet", "googlenet"])
def test_the_gradient_equals_captums_on_random_networks(name: str) -> None:
    model, images = architecture(name), images_for(name, 2)
    target = lively_class(model, images)
    expected = Saliency(model).attribute(images.clone(), target=target, abs=False)
    assert relative(sl.input_gradient(model, images, target), expected) < 1e-5


def test_a_target_function_may_combine_scores(net: nn.Module, images: Tensor) -> None:
    difference = sl.input_gradient(net, images, lambda scores: scores[:, 0] - 2 * scores[:, 1])
    parts = sl.input_gradient(net, images, 0) - 2 * sl.input_gradient(net, images, 1)
    assert relative(difference, parts) < 1e-5


def test_a_relu_in_the_target_function_is_not_the_networks(net: nn.Module, images: Tensor) -> None:
    """A rule is for the network: what comes after the scores keeps its derivative."""
    shift = net(images)[:, 0].detach() + 1  # S - shift = -1 is off

    def target(scores: Tensor) -> Tensor:
        return (scores[:, 0] - shift).relu()

    assert sl.input_gradient(net, images, target, rule="deconvnet").abs().max() == 0


def test_the_gradient_of_the_posterior_by_its_formula(net: nn.Module, images: Tensor) -> None:
    """grad P_c = P_c (grad S_c - sum_k P_k grad S_k), section 2 of the paper's argument against posteriors."""
    model, images = net.double(), images.double()
    P = model(images).softmax(1).detach()
    gradients = torch.stack([sl.input_gradient(model, images, k) for k in range(5)], 1)  # (N, K, 3, H, W)
    mean = (P[:, :, None, None, None] * gradients).sum(1)
    for c in range(5):
        expected = P[:, c, None, None, None] * (gradients[:, c] - mean)
        assert relative(sl.input_gradient(model, images, sl.posterior(c)), expected) < 1e-10


def test_the_top_class_maps_follow_the_rule(net: nn.Module, images: Tensor) -> None:
    best, maps = sl.top_class_maps(net, images[:1], 9, rule="guided")
    assert len(best) == len(maps) == 5  # there are no more
    assert best == sl.as_model(net, size=8, mean=[0.0] * 3, std=[1.0] * 3).top(images[:1], 5)[0]
    expected = [sl.saliency_map(net, images[:1], p.class_index, rule="guided") for p in best]
    assert relative(maps, torch.cat(expected)) < 1e-6
    assert relative(maps, sl.top_class_maps(net, images[:1])[1]) > 0.01


def test_the_linear_approximation_is_exact_within_a_linear_region(images: Tensor) -> None:
    """A ReLU network is piecewise linear: steps that flip no ReLU change the score by w^T (I - I_0) exactly."""
    model, I0 = small_network().double(), images[:1].double()
    approximation = sl.linear_approximation(model, I0, 1)
    assert torch.equal(approximation.weights, sl.input_gradient(model, I0, 1))
    assert abs(approximation(I0) - model(I0)[:, 1]).item() < 1e-13
    with torch.no_grad():
        z1 = model[0](I0)
        z2 = model[2](z1.relu())
        rounds = 0
        for direction in torch.rand(20, *I0.shape, dtype=torch.float64) - 0.5:
            I = I0 + 1e-4 * direction
            y1 = model[0](I)
            y2 = model[2](y1.relu())
            if torch.equal(z1 > 0, y1 > 0) and torch.equal(z2 > 0, y2 > 0):
                rounds += 1
                assert abs(approximation(I) - model(I)[:, 1]).item() < 1e-13
        assert rounds > 5
        far = I0 + 5 * (torch.rand_like(I0) - 0.5)  # flips many: no longer exact
        assert abs(approximation(far) - model(far)[:, 1]).item() > 1e-3


def test_a_linear_approximation_takes_one_image_for_all_or_one_each(net: nn.Module, images: Tensor) -> None:
    approximation = sl.linear_approximation(net, images, 2)
    assert approximation(images[:1])[0] == approximation(images)[0]
    assert approximation(images[:1]).shape == (3,)
    for wrong in (images[:2], images[:, :, :4], images[:, :1], images[0]):
        with pytest.raises(sl.ImageError, match="expected images of shape"):
            approximation(wrong)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("rule", ["backprop", "guided"])
def test_it_works_within_the_callers_no_grad_and_inference_mode(
    context: Callable, rule: str, net: nn.Module, images: Tensor
) -> None:
    expected = sl.input_gradient(net, images, 1, rule=rule)
    maps = sl.top_class_maps(net, images[:1], rule=rule)[1]
    bias = sl.linear_approximation(net, images, 1).bias
    with context():
        inside = images.clone()  # in inference mode, a tensor that autograd refuses to touch
        with nothing_changes(net, inside):
            found = sl.input_gradient(net, inside, 1, rule=rule)
            assert torch.equal(found, expected)
            assert torch.equal(sl.top_class_maps(net, inside[:1], rule=rule)[1], maps)
            assert torch.equal(sl.linear_approximation(net, inside, 1).bias, bias)
    assert not found.is_inference()
    assert not found.requires_grad


def test_it_works_within_autocast(images: Tensor) -> None:
    net = small_network(activation=nn.Tanh)  # no gates that rounding could flip
    expected = sl.input_gradient(net, images, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16), nothing_changes(net, images):
        found = sl.input_gradient(net, images, 1)
    assert found.dtype == torch.float32
    assert 0 < relative(found, expected) < 0.05


def call(explain: Callable, model: nn.Module, images: Tensor, **options: object) -> object:
    return explain(model, images[:1] if explain is sl.top_class_maps else images, **options)


def caller_of_every_kind() -> nn.Module:
    """A network in the middle of its training: modes mixed, gradients and hooks present, statistics kept."""
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 5)
    )
    model[4].eval()
    model[1].eval()
    model(torch.rand(2, 3, 8, 8)).sum().backward()
    model[0].weight.requires_grad_(False)
    model[2].register_forward_hook(lambda *_: None)
    return model


@pytest.mark.parametrize("explain", EXPLANATIONS)
@pytest.mark.parametrize("wants_gradient", [False, True])
def test_nothing_of_the_callers_changes(explain: Callable, wants_gradient: bool, images: Tensor) -> None:
    model = caller_of_every_kind()
    images.requires_grad_(wants_gradient)
    images.grad = torch.ones_like(images) if wants_gradient else None
    with nothing_changes(model, images):
        first, second = (call(explain, model, images) for _ in range(2))
    assert str(first) == str(second)  # dropout was off
    assert [module.training for module in model] == [True, False, True, True, False, True]


@pytest.mark.parametrize("explain", EXPLANATIONS)
def test_nothing_of_the_callers_changes_on_errors(explain: Callable, images: Tensor) -> None:
    model = caller_of_every_kind()
    broken = nn.Sequential(model, nn.Linear(7, 7)).train()
    linear = nn.Sequential(nn.Flatten(), nn.Linear(192, 5))
    lambdas = [
        lambda: call(explain, broken, images),
        lambda: call(explain, model, images * 2),
    ]
    if explain is sl.top_class_maps:
        lambdas += [lambda: explain(model, images[:1], 0), lambda: explain(model, images)]
    else:
        lambdas += [
            lambda: explain(model, images, 99),
            lambda: explain(model, images, [1]),
            lambda: explain(model, images, lambda scores: scores),
            lambda: explain(model, images, lambda scores: scores[:, 0].detach()),
        ]
    if explain is not sl.linear_approximation:
        lambdas.append(lambda: call(explain, linear, images, rule="guided"))
    for attempt in lambdas:
        with nothing_changes(broken, images), raises_one_line(sl.SaliencyError):
            attempt()


def test_a_foreign_error_passes_and_changes_nothing(net: nn.Module, images: Tensor) -> None:
    def target(scores: Tensor) -> Tensor:
        raise KeyboardInterrupt

    net.train()
    with nothing_changes(net, images), pytest.raises(KeyboardInterrupt):
        sl.input_gradient(net, images, target, rule="guided")


def test_the_images_are_not_kept_and_not_shared(net: nn.Module, images: Tensor) -> None:
    gradient = sl.input_gradient(net, images)
    expected = gradient.clone()
    gradient.zero_()
    images.mul_(0.5)
    images.mul_(2)
    assert torch.equal(sl.input_gradient(net, images), expected)


class Detached(nn.Module):
    """Networks whose output has no gradient, each in its own way."""

    def __init__(self, how: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.linear = nn.Linear(192, 5)
        self.how = how

    def forward(self, images: Tensor) -> object:
        return self.how(self.linear(images.flatten(1)))


def without_gradient(scores: Tensor) -> Tensor:
    with torch.no_grad():
        return scores * 2


def inferred(scores: Tensor) -> Tensor:
    with torch.inference_mode():
        return scores * 2


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (Tensor.detach, "no gradient"),
        (without_gradient, "no gradient"),
        (inferred, "no gradient"),
        (lambda scores: scores.argmax(1), "torch.int64, which has no gradient"),
        (lambda scores: scores.long(), "torch.int64, which has no gradient"),
        (lambda scores: scores > 0, "torch.bool, which has no gradient"),
        (lambda scores: (scores,), "returns tuple"),
        (lambda scores: {"logits": scores}, "returns dict"),
        (lambda scores: None, "returns NoneType"),
        (lambda scores: scores[:2], "expected scores of shape"),
        (lambda scores: scores[..., None], "scores each place"),
        (lambda scores: torch.ones(3, 5, requires_grad=True), "does not depend on the image"),
        (lambda scores: scores @ torch.ones(3, 3), "cannot run on images of shape"),
        (lambda scores: torch._assert(False, "Wrong image height"), "Wrong image height"),
        (lambda scores: int("x"), "invalid literal"),
    ],
)
def test_models_that_cannot_be_differentiated_say_so(how: Callable, message: str, images: Tensor) -> None:
    with raises_one_line(sl.ModelError, message):
        sl.input_gradient(Detached(how), images)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_a_model_that_switches_gradients_off_itself_says_so(context: Callable, images: Tensor) -> None:
    class Model(nn.Sequential):
        @context()
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images)

    model = Model(*small_network())
    for explain in EXPLANATIONS:
        with raises_one_line(sl.ModelError, "no gradient"):
            call(explain, model, images)


def test_a_model_made_in_inference_mode_says_so(images: Tensor) -> None:
    with torch.inference_mode():
        model = small_network()
    with raises_one_line(sl.ModelError, "Inference tensors cannot be saved"):
        sl.input_gradient(model, images)


@pytest.mark.parametrize("model", [None, 3, "resnet18"])
def test_what_is_no_model_says_so(model: object, images: Tensor) -> None:
    with raises_one_line(sl.ModelError, r"expected a torch\.nn\.Module"):
        sl.input_gradient(model, images)


NAN, INFINITE = (torch.full((1, 3, 8, 8), value) for value in (float("nan"), float("inf")))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (torch.rand(8, 8), "expected images of shape"),
        (torch.tensor(0.5), "expected images of shape"),
        (torch.rand(0, 3, 8, 8), "empty"),
        (torch.rand(1, 3, 0, 8), "empty"),
        (torch.randint(0, 255, (1, 3, 8, 8)), "torch.int64: divide by 255"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "torch.uint8: divide by 255"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.bool), "torch.bool"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.complex64), "torch.complex64"),
        (NAN, "NaN or infinite"),
        (INFINITE, "NaN or infinite"),
        (-INFINITE, "NaN or infinite"),
        (torch.rand(1, 3, 8, 8).index_fill(3, torch.tensor([2]), float("nan")), "NaN or infinite"),
        (torch.rand(1, 3, 8, 8) - 2, "before normalization"),
        (torch.rand(1, 3, 8, 8) * 255, "before normalization"),
        (torch.full((1, 3, 8, 8), 1 + 1e-6), "before normalization"),
        (np.random.default_rng(0).random((1, 3, 8, 8)), "expected a tensor of images, and got ndarray"),
        ("cat.jpg", "expected a tensor of images, and got str"),
        (None, "expected a tensor of images, and got NoneType"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_images_say_what_is_wrong(net: nn.Module, wrong: object, message: str) -> None:
    for explain in EXPLANATIONS:
        with raises_one_line(sl.ImageError, message):
            explain(net, wrong)
    with pytest.raises(sl.ImageError, match=message):
        sl.as_classifier(net, MEAN, STD).top(wrong)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 8, 8), r"\(3, 8, 8\).*images\[None\]|one image, and got a batch of 3"),
        ((1, 1, 3, 8, 8), r"\(1, 1, 3, 8, 8\)"),
    ],
)
def test_images_of_another_rank_than_the_models_are_named(net: nn.Module, shape: tuple[int, ...], message: str) -> None:
    """They may be signals or volumes, so a network that tells nothing of its images is asked; a `Model` knows."""
    for explain in EXPLANATIONS:
        with raises_one_line(sl.SaliencyError, message):
            explain(net, torch.rand(shape))
    with pytest.raises(sl.ImageError, match="expected images of shape"):
        sl.as_classifier(net, MEAN, STD).top(torch.rand(shape))


def test_the_ends_of_the_range_are_in_it(net: nn.Module) -> None:
    for value in (0.0, 1.0):
        assert sl.input_gradient(net, torch.full((1, 3, 8, 8), value)).isfinite().all()


def test_images_that_a_network_cannot_take_say_so(net: nn.Module) -> None:
    with raises_one_line(sl.ModelError, "the model cannot run on images of shape"):
        sl.input_gradient(net, torch.rand(1, 3, 9, 9))


def test_top_class_maps_take_one_image_and_at_least_one_class(net: nn.Module, images: Tensor) -> None:
    with pytest.raises(sl.ImageError, match="expected one image, and got a batch of 3"):
        sl.top_class_maps(net, images)
    for k in (0, -1):
        with pytest.raises(sl.TargetError, match="k should be a whole number, at least 1"):
            sl.top_class_maps(net, images[:1], k)


def test_a_classifier_computes_where_its_weights_lie(device: torch.device, net: nn.Module, images: Tensor) -> None:
    model = sl.as_classifier(net, MEAN, STD).to(device)
    assert model(images).device.type == device.type
    assert sl.input_gradient(model, images).device == images.device
    assert len(model.top(images)) == 3
