"""Attention, rollout and relevance: against a network whose attention is written out, and on those of others."""

import math
from typing import Any

import pytest
import timm
import torch
import torchvision.models
from helpers import nothing_changes, relative, says
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.methods.attention import Attention

WIDTH, HEADS, PATCH = 8, 2, 4


class Open(nn.Module):
    """Two blocks over nine patches, read at a class token or by the mean; `moved` is added to the shares of a block."""

    def __init__(self, mean: bool = False, fused: bool = False) -> None:
        super().__init__()
        self.mean, self.fused = mean, fused
        self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.first = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.qkv = nn.ModuleList([nn.Linear(WIDTH, 3 * WIDTH) for _ in range(2)])
        self.last = nn.Linear(WIDTH, 4)
        self.moved: dict[int, Tensor] = {}
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = x if self.mean else torch.cat([self.first.expand(len(x), 1, WIDTH), x], 1)
        self.seen = []
        for block, layer in enumerate(self.qkv):
            q, k, v = (p.unflatten(2, (HEADS, -1)).transpose(1, 2) for p in layer(x).chunk(3, 2))
            if self.fused:
                taken = nn.functional.scaled_dot_product_attention(q, k, v)
            else:
                A = (q @ k.transpose(2, 3) / math.sqrt(WIDTH // HEADS)).softmax(3)
                self.seen.append(A)
                taken = (A + self.moved.get(block, 0)) @ v
            x = x + torch.tanh(taken.transpose(1, 2).flatten(2))
        return self.last(x.mean(1) if self.mean else x[:, 0])


def made(mean: bool = False, fused: bool = False) -> Open:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return Open(mean, fused).double().eval().requires_grad_(False)


IMAGES = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(3)).double()


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_the_shares_are_those_that_the_network_computed(mean: bool, fused: bool) -> None:
    plain = made(mean)
    plain(IMAGES)
    shares = sl.attention_weights(made(mean, fused), IMAGES)
    assert len(shares) == 2
    for found, wanted in zip(shares, plain.seen, strict=True):
        assert found.shape == (2, HEADS, 9 + (not mean), 9 + (not mean))
        assert relative(found, wanted) < 1e-12
        assert (found.sum(3) - 1).abs().max() < 1e-12


@pytest.mark.parametrize("mean", [False, True])
def test_gradients_are_what_a_little_more_of_a_share_does(mean: bool) -> None:
    net = made(mean)
    found = Attention(net, IMAGES).gradients(1)
    for block, at in ((0, (0, 1, 3, 5)), (1, (1, 0, 0, 2)), (0, (1, 1, 7, 0))):
        step = torch.zeros_like(found[block])
        step[at] = 1e-6
        net.moved = {block: step}
        more = net(IMAGES)[at[0], 1]
        net.moved = {block: -step}
        assert found[block][at].item() == pytest.approx((more - net(IMAGES)[at[0], 1]).item() / 2e-6, abs=1e-7)
        net.moved = {}
    last = found[1].abs().amax((1, 3))
    assert (last > 0).all() if mean else not last[:, 1:].any()


def _slowly(net: Open, rules: str, mean: bool) -> Tensor:
    """Both formulas, image by image and token by token."""
    maps = []
    gradients = Attention(net, IMAGES).gradients(1)
    for image in range(len(IMAGES)):
        T = gradients[0].shape[-1]
        R = [[float(i == j) for j in range(T)] for i in range(T)]
        for A, g in zip(Attention(net, IMAGES).shares, gradients, strict=True):
            step = [[0.0] * T for _ in range(T)]
            for i in range(T):
                for j in range(T):
                    heads = range(HEADS)
                    if rules == "rollout":
                        step[i][j] = sum(A[image, h, i, j].item() for h in heads) / HEADS
                    else:
                        step[i][j] = sum(max(0.0, (A * g)[image, h, i, j].item()) for h in heads) / HEADS
            new = [[R[i][j] + sum(step[i][k] * R[k][j] for k in range(T)) for j in range(T)] for i in range(T)]
            R = [[value / 2 for value in row] for row in new] if rules == "rollout" else new
        if rules != "rollout":
            R = [[R[i][j] - (i == j) for j in range(T)] for i in range(T)]
        rows = R if mean else R[:1]
        row = [sum(one[j] for one in rows) / len(rows) for j in range(T)]
        maps.append(torch.tensor(row[T - 9 :], dtype=torch.float64).view(3, 3))
    return torch.stack(maps)


@pytest.mark.parametrize("mean", [False, True])
def test_rollout_and_relevance_are_their_formulas(mean: bool) -> None:
    net = made(mean)
    assert relative(sl.attention_rollout(net, IMAGES, 1), _slowly(net, "rollout", mean)) < 1e-9
    assert relative(sl.attention_relevance(net, IMAGES, 1), _slowly(net, "relevance", mean)) < 1e-9
    fused = made(mean, fused=True)
    assert relative(sl.attention_relevance(fused, IMAGES, 1), sl.attention_relevance(net, IMAGES, 1)) < 1e-9


def test_rollout_asks_no_question_and_relevance_does() -> None:
    net = made()
    assert torch.equal(sl.attention_rollout(net, IMAGES, 1), sl.attention_rollout(net, IMAGES, 2))
    assert relative(sl.attention_relevance(net, IMAGES, 1), sl.attention_relevance(net, IMAGES, 2)) > 1e-2


SMALL = {"num_classes": 6, "img_size": 64, "depth": 3}
OTHERS: dict[str, tuple[Any, int]] = {
    "torchvision": (lambda: torchvision.models.VisionTransformer(64, 16, 3, 2, 32, 64, num_classes=6), 1),
    "timm": (lambda: timm.create_model("vit_tiny_patch16_224", **SMALL), 1),
    "timm, mean": (
        lambda: timm.create_model("vit_tiny_patch16_224", global_pool="avg", class_token=False, **SMALL),
        0,
    ),
    "timm, registers": (lambda: timm.create_model("vit_tiny_patch16_224", reg_tokens=4, **SMALL), 5),
    "timm, two class tokens": (lambda: timm.create_model("deit_tiny_distilled_patch16_224", **SMALL), 2),
}


@pytest.mark.parametrize("name", OTHERS)
def test_transformers_of_other_libraries(name: str) -> None:
    make, skip = OTHERS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = make().eval()
        for values in net.parameters():  # some heads begin at zero, and nothing would depend on anything
            if values.ndim == 2 and not values.any():
                nn.init.normal_(values, std=0.1)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    assert Attention(net, images[:1]).skip == skip
    shares = sl.attention_weights(net, images)
    assert len(shares) == 3
    with nothing_changes(net, images):
        rollout, M = sl.attention_rollout(net, images, 3), sl.attention_relevance(net, images, 3)
    assert rollout.shape == M.shape == (2, 4, 4)
    assert rollout.min() > 0
    assert M.isfinite().all()
    assert M.amax() > 0
    assert relative(sl.attention_relevance(net, images[1:], 3), M[1:]) < 1e-4


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: torchvision.models.resnet18(num_classes=5), "there is none"),
        (lambda: timm.create_model("swin_tiny_patch4_window7_224", num_classes=5), "within windows"),
    ],
)
def test_what_has_no_attention_among_all_tokens_is_said(make: Any, part: str) -> None:
    with pytest.raises(sl.ModelError, match=part) as caught:
        sl.attention_rollout(make(), torch.rand(1, 3, 224, 224))
    says(caught.value)


def test_a_grid_that_is_no_square_is_asked_for() -> None:
    wide = torch.rand(1, 3, 8, 20).double()
    with pytest.raises(sl.ModelError, match="say grid") as caught:
        sl.attention_rollout(made(mean=True), torch.rand(1, 3, 4, 12).double())
    says(caught.value)
    assert sl.attention_rollout(made(), wide, grid=(2, 5)).shape == (1, 2, 5)
    with pytest.raises(sl.ModelError, match="do not fill") as caught:
        sl.attention_rollout(made(), wide, skip=3)
    says(caught.value)
