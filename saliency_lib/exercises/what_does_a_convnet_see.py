"""The exercises of chapter 1: scores and probabilities."""

from typing import Any

import torch
from torch import Tensor

from saliency_lib.exercises.check import exercise, expect, near, number, numbers
from saliency_lib.images import to_tensor
from saliency_lib.models.model import Model

SIZES = (96, 128, 160, 192, 224, 256, 288, 320)


@exercise("three-scores")
def three_scores(answer: Any) -> None:
    """Three probabilities of the first class, by equation (1.3)."""
    given = numbers(answer, 3, "three probabilities, one for each question")
    scores = torch.tensor([[2.0, 1, 0], [12, 11, 10], [2, 0, 0]], dtype=torch.float64)
    right = scores.softmax(1)[:, 0].tolist()
    shares = (scores[:, 0] / scores.sum(1)).tolist()
    expect(all(0 <= value <= 1 for value in given), "a probability lies between 0 and 1")
    expect(not near(given[1], shares[1]), "these are shares of the scores: exponentiate first, eq. (1.3)")
    expect(near(given[0], right[0]), "the first: exp of the first score over the sum of the three, eq. (1.3)")
    expect(near(given[1], right[1]), "the second: what does eq. (1.3) say about adding one number to all scores?")
    expect(not near(given[2], right[0]), "the third: the first score has not moved, and yet its probability has")
    expect(near(given[2], right[2]), "the third: the scores are now 2, 0 and 0")


@exercise("posterior-derivative")
def posterior_derivative(answer: Any, scores: Tensor) -> None:
    """The derivative of the largest posterior with respect to its own score, eq. (1.5); `scores` of one image (K,)."""
    given = number(answer, "one number: the slope of the softmax")
    P = scores.detach().double().softmax(-1).amax().item()
    right = P * (1 - P)
    expect(not near(given, P), "this is the probability: by how much does it change with the score?")
    expect(not near(given, 2 * right, 0.002), "the two scores lie 2h apart: divide by 2h, not by h")
    expect(not near(given, 0.002 * right, 1e-4), "divide the difference of the two probabilities by 2h")
    expect(given > 0, "the score goes up, and so does its own probability: which minus which?")
    expect(near(given, right, 0.002), "add h to one score only, subtract it, and take the softmax of all 1000")


@exercise("image-size")
def image_size(answer: Any, model: Model, photo: Any) -> None:
    """The size in pixels at which *espresso* is most probable."""
    given = number(answer, f"one of the sizes {', '.join(map(str, SIZES))}")
    expect(given in SIZES, f"one of the sizes {', '.join(map(str, SIZES))}")
    espresso = model.index("espresso")
    with torch.no_grad():
        scores = {size: model(to_tensor(photo, size))[0] for size in SIZES}
    P = {size: score.softmax(-1)[espresso].item() for size, score in scores.items()}
    highest = max(SIZES, key=lambda size: scores[size][espresso].item())
    expect(given != highest, f"at {given:.0f} pixels the *score* is highest: look at the probability")
    expect(P[int(given)] == max(P.values()), f"at {given:.0f} pixels it is {P[int(given)]:.3f}: there is more")


@exercise("see-odds")
def odds(answer: Any) -> None:
    """Log-odds of the first of the scores 2, 1, 0, and what the second score does to them and to the log-posterior."""
    given = numbers(answer, 3, "three numbers: the log-odds, their derivative, the derivative of the log-posterior")
    scores = torch.tensor([2.0, 1, 0], dtype=torch.float64)
    P, rivals = scores.softmax(0), scores[1:].softmax(0)
    right = (scores[0] - scores[1:].logsumexp(0)).item()
    expect(not near(given[0], P[0].log().item()), "the log-odds: this is the log-posterior; its sum contains the class")
    expect(near(given[0], right), "the log-odds: 2 less the logarithm of a sum of two exponentials, eq. (1.4)")
    expect(not near(given[1], rivals[0].item()), "of the log-odds: a rival's score lowers them")
    expect(not near(given[1], -P[1].item()), "of the log-odds: the share among the rivals, not among all three")
    expect(near(given[1], -rivals[0].item()), "of the log-odds: differentiate the logarithm of that sum")
    expect(near(given[2], -P[1].item()), "of the log-posterior: the same with the sum over all three")


@exercise("see-offset")
def offset(answer: Any, model: Model, images: Tensor) -> None:
    """A function with the model's probabilities on every image, whose map of the top class peaks at (10, 20)."""
    expect(callable(answer), "the answer is a function: from images (N, 3, H, W) to scores (N, 1000)")
    random = torch.Generator().manual_seed(0)
    tried = torch.cat([images, torch.rand(images[:1].shape, generator=random)]).requires_grad_()
    scores = answer(tried)
    expect(isinstance(scores, Tensor) and scores.ndim == 2, "the function returns scores (N, 1000)")
    with torch.no_grad():
        own = model(tried)
    same = torch.allclose(scores.detach().softmax(1), own.softmax(1), rtol=1e-2, atol=1e-5)
    expect(same, "the probabilities have changed: what can be added to all scores without changing them?")
    top = own.argmax(1, keepdim=True)
    expect(scores.requires_grad, "nothing leads back from these scores to the image: add a function of the image")
    (w,) = torch.autograd.grad(scores.gather(1, top).sum(), tried)
    peaks = [divmod(int(M.argmax()), M.shape[1]) for M in w.abs().amax(1)]
    expect(set(peaks) != {(20, 10)}, "row 10, column 20: rows come first")
    expect(set(peaks) == {(10, 20)}, f"the maps are brightest at {peaks[0]}: the same function, steeper, at (10, 20)?")
