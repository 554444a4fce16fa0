"""The exercises of the chapter on tokens and words accept the right answer and meet each typical mistake."""

import pytest
import torch
from helpers import judged

import saliency_lib as sl


def test_tokens_rollout() -> None:
    wrong = [((0.5, 0), "last block"), ((0.7, 0.2), "skip"), ((0.25, 0.3), "first block"), ((1, 1), "multiply")]
    judged("tokens-rollout", (0.4, 0.15), wrong)


def test_the_numbers_of_the_exercise_on_rollout() -> None:
    one = torch.eye(3)
    first = torch.tensor([[0.2, 0.4, 0.4], [0, 1, 0], [0, 0, 1]])
    last = torch.tensor([[0.5, 0.5, 0], [0, 0, 1], [0, 0, 1]])
    R = (one + last) / 2 @ (one + first) / 2
    assert R[0].tolist() == pytest.approx([0.45, 0.4, 0.15])
    assert (last @ first)[0].tolist() == pytest.approx([0.1, 0.7, 0.2])
    assert ((one + first) / 2 @ (one + last) / 2)[0].tolist() == pytest.approx([0.45, 0.25, 0.3])


def test_tokens_fused() -> None:
    wrong = [(5531904, "class token"), (465708, "twelve heads"), (28368, "asks every"), (7, "blocks, times")]
    judged("tokens-fused", 5588496, wrong)


def test_tokens_values() -> None:
    wrong = [((0.9, 0.1), "shares"), ((0.1, 2), "values"), ((1, 1), "sum of"), (3, "two numbers")]
    judged("tokens-values", (0.09, 0.2), wrong)


def test_tokens_rollout_code() -> None:
    model, image = sl.load_model("scene_vit").cpu(), sl.scenes(1, seed=3).images
    shares = [A.mean(1) for A in sl.attention_weights(model, image)]
    one = torch.eye(65)
    R, bare, turned = one[None], one[None], one[None]
    for A in shares:
        R, bare, turned = (one + A) / 2 @ R, A @ bare, turned @ (one + A) / 2
    wrong = [
        (shares[-1][:, 0, 1:], "last block"),
        (bare[:, 0, 1:], "skip"),
        (turned[:, 0, 1:], "wrong order"),
        (R[:, 0], "class token"),
        (R[:, 1, 1:], "row 0"),
    ]
    judged("tokens-rollout-code", R[:, 0, 1:].view(1, 8, 8), wrong, model=model, image=image)


def test_tokens_word() -> None:
    model = sl.asking(["an owl left of a tree", "an owl right of a tree"]).cpu()
    images = sl.captioned(2, seed=3).images
    left, right = (sl.input_gradient(model, images, k) for k in (0, 1))
    wrong = [
        (right - left, "around"),
        (left, "whole"),
        (left + right, "-1"),
        ((left - right)[0], "shape"),
        (2 * (left - right), "weighted"),
    ]
    judged("tokens-word", left - right, wrong, model=model, images=images)


def test_tokens_other_word() -> None:
    model = sl.load_model("creature_towers").cpu()
    drawn = sl.captioned(40, seed=9, things=1, kind="owl", written="tree")
    said = model(drawn.images).argmax(1)
    tree, owl = ((said == model.index(name)).float().mean().item() for name in ("tree", "owl"))
    assert abs(tree - owl) > 0.1
    judged("tokens-other-word", tree, [(owl, "still"), (tree + 0.06, "forty"), (7, "between")], model=model)


def test_tokens_retrieval() -> None:
    judged("tokens-retrieval", "C", [("A", "relation alone"), ("BC", "by what"), ("CD", "strip"), (3, "letters")])
