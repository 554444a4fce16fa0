"""The model that draws, with its weights: what it makes of noise, and of words.

model = sl.load_diffusion()
told = model.predict(x, 0.5, ["the owl"])     # the picture it believes in, the noise, the score
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from saliency_lib.checks import check_tensor, number, one_of, short_repr
from saliency_lib.datasets.worded import SIDE
from saliency_lib.diffusion.denoiser import Denoiser
from saliency_lib.diffusion.schedule import noise, signal
from saliency_lib.diffusion.words import VOCABULARY, tokens
from saliency_lib.errors import ImageError, ModelError, SaliencyError
from saliency_lib.models.weights import load_trained

SHA256 = {"creature_diffusion": "593d6420fae847831558605af941bf4caae7a73fa7456115f56daf08841f3095"}

SIZES = ((SIDE, SIDE), (SIDE, 2 * SIDE))
"""Pixels of the pictures that it was trained on: of one thing, and of two."""


class Told(NamedTuple):
    """What the model says of noisy pictures, each (N, 3, H, W): the clean ones, the noise, and the score."""

    clean: Tensor
    eps: Tensor
    score: Tensor


class Diffusion:
    """A `Denoiser` that is asked in words. Pixels run from -1 to 1 here, because noise is about zero."""

    def __init__(self, network: Denoiser) -> None:
        self.network = network.eval().requires_grad_(False)

    def velocity(self, x: Tensor, t: float, texts: Sequence[str], guidance: float = 1.0) -> Tensor:
        """v, from which all else follows: v_nothing + guidance (v_texts - v_nothing).

        At 0 the texts are not asked, at 1 nothing else is; each is then one pass of the network. Raises `ImageError`
        for pictures of a size that it was not trained on, `TargetError` for a word that it never saw, and
        `SaliencyError` for a guidance that is no number, or a time outside of [0, 1].
        """
        x, said = check_noisy(x), tokens(texts)
        t, guidance = number("t", t, 0, 1), number("guidance", guidance)
        if len(said) != len(x):
            raise SaliencyError(f"expected a text for each of {len(x)} pictures, and got {len(said)}")
        times = torch.full((len(x),), float(t))
        with_words = self.network(x, times, said) if guidance != 0 else None
        without = self.network(x, times, torch.zeros_like(said)) if guidance != 1 else None
        if with_words is None or without is None:
            found = without if with_words is None else with_words
            assert found is not None
            return found
        return without + guidance * (with_words - without)

    def predict(self, x: Tensor, t: float, texts: Sequence[str], guidance: float = 1.0) -> Told:
        """The picture, the noise and the score, of noisy pictures (N, 3, H, W) at the time t; errors as above.

        x_0 = alpha x - sigma v, eps = sigma x + alpha v, score = -eps / sigma; at t = 0 there is no score (infinite).
        """
        v = self.velocity(x, t, texts, guidance)
        alpha, sigma = signal(t), noise(t)
        eps = sigma * x + alpha * v
        return Told(alpha * x - sigma * v, eps, -eps / sigma)


def load_diffusion(name: str = "creature_diffusion") -> Diffusion:
    """The trained model that draws creatures from words. Raises `ModelError` if its weights are missing or damaged.

    The chapter *The same gradient draws* teaches what it is.
    """
    one_of("model that draws", name, SHA256, ModelError)
    network = load_trained(lambda: Denoiser(len(VOCABULARY)), name, SHA256[name])
    assert isinstance(network, Denoiser)
    return Diffusion(network)


def check_noisy(x: Tensor) -> Tensor:
    """Noisy pictures (N, 3, 32, 32) or (N, 3, 32, 64), floating point and finite. Raises `ImageError`."""
    x = check_tensor("noisy pictures", x, ImageError)
    shape = tuple(x.shape)
    if len(shape) != 4 or shape[1] != 3 or not shape[0] or shape[2:] not in SIZES:
        raise ImageError(f"the model was trained on pictures (N, 3, 32, 32) and (N, 3, 32, 64), and not {shape}")
    if not x.is_floating_point() or not x.detach().isfinite().all():
        raise ImageError(f"noisy pictures are finite floating-point numbers, and not {short_repr(x.dtype)} or NaN")
    return x
