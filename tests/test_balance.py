"""What raises a number, and what lowers it: closed forms, Captum, and what must not change."""

import pytest
import torch
from captum.attr import IntegratedGradients
from helpers import nothing_changes, raises_one_line, relative, small_network
from torch import Tensor, nn

import saliency_lib as sl


class Opposite(nn.Module):
    """-f."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return -self.network(images)


class Squares(nn.Module):
    """f(I) = sum of a I^2, one number an image."""

    def __init__(self, a: Tensor) -> None:
        super().__init__()
        self.a = nn.Parameter(a)

    def forward(self, images: Tensor) -> Tensor:
        return (self.a * images.square()).flatten(1).sum(1)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def reference() -> Tensor:
    return torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def regressor() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return small_network(classes=1, activation=nn.Softplus)


@pytest.mark.parametrize("steps", [1, 5])
def test_a_linear_regressor_has_the_closed_form(steps: int, images: Tensor, reference: Tensor) -> None:
    """f(I) = w^T I + b: the contributions are w (I - R), whatever the number of steps, and 1 / w plays no part."""
    linear = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 1)).double()
    found = sl.balance(linear, images.double(), reference=reference.double(), steps=steps)
    c = linear[1].weight.detach().view(1, 3, 8, 8) * (images - reference).double()
    assert relative(found.contributions, c) < 1e-12
    assert relative(found.signed, c.sum(1)) < 1e-12
    P, Q = found.increase.sum((1, 2)), found.decrease.sum((1, 2))
    torch.testing.assert_close(P - Q, (linear(images.double()) - linear(reference.double()))[:, 0].detach())


def test_of_squares_half_of_the_derivative_remains(images: Tensor, reference: Tensor) -> None:
    """f = sum of a I^2: c = a (I^2 - R^2), where the gradient times the difference would give 2 a I (I - R)."""
    a = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(4))
    found = sl.balance(Squares(a), images, reference=reference, steps=1)
    assert relative(found.contributions, a * (images.square() - reference.square())) < 1e-5


def test_the_contributions_add_up_to_the_difference(regressor: nn.Module, images: Tensor, reference: Tensor) -> None:
    double = regressor.double()
    found = sl.balance(double, images.double(), reference=reference.double(), steps=64)
    difference = (double(images.double()) - double(reference.double()))[:, 0].detach()
    torch.testing.assert_close(found.signed.sum((1, 2)), difference, rtol=1e-4, atol=1e-6)


def test_it_equals_captums_integrated_gradients(regressor: nn.Module, images: Tensor, reference: Tensor) -> None:
    theirs = IntegratedGradients(regressor).attribute(
        images, baselines=reference.expand_as(images).contiguous(), target=0, n_steps=16, method="riemann_middle"
    )
    assert relative(sl.balance(regressor, images, reference=reference).contributions, theirs) < 1e-4


def test_minus_f_exchanges_increase_and_decrease_exactly(
    regressor: nn.Module, images: Tensor, reference: Tensor
) -> None:
    one = sl.balance(regressor, images, reference=reference)
    other = sl.balance(Opposite(regressor), images, reference=reference)
    assert torch.equal(one.increase, other.decrease)
    assert torch.equal(one.decrease, other.increase)
    assert not torch.equal(one.increase, one.decrease)


def test_a_signed_sum_is_the_same_in_all_blocks_and_what_cancels_is_not(
    regressor: nn.Module, images: Tensor, reference: Tensor
) -> None:
    found = sl.balance(regressor, images, reference=reference)
    assert (found.increase * found.decrease == 0).all()
    assert torch.allclose(found.increase - found.decrease, found.signed)
    sums, balances = [], []
    for k in (1, 2, 4):
        blocks = torch.nn.functional.avg_pool2d(found.signed[:, None], k) * k * k
        sums.append(blocks.sum((1, 2, 3)))
        balances.append(torch.minimum(blocks.clamp(min=0).sum((1, 2, 3)), (-blocks).clamp(min=0).sum((1, 2, 3))))
    for other in sums[1:]:
        torch.testing.assert_close(other, sums[0])
    assert (balances[0] > balances[1]).all()
    assert (balances[1] > balances[2]).all()


def test_nothing_lowers_a_number_that_all_of_the_image_raises() -> None:
    found = sl.balance(Squares(torch.ones(3, 8, 8)), torch.ones(1, 3, 8, 8), reference=torch.zeros(1, 3, 8, 8))
    assert found.increase.sum() == pytest.approx(3 * 8 * 8)
    assert found.decrease.sum() == 0


def test_the_top_class_is_that_of_the_image(images: Tensor) -> None:
    """Along the way from the reference another class may lead."""
    network = small_network()
    for black in (torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)):
        found = sl.balance(network, images, reference=black)
        named = sl.balance(network, images, network(images).argmax(1), reference=black)
        assert torch.equal(found.contributions, named.contributions)


def test_an_image_that_is_its_own_reference_has_no_balance(regressor: nn.Module, images: Tensor) -> None:
    found = sl.balance(regressor, images, reference=images)
    assert not found.contributions.any()
    assert not found.signed.any()


def test_nothing_changes(regressor: nn.Module, images: Tensor, reference: Tensor) -> None:
    with nothing_changes(regressor.train(), images, reference):
        sl.balance(regressor, images, reference=reference, steps=2)


def test_what_does_not_fit_says_so(regressor: nn.Module, images: Tensor, reference: Tensor) -> None:
    with raises_one_line(sl.ImageError, "the reference of images"):
        sl.balance(regressor, images, reference=images[:2])
    with raises_one_line(sl.SaliencyError, "steps should be a whole number"):
        sl.balance(regressor, images, reference=reference, steps=0)
