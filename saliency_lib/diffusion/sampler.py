"""From noise to a picture: at each of so many times, go where the score says, with less noise than before.

    images = sl.draw(model, ["the owl", "the tree"])       # (2, 3, 32, 32) in [0, 1]
    images = sl.draw(model, ["the owl and the tree"], guidance=2)      # (1, 3, 32, 64)

The step from t to s < t keeps both the picture and the noise that the network believes in, and mixes them anew
(DDIM, Song et al., 2021):    x_s = alpha(s) x_0 + sigma(s) eps.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from saliency_lib.checks import MANY, function, integer, number, seed_of
from saliency_lib.datasets.worded import SIDE
from saliency_lib.diffusion.load import SIZES, Diffusion, Told
from saliency_lib.diffusion.schedule import noise, signal
from saliency_lib.diffusion.words import split, tokens
from saliency_lib.errors import ImageError

Watch = Callable[[int, Tensor, Told], object]
"""Is told, at each step, its number, the noisy pictures, and what the model says of them."""


def begin(count: int, width: int = SIDE, seed: int = 0) -> Tensor:
    """The noise that drawing starts from, (count, 3, 32, width); picture i is the same however many there are."""
    count, seed = integer("count", count, 1, MANY), seed_of(seed)
    if (SIDE, width) not in SIZES:
        raise ImageError(f"the model was trained on pictures 32 or 64 pixels wide, and not {width!r}")
    return torch.randn(count, 3, SIDE, width, generator=torch.Generator().manual_seed(seed))


def step(x: Tensor, told: Told, s: float) -> Tensor:
    """The pictures at the time s, from what the model says of them: alpha(s) x_0 + sigma(s) eps."""
    return signal(s) * told.clean + noise(s) * told.eps


@torch.no_grad()
def draw(
    model: Diffusion,
    texts: Sequence[str],
    *,
    steps: int = 40,
    guidance: float = 1.0,
    seed: int = 0,
    width: int | None = None,
    callback: Watch | None = None,
) -> Tensor:
    """Pictures (N, 3, 32, W) in [0, 1], one for each text; pictures of two things are 64 pixels wide.

    `guidance` is s in v_nothing + s (v_texts - v_nothing): 0 does not hear the words, 1 hears them, more hears nothing
    but what they change. (Ho and Salimans write w = s - 1.) The same seed gives the same pictures.

    Raises `SaliencyError` if there are no steps or the guidance is no number, `TargetError` for a word that the model
    never saw, `ImageError` for a width other than 32 and 64. The chapter *The same gradient draws* derives it.
    """
    steps, guidance = integer("steps", steps, 1, MANY), number("guidance", guidance)
    said = tokens(texts)
    two = any(split(text).count("the") > 1 for text in texts)
    x = begin(len(said), SIDE * (1 + two) if width is None else width, seed)
    watch = None if callback is None else function("callback", callback)
    for number_, t in enumerate(times(steps)[:-1]):
        told = model.predict(x, t, texts, guidance)
        if watch:
            watch(number_, x, told)
        x = step(x, told, times(steps)[number_ + 1])
    return ((x + 1) / 2).clamp(0, 1)


def times(steps: int) -> list[float]:
    """From 1 to 0 in so many equal steps."""
    return [1 - k / steps for k in range(steps + 1)]
