"""Chapter 9's exercises accept the right answer and meet each typical mistake with its hint."""

import math

import torch
from helpers import judged

import saliency_lib as sl


def test_deletion() -> None:
    wrong = [
        ((0.38, 0.24), "mean of five scores"),
        ((1.4, 0.7), "a quarter of it"),
        ((0.2, 0.175), "the first map"),
        ((0.35, 0.3), "the second map"),
        (0.35, "two numbers"),
    ]
    right = [torch.trapezoid(torch.tensor(c), dx=0.25).item() for c in ((1, 0.6, 0.2, 0.1, 0), (1, 0.1, 0.1, 0, 0.0))]
    judged("believe-deletion", right, wrong)


def test_infidelity() -> None:
    told, fall = torch.tensor([1.0, 1.0]), torch.tensor([2.0, 1.0])
    tried = torch.linspace(0, 3, 3001)
    errors = (tried[:, None] * told - fall).square().mean(1)
    right = (
        (told - fall).square().mean(),
        tried[errors.argmin()],
        errors.min() / fall.square().mean(),
    )
    wrong = [
        ((1, 1.5, 0.1), "and this is the sum"),
        ((0.5, 2 / 3, 0.1), "not the reverse"),
        ((0.5, 1, 0.1), "nearest to"),
        ((0.5, 1.5, 0.25), "squared falls"),
        ((0.5, 1.5, 0.5), "over the mean"),
    ]
    judged("believe-infidelity", right, wrong)


def test_suppressor() -> None:
    s, d, e = torch.randn(3, 400_000, generator=torch.Generator().manual_seed(0)).double()
    x = torch.stack([s + d, d + e], 1)
    w = torch.linalg.lstsq(x, s[:, None]).solution[:, 0]
    assert torch.allclose(w, torch.tensor([2 / 3, -1 / 3]).double(), atol=0.01)
    wrong = [
        ((1, -1, 1, 0), "would do without e"),
        ((0.5, 0, 1, 0), "x1 alone"),
        ((0.5, -0.5, 1, 0), "solve"),
        ((2 / 3, -1 / 3, 1, 1), "neither has"),
        ((2 / 3, -1 / 3, 2, 0), "the covariance of"),
    ]
    judged("believe-suppressor", (2 / 3, -1 / 3, 1, 0), wrong)


def test_pointing() -> None:
    seeded = torch.Generator().manual_seed(0)
    maps = torch.rand(50, 8, 8, generator=seeded)
    masks = torch.rand(50, 8, 8, generator=seeded) < 0.5
    masks[:10, 4, 4] = True
    hits, middle, only = 0, 0, 0
    for M, mask in zip(maps, masks, strict=True):
        y, x = divmod(int(M.argmax()), 8)
        hits += bool(mask[y, x])
        middle += bool(mask[4, 4])
        only += bool(mask[y, x]) and not mask[4, 4]
    difference = (hits - middle) / 50
    wrong = [
        ((hits / 50, only), "off that of the null"),
        ((hits - middle, only), "a count"),
        ((0.77, only), "hold the middle"),
        ((difference, only + 1), "on how many"),
        ("x", "two numbers"),
    ]
    judged("believe-pointing", (difference, only), wrong, maps=maps, masks=masks)


def test_power() -> None:
    d = torch.tensor([0.1, 0.3, -0.1, 0.2, 0.0, 0.25])
    full = ((1.959964 + 0.841621) * d.std() / d.mean()).square().item()
    wrong = [(math.ceil(full), "whole difference"), (2 * math.ceil(full), "more than twice"), (1000, "squared")]
    judged("believe-power", math.ceil(4 * full), wrong, differences=d)


def test_cut() -> None:
    model, owls = sl.load_model("creature_convnet"), sl.creatures(6, seed=5, kind="owl").images
    owl, channels = model.index("owl"), [43, 37]

    def zeroed(module: torch.nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor:
        return output.clone().index_fill_(1, torch.tensor(channels), 0)

    before = model(owls)[:, owl]
    handle = model.network.features[7].register_forward_hook(zeroed)
    fall = (before - model(owls)[:, owl]).mean().item()
    handle.remove()
    told = 0.0
    for image in owls:
        h = model.network.features((image[None] - model.mean) / model.std).detach().requires_grad_()
        (w,) = torch.autograd.grad(model.network.classifier(h)[0, owl], h)
        told += sum((h[0, c] * w[0, c]).sum().item() for c in channels) / 6
    wrong = [
        ((6 * told, fall), "sum over the drawings"),
        ((fall, told), "other way around"),
        ((0, fall), "foretold"),
        ((told, 0), "measured"),
    ]
    given = {"model": model, "images": owls, "target": owl, "channels": channels}
    judged("believe-cut", (told, fall), wrong, **given)
