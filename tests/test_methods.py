"""Gradient times input, SmoothGrad, integrated gradients, occlusion: closed forms, slow loops, Captum."""

import copy
import itertools
from collections.abc import Callable

import pytest
import torch
from captum.attr import InputXGradient, NoiseTunnel, Saliency
from captum.attr import IntegratedGradients as CaptumsIntegratedGradients
from captum.attr import Occlusion as CaptumsOcclusion
from helpers import MEAN, STD, nothing_changes, relative, says
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.methods.integrated_gradients import FIXED, IntegratedGradients, next_nodes, trapezoids
from saliency_lib.methods.occlusion import Occlusion
from saliency_lib.methods.smoothgrad import SmoothGrad

CAPTUMS = {"gauss-legendre": "gausslegendre", "midpoint": "riemann_middle"}


@pytest.fixture
def case(net: nn.Module, images: Tensor) -> tuple[nn.Module, Tensor, int]:
    """A network, two images, a class."""
    return net, images[:2], 3


# Captum


def test_gradient_times_input_equals_captums(case: tuple[nn.Module, Tensor, int]) -> None:
    model, images, target = case
    expected = InputXGradient(model).attribute(images.clone(), target=target)
    assert relative(sl.gradient_times_input(model, images, target), expected.detach()) < 1e-5


@pytest.mark.parametrize("quadrature", CAPTUMS)
def test_integrated_gradients_equal_captums(case: tuple[nn.Module, Tensor, int], quadrature: str) -> None:
    model, images, target = copy.deepcopy(case[0]).double(), case[1].double(), case[2]  # rounding moves kinks
    baseline = torch.rand_like(images)
    found = sl.integrated_gradients(model, images, target, baseline=baseline, steps=11, quadrature=quadrature)
    captums = CaptumsIntegratedGradients(model)
    expected = captums.attribute(images, baseline, target=target, n_steps=11, method=CAPTUMS[quadrature])
    assert relative(found, expected.detach()) < 1e-6  # Captum's steps are single


@pytest.mark.parametrize(("squared", "kind"), [(False, "smoothgrad"), (True, "smoothgrad_sq")])
def test_smoothgrad_equals_captums_with_the_same_noise(
    case: tuple[nn.Module, Tensor, int], squared: bool, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, images, target = case
    noisy = torch.stack(list(SmoothGrad(model, images, samples=6, noise=0.2, seed=3).noisy()), 1)
    monkeypatch.setattr(NoiseTunnel, "_add_noise_to_input", staticmethod(lambda *given: noisy.flatten(0, 1).clone()))
    tunnel = NoiseTunnel(Saliency(model))
    expected = tunnel.attribute(images, nt_type=kind, nt_samples=6, target=target, abs=False)
    found = sl.smoothgrad(model, images, target, samples=6, noise=0.2, seed=3, squared=squared)
    assert relative(found, expected.detach()) < 1e-4


@pytest.mark.parametrize(("patch", "stride"), [(4, 4), (4, 2), (3, 2), (5, 3)])
def test_occlusion_equals_captums(case: tuple[nn.Module, Tensor, int], patch: int, stride: int) -> None:
    model, images, target = case
    shapes = {"sliding_window_shapes": (3, patch, patch), "strides": (3, stride, stride)}
    expected = CaptumsOcclusion(model).attribute(images, baselines=0.25, target=target, **shapes)
    found = sl.occlusion(model, images, target, patch=patch, stride=stride, value=0.25)
    assert relative(found[:, None].expand_as(expected), expected.detach()) < 1e-4


# Closed forms and slow loops


def test_a_linear_network_has_closed_forms(images: Tensor) -> None:
    """S = a (I - mean) / std + b: shares are w (I - I') with w = a / std, and a square's fall is its own w (I - v)."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 5))
    model = sl.as_classifier(network, MEAN, STD)
    w = network[1].weight.detach()[2].view(3, 8, 8) / torch.tensor(STD).view(3, 1, 1)
    baseline = torch.rand(1, 3, 8, 8)
    assert relative(sl.gradient_times_input(model, images, 2), w * images) < 1e-5
    assert relative(sl.smoothgrad(model, images, 2, samples=3), w.expand_as(images)) < 1e-5
    assert relative(sl.smoothgrad(model, images, 2, samples=3, squared=True), (w**2).expand_as(images)) < 1e-5
    for steps in (1, 4):
        found = sl.integrated_gradients(model, images, 2, baseline=[baseline, "black"], steps=steps)
        assert relative(found, w * (images - baseline / 2)) < 1e-5
        assert sl.completeness_gap(model, images, found, 2, baseline=[baseline, "black"]).max() < 1e-4
        assert sl.completeness_gap(model, images, 0 * found, 2, baseline=[baseline, "black"]).tolist() == [1, 1, 1]
    fall = (w * (images - 0.25)).sum(1).unfold(1, 2, 2).unfold(2, 2, 2).sum((3, 4))
    expected = fall.repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert relative(sl.occlusion(model, images, 2, patch=2, value=0.25), expected) < 1e-4


class Kinked(nn.Module):
    """S = min(I / width, 1) at one pixel of one channel: all made in the first `width` of the way from black."""

    def __init__(self, width: float) -> None:
        super().__init__()
        self.width = width

    def forward(self, images: Tensor) -> Tensor:
        return (images / self.width).clamp(max=1).flatten(1)


def test_integrated_gradients_see_what_saturation_hides_from_the_gradient() -> None:
    model, one = Kinked(0.5), torch.ones(1, 1, 1, 1)
    assert sl.input_gradient(model, one, 0).item() == 0
    assert sl.gradient_times_input(model, one, 0).item() == 0
    assert sl.integrated_gradients(model, one, 0, steps=100).item() == pytest.approx(1, abs=0.02)  # half a cell's width
    assert sl.integrated_gradients(model, one, 0, steps=100, quadrature="midpoint").item() == pytest.approx(1, abs=1e-5)
    assert sl.occlusion(model, one, 0, value=0.0).item() == 1
    assert sl.occlusion(model, one, 0, value=0.6).item() == 0


def test_the_quadrature_is_exact_where_the_integrand_is_a_polynomial() -> None:
    """S = I^4: the midpoint rule gives 4 (I/2)^3 I = I^4 / 2 with one step, that of Gauss and Legendre I^4 with two."""

    def fourth(output: Tensor) -> Tensor:
        return output.flatten(1).sum(1) ** 4

    image = torch.full((1, 1, 1, 1), 0.8, dtype=torch.float64)
    one = sl.integrated_gradients(nn.Identity(), image, fourth, steps=1, quadrature="midpoint")
    two = sl.integrated_gradients(nn.Identity(), image, fourth, steps=2, quadrature="gauss-legendre")
    assert one.item() == pytest.approx(0.8**4 / 2)
    assert two.item() == pytest.approx(0.8**4)
    gap = sl.completeness_gap(nn.Identity(), image, one, fourth)
    assert gap.item() == pytest.approx(0.5)
    assert sl.completeness_gap(nn.Identity(), image, two, fourth).item() < 1e-12


@pytest.mark.parametrize("quadrature", FIXED)
@pytest.mark.parametrize("steps", [1, 2, 7, 100])
def test_a_quadrature_is_exact_for_lines_and_nearly_so_for_cubes(quadrature: str, steps: int) -> None:
    nodes, weights = FIXED[quadrature](steps)
    assert len(nodes) == len(weights) == steps
    assert 0 < nodes.min() <= nodes.max() < 1
    assert weights.sum() == pytest.approx(1)
    assert (weights * nodes).sum() == pytest.approx(1 / 2)
    assert (weights * nodes**3).sum() == pytest.approx(1 / 4, abs=3 / steps**2)


def test_graded_steps_are_small_near_the_baseline() -> None:
    """Four cells between 0, 1/64, 8/64, 27/64 and 1."""
    nodes, weights = FIXED["graded"](4)
    assert (128 * nodes).tolist() == [1, 9, 35, 91]
    assert (64 * weights).tolist() == [1, 7, 19, 37]


@pytest.mark.parametrize("width", [0.013, 0.21, 0.77])
def test_adaptive_steps_find_where_the_score_is_made(width: float) -> None:
    """Trapezoids are exact but for the cell with the kink, and that one is halved in every round."""
    one = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    for steps in (9, 17, 41, 97):
        found = sl.integrated_gradients(Kinked(width), one, 0, steps=steps, quadrature="adaptive")
        halvings = (steps - 9) // 8
        assert abs(found.item() - 1) <= (1 - (7 / 8) ** 3) / 2 / width / 2**halvings
    equal = sl.integrated_gradients(Kinked(width), one, 0, steps=97, quadrature="graded")
    assert abs(found.item() - 1) < abs(equal.item() - 1)


def test_adaptive_steps_are_the_greedy_ones_written_out() -> None:
    """On the tanh network with two pixels, by a list that is searched through for the worst cell again and again."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    image = torch.tensor([[[[0.9, 0.4]]]], dtype=torch.float64)

    def ask(a: float) -> tuple[float, float, float, Tensor]:
        x = (a * image).requires_grad_()
        S = network(x)[0, 0]
        (w,) = torch.autograd.grad(S, x)
        return a, S.item(), (w * image).sum().item(), w

    seen = [ask((k / 8) ** 3) for k in range(9)]
    while len(seen) < 30:
        seen.sort(key=lambda one: one[0])
        cells = list(itertools.pairwise(seen))
        cells.sort(key=lambda c: -abs((c[1][0] - c[0][0]) * (c[0][2] + c[1][2]) / 2 - (c[1][1] - c[0][1])))
        seen += [ask((left[0] + right[0]) / 2) for left, right in cells[: min(8, 30 - len(seen))]]
    seen.sort(key=lambda one: one[0])
    mean = sum((right[0] - left[0]) * (left[3] + right[3]) / 2 for left, right in itertools.pairwise(seen))
    found = sl.integrated_gradients(network, image, 0, steps=30, quadrature="adaptive")
    assert relative(found, image * mean) < 1e-12


def test_of_cells_that_err_alike_the_widest_are_halved() -> None:
    """Where the score is linear no trapezoid errs; nodes come in any order, and each counts for its neighborhood."""
    a = [1.0, 0.0, 0.5, 0.75]
    assert next_nodes(a, [2 * x for x in a], [2.0] * 4, 1) == [0.25]
    assert next_nodes(a, [2 * x for x in a], [2.0] * 4, 2) == [0.25, 0.625]
    assert next_nodes(a, [2 * x for x in a], [2.0, 2.0, 2.0, 9.0], 2) == [0.625, 0.875]
    assert len(next_nodes(a, a, a, 100)) == 3
    assert trapezoids(a).tolist() == [0.125, 0.25, 0.375, 0.25]


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_adaptive_steps_do_not_depend_on_the_batch_size(net: nn.Module, images: Tensor, batch_size: int) -> None:
    model, pictures = net.double(), images.double()
    settings = {"steps": 40, "baseline": ["black", "noise"], "quadrature": "adaptive"}
    expected = sl.integrated_gradients(model, pictures, **settings)  # type: ignore[arg-type]
    found = sl.integrated_gradients(model, pictures, batch_size=batch_size, **settings)  # type: ignore[arg-type]
    assert relative(found, expected) < 1e-10


def test_the_noise_has_the_size_asked_for_and_is_one_for_all_images(net: nn.Module) -> None:
    images = torch.rand(2, 3, 8, 8)
    images[1] = images[1] / 2
    spans = images.amax((1, 2, 3)) - images.amin((1, 2, 3))
    noisy = torch.stack(list(SmoothGrad(net, images, samples=400, noise=0.1).noisy()))
    e = (noisy - images) / (0.1 * spans.view(1, 2, 1, 1, 1))
    assert abs(e.mean().item()) < 0.02
    assert e.std().item() == pytest.approx(1, abs=0.02)
    assert torch.allclose(e[:, 0], e[:, 1], atol=1e-4)
    assert not torch.allclose(e[0], e[1], atol=0.1)


def test_smoothgrad_tells_its_standard_error(net: nn.Module, images: Tensor) -> None:
    found = sl.find_method("smoothgrad")(net, images, samples=6)
    w = found.attribution(0)
    each = []
    for noisy in found.noisy():
        I = noisy.clone().requires_grad_()
        each.append(torch.autograd.grad(net(I)[:, 0].sum(), I)[0])
    G = torch.stack(each).double()
    assert torch.allclose(w.double(), G.mean(0), atol=1e-5)
    assert torch.allclose(found.standard_error.double(), G.std(0) / 6**0.5, atol=1e-4)
    alone = sl.find_method("smoothgrad")(net, images, samples=1)
    alone.attribution(0)
    assert alone.standard_error.isnan().all()


def test_the_blurred_baseline_keeps_what_is_flat_and_the_mean() -> None:
    flat = IntegratedGradients(Kinked(0.5), torch.full((1, 1, 40, 40), 0.3), baseline="blurred")
    assert torch.allclose(flat.baselines[0], torch.tensor(0.3))
    point = torch.zeros(1, 1, 61, 61)
    point[..., 30, 30] = 1
    (blurred,) = IntegratedGradients(Kinked(0.5), point, baseline="blurred").baselines
    offsets = torch.arange(61.0) - 30
    assert blurred.sum().item() == pytest.approx(1, abs=1e-4)
    assert (blurred.sum((0, 1, 2)) * offsets**2).sum().sqrt().item() == pytest.approx(61 / 20, rel=0.03)


# Targets


def test_without_a_target_the_class_is_the_clean_images_own() -> None:
    """Two scores, I and 0.5 - I: covered or dimmed, the image at 0.6 would be taken for the other class."""

    class Two(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            mean = images.mean((1, 2, 3))
            return torch.stack([mean, 0.5 - mean], 1)

    image = torch.full((1, 1, 2, 2), 0.6)
    for target in (None, sl.weighted({None: 1.0})):
        assert torch.allclose(sl.integrated_gradients(Two(), image, target), torch.full_like(image, 0.15))
        assert torch.allclose(sl.smoothgrad(Two(), image, target, noise=5.0), torch.full_like(image, 0.25))
        assert torch.allclose(sl.occlusion(Two(), image, target, patch=2, value=0.0), torch.full((1, 2, 2), 0.6))
    both = torch.cat([image, image / 6])
    slopes = sl.integrated_gradients(Two(), both).sign().flatten(1)[:, 0]
    assert slopes.tolist() == [1, -1]
    chance = sl.integrated_gradients(Two(), image, sl.posterior(), steps=200)
    expected = torch.tensor([2 * 0.6 - 0.5, -0.5]).sigmoid().diff().abs().item()
    assert chance.sum().item() == pytest.approx(expected, rel=1e-4)


# What is shown, and what cannot be used


def test_a_bar_is_shown_where_it_is_wanted(net: nn.Module, images: Tensor, capsys: pytest.CaptureFixture[str]) -> None:
    sl.smoothgrad(net, images)
    assert capsys.readouterr() == ("", "")
    sl.smoothgrad(net, images, samples=10, batch_size=4, progress=True)
    assert "8/8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        (lambda *g: sl.smoothgrad(*g, samples=0), "samples should be"),
        (lambda *g: sl.smoothgrad(*g, noise=-1), "noise, a share"),
        (lambda *g: sl.smoothgrad(*g, batch_size=0), "batch_size should be"),
        (lambda *g: sl.integrated_gradients(*g, baseline="green"), "use 'black', 'gray', 'blurred', 'noise'"),
        (lambda *g: sl.integrated_gradients(*g, baseline=[]), "no baseline"),
        (lambda *g: sl.integrated_gradients(*g, baseline=torch.zeros(1, 3, 4, 4)), "expected a baseline"),
        (
            lambda *g: sl.integrated_gradients(*g, quadrature="simpson"),
            "use 'graded', 'midpoint', 'gauss-legendre', 'adaptive'",
        ),
        (
            lambda *g: sl.integrated_gradients(*g, steps=1, quadrature="adaptive"),
            "steps should be a whole number, at least 2",
        ),
        (lambda *g: sl.occlusion(*g, patch=2, stride=3), "do not cover"),
        (lambda *g: sl.occlusion(*g, patch=9), "do not cover"),
        (lambda *g: sl.occlusion(*g, value=[0.1, 0.2]), "one a channel"),
    ],
)
def test_what_cannot_be_used_is_said(wrong: Callable[..., Tensor], part: str, net: nn.Module, images: Tensor) -> None:
    with nothing_changes(net, images), pytest.raises(sl.SaliencyError) as caught:
        wrong(net, images)
    assert part in says(caught.value)


def test_occlusion_needs_no_derivative(images: Tensor) -> None:
    class Rounding(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x * 8).round().flatten(1).sum(1)

    found = sl.occlusion(Rounding(), images, 0, patch=4, value=0.0)
    expected = (images * 8).round().sum(1).unfold(1, 4, 4).unfold(2, 4, 4).sum((3, 4))
    assert torch.equal(found[:, ::4, ::4], expected)


def test_squares_that_reach_beyond_the_edge_are_cut_off(net: nn.Module, images: Tensor) -> None:
    squares = Occlusion(net, images, patch=3).places
    corners = [tuple(square[0].nonzero()[0].tolist()) for square in squares]
    assert [int(square.sum()) for square in squares] == [9, 9, 6, 9, 9, 6, 6, 6, 4]
    assert corners == [(y, x) for y in (0, 3, 6) for x in (0, 3, 6)]


def test_from_black_the_score_of_the_cat_is_made_almost_at_once(embedded: sl.Model, photos: Tensor) -> None:
    """Which is why graded steps are the default."""
    path = torch.cat([a * photos[:1] for a in (0, 0.05, 1)])
    with torch.no_grad():
        S = embedded(path)
    assert S[:, S[2].argmax()].tolist() == pytest.approx([0.2, 8.8, 9.0], abs=0.05)
