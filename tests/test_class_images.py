"""Class images: against closed forms, the ascent written out slowly, and the theory of gradient ascent."""

import copy
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import MEAN, STD, nothing_changes, raises_one_line, relative, says, small_network, thawed
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor, nn

import saliency_lib as sl
from saliency_lib.class_images.ascent import ClassImage
from saliency_lib.class_images.optimizers import Adam, Gradient
from saliency_lib.class_images.parameterizations import Colors, Fourier, Sigmoid
from saliency_lib.class_images.priors import Blur, Crop, Jitter, Noise, PixelRange, Prior, Rotate, Scale, TotalVariation
from saliency_lib.class_images.recipes import PAPER, RECOMMENDED

MOVES: list[Prior] = [Jitter(2), Scale(0.7, 1.2, keep_size=True), Crop(), Rotate(), Blur(0.7), Noise(0.1)]
SMALL: list[Prior] = [Fourier(), Colors(), Sigmoid(), *MOVES]
"""Every kind of coordinates and of transform, for a network that takes 8 x 8 pixels and no others."""


def pooled_network(classes: int = 5) -> nn.Sequential:
    """Takes images of any size."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, classes)
    ).eval()


def of(model: nn.Module, target: Any = 1, *, steps: int = 3, size: int = 8, **options: Any) -> ClassImage:
    """A class image of a small network, with few steps."""
    return sl.class_image(model, target, steps=steps, size=size, **options)


def gradient_of(value: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """The derivative of one number with respect to one image, by the textbook."""
    x = image.clone().requires_grad_()
    value(x).backward()
    assert x.grad is not None
    return x.grad


def recorded() -> tuple[list[Tensor], Callable[[int, Tensor], None]]:
    """A list, and a callback that fills it with the images before each step."""
    images: list[Tensor] = []

    def callback(step: int, now: Tensor) -> None:
        assert step == len(images)
        images.append(now)

    return images, callback


def identical(a: ClassImage, b: ClassImage) -> bool:
    return torch.equal(a.raw, b.raw) and torch.equal(a.image, b.image) and torch.equal(a.history.score, b.history.score)


# The paper's recipe against what it should give


@pytest.mark.parametrize("with_mean", [True, False])
def test_the_class_image_of_a_linear_model_is_its_weights(with_mean: bool) -> None:
    """S_c = w_c^T I + b_c has the optimum w_c / (2 lambda), and step t stands at 1 - (1 - 2 eta lambda)^t of it."""
    linear = nn.Linear(192, 5)
    network = nn.Sequential(nn.Flatten(), linear)
    model = (sl.as_classifier(network, MEAN, STD) if with_mean else network).double()
    mean, std = (
        torch.tensor(values).double().view(3, 1, 1) for values in ((MEAN, STD) if with_mean else ([0.5] * 3, [1.0] * 3))
    )
    w = linear.weight.detach().double().view(5, 3, 8, 8) / std
    wanted, l2, step_size = [0, 3, 1, 3], 0.05, 0.3
    images, callback = recorded()
    found = of(model, wanted, steps=400, l2=l2, step_size=step_size, callback=callback)
    optimum = w[wanted] / (2 * l2)
    assert relative(found.raw, optimum) < 1e-4
    assert found.raw.dtype == torch.float64
    assert relative(found.image, (mean + optimum).clamp(0, 1)) < 1e-4
    assert found.image.min() == 0
    assert found.image.max() == 1  # or clipping would go untested
    for t in (0, 1, 7, 50):
        assert torch.allclose(images[t] - mean, (1 - (1 - 2 * step_size * l2) ** t) * optimum, atol=1e-10)
    bias = model(mean.expand(1, 3, 8, 8))[0, wanted].detach()
    assert torch.allclose(found.history.objective[-1], bias + w[wanted].square().sum((1, 2, 3)) / (4 * l2), atol=1e-6)
    assert found.classes == wanted
    assert torch.equal(found.raw[1], found.raw[3])


def test_the_paper_is_the_default() -> None:
    """No clipping, no prior, from the zero image: with a step of 0.5 and a lambda of 0.01, which are the book's."""
    model = small_network().double()
    default = of(model, steps=160)
    assert len(default.history.score) == 160
    written_out = of(model, steps=160, step_size=0.5, l2=0.01, start="zeros", priors=(), optimizer="gradient", seed=7)
    assert identical(default, written_out)
    assert (PAPER.priors, PAPER.start) == ((), "zeros")
    first = of(model, steps=1).raw
    assert relative(first, 0.5 * sl.input_gradient(model, torch.full((1, 3, 8, 8), 0.5).double(), 1)) < 1e-12
    far = of(model, steps=160, step_size=5.0, l2=0.0)
    assert far.raw.min() < -0.6  # nothing is clipped on the way
    assert far.raw.max() > 0.6


@pytest.mark.parametrize("clamped", [False, True])
@pytest.mark.parametrize("score", ["score", "posterior"])
@pytest.mark.parametrize("kind", ["zeros", "images"])
def test_the_ascent_equals_itself_written_out_slowly(clamped: bool, score: str, kind: str) -> None:
    """I <- I + eta (dS/dI - 2 lambda I), one class at a time, with P in the place of S for the posterior."""
    model = sl.as_classifier(small_network(), MEAN, STD, size=8).double()
    mean = torch.tensor(MEAN).double().view(1, 3, 1, 1)
    start = torch.rand(1, 3, 8, 8, dtype=torch.float64) if kind == "images" else None
    eta, l2, wanted = (4.0 if score == "score" else 20.0), 0.02, [2, 0]
    priors = [PixelRange()] if clamped else []
    targets = wanted if score == "score" else [sl.posterior(c) for c in wanted]
    found = of(model, targets, steps=20, step_size=eta, l2=l2, start=start, priors=priors)
    touched = 0
    for n, c in enumerate(wanted):
        I = torch.zeros(1, 3, 8, 8, dtype=torch.float64) if start is None else start - mean
        for step in range(20):

            def value(I: Tensor, c: int = c) -> Tensor:
                scores = model(I + mean)[0]
                return scores[c] if score == "score" else scores[c].exp() / scores.exp().sum()

            assert abs(found.history.score[step, n].item() - value(I).item()) < 1e-10
            assert abs(found.history.penalty[step, n].item() - l2 * (I**2).sum().item()) < 1e-10
            I = I + eta * (gradient_of(value, I) - 2 * l2 * I)
            if clamped:
                touched += int(((I + mean < 0) | (I + mean > 1)).sum())
                I = (I + mean).clamp(0, 1) - mean
        assert (found.raw[n] - I[0]).abs().max() < 1e-10
        assert (found.image[n] - (I + mean)[0].clamp(0, 1)).abs().max() < 1e-10
    assert touched > 20 or not clamped
    assert found.raw.abs().max() > 0.1


def test_the_ascent_with_total_variation_written_out_with_finite_differences() -> None:
    """The penalty is piecewise linear, so its central difference is exact but for rounding, where no kink is near."""
    model, l2, eta = small_network(activation=nn.Tanh, size=6).double(), 0.01, 0.1
    start = torch.rand(1, 3, 6, 6, dtype=torch.float64)

    def penalty(x: np.ndarray) -> float:
        return 0.3 * (np.abs(x[:, 1:] - x[:, :-1]).mean() + np.abs(x[:, :, 1:] - x[:, :, :-1]).mean())

    found = of(model, 3, size=6, steps=20, step_size=eta, l2=l2, start=start, priors=[TotalVariation(0.3)])
    x, h = start.clone(), 1e-6
    for step in range(20):
        pixels, slope = x[0].numpy(), np.zeros((3, 6, 6))
        expected = penalty(pixels) + l2 * ((pixels - 0.5) ** 2).sum()
        assert abs(found.history.penalty[step, 0].item() - expected) < 1e-7
        for where in np.ndindex(3, 6, 6):
            nudge = np.zeros((3, 6, 6))
            nudge[where] = h
            slope[where] = (penalty(pixels + nudge) - penalty(pixels - nudge)) / (2 * h)
        x = x + eta * (gradient_of(lambda x: model(x)[0, 3], x) - 2 * l2 * (x - 0.5) - torch.from_numpy(slope))
    assert (found.raw + 0.5 - x).abs().max() < 1e-7
    assert (found.raw + 0.5 - start).abs().max() > 0.02


def test_adam_is_the_textbooks() -> None:
    """Kingma and Ba (2015), algorithm 1, uphill, on pixels: no parameterization is needed for it."""
    model, rate = small_network(activation=nn.Tanh).double(), 0.05
    found = of(model, 4, steps=12, optimizer="adam", step_size=rate, l2=0.03)
    I = m = v = torch.zeros(1, 3, 8, 8, dtype=torch.float64)
    for t in range(1, 13):
        g = gradient_of(lambda I: model(I + 0.5)[0, 4], I) - 2 * 0.03 * I
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        I = I + rate * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    assert (found.raw - I).abs().max() < 1e-10


def test_parameterizations_and_transforms_written_out_slowly() -> None:
    """z <- z + eta d/dz [S(T(x)) - lambda |x - mean|^2] for x = sigma(A F z) + mean, with the generator's numbers."""
    model = sl.as_classifier(small_network(activation=nn.Tanh), MEAN, STD, size=8).double()
    mean = torch.tensor(MEAN).double().view(1, 3, 1, 1)
    found = of(model, 2, steps=6, priors=SMALL, start="noise", optimizer="gradient", step_size=0.4, l2=0.02, seed=5)
    random = Generator().manual_seed(5)
    z = 0.01 * torch.randn(3, 8, 5, 2, generator=random, dtype=torch.float64)[None]
    fourier, colors, sigmoid, *transforms = SMALL

    def image(z: Tensor) -> Tensor:
        return sigmoid.image(colors.image(fourier.image(z, mean), mean), mean)

    for step in range(6):
        state = random.get_state()

        def objective(z: Tensor, state: Tensor = state, now: float = step / 6) -> Tensor:
            random.set_state(state)
            x = image(z) + mean
            for transform in transforms:
                x = transform.transform(x, random, now)
            return model(x)[0, 2] - 0.02 * image(z).square().sum()

        assert abs(found.history.objective[step, 0].item() - objective(z).item()) < 1e-10
        z = z + 0.4 * gradient_of(objective, z)
    assert (found.raw - image(z)).abs().max() < 1e-10


# Its theory


def conv_matrix(conv: nn.Conv2d, shape: tuple[int, ...]) -> Tensor:
    """A convolution as a matrix, one column for each pixel of the input."""
    units = torch.eye(math.prod(shape), dtype=torch.float64).view(-1, *shape)
    return (conv(units) - conv(torch.zeros_like(units[:1]))).flatten(1).T.detach()


def curvature(network: nn.Sequential, index: int, size: int, second: float) -> float:
    """A bound on the Hessian's norm, for a score of `small_network`, |activation'| <= 1, |activation''| <= second.

    With J1, J2 the matrices of the convolutions and w the last weights, the Hessian is
    J1^T diag(a1'' * J2^T (a2' * w)) J1 + (J2 diag(a1') J1)^T diag(a2'' * w) (J2 diag(a1') J1).
    """
    first, _, then, _, _, last = network
    J1, J2 = conv_matrix(first, (3, size, size)), conv_matrix(then, (4, size, size))
    w = last.weight.detach()[index].abs()
    one, two = (torch.linalg.matrix_norm(J, 2) ** 2 for J in (J1, J2))
    return float(second * one * ((J2.abs().T @ w).max() + two * w.max()))


@settings(max_examples=25, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    l2=st.floats(0, 0.5),
    fraction=st.floats(0.1, 1.0),
    smooth=st.sampled_from([(nn.Softplus, 0.25), (nn.Tanh, 4 / 27**0.5)]),
)
def test_the_objective_never_falls_when_the_step_is_below_the_curvature(
    seed: int, l2: float, fraction: float, smooth: tuple[type[nn.Module], float]
) -> None:
    """Where no curvature is above L, a step raises the objective by (1/eta - L/2) |step|^2 or more."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = small_network(activation=smooth[0], size=4).double()
    L = curvature(model, 2, 4, smooth[1]) + 2 * l2
    eta = fraction / L
    images, callback = recorded()
    found = of(model, 2, size=4, steps=15, step_size=eta, l2=l2, callback=callback)
    moved = torch.stack(images).diff(dim=0).square().sum((2, 3, 4))
    gain = found.history.objective.diff(dim=0)
    assert (gain >= (1 / eta - L / 2) * moved - 1e-12).all()
    assert (moved[0] > 0).all()
    assert (gain >= -1e-12).all()


@pytest.mark.parametrize("priors", [(), (TotalVariation(3.0),), (PixelRange(), TotalVariation()), SMALL[:3]])
def test_the_history_is_what_each_step_started_from(priors: tuple[Prior, ...]) -> None:
    model, wanted = small_network().double(), [1, 4]
    images, callback = recorded()
    found = of(model, wanted, steps=8, priors=priors, l2=0.03, callback=callback, start="noise")
    assert len(images) == 8
    assert found.history.score.shape == found.history.penalty.shape == (8, 2)
    for now, scores, penalties, objective in zip(
        images, found.history.score, found.history.penalty, found.history.objective, strict=True
    ):
        expected = 0.03 * ((now - 0.5) ** 2).sum((1, 2, 3))
        for prior in priors:
            if isinstance(prior, TotalVariation):
                vertical, horizontal = now[:, :, 1:] - now[:, :, :-1], now[:, :, :, 1:] - now[:, :, :, :-1]
                expected += prior.weight * (vertical.abs().mean((1, 2, 3)) + horizontal.abs().mean((1, 2, 3)))
        assert torch.allclose(scores, model(now)[[0, 1], wanted].detach(), atol=1e-12)
        assert torch.allclose(penalties, expected, atol=1e-12)
        assert torch.equal(objective, scores - penalties)
    assert found.complete
    assert not torch.equal(images[-1], found.raw + 0.5)  # the last step is in the result, and not in the history
    longer, callback = recorded()
    of(model, wanted, steps=9, priors=priors, l2=0.03, callback=callback, start="noise")
    assert torch.equal(longer[8], found.raw + 0.5)


@pytest.mark.parametrize(
    "options", [{}, {"priors": SMALL, "start": "noise"}, {"priors": [Jitter(3), Rotate(30), PixelRange()]}]
)
def test_no_class_depends_on_the_others_of_its_batch(options: dict[str, Any]) -> None:
    model, wanted = small_network().double(), [4, 0, 2]
    together = of(model, wanted, steps=25, **options)
    for n, index in enumerate(wanted):
        alone = of(model, [index], steps=25, **options)
        assert relative(together.raw[[n]], alone.raw) < 1e-9
        assert relative(together.history.score[:, [n]], alone.history.score) < 1e-9
        assert [p.class_index for p in together.top[n]] == [p.class_index for p in alone.top[0]]
    assert relative(together.raw[0], together.raw[1]) > 0.1


def test_climbing_the_posterior_raises_it_and_climbing_the_score_need_not_as_much() -> None:
    model = small_network(activation=nn.Tanh).double()
    shared: dict[str, Any] = {"steps": 60, "l2": 0.001}
    by_score = of(model, 3, step_size=1.0, **shared)
    by_posterior = of(model, sl.posterior(3), step_size=5.0, **shared)
    P, S = by_posterior.history.score[:, 0], by_score.history.score[:, 0]
    assert ((P > 0) & (P < 1)).all()
    assert P[-1] > P[0] + 0.1
    assert S[-1] > S[0] + 0.1
    reached = model(by_posterior.raw + 0.5)[0]
    assert reached.softmax(0)[3] > P[0]
    assert reached[3] < model(by_score.raw + 0.5)[0, 3]  # the posterior rises by lowering other classes: section 2


# Random numbers, and whose they are


@pytest.mark.parametrize(
    "options", [{"start": "noise"}, {"priors": [Jitter(2)]}, {"priors": [Rotate()]}, {"priors": SMALL}]
)
def test_one_seed_is_one_result(net: nn.Module, options: dict[str, Any]) -> None:
    first = of(net, [0, 1], steps=10, seed=3, **options)
    torch.manual_seed(99)  # of no consequence
    assert identical(of(net, [0, 1], steps=10, seed=3, **options), first)
    assert not identical(of(net, [0, 1], steps=10, seed=4, **options), first)
    assert first.seed == 3


def test_noise_is_small_and_the_same_for_every_class(net: nn.Module) -> None:
    images, callback = recorded()
    of(pooled_network(), [0, 1], start="noise", size=64, callback=callback)
    assert torch.equal(images[0][0], images[0][1])
    assert abs((images[0][0] - 0.5).std().item() / 0.01 - 1) < 0.03
    images, callback = recorded()
    of(net, [0, 1], callback=callback)
    assert (images[0] == 0.5).all()
    images, callback = recorded()
    of(pooled_network(), size=64, priors="recommended", callback=callback)
    assert 0 < (images[0] - 0.5).abs().max() < 0.1  # the recommended start is noise
    assert RECOMMENDED.start == "noise"


@pytest.mark.parametrize(
    "options",
    [{}, {"priors": SMALL, "start": "noise"}, {"target": [sl.posterior(0), sl.posterior(2)], "optimizer": "adam"}],
)
def test_nothing_of_the_callers_changes(options: dict[str, Any]) -> None:
    for training in (True, False):
        model = thawed(nn.Sequential(small_network(), nn.Dropout(0.9), nn.BatchNorm1d(5))).train(training)
        model[1].training = False  # mixed, and mixed it stays
        start = torch.rand(1, 3, 8, 8, requires_grad=True)
        own: dict[str, Any] = {} if options.get("priors") else {"start": start}
        with nothing_changes(model, start):
            found = of(model, **{"target": [0, 2], **options}, **own)
        assert not found.raw.requires_grad
        assert not found.image.requires_grad
        assert not found.history.score.requires_grad
        with nothing_changes(model, start), pytest.raises(RuntimeError, match="stop"):
            of(model, callback=lambda step, images: stop(), **options)


def stop() -> None:
    raise RuntimeError("stop")


def test_a_model_in_training_is_asked_in_evaluation_mode() -> None:
    model = nn.Sequential(small_network(), nn.Dropout(0.5))
    expected = of(model.eval())
    assert identical(of(model.train()), expected)
    assert model.training
    assert model[1].training


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("options", [{}, {"priors": "recommended"}])
def test_it_works_where_gradients_are_off(mode: Callable, options: dict[str, Any]) -> None:
    model = pooled_network()
    expected = of(model, size=16, **options)
    with mode():
        start = torch.rand(1, 3, 16, 16)
        with nothing_changes(model):
            found = of(model, size=16, **options)
        if not options:
            assert of(model, size=16, start=start).raw.isfinite().all()
    assert identical(found, expected)
    found.raw.requires_grad_()  # an ordinary tensor, not one of inference mode


# What may be asked for


def test_every_way_to_name_a_class(embedded: sl.Model) -> None:
    shared: dict[str, Any] = {"steps": 1, "size": 32}
    expected = sl.class_image(embedded, [285, 99], **shared)
    ways: list[Any] = [
        ["Egyptian cat", "goose"],
        ("n02124075", 99),
        torch.tensor([285, 99]),
        np.array([285, 99]),
        [np.int64(285), "99"],
        (c for c in (285, 99)),
    ]
    for target in ways:
        found = sl.class_image(embedded, target, **shared)
        assert found.classes == [285, 99]
        assert torch.equal(found.raw, expected.raw)
    for single in (285, "Egyptian cat", torch.tensor(285), np.int64(285), np.array(285)):
        found = sl.class_image(embedded, single, **shared)
        assert found.classes == [285]
        assert found.raw.shape == (1, 3, 32, 32)
    assert [[p.name for p in row] for row in expected.top] == [
        [p.name for p in row] for row in embedded.top(expected.image)
    ]


def test_the_size_is_the_models_own(net: nn.Module) -> None:
    assert sl.class_image(sl.as_classifier(net, MEAN, STD, size=8), 0, steps=1).raw.shape == (1, 3, 8, 8)
    assert sl.class_image(sl.load_model("creature_convnet"), 0, steps=1).raw.shape == (1, 3, 64, 64)
    assert sl.class_image(pooled_network(), 0, steps=1).raw.shape == (1, 3, 224, 224)


def test_an_image_to_start_from_is_one_for_all_or_one_each(net: nn.Module, images: Tensor) -> None:
    seen, callback = recorded()
    of(net, [0, 1, 2], start=images, callback=callback)
    assert torch.allclose(seen[0], images, atol=1e-7)
    seen, callback = recorded()
    of(net, [0, 1, 2], start=images[:1].double(), callback=callback)
    assert torch.allclose(seen[0], images[:1].expand(3, 3, 8, 8), atol=1e-7)
    assert identical(of(net, start=images[:1].clone().requires_grad_()), of(net, start=images[:1]))


BAD: list[tuple[dict[str, Any], type[sl.SaliencyError], str]] = [
    ({"target": "class x"}, sl.TargetError, "there is no class 'class x'"),
    ({"target": []}, sl.TargetError, "there is no class to make an image of"),
    ({"target": None}, sl.TargetError, "there is no class to make an image of"),
    ({"target": torch.tensor([], dtype=torch.int64)}, sl.TargetError, "there is no class to make"),
    ({"target": 5}, sl.TargetError, "there is no class 5"),
    ({"target": [0, -1]}, sl.TargetError, "there is no class -1"),
    ({"target": True}, sl.TargetError, "not True"),
    ({"target": 1.5}, sl.TargetError, "not 1.5"),
    ({"target": torch.tensor([1.0])}, sl.TargetError, "not 1.0"),
    ({"target": torch.tensor([[1, 2]])}, sl.TargetError, "a class is an index or a name"),
    ({"target": sl.posterior("class x")}, sl.TargetError, "there is no class 'class x'"),
    ({"target": [1, lambda scores: scores]}, sl.TargetError, "one number per image"),
    ({"target": sl.unit("nowhere", 1)}, sl.ModelError, "there is no layer 'nowhere'"),
    ({"target": sl.unit("0", 99)}, sl.TargetError, "there is no channel 99"),
    ({"steps": 0}, sl.SaliencyError, "steps .* at least 1 .* and is 0"),
    ({"size": 0}, sl.SaliencyError, "size .* is 0"),
    ({"l2": -0.1}, sl.SaliencyError, "l2 .* is -0.1"),
    ({"step_size": math.nan}, sl.SaliencyError, "step_size .* is nan"),
    ({"priors": "best"}, sl.SaliencyError, "priors are .*'best'"),
    ({"priors": [Jitter]}, sl.SaliencyError, "priors are objects"),
    ({"priors": 5}, sl.SaliencyError, "priors are .* 5"),
    ({"priors": None}, sl.SaliencyError, "priors are .* None"),
    ({"priors": [Fourier(), PixelRange()]}, sl.SaliencyError, "use Sigmoid instead"),
    ({"optimizer": "newton"}, sl.SaliencyError, "no optimizer 'newton': use 'gradient', 'adam'"),
    ({"start": "ones"}, sl.SaliencyError, "not 'ones'"),
    ({"start": 0}, sl.SaliencyError, "not 0"),
    ({"start": np.zeros((1, 3, 8, 8))}, sl.SaliencyError, "zeros"),
    ({"start": torch.rand(2, 3, 8, 8)}, sl.ImageError, "expected a start of shape"),
    ({"start": torch.rand(1, 3, 8, 9)}, sl.ImageError, "expected a start of shape"),
    ({"start": torch.rand(3, 8, 8)}, sl.ImageError, "batch dimension"),
    ({"start": torch.full((1, 3, 8, 8), math.nan)}, sl.ImageError, "NaN"),
    ({"start": torch.full((1, 3, 8, 8), 2.0)}, sl.ImageError, r"\[0, 1\]"),
    ({"start": torch.rand(1, 3, 8, 8), "priors": [Colors()]}, sl.SaliencyError, "Colors can start from"),
    ({"model": lambda images: images}, sl.ModelError, "expected a torch.nn.Module"),
    ({"size": 9, "model": pooled_network(), "priors": [Fourier()]}, sl.ImageError, "even width, and theirs is 9"),
    ({"size": 16}, sl.ModelError, r"images of shape \(1, 3, 16, 16\)"),
]


@pytest.mark.parametrize(("options", "error", "words"), BAD, ids=[str(n) for n in range(len(BAD))])
def test_what_cannot_be_is_said_in_one_sentence(
    net: nn.Module, options: dict[str, Any], error: type[sl.SaliencyError], words: str
) -> None:
    model = options.get("model", net)
    options = {"target": 1} | {key: value for key, value in options.items() if key != "model"}
    with pytest.raises(error, match=words) as caught:
        of(model, **options)
    assert error is not sl.SaliencyError or type(caught.value) is sl.SaliencyError
    says(caught.value)


class Detached(nn.Module):
    """A network whose scores do not depend on the images as far as autograd can see."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.network, self.how = small_network(), how
        self.requires_grad_(how == "trainable")

    def forward(self, images: Tensor) -> Tensor:
        with torch.set_grad_enabled(self.how != "no_grad"):
            return self.network(images.detach())


@pytest.mark.parametrize("how", ["no_grad", "frozen", "trainable"])
@pytest.mark.parametrize("priors", [(), "recommended", (TotalVariation(),)])
def test_a_network_without_a_gradient_is_refused(how: str, priors: Any) -> None:
    """The penalty has a gradient always, so the ascent would quietly return where it started."""
    priors = SMALL if priors == "recommended" else priors
    with raises_one_line(sl.ModelError, "the score has no gradient"):
        of(Detached(how), priors=priors)


@pytest.mark.parametrize("optimizer", ["gradient", "adam"])
def test_a_divergence_is_named_at_once(optimizer: str) -> None:
    def steep(scores: Tensor) -> Tensor:  # one step of any optimizer leads out of the numbers
        return scores[:, 1] ** 3

    images, callback = recorded()
    with pytest.raises(sl.SaliencyError, match=r"after \d+ steps .* step_size below 1e\+17") as caught:
        of(small_network(), steep, steps=100, step_size=1e17, optimizer=optimizer, callback=callback)
    assert f"after {len(images) - 1} steps" in says(caught.value)
    assert len(images) < 5


def test_a_divergence_in_the_last_step_is_no_result() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    model[1].weight.data.fill_(1e21)
    with pytest.raises(sl.SaliencyError, match="after 1 steps"):
        of(model, steps=1, step_size=1e18)


def test_a_network_that_returns_nan_is_refused() -> None:
    model = small_network()
    model[0].weight.data[0, 0, 0, 0] = math.nan
    images, callback = recorded()
    with raises_one_line(sl.SaliencyError, "look at the model's weights"):
        of(model, steps=1000, callback=callback)
    assert len(images) == 1


def test_an_interruption_returns_what_there_is() -> None:
    model = small_network()

    def interrupt(at: int) -> Callable[[int, Tensor], None]:
        def callback(step: int, images: Tensor) -> None:
            if step == at:
                raise KeyboardInterrupt

        return callback

    with nothing_changes(model):
        found = of(model, [0, 1], steps=20, callback=interrupt(5))
    assert not found.complete
    assert len(found.history.score) == len(found.history.penalty) == 5
    five = of(model, [0, 1], steps=5)
    assert five.complete
    assert identical(found, five)
    with nothing_changes(model), pytest.raises(KeyboardInterrupt):
        of(model, steps=20, callback=interrupt(0))


def test_a_bar_is_shown_where_it_is_wanted(
    net: nn.Module, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    of(net)
    of(net, progress=False)
    assert capsys.readouterr() == ("", "")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        of(net, steps=4, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "4/4" in err
    assert f"score {of(net, steps=4).history.score[-1].item():.3g}" in err
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("SALIENCY_STATIC", "1")
    of(net)
    assert capsys.readouterr() == ("", "")


# Real networks


def test_scale_needs_a_network_that_takes_any_size() -> None:
    model = sl.load_model("creature_convnet")
    with raises_one_line(sl.ModelError, r"cannot run on images of shape \(1, 3, \d+, \d+\)"):
        sl.class_image(model, 3, priors=Scale(0.5, 0.8), steps=5)


def test_recommended_is_what_chapter_6_arrives_at() -> None:
    assert [type(prior).__name__ for prior in RECOMMENDED.priors] == ["Fourier", "Colors", "Sigmoid", "Crop", "Noise"]
    fourier, _, _, crop, noise = map(vars, RECOMMENDED.priors)
    assert fourier == {"decay": 1.35, "contrast": 1.0}
    assert crop == {"low": 0.3, "high": 1.0}
    assert noise == {"sigma": 0.3}


def test_the_top_classes_are_those_of_the_image_that_is_shown() -> None:
    """A network that likes pixels beyond white: what it says of the raw optimum is not what it says of the picture."""

    class Bright(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mean = x.mean((1, 2, 3))
            return torch.stack([mean, 3 * (mean - 1) + 0.5], 1)  # class 1 leads where the mean is above 1.25

    found = sl.class_image(Bright(), 1, size=4, steps=20, step_size=10.0, l2=0.0)
    assert Bright()(found.raw + 0.5).argmax() == 1
    assert Bright()(found.image).argmax() == 0
    assert [row[0].class_index for row in found.top] == [0]


def test_recommended_is_what_recipes_py_says() -> None:
    """And needs no network that takes other sizes than one."""
    creatures = sl.load_model("creature_convnet").cpu()
    same: dict[str, Any] = {"start": RECOMMENDED.start, "step_size": RECOMMENDED.step_size}
    expected = sl.class_image(creatures, 3, priors=RECOMMENDED.priors, steps=4, **same)
    assert identical(sl.class_image(creatures, 3, priors="recommended", steps=4), expected)
    found = sl.class_image(creatures, 3, priors="recommended")
    assert len(found.history.score) == RECOMMENDED.steps == 2 * PAPER.steps
    assert found.top[0][0].class_index == 3


def test_transforms_are_told_how_much_is_done() -> None:
    class Told(Prior):
        def transform(self, images: Tensor, random: Generator, done: float = 0.0) -> Tensor:
            shares.append(done)
            return images

    shares: list[float] = []
    of(pooled_network(), steps=4, priors=Told())
    assert shares == [0, 0.25, 0.5, 0.75]


def test_the_recommended_priors_fit_small_images() -> None:
    for size in (2, 16):
        assert of(pooled_network(), size=size, steps=40, priors="recommended").raw.isfinite().all()


def test_the_papers_recipe_convinces_the_creature_network() -> None:
    model = sl.load_model("creature_convnet")
    found = sl.class_image(model, list(range(10)), steps=60)
    assert [row[0].class_index for row in found.top] == list(range(10))
    assert (found.history.objective[-1] > found.history.objective[0] + 1).all()


def test_recommended_convinces_the_embedded_network(embedded: sl.Model) -> None:
    found = sl.class_image(embedded, ["ostrich"], priors="recommended", size=128, steps=160)
    assert found.top[0][0].name == "ostrich"
    assert found.top[0][0].probability > 0.9
    other = sl.load_model("efficientnet_lite1").cpu()
    grain = sl.class_image(embedded, found.classes, size=128, steps=30)
    assert [row[0].class_index for row in grain.top] == found.classes
    for images, named in ((found.image, True), (grain.image, False)):  # which is what the priors are for
        larger = F.interpolate(images, (other.size, other.size), mode="bilinear")
        assert ("ostrich" in [prediction.name for prediction in other.top(larger)[0]]) == named
    assert ((found.image > 0) & (found.image < 1)).all()
    assert relative(found.raw, found.image - embedded.mean) < 1e-5


@pytest.mark.parametrize("priors", [(), SMALL])
def test_every_device_finds_the_same(device: torch.device, priors: Any) -> None:
    model = sl.as_classifier(small_network(activation=nn.Tanh), MEAN, STD, size=8).double()
    shared: dict[str, Any] = {"steps": 15, "start": "noise", "priors": priors}
    expected = of(model, [0, 3], **shared)
    found = of(copy.deepcopy(model).to(device), [0, 3], **shared)
    assert found.raw.device.type == found.image.device.type == found.history.score.device.type == "cpu"
    assert relative(found.raw, expected.raw) < 1e-6
    assert relative(found.history.objective, expected.history.objective) < 1e-6


# --- how a step is taken -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ours", "theirs"), [(Gradient, torch.optim.SGD), (Adam, torch.optim.Adam)])
def test_the_optimizers_are_pytorchs_to_the_last_bit(ours: Any, theirs: Any) -> None:
    z = torch.randn(2, 3, 4, 4)
    w = z.clone().requires_grad_()
    climber, reference = ours(z, 0.03), theirs([w], lr=0.03, maximize=True)
    for step in range(30):
        gradient = torch.randn_like(z) * 10.0 ** (step % 5 - 2)
        w.grad = gradient.clone()
        climber.climb(gradient)
        reference.step()
        assert torch.equal(z, w.detach())
