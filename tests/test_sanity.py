"""What chapter 9 does to networks and images: weights drawn anew, faint changes, maps of one's choice, retraining."""

import pytest
import torch
from helpers import nothing_changes
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.categories import Categories
from saliency_lib.sanity import fragility
from saliency_lib.sanity.fragility import fragile
from saliency_lib.sanity.manipulation import manipulate
from saliency_lib.sanity.randomization import cascade
from saliency_lib.sanity.retraining import largest, learn, right


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 4, 3, stride=2), nn.ReLU(), nn.Flatten(),
            nn.Linear(4 * 49, 3),
        ).eval()  # fmt: skip


def images(count: int = 4, size: int = 16) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def test_the_cascade_draws_from_the_last_layer_to_the_first_and_touches_nothing_else() -> None:
    model, changed = network(), []
    with nothing_changes(model):
        for name, forgetful in cascade(model):
            now, before = forgetful.state_dict(), model.state_dict()
            changed.append({key.split(".")[0] for key in now if not torch.equal(now[key], before[key])})
            assert name in changed[-1]
    assert changed == [{"5"}, {"5", "2"}, {"5", "2", "0"}]
    *_, (_, again) = cascade(model)
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), now.values(), strict=True))
    with pytest.raises(sl.ModelError):
        next(cascade(nn.ReLU()))


def test_a_faint_change_keeps_the_class_and_empties_the_brightest_tenth_of_the_map() -> None:
    model, I = network(), images()
    given, reach = I.clone(), 8 / 255
    moved = fragile(model, I, reach=reach, steps=20)
    classes = model(I).argmax(1)
    assert torch.equal(I, given)
    assert (moved - I).abs().max() <= reach + 1e-6
    assert moved.min() >= 0
    assert moved.max() <= 1
    assert torch.equal(model(moved).argmax(1), classes)
    before, after = (sl.saliency_map(model, x, classes) for x in (I, moved))
    bright = before >= before.flatten(1).quantile(0.9, 1).view(-1, 1, 1)
    shares = [((M * bright).sum() / M.sum()).item() for M in (before, after)]
    assert shares[1] < shares[0] - 0.02
    with pytest.raises(sl.ModelError, match="no ReLU"):
        fragile(nn.Sequential(nn.Flatten(), nn.Linear(3 * 256, 2)), I)


def test_the_derivative_of_the_attack_is_that_of_finite_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    model, I = network().double(), images(1).double()
    classes, bright = (
        model(I).argmax(1),
        (torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(2)) < 0.1).double(),
    )

    def loss(x: Tensor) -> float:
        """Slow and literal, with softplus for ReLU."""
        soft = nn.Sequential(*(nn.Softplus(fragility.SHARPNESS) if isinstance(m, nn.ReLU) else m for m in model))
        x = x.clone().requires_grad_()
        S = soft(x)[0]
        (w,) = torch.autograd.grad(S[classes[0]], x, retain_graph=True)
        M = w.abs().sum(1)
        return ((M * bright).sum() / M.sum() - 0.02 * S.log_softmax(0)[classes[0]]).item()

    found = fragility._derivative(model, I, classes, bright)
    for entry in [(0, 0, 3, 4), (0, 1, 8, 8), (0, 2, 12, 5)]:
        step = torch.zeros_like(I)
        step[entry] = 1e-5
        assert found[entry].item() == pytest.approx((loss(I + step) - loss(I - step)) / 2e-5, rel=1e-3, abs=1e-7)


def test_a_manipulated_network_keeps_its_scores_and_moves_its_maps() -> None:
    model, I, where = network(), images(24), torch.zeros(16, 16)
    where[10:, 10:] = 1
    with nothing_changes(model, I, where):
        other = manipulate(model, I, where, steps=100, batch=12, rate=2e-3)

    def share(network: nn.Module) -> float:
        M = sl.saliency_map(network, I, model(I).argmax(1))
        return ((M * where).sum((1, 2)) / M.sum((1, 2))).mean().item()

    assert share(other) > 2 * share(model)
    assert (other(I) - model(I)).square().mean() < 0.5 * model(I).var()
    with pytest.raises(sl.SaliencyError):
        manipulate(model, I, torch.zeros(16, 16))


def test_the_largest_values_are_as_many_as_asked_for_and_none_is_smaller_than_another() -> None:
    maps = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(3))
    for M, chosen in zip(maps, largest(maps, 0.25), strict=True):
        least = sorted(M.flatten().tolist(), reverse=True)[15]
        assert torch.equal(chosen, least <= M)
    assert not largest(maps, 0).any()
    assert largest(torch.zeros(1, 4, 4), 0.25).sum() == 4
    with pytest.raises(sl.SaliencyError):
        largest(maps, 1.5)


def test_the_small_network_learns_what_there_is_to_learn() -> None:
    labels = torch.arange(100) % 2
    I = 0.3 * torch.rand(100, 3, 32, 32, generator=torch.Generator().manual_seed(4)) + 0.5 * labels.view(-1, 1, 1, 1)
    model = learn(I, labels, Categories(("dark", "bright")), epochs=3)
    again = learn(I, labels, Categories(("dark", "bright")), epochs=3)
    assert right(model, I, labels) == 1
    assert right(model, I, 1 - labels) == 0
    assert torch.equal(model(I), again(I))
