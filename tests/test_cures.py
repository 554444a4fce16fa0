"""What is measured on cures, groups and clusters: each part by a slow or a planted case."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import nn

import saliency_lib as sl
from benchmarks import clusters, cures, groups, trainings
from saliency_lib.models.networks.companion_convnet import MEAN, STD, CompanionConvNet


@pytest.fixture(scope="module")
def mixed() -> sl.Companions:
    return sl.companions(180, seed=5, beside={"owl": 0.8} | dict.fromkeys(cures.OTHERS, 0.2))


def test_a_creature_is_seen_as_often_with_a_tree_as_without(mixed: sl.Companions) -> None:
    chosen = cures.balanced(mixed)
    has = mixed.masks["companion"].flatten(1).any(1)
    owls = mixed.labels[chosen] == cures.OWL
    assert has[mixed.labels == cures.OWL].float().mean() > 0.7
    assert has[chosen][owls].float().mean() == pytest.approx(0.5, abs=0.2)
    assert has[chosen][~owls].float().mean() == pytest.approx(0.5, abs=0.1)


def test_the_penalty_is_the_squared_gradient_in_the_tree_drawing_by_drawing(mixed: sl.Companions) -> None:
    torch.manual_seed(0)
    network, images, told = CompanionConvNet(), mixed.images[:3], cures.told(mixed)[:3]
    found = cures.with_penalty(network, images, told)
    for index in range(3):
        x = images[index : index + 1].clone().requires_grad_(True)
        (w,) = torch.autograd.grad(F.log_softmax(network(x), 1).sum(), x)
        tree = mixed.masks["companion"][index]
        slow = sum(float(w[0, k, i, j]) ** 2 for k in range(3) for i, j in tree.nonzero().tolist())
        assert found[index, -1].item() == pytest.approx(slow, rel=1e-4)
    torch.testing.assert_close(found[:, :-1], network(images))
    torch.testing.assert_close(cures.turned(cures.turned(told)), told)


def test_a_last_layer_learned_anew_is_the_logistic_regression_of_the_features() -> None:
    torch.manual_seed(0)
    network = CompanionConvNet()
    before = network.features[0].weight.clone()
    fitted = cures.as_model(cures.last_layer(network))
    half = cures.drawn(tuple(cures.HALF.items()), cures.MORE, cures.MORE_SEED)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (MEAN, STD))
    with torch.no_grad():
        scores = fitted(half.images)
        features = network.features((half.images - mean) / std).amax((2, 3)).numpy()
    known = LogisticRegression(C=1.0, max_iter=2000).fit(features, half.labels.numpy())
    P = torch.from_numpy(known.predict_proba(features)).float()
    torch.testing.assert_close(scores.softmax(1)[:, known.classes_], P, atol=1e-3, rtol=1e-2)
    assert cures.CATEGORIES.index("tree") not in known.classes_
    assert torch.equal(network.features[0].weight, before)


def test_the_light_goes_with_the_label_as_often_as_it_says() -> None:
    labels = torch.tensor([cures.OWL] * 400 + [0] * 400)
    images = torch.ones(800, 3, 2, 2)
    dark = groups.lit(images, labels, 0.95, 0.05)[:, 0, 0, 0] < 1
    assert dark[:400].float().mean() == pytest.approx(0.95, abs=0.03)
    assert dark[400:].float().mean() == pytest.approx(0.05, abs=0.03)


def test_a_network_that_knows_the_light_alone_is_found_by_redrawing() -> None:
    class Brightness(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return F.one_hot(torch.tensor(cures.OWL), 10) * (1 - images.mean((1, 2, 3)))[:, None]

    model = cures.as_model(Brightness())
    owls, without = (sl.companions(4, kind="owl", beside={}, without=some) for some in ((), ["creature"]))
    assert groups.redrawn(model, owls, without) > 0.9


def test_two_planted_kinds_of_map_are_two_clusters() -> None:
    torch.manual_seed(0)
    maps = torch.rand(40, 64, 64) * 0.1
    maps[::2, :20, :20] += 1
    maps[1::2, 40:, 40:] += 1
    alike = torch.rand(40, 64, 64)
    assert clusters.gap(clusters.graph(maps)) > clusters.gap(clusters.graph(alike)) + 0.1
    near = clusters.graph(maps)
    assert np.allclose(near, near.T)
    assert near[0, 1::2].sum() == 0
    assert near[0].sum() > 0


def test_what_is_stored_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trainings, "DATA", tmp_path)
    trained: list[tuple[str, int]] = []

    def measure(kind: str, seed: int) -> dict[str, object]:
        trained.append((kind, seed))
        if len(trained) == 3:
            raise KeyboardInterrupt
        return {"kind": kind, "seed": seed, "right": 0.5 + 0.1 * seed, "lift": 3.0}

    runs = trainings.Trainings("some", "", "kind", ["a", "b"], range(2), ["right", "lift"], measure, plain=["lift"])
    with pytest.raises(KeyboardInterrupt):
        runs.main([])
    runs.main([])
    assert trained == [("a", 0), ("b", 0), ("a", 1), ("a", 1), ("b", 1)]
    assert capsys.readouterr().out.count("55.0 ±  5.0     3.0 ±  0.0") == 2
    runs.main(["--tables"])
    assert len(trained) == 5
