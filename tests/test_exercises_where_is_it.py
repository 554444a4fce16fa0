"""Chapter 7's exercises accept the right answer and meet each typical mistake with its hint."""

import itertools
import re
from pathlib import Path

import torch
from helpers import judged
from PIL import Image

import saliency_lib as sl

CHAPTER = (Path(__file__).parent.parent / "chapters" / "07_where_is_it.ipynb").read_text("utf-8")


def test_shift() -> None:
    wrong = [
        (1 / 3, "both directions"),
        (1 - 0.5**0.5, "half of the union"),
        (0.25, "the IoU is 0.39"),
        (18, "between 0 and 1"),
        ("a third", "one number"),
    ]
    judged("where-shift", 0.18, wrong)
    judged("where-shift", 1 - (2 / 3) ** 0.5, wrong)


def test_cut() -> None:
    wrong = [
        ("100", "what the border costs"),
        ("000", "fits badly"),
        ("111", "fits badly"),
        ("010", "there is less"),
        ("10", "three digits"),
        ("FFB", "three digits"),
    ]
    judged("where-cut", "110", wrong)
    energies = {}
    for labels in itertools.product("10", repeat=3):
        colors = sum({"1": f, "0": b}[label] for label, f, b in zip(labels, (1, 4, 6), (5, 3, 2), strict=True))
        energies["".join(labels)] = colors + 4 * (labels[0] != labels[1]) + (labels[1] != labels[2])
    assert min(energies, key=energies.__getitem__) == "110"
    # as the solution says
    assert [energies[labels] for labels in ("110", "100", "111", "000")] == [8, 10, 11, 10]


def test_sign() -> None:
    alike = sum(len(set(throws)) == 1 for throws in itertools.product("01", repeat=7)) / 2**7
    wrong = [
        (1 / 128, "both sides"),
        (7 / 128, "exactly one"),
        (0.5, "2^7"),
        (2, "between 0 and 1"),
        ("few", "one number"),
    ]
    judged("where-sign", alike, wrong)
    judged("where-sign", 0.016, wrong)


def test_clipped(embedded: sl.Model) -> None:
    images = sl.to_tensor(sl.sample_photo("coffee"), crop=False)
    index, network = embedded.index("Egyptian cat"), embedded.network
    A = network.bn2(
        network.conv_head(network.blocks(network.bn1(network.conv_stem(2 * images * 127.5 / 128 - 127 / 128))))
    )
    CAM = torch.einsum("f,fij->ij", network.classifier.weight[index].detach(), A[0])
    right = -CAM.clamp(max=0).mean().item()
    bias, score = network.classifier.bias[index].item(), embedded(images)[0, index].item()
    total = right + score - bias
    wrong = [
        (total, "by how much"),
        (total - score, "the bias"),
        (49 * right, "not CAM itself"),
        (-right, "a positive number"),
        (right + 0.1, "subtract its score"),
    ]
    judged("where-clipped", right, wrong, model=embedded, images=images, bias=bias)


def test_account(embedded: sl.Model) -> None:
    images = sl.to_tensor(sl.sample_photo("coffee"), crop=False)
    layer = embedded.get_submodule("network.blocks.5.2")
    outputs = []
    hook = layer.register_forward_hook(lambda *arguments: outputs.append(arguments[-1]))
    score = embedded(images.requires_grad_())[0, embedded.index("espresso")]
    hook.remove()
    (gradient,) = torch.autograd.grad(score, outputs[0])
    product = (outputs[0] * gradient).detach()
    wrong = [
        (score.item(), "this is the score"),
        (product.abs().sum(), "signs"),
        (product.mean(), "the mean"),
        (gradient.sum(), "derivatives alone"),
        (2 * product.sum(), "entry by entry"),
    ]
    judged("where-account", product.sum(), wrong, model=embedded, images=images.detach(), layer=layer)


def test_prior() -> None:
    true = {"a": (0, 0, 10, 10), "b": (20, 0, 30, 10)}
    centered = {"a": (2.0, 0.0, 12.0, 10.0), "b": (22.0, 0.0, 32.0, 10.0)}
    bad = {"a": (8, 0, 18, 10), "b": None}
    given = {"found": (bad, true), "centered": centered, "true": true}
    wrong = [
        ((0, 1), "the other way round"),
        ((0.5, 0), "for the literal recipe the mean IoU with 0.5"),
        ((1, 0.25), "for the object map"),
        ((0.3, 0), "each is one of"),
        (1, "two weights"),
    ]
    judged("where-prior", (1, 0), wrong, **given)


def test_threshold() -> None:
    """Of three photos one needs a low threshold, one a high one, and the third is missed by all."""
    photo = Image.new("RGB", (20, 20))
    saliency = torch.zeros(20, 20)
    saliency[:10, :10], saliency[:4, :4] = 0.3, 1.0
    photos, maps = dict.fromkeys("abc", photo), dict.fromkeys("abc", saliency)
    true = {"a": (0, 0, 10, 10), "b": (0, 0, 4, 4), "c": (12, 12, 20, 20)}
    wrong = [(1, "one threshold for all"), (3, "every photo"), (0, "largest IoU"), (2.5, "whole number")]
    judged("where-threshold", 2, wrong, photos=photos, maps=maps, true=true)


def test_the_chapter_asks_for_each() -> None:
    asked = set(re.findall(r":label: ex-(where-\w+)", CHAPTER)), set(re.findall(r'\\"(where-\w+)\\", answer', CHAPTER))
    names = {f"where-{name}" for name in ("shift", "cut", "sign", "clipped", "account", "prior", "threshold")}
    assert asked == (names, names)
