"""The networks of the package can be trained anew, by their recipes, and by recipes for other answers than classes."""

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from helpers import nothing_changes
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.cli import training as command
from saliency_lib.cli.main import main
from saliency_lib.models import training, weights
from saliency_lib.models.networks import scene_convnet
from saliency_lib.models.training import Adversarial, Mirrored, Recipe, error, find_recipe, save, train, trainable

SHORT = replace(find_recipe("creature_convnet"), examples=300, epochs=3, batch=20, held_out=200)


def test_a_short_training_learns() -> None:
    recipe = replace(SHORT, alter=Adversarial(reach=2.0))
    with nothing_changes(nn.Identity()):
        network = train(recipe)
    assert not network.training
    assert error(network, recipe) < 0.5


def test_a_seed_settles_everything() -> None:
    brief = replace(SHORT, examples=50, epochs=1)
    first, again, other = (train(brief, seed=seed).state_dict() for seed in (3, 3, 4))
    for name, values in first.items():
        assert torch.equal(values, again[name])
    assert not torch.equal(first["features.0.weight"], other["features.0.weight"])


def test_adversarial_examples_are_as_far_as_they_may_be_and_worse() -> None:
    loss = SHORT.loss_of(sl.load_model("creature_convnet").cpu().network)
    images, labels = SHORT.draw(50, 7)
    images = images - torch.tensor(SHORT.mean).view(3, 1, 1)
    pair = []
    for ramp in (0.0, 0.5):
        torch.manual_seed(3)
        pair.append(Adversarial(reach=10.0)(loss, images, labels, ramp)[0].detach())
    moved = (pair[1] - pair[0]).flatten(1).norm(dim=1)
    assert 2 < moved.max() <= 5
    before, after = (loss(x, labels) for x in pair)
    assert after > before


def test_unaltered_images_are_as_they_were() -> None:
    images, labels = torch.rand(5, 3, 4, 4), torch.arange(5)
    found = Adversarial(faintest=1.0, noise=0.0, reach=0.0)(F.cross_entropy, images, labels, 1.0)
    assert torch.equal(found[0], images)
    assert torch.equal(found[1], labels)


def test_a_mirrored_road_has_the_mirrored_angle() -> None:
    images, angles = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 3, 2, 5) + torch.arange(5.0), torch.arange(1.0, 9)
    before = images.clone(), angles.clone()
    shown, right = find_recipe("steering_convnet").alter(F.mse_loss, images, angles, 1.0)
    mirrored = right < 0
    assert 0 < mirrored.sum() < 8
    assert torch.equal(right.abs(), angles)
    assert torch.equal(shown[mirrored], images[mirrored].flip(3))
    assert torch.equal(shown[~mirrored], images[~mirrored])
    assert torch.equal(images, before[0])
    assert torch.equal(angles, before[1])


def test_jitter_moves_around_the_edges_by_whole_pixels() -> None:
    images = torch.rand(1, 1, 6, 6)
    shown, _ = Mirrored(jitter=2)(F.mse_loss, images, torch.zeros(1), 1.0)
    moves = [(y, x) for y in range(-2, 3) for x in range(-2, 3)]
    assert any(torch.equal(shown, either.roll(move, (2, 3))) for move in moves for either in (images, images.flip(3)))


def test_error_is_that_of_the_normalized_examples() -> None:
    model = sl.load_model("creature_convnet").cpu()
    images, labels = SHORT.draw(200, 12345)
    share = (model(images).argmax(1) != labels).float().mean().item()
    assert error(model.network, SHORT, count=200, seed=12345) == pytest.approx(share)


def test_a_regression_takes_a_few_lines() -> None:
    def brightness(count: int, seed: int) -> tuple[Tensor, Tensor]:
        images = torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
        return images, images.mean((1, 2, 3))[:, None]

    recipe = Recipe(
        network=lambda: nn.Sequential(nn.Flatten(), nn.Linear(16, 1)),
        mean=(0.5,),
        std=(1.0,),
        draw=brightness,
        loss=F.mse_loss,
        error=lambda outputs, answers: (outputs - answers).abs().mean().item(),
        unit="of full brightness",
        alter=Mirrored(),
        examples=500,
        epochs=100,
        rate=0.05,
        decay=0.0,
    )
    assert error(train(recipe), recipe) < 0.01


@pytest.mark.parametrize("name", trainable())
def test_the_normalization_is_that_of_the_examples(name: str) -> None:
    recipe = find_recipe(name)
    images, _ = recipe.draw(100, training.SEED)
    assert torch.allclose(images.mean((0, 2, 3)), torch.tensor(recipe.mean), atol=0.05)
    assert torch.allclose(images.std((0, 2, 3)), torch.tensor(recipe.std), atol=0.05)


def test_networks_begin_with_the_spread_of_he() -> None:
    torch.manual_seed(0)
    network = find_recipe("scene_convnet").network()
    convolution = network.get_submodule("features.3")
    assert convolution.weight.std().item() == pytest.approx((2 / (24 * 25)) ** 0.5, rel=0.05)
    assert network.get_submodule("classifier.2").weight.abs().max() <= 96**-0.5
    assert all((values == 0).all() for values in network.parameters() if values.ndim == 1)


def test_what_is_saved_is_what_the_package_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = find_recipe("scene_convnet").network()
    digest, size = save(network, tmp_path / "new.pt")
    assert size == (tmp_path / "new.pt").stat().st_size
    monkeypatch.setattr(weights, "data_file", lambda name: tmp_path / "new.pt")
    monkeypatch.setitem(scene_convnet.SHA256, "scene_convnet", digest)
    loaded = sl.load_model("scene_convnet").cpu().network.state_dict()
    for name, values in network.state_dict().items():
        assert torch.equal(loaded[name], values.half().float())


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--out"], 0), (["--check"], 2), (["--plain", "--seed", "3", "--out"], 0)]
)
def test_the_command_writes_weights_or_compares_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int
) -> None:
    asked = []

    def short(recipe: Recipe, *, seed: int) -> nn.Module:
        assert isinstance(recipe.alter, Adversarial)
        asked.append((recipe.alter.reach, seed))
        return train(replace(SHORT, examples=50, epochs=1))

    monkeypatch.setattr(command, "train", short)
    monkeypatch.setattr(command, "error", partial(error, count=100))
    out = [str(tmp_path / "new.pt")] if "--out" in arguments else []
    assert main(["train", "creature_convnet", *arguments, *out]) == code
    said = capsys.readouterr()
    if out:
        digest = hashlib.sha256((tmp_path / "new.pt").read_bytes()).hexdigest()
        assert said.out.endswith(f"SHA-256 {digest}\n")
    else:
        assert "not as good as the one that is installed" in said.err
    assert asked == [(0.0, 3) if "--plain" in arguments else (8.0, 0)]


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("creature_convnet", ["--out", "nowhere/new.pt"], "there is no folder"),
        ("creature_vit", ["--plain", "--check"], "without adversarial examples as it is"),
    ],
)
def test_what_cannot_be_done_is_told_before_minutes_of_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, arguments: list[str], sentence: str
) -> None:
    monkeypatch.setattr(command, "train", None)
    assert main(["train", name, *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_losses_are_what_they_are_called() -> None:
    """Huber's loss by hand, and the binary cross-entropy."""
    angles, right = torch.tensor([[0.5], [4.0]]), torch.tensor([0.0, 1.0])
    assert find_recipe("steering_convnet").loss(angles, right).item() == pytest.approx((0.5**2 / 2 + 2.5) / 2)
    scores, labels = torch.tensor([[0.3, -2.0]]), torch.tensor([[1.0, 0.0]])
    by_hand = -(F.logsigmoid(scores[0, 0]) + F.logsigmoid(-scores[0, 1])) / 2
    assert find_recipe("scene_convnet").loss(scores, labels).item() == pytest.approx(by_hand.item())
