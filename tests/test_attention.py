"""Attention, rollout and relevance: against a network whose attention is written out, and on those of others."""

import math
from typing import Any

import pytest
import timm
import torch
import torchvision.models
from helpers import nothing_changes, raises_one_line, relative
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


class Whole(nn.Module):
    """A block with all that AttnLRP has rules for, over four patches of four pixels and a class token."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.first = nn.Conv2d(1, WIDTH, 2, 2), nn.Parameter(torch.randn(1, 1, WIDTH))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(3))
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.wide, self.back, self.last = nn.Linear(WIDTH, 12), nn.Linear(12, WIDTH), nn.Linear(WIDTH, 3)
        for values in self.norms.parameters():
            nn.init.normal_(values, 1.0, 0.3)

    def forward(self, images: Tensor) -> Tensor:
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(len(x), 1, WIDTH), x], 1)
        q, k, v = (p.unflatten(2, (HEADS, -1)).transpose(1, 2) for p in self.qkv(self.norms[0](x)).chunk(3, 2))
        x = x + self.out(nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        x = x + self.back(nn.functional.gelu(self.wide(self.norms[1](x))))
        return self.last(self.norms[2](x)[:, 0])


def relevance_of(net: Whole, image: Tensor, label: int) -> Tensor:
    """AttnLRP of one image (4, 4), value by value of the network as the paper says it: relevances, and no gradient."""

    def linear(x: Tensor, layer: nn.Linear, R: Tensor) -> Tensor:
        return x * ((R / layer(x)) @ layer.weight)

    def norm(x: Tensor, layer: nn.LayerNorm, R: Tensor) -> Tensor:
        u = x - x.mean(1, keepdim=True)
        v = u / (x.var(1, unbiased=False, keepdim=True) + layer.eps).sqrt()
        passed = layer.weight * v / layer(x) * R
        return x * (passed / u - (passed / u).mean(1, keepdim=True))

    def product(a: Tensor, b: Tensor, R: Tensor) -> tuple[Tensor, Tensor]:
        each = (
            a[:, :, None] * b[None] / (2 * (a @ b))[:, None] * R[:, None]
        )  # (rows of a, what is summed, columns of b)
        return each.sum(2), each.sum(0)

    cut = image.unfold(0, 2, 2).unfold(1, 2, 2).reshape(4, 4)
    weight = net.patches.weight.flatten(1)
    patches = cut @ weight.T + net.patches.bias
    x = torch.cat([net.first[0], patches])
    normed = net.norms[0](x)
    q, k, v = (part.unflatten(1, (HEADS, -1)).unbind(1) for part in net.qkv(normed).chunk(3, 1))
    Z = [q[h] @ k[h].T / math.sqrt(WIDTH // HEADS) for h in range(HEADS)]
    taken = torch.cat([Z[h].softmax(1) @ v[h] for h in range(HEADS)], 1)
    y = x + net.out(taken)
    hidden = net.wide(net.norms[1](y))
    z = y + net.back(nn.functional.gelu(hidden))
    scores = net.last(net.norms[2](z))[0]

    R = torch.zeros_like(z)
    R[0] = linear(net.norms[2](z)[0], net.last, torch.eye(3)[label].to(scores) * scores)
    R = norm(z, net.norms[2], R)
    R_hidden = linear(nn.functional.gelu(hidden), net.back, R * (z - y) / z)
    R = R * y / z + norm(y, net.norms[1], linear(net.norms[1](y), net.wide, R_hidden))
    R_taken = linear(taken, net.out, R * (y - x) / y).chunk(HEADS, 1)
    parts: list[list[Tensor]] = [[], [], []]
    for h in range(HEADS):
        A = Z[h].softmax(1)
        R_A, R_v = product(A, v[h], R_taken[h])
        R_Z = Z[h] * (R_A - A * R_A.sum(1, keepdim=True))
        R_q, R_k = product(q[h], k[h].T, R_Z)
        for part, one in zip(parts, (R_q, R_k.T, R_v), strict=True):
            part.append(one)
    R_qkv = torch.cat([torch.cat(part, 1) for part in parts], 1)
    R = R * x / y + norm(x, net.norms[0], linear(normed, net.qkv, R_qkv))
    found = cut * ((R[1:] / patches) @ weight)
    return found.view(2, 2, 2, 2).transpose(1, 2).reshape(4, 4)


def test_attention_lrp_is_its_rules() -> None:
    """Against relevances written out. An empty class token asks nothing: equal shares lose the half that they get."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        net = Whole().double().eval().requires_grad_(False)
    images = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(5)).double()
    with nothing_changes(net, images):
        R = sl.attention_lrp(net, images, [1, 2])
    for image, label, found in zip(images, (1, 2), R, strict=True):
        assert relative(found[0], relevance_of(net, image[0], label)) < 1e-9
    assert relative(sl.gradient_times_input(net, images, [1, 2]), R) > 0.1
    for name, values in net.named_parameters():
        if name.endswith("bias") or name == "first":
            values.zero_()
    net.first += 1e-9
    with torch.no_grad():
        S = net(images)[:, 1]
    torch.testing.assert_close(sl.attention_lrp(net, images, 1).flatten(1).sum(1), S / 2, rtol=1e-4, atol=1e-4)


def test_attention_lrp_refuses_what_has_no_rule() -> None:
    with raises_one_line(sl.ModelError, "no rule for Tanh"):
        sl.attention_lrp(made(), IMAGES, 1)


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
        R = sl.attention_lrp(net, images, 3)
    assert rollout.shape == M.shape == (2, 4, 4)
    assert rollout.min() > 0
    assert M.isfinite().all()
    assert M.amax() > 0
    assert relative(sl.attention_lrp(net, images[1:], 3), R[1:]) < 1e-4
    assert relative(sl.attention_relevance(net, images[1:], 3), M[1:]) < 1e-4


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: torchvision.models.resnet18(num_classes=5), "there is none"),
        (lambda: timm.models.SwinTransformer(56, embed_dim=12, depths=(2,), num_heads=(2,)), "within windows"),
    ],
)
def test_what_has_no_attention_among_all_tokens_is_said(make: Any, part: str) -> None:
    with raises_one_line(sl.ModelError, part):
        sl.attention_rollout(make(), torch.rand(1, 3, 56, 56))


def test_a_grid_that_is_no_square_is_asked_for() -> None:
    wide = torch.rand(1, 3, 8, 20).double()
    with raises_one_line(sl.ModelError, "say grid"):
        sl.attention_rollout(made(mean=True), torch.rand(1, 3, 4, 12).double())
    assert sl.attention_rollout(made(), wide, grid=(2, 5)).shape == (1, 2, 5)
    with raises_one_line(sl.ModelError, "do not fill"):
        sl.attention_rollout(made(), wide, skip=3)
