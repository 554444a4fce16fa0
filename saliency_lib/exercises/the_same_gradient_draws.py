"""The exercises of the chapter *The same gradient draws*: scores, steps, and differences of scores."""

import math
from typing import Any

import torch
from torch import Tensor

from saliency_lib.diffusion.load import Diffusion
from saliency_lib.diffusion.sampler import begin, step
from saliency_lib.diffusion.schedule import mixed, noise
from saliency_lib.exercises.check import exercise, expect, letters, near, number, numbers


@exercise("diffusion-gaussian")
def diffusion_gaussian(answer: Any) -> None:
    """Score and expected x_0 at x_t = 2 and t = 1/2, where x_0 has the density N(0, 1)."""
    score, clean = numbers(answer, 2, "two numbers: the score, and the expected picture")
    expect(score < 0, "at 2 likelier values lie to the left: which sign has the score?")
    expect(not near(score, -4), "the variance of x_t is alpha squared times that of x_0, plus sigma squared")
    expect(near(score, -2, 0.01), "which density has x_t, if alpha squared plus sigma squared is 1?")
    expect(not near(clean, 2 / math.cos(math.pi / 4), 0.01), "this takes all of x_t for signal")
    expect(near(clean, 2 * math.cos(math.pi / 4), 0.01), "x_0 = (x_t + sigma^2 score) / alpha")


@exercise("diffusion-step")
def diffusion_step(answer: Any) -> None:
    """The step size of the last step, from t = 1/3 to 0."""
    given = number(answer)
    expect(not near(given, 0.5, 0.01), "this is sigma at t = 1/3")
    expect(not near(given, 0.25, 0.01), "divide by alpha, too")
    expect(not near(given, 0.5 / math.cos(math.pi / 6), 0.01), "the sine of pi (t - t') / 2 is missing")
    expect(near(given, 0.25 / math.cos(math.pi / 6), 0.005), "put t = 1/3 and t' = 0 into the step size")


@exercise("diffusion-guided-mean")
def diffusion_guided_mean(answer: Any) -> None:
    """Mean and variance of what guidance s = 3 draws from, for N(1, 1) given the word, and N(0, 1) without."""
    mean, variance = numbers(answer, 2, "two numbers: a mean and a variance")
    expect(not near(mean, 1), "this is the mean with s = 1")
    expect(not near(mean, 4), "s counts the difference once: the score without the word stands beside it")
    expect(near(mean, 3, 0.01), "where is the guided score, -x + s ((1 - x) + x), zero?")
    expect(near(variance, 1, 0.01), "how steeply does the guided score fall?")


@exercise("diffusion-rather")
def diffusion_rather(answer: Any, model: Diffusion, x: Tensor, t: float) -> None:
    """The map of "an owl rather than a tree": the difference of two scores, (N, 3, 32, 32)."""
    expect(isinstance(answer, Tensor) and answer.shape == x.shape, "a difference of two scores, in the shape of x")
    with torch.no_grad():
        owl, tree = (model.predict(x, t, [f"the {word}"] * len(x)).score for word in ("owl", "tree"))
        nothing = model.predict(x, t, [""] * len(x)).score
    scale = (owl - tree).abs().max()

    def alike(right: Tensor) -> bool:
        return bool((answer - right).abs().max() < 0.01 * scale)

    expect(not alike(tree - owl), 'this is "a tree rather than an owl"')
    expect(not alike(owl), "this is the score of the owl alone")
    expect(not alike(owl - nothing), 'this is "an owl rather than just anything"')
    expect(not alike(noise(t) * (tree - owl)), "these are the predicted noises: a score is -eps / sigma")
    expect(alike(owl - tree), "take .score of model.predict for each of the two texts")


@exercise("diffusion-halfway")
def diffusion_halfway(answer: Any, model: Diffusion, start: Tensor) -> None:
    """Pictures drowned to t = 1/2, in `begin(N, seed=1)`, and drawn on as snails in 20 steps: (N, 3, 32, 32)."""
    expect(isinstance(answer, Tensor) and answer.shape == start.shape, "as many pictures as there were, in their shape")
    expect(answer.min() >= 0 and answer.max() <= 1, "pictures lie in [0, 1]: halve, add one half, clamp")
    fresh = begin(len(start), seed=1)
    drowned = mixed(2 * start - 1, fresh, torch.full((len(start),), 0.5))

    def alike(x: Tensor, said: str) -> bool:
        return bool((answer - _on(model, x, said)).abs().mean() < 0.003)

    if alike(drowned, "the snail"):
        return
    expect(not alike(fresh, "the snail"), "there is nothing left of the pictures: mix them with the noise")
    bright = mixed(start, fresh, torch.full((len(start),), 0.5))
    expect(not alike(bright, "the snail"), "pixels run from -1 to 1 here")
    expect(not alike(drowned, ""), "nobody said what to draw")
    expect(False, '20 steps, from t = 1/2 to 0, with the text "the snail" for each picture')


def _on(model: Diffusion, x: Tensor, said: str) -> Tensor:
    """The pictures from t = 1/2 on, in 20 steps."""
    with torch.no_grad():
        for k in range(20):
            x = step(x, model.predict(x, 0.5 - k / 40, [said] * len(x)), 0.5 - (k + 1) / 40)
    return ((x + 1) / 2).clamp(0, 1)


@exercise("diffusion-attention")
def diffusion_attention(answer: Any) -> None:
    """Which statements follow from "the share of attention to *the* is largest on the owl"?"""
    given = letters(answer)
    expect("A" not in given, "a share says what is mixed in, not what it changes")
    expect("B" not in given, "the drawing without the word was not made: that is another map")
    expect("D" not in given, "the word names no thing: what else could it carry?")
    expect(given == {"C"}, "one of the four follows from the definition alone")


@exercise("diffusion-likeness")
def diffusion_likeness(answer: Any) -> None:
    """What would show that drawings with s = 8 are better drawings of p(x | c)?"""
    given = letters(answer)
    expect("A" not in given, "the judge's probability is what guidance pushes up")
    expect("B" not in given, "people like strong colors, too: is that likeness?")
    expect(given == {"C"}, "p(x | c) is a crowd: one picture cannot be compared with it")
