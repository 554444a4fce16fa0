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
from saliency_lib.models import creature_convnet, training
from saliency_lib.models.training import RECIPES, Recipe, altered, quality, save, train

SHORT = replace(RECIPES["creature_convnet"], drawings=500, epochs=5, batch=50, reach=2.0)


@pytest.mark.parametrize("recipe", [SHORT, replace(SHORT, reach=0.0)], ids=["adversarial", "plain"])
def test_a_short_training_learns(recipe: Recipe) -> None:
    with nothing_changes(nn.Identity()):
        network = train(recipe)
    assert not network.training
    assert quality(network, recipe, count=200) > 0.5


def test_a_seed_settles_everything() -> None:
    brief = replace(SHORT, drawings=100, epochs=1)
    first, again, other = (train(brief, seed=seed).state_dict() for seed in (3, 3, 4))
    for name, values in first.items():
        assert torch.equal(values, again[name])
    assert not torch.equal(first["features.0.weight"], other["features.0.weight"])


def test_adversarial_examples_are_as_far_as_they_may_be_and_worse() -> None:
    network = sl.load_model("creature_convnet").cpu().network
    images, labels = SHORT.draw(50, 7)
    std = torch.tensor(SHORT.std).view(3, 1, 1)
    pair = []
    for reach in (0.0, 5.0):
        torch.manual_seed(3)
        pair.append(altered(network, SHORT, images, labels, reach).detach())
    moved = ((pair[1] - pair[0]) * std).flatten(1).norm(dim=1)
    assert 2 < moved.max() <= 5
    before, after = (F.cross_entropy(network(x), labels) for x in pair)
    assert after > before


def test_unaltered_images_are_normalized_and_no_more() -> None:
    images, labels = SHORT.draw(5, 7)
    bare = replace(SHORT, faintest=1.0, noise=0.0)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (SHORT.mean, SHORT.std))
    assert torch.allclose(altered(nn.Identity(), bare, images, labels, 0.0), (images - mean) / std, atol=1e-6)


def test_quality_is_the_share_that_is_right() -> None:
    def half_right(scores: Tensor, labels: Tensor) -> Tensor:
        return torch.arange(len(labels)) % 2 * 1.0

    network = sl.load_model("creature_convnet").cpu().network
    model = sl.load_model("creature_convnet").cpu()
    images, labels = SHORT.draw(600, 12345)
    share = (model(images).argmax(1) == labels).float().mean().item()
    assert quality(network, SHORT, count=600, seed=12345) == pytest.approx(share)
    assert quality(network, replace(SHORT, right=half_right), count=600) == pytest.approx(0.5)


def test_a_regression_takes_a_few_lines() -> None:
    def brightness(count: int, seed: int) -> tuple[Tensor, Tensor]:
        images = torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
        return images, images.mean((1, 2, 3))[:, None]

    recipe = Recipe(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(16, 1)),
        (0.0,),
        (1.0,),
        brightness,
        loss=F.mse_loss,
        right=lambda outputs, answers: ((outputs - answers).abs() < 0.02).float().flatten(),
        drawings=500,
        epochs=100,
        batch=100,
        rate=0.05,
        decay=0.0,
        faintest=1.0,
        noise=0.0,
        reach=0.0,
    )
    assert quality(train(recipe), recipe, count=500) > 0.9


def test_what_is_saved_is_what_the_package_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = creature_convnet.CreatureConvNet()
    digest = save(network, tmp_path / "new.pt")
    monkeypatch.setattr(creature_convnet, "WEIGHTS_FILE", tmp_path / "new.pt")
    monkeypatch.setattr(creature_convnet, "WEIGHTS_SHA256", digest)
    loaded = sl.load_model("creature_convnet").cpu().network.state_dict()
    for name, values in network.state_dict().items():
        assert torch.equal(loaded[name], values.half().float())


@pytest.mark.parametrize(("arguments", "code"), [(["--out"], 0), (["--check"], 2), (["--plain", "--out"], 0)])
def test_the_command_writes_weights_or_compares_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int
) -> None:
    reaches = []

    def short(recipe: Recipe) -> nn.Module:
        reaches.append(recipe.reach)
        return train(replace(SHORT, epochs=1))

    monkeypatch.setattr(command, "train", short)
    monkeypatch.setattr(command, "quality", partial(quality, count=300))
    out = [str(tmp_path / "new.pt")] if "--out" in arguments else []
    assert main(["train", "creature_convnet", *arguments, *out]) == code
    said = capsys.readouterr()
    if out:
        digest = hashlib.sha256((tmp_path / "new.pt").read_bytes()).hexdigest()
        assert said.out.endswith(f"SHA-256 {digest}\n")
    else:
        assert "not as good as the one that is installed" in said.err
    assert reaches == [0.0 if "--plain" in arguments else RECIPES["creature_convnet"].reach]


def test_a_folder_that_is_not_there_is_told_before_minutes_of_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "train", None)
    assert main(["train", "creature_convnet", "--out", str(tmp_path / "nowhere" / "new.pt")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_every_recipe_is_that_of_a_network_that_is_installed() -> None:
    assert all(sl.available_models()[name] == "embedded" for name in training.RECIPES)
