"""Chapter 9's exercises accept the right answer and meet each typical mistake with its hint."""

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


def test_shift() -> None:
    wrong = [
        ((3, 2.1, 2.1, 0.6), "before"),
        ((0.6, 0.6, 2.1, 0.6), "the input is y"),
        ((0.6, 1.5, 2.1, 0.6), "times y"),
        ((0.6, 2.1, 0.6, 2.1), "0.7 long"),
        ((0.6, 2.1, 2.1, 2.1), "how long is the way"),
    ]
    judged("believe-shift", (0.6, 2.1, 2.1, 0.6), wrong)


def test_pointing() -> None:
    seeded = torch.Generator().manual_seed(0)
    maps = torch.rand(50, 8, 8, generator=seeded)
    masks = torch.rand(50, 8, 8, generator=seeded) < 0.3
    hits = 0
    for M, mask in zip(maps, masks, strict=True):
        y, x = divmod(int(M.argmax()), 8)
        hits += bool(mask[y, x])
    right = hits / 50
    mass = sum((M[mask].sum() / M.sum()).item() for M, mask in zip(maps, masks, strict=True)) / 50
    wrong = [
        (hits, "a count"),
        (mass, "share of the sum"),
        (1 - right, "misses"),
        (0.99, "look it up"),
        ("x", "one number"),
    ]
    judged("believe-pointing", right, wrong, maps=maps, masks=masks)


def test_blind() -> None:
    masks = sl.creatures(20, seed=3).masks
    middle = sum(bool(mask[32, 32]) for mask in masks) / 20
    area = masks.double().mean().item()
    wrong = [
        ((area, middle), "other way around"),
        ((20 * middle, area), "a count"),
        ((0.123, area), "share of the masks"),
        ((middle, 0.9), "random pixel"),
    ]
    judged("believe-blind", (middle, area), wrong, masks=masks)


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
