"""The exercises of the chapter on boxes and masks accept the right answer and meet each mistake with its hint."""

import pytest
import torch
import torch.nn.functional as F
from helpers import judged
from torchvision.ops import box_iou

import saliency_lib as sl


@pytest.fixture(scope="module")
def model() -> sl.Model:
    return sl.load_model("scene_detector").cpu()


@pytest.fixture(scope="module")
def drawn() -> sl.Scenes:
    return sl.scenes(12, seed=5)


@pytest.fixture(scope="module")
def several(model: sl.Model, drawn: sl.Scenes) -> tuple[list[int], list[list[sl.Detection]]]:
    """The scenes with two boxes or more, and what is found there."""
    found = sl.detections(model, drawn.images)
    rows = [i for i, some in enumerate(found) if len(some) > 1]
    return rows, [found[i] for i in rows]


def test_boxes_suppression() -> None:
    wrong = [
        ("ABC", "80 of 120"),
        ("A", "C is compared"),
        ("C", "surest"),
        ("ACD", "before it is compared"),
        (3, "let"),
    ]
    judged("boxes-suppression", "AC", wrong)


def test_boxes_unit() -> None:
    wrong = [
        ((0.005, -0.007), "8 pixels"),
        ((0.4, -0.56), "per unit"),
        ((0.04, 0.024), "difference"),
        ((0.04, 0.056), "shrink"),
        ((1, 1), "8 times"),
        (0.04, "two numbers"),
    ]
    judged("boxes-unit", (0.04, -0.056), wrong)


def test_boxes_width(model: sl.Model, drawn: sl.Scenes, several: tuple[list[int], list[list[sl.Detection]]]) -> None:
    (row, *_), (found, *_) = several
    I = drawn.images[[row]]
    right, left = (sl.input_gradient(model, I, sl.box_number(found[0], edge)) for edge in ("right", "left"))
    wrong = [
        (left - right, "narrower"),
        (left + right, "same way"),
        (right, "one edge"),
        ((right - left)[0], "shape"),
        (sl.input_gradient(model, I, sl.box_number(found[0])), "pairs"),
    ]
    judged("boxes-width", right - left, wrong, model=model, images=I, found=found[0])


def test_boxes_likeness(model: sl.Model, drawn: sl.Scenes, several: tuple[list[int], list[list[sl.Detection]]]) -> None:
    (row, *_), (found, *_) = several
    I = drawn.images[[row]]
    hidden = I * torch.rand(I.shape, generator=torch.Generator().manual_seed(1)).round()
    with torch.no_grad():
        target, output = model(I)[0, found[0].candidate], model(hidden)[0]
    P = output[:, 4:].sigmoid()
    overlap, alike = box_iou(target[None, :4], output[:, :4])[0], F.cosine_similarity(P, target[None, 4:].sigmoid())
    right = (overlap * alike * P.amax(1)).max().item()
    wrong = [
        ((overlap.max() * alike.max() * P.max()).item(), "not of each"),
        ((overlap * alike).max().item(), "how sure"),
        (right + 0.3, "overlap times"),
        ("much", "one number"),
    ]
    judged("boxes-likeness", right, wrong, model=model, images=I, hidden=hidden, found=found[0])


def test_boxes_rim() -> None:
    rim = torch.zeros(2, 96, 96, dtype=torch.bool)
    rim[0, 20:40, 20:23], rim[1, 50:53, 10:60] = True, True

    def rather(output: torch.Tensor) -> torch.Tensor:
        return ((output[:, 3] - output[:, 10]) * rim).sum((1, 2)) / rim.sum((1, 2))

    wrong = [
        (lambda output: (output[:, 3] - output[:, 10]).mean((1, 2)), "whole image"),
        (lambda output: ((output[:, 3] - output[:, 10]) * rim).mean((1, 2)), "of the rim"),
        (lambda output: ((output[:, 3] - output[:, 10]) * rim).sum((1, 2)), "the sum"),
        (lambda output: (output[:, 3] * rim).sum((1, 2)) / rim.sum((1, 2)), "background"),
        (lambda output: -rather(output), "score of 3"),
        (lambda output: output, "one number"),
        (3, "a function"),
    ]
    judged("boxes-rim", rather, wrong, rim=rim)


def test_boxes_outside() -> None:
    judged("boxes-outside", "C", [("AC", "took it away"), ("BC", "not made"), ("D", "the truth"), ("", "letters")])


def test_boxes_neighbor(model: sl.Model, drawn: sl.Scenes, several: tuple[list[int], list[list[sl.Detection]]]) -> None:
    rows, found = several
    first = [some[0] for some in found]
    own, beside = (
        torch.stack([drawn.masks[i, some[k].label] for i, some in zip(rows, found, strict=True)]) for k in (0, 1)
    )
    images, score = drawn.images[rows], sl.box_number(first)
    with torch.no_grad():
        before = score(model(images))
        after, without = (score(model(sl.removed(images, gone, "inpainting"))) for gone in (beside, own))
    right = (after - before).mean().item()
    wrong = [
        (after.mean().item(), "changes"),
        ((without - before).mean().item(), "first box"),
        (right + 0.5, "subtract"),
    ]
    judged("boxes-neighbor", right, wrong, model=model, images=images, masks=beside, found=first)
