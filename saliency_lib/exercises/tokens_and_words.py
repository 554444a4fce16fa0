"""The exercises of the chapter *Tokens and words*: shares, what flows through blocks, and what a word adds."""

from typing import Any

import torch
from torch import Tensor, nn

from saliency_lib.datasets.captioned import captioned
from saliency_lib.exercises.check import exercise, expect, letters, near, number, numbers
from saliency_lib.methods.attention import attention_rollout, attention_weights
from saliency_lib.methods.gradients import input_gradient


@exercise("tokens-rollout")
def tokens_rollout(answer: Any) -> None:
    """What the class token has of the patches a and b after two blocks, by rollout."""
    a, b = numbers(answer, 2, "two numbers: of patch a, and of patch b")

    def both(right: tuple[float, float]) -> bool:
        return near(a, right[0], 0.005) and near(b, right[1], 0.005)

    expect(not both((0.5, 0)), "this is the attention of the last block alone")
    expect(not both((0.7, 0.2)), "the skip connection is missing: (1 + A) / 2 stands in place of A")
    expect(not both((0.25, 0.3)), "the first block comes first: its matrix stands on the right")
    expect(both((0.4, 0.15)), "multiply the first row of (1 + A_2) / 2 with (1 + A_1) / 2")


@exercise("tokens-fused")
def tokens_fused(answer: Any) -> None:
    """How many shares torchvision's vit_b_16 computes for one image: 12 blocks, 12 heads, 197 tokens."""
    given = number(answer)
    expect(given != 12 * 12 * 196**2, "a class token stands beside the 196 patches")
    expect(given not in (12 * 197**2, 12 * 196**2), "each of the twelve heads has shares of its own, in each block")
    expect(given not in (12 * 12 * 197, 12 * 12 * 196), "every token asks every token")
    expect(given == 12 * 12 * 197**2, "blocks, times heads, times tokens that ask, times tokens that are asked")


@exercise("tokens-values")
def tokens_values(answer: Any) -> None:
    """What two patches contribute: shares 0.9 and 0.1, values 0.1 and 2."""
    a, b = numbers(answer, 2, "two numbers: of patch a, and of patch b")
    expect(not (near(a, 0.9) and near(b, 0.1)), "these are the shares: what is shared out?")
    expect(not (near(a, 0.1) and near(b, 2)), "these are the values: how much of each is taken?")
    expect(near(a, 0.09, 0.001) and near(b, 0.2, 0.001), "the score is the sum of share times value")


@exercise("tokens-rollout-code")
def tokens_rollout_code(answer: Any, model: nn.Module, image: Tensor) -> None:
    """Rollout of one image by hand, (1, 8, 8)."""
    expect(isinstance(answer, Tensor) and answer.numel() == 64, "a map of 8 x 8 cells: without the class token")
    given = answer.reshape(1, 8, 8)
    shares = [A.mean(1) for A in attention_weights(model, image)]
    one = torch.eye(65)

    def alike(R: Tensor) -> bool:
        return bool((given - R[:, 0, 1:].reshape(1, 8, 8)).abs().max() < 1e-5)

    bare, turned = one[None], one[None]
    for A in shares:
        bare, turned = A @ bare, turned @ (one + A) / 2
    expect(not alike(shares[-1]), "this is the attention of the last block alone")
    expect(not alike(bare), "the skip connection is missing")
    expect(not alike(turned), "the blocks stand in the wrong order: the last one is on the left")
    right = attention_rollout(model, image)
    expect((given - right).abs().max() < 1e-5, "R = (1 + mean over heads of A) / 2 @ R, then row 0 from column 1 on")


@exercise("tokens-word")
def tokens_word(answer: Any, model: nn.Module, images: Tensor) -> None:
    """The gradient of what *left* adds, (N, 3, 64, 64): the sentence less that with *right*."""
    expect(isinstance(answer, Tensor) and answer.shape == images.shape, "a gradient in the shape of the images")
    left, right = (input_gradient(model, images, target).cpu() for target in (0, 1))
    scale = (left - right).abs().max()

    def alike(w: Tensor) -> bool:
        return bool((answer.cpu() - w).abs().max() < 0.01 * scale)

    expect(not alike(right - left), "this is what *right* adds: the other way around")
    expect(not alike(left), "this is the whole sentence: what would it be without the word?")
    expect(not alike(left + right), "a difference is asked for: the weight of the second is -1")
    expect(alike(left - right), "sl.weighted({sentence: 1, other: -1}) is a target")


@exercise("tokens-other-word")
def tokens_other_word(answer: Any, model: nn.Module) -> None:
    """The share of forty owls that are called trees once TREE is written on them."""
    given = number(answer)
    expect(0 <= given <= 1, "a share lies between 0 and 1")
    owls = captioned(40, seed=9, things=1, kind="owl", written="tree").images
    with torch.no_grad():
        said = model(owls).argmax(1).cpu()
    tree, owl = (float((said == model.index(name)).float().mean()) for name in ("tree", "owl"))  # type: ignore[operator]
    expect(near(owl, tree, 0.02) or not near(given, owl, 0.02), "this is the share that are still called owls")
    expect(near(given, tree, 0.026), 'count the answers "tree" among forty drawings of seed 9')


@exercise("tokens-retrieval")
def tokens_retrieval(answer: Any) -> None:
    """What follows from "nine of ten pictures find a true sentence among many"?"""
    given = letters(answer)
    expect("A" not in given, "how many of the many sentences differ in the relation alone?")
    expect("B" not in given, "retrieval says that it finds, and not by what")
    expect("D" not in given, "a strip with a word would be found, too")
    expect(given == {"C"}, "one of the four is the definition")
