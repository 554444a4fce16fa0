"""Where does a word count? Three maps of one word, for noisy pictures and what is said of them.

    attention_map(model, x, t, texts, "owl")     # at which share do places look at the word?          a share
    gradient_map(model, x, t, texts, "owl")      # what would a little less of the word change where?  a change
    removal_map(model, x, t, texts, "owl")       # what changes where, without the word?               an intervention

Each is (N, H, W), not negative. The second is the first-order forecast of the third: with e(u) the words as vectors, of
which the one in question is u times its own and 1 - u times the empty word's,

    gradient: | d x_0(e(u)) / du at u = 1 |,    removal: | x_0(e(1)) - x_0(e(0)) |,

summed over colors. Attention is averaged over heads and over the four places of the network where it looks (DAAM, Tang
et al., 2023), enlarged to the size of the picture.
"""

import warnings
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from saliency_lib.checks import number, one_of
from saliency_lib.diffusion.load import Diffusion, check_noisy
from saliency_lib.diffusion.schedule import noise, signal
from saliency_lib.diffusion.words import NOTHING, VOCABULARY, tokens
from saliency_lib.errors import TargetError


@torch.no_grad()
def attention_map(model: Diffusion, x: Tensor, t: float, texts: Sequence[str], word: str) -> Tensor:
    """The share of its attention that each place gives to the word, (N, H, W). Raises as `Diffusion.velocity` does."""
    said, chosen, time = _asked(x, t, texts, word)
    _, looks = model.network.read(x, time, model.network.words(said))
    shares = [(look.mean(1) * chosen[:, None, None]).sum(3, keepdim=True).movedim(3, 1) for look in looks]
    large = [F.interpolate(share, x.shape[2:], mode="bilinear", align_corners=False) for share in shares]
    return torch.cat(large, dim=1).mean(1)


@torch.no_grad()
def gradient_map(model: Diffusion, x: Tensor, t: float, texts: Sequence[str], word: str) -> Tensor:
    """How fast the picture that the model believes in changes as the word begins to go, (N, H, W)."""
    said, chosen, time = _asked(x, t, texts, word)
    full, empty = model.network.words(said), model.network.words(torch.zeros_like(said))
    along = (full - empty) * chosen[..., None]

    def clean(words: Tensor) -> Tensor:
        return signal(t) * x - noise(t) * model.network.read(x, time, words)[0]

    with warnings.catch_warnings():  # of torch's own: it scripts its rules for this mode
        warnings.simplefilter("ignore", FutureWarning)
        change: Tensor = torch.func.jvp(clean, (full,), (along,))[1]
    return change.abs().sum(1)


@torch.no_grad()
def removal_map(model: Diffusion, x: Tensor, t: float, texts: Sequence[str], word: str) -> Tensor:
    """How far the picture that the model believes in changes without the word, (N, H, W)."""
    said, chosen, time = _asked(x, t, texts, word)
    without = said.masked_fill(chosen.bool(), VOCABULARY.index(NOTHING))
    return (noise(t) * (model.network(x, time, said) - model.network(x, time, without))).abs().sum(1)


def _asked(x: Tensor, t: float, texts: Sequence[str], word: str) -> tuple[Tensor, Tensor, Tensor]:
    """Texts as indices, which of them are the word (N, T), and the time of each picture."""
    x, said = check_noisy(x), tokens(texts)
    chosen = (said == VOCABULARY.index(one_of("word", word, VOCABULARY, TargetError))).float()
    if len(said) != len(x) or not chosen.any(1).all():
        raise TargetError(f"expected {len(x)} texts, each with the word {word!r}")
    return said, chosen, torch.full((len(x),), float(number("t", t, 0, 1)))


MAPS = {"attention": attention_map, "gradient": gradient_map, "removal": removal_map}
"""The three, by name."""
