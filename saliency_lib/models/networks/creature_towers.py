"""Two towers, one for pictures and one for sentences, that learned to meet: a small CLIP on `captioned`.

    model = sl.load_model("creature_towers")                     # ten classes, which are ten words: "an owl", ...
    model = sl.asking(["an owl left of a tree", "a tree left of an owl"])      # two classes, which are two sentences
    sl.saliency_map(model, images, "an owl left of a tree")

Each tower puts out a vector of length one. The similarity of picture I and sentence T is one number,

    s(I, T) = e^tau  f(I) . g(T)

and both towers were trained so that, among a hundred sentences, that of the picture has the largest softmax of s, and
among a hundred pictures that of the sentence (Radford et al., 2021). A sentence that happens to be true of another
picture of the batch is no wrong one for it. Each picture of two things is also held against its own sentence with both
exchanged, as Yuksekgonul et al. (2023) advise; in so short a training that did not help, and of pictures that they have
not seen these towers hear a bag of words.

The picture tower is a vision transformer: three convolutions make 64 tokens of a picture, a class token joins them,
four blocks of four heads follow. The tower of words has two such blocks.
`python -m saliency_lib train creature_towers` trains both, 257 009 weights, in four minutes of one core. With seed
0 (which is kept) 76 % of 1000 pictures that they never saw are most like a sentence that is true of them, and with seed
1 it is 75 %.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_lib.categories import Categories, Head
from saliency_lib.datasets.captioned import SIZE, captioned
from saliency_lib.datasets.creatures import CATEGORIES
from saliency_lib.datasets.sentences import (
    LENGTH,
    VOCABULARY,
    named,
    sentence,
    tokens,
    true_of,
)
from saliency_lib.models.model import Model
from saliency_lib.models.networks.creature_vit import vision_transformer
from saliency_lib.models.weights import load_trained

if TYPE_CHECKING:
    from saliency_lib.models.training import Recipe

MEAN, STD = (0.48, 0.45, 0.44), (0.27, 0.26, 0.26)
WIDTH, MEET, PATCH, BLOCKS, HEADS = 64, 64, 8, 4, 4
"""Numbers of a token, and of the vectors that meet; pixels of a patch; blocks of the picture tower, and heads."""
SHA256 = {"creature_towers": "aea2eeffe85e5060f08e2dd59629785c6c6b4dd8db1c2738063c5f65bcbd7967"}
NAMES = tuple(SHA256)


class Words(nn.Module):
    """Sentences as indices (N, 6) to vectors (N, 64): two blocks of attention, and the mean over the words."""

    def __init__(self) -> None:
        super().__init__()
        self.word = nn.Embedding(len(VOCABULARY), WIDTH)
        self.place = nn.Parameter(torch.randn(LENGTH, WIDTH) * 0.02)
        block = nn.TransformerEncoderLayer(WIDTH, HEADS, 2 * WIDTH, 0.0, F.gelu, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, 2, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        self.out = nn.Linear(WIDTH, MEET)

    def forward(self, said: Tensor) -> Tensor:
        return self.read(self.word(said), said == 0)

    def read(self, vectors: Tensor, silent: Tensor) -> Tensor:
        """The same from words as vectors (N, 6, 64), of which the `silent` ones (N, 6) are passed over."""
        found = self.blocks(vectors + self.place, src_key_padding_mask=silent)
        spoken = (~silent)[..., None].to(found)
        return self.out((found * spoken).sum(1) / spoken.sum(1))


def picture_tower() -> nn.Module:
    """Normalized pictures (N, 3, 64, 64) to vectors (N, 64): torchvision's transformer, on convolved patches."""
    tower = vision_transformer(SIZE, PATCH, BLOCKS, MEET)
    tower.conv_proj = nn.Sequential(
        nn.Conv2d(3, 16, 4, 2, 1), nn.GELU(), nn.Conv2d(16, 32, 4, 2, 1), nn.GELU(), nn.Conv2d(32, WIDTH, 4, 2, 1)
    )
    nn.init.normal_(tower.heads.head.weight, std=WIDTH**-0.5)
    return tower


class TwoTowers(nn.Module):
    """Normalized pictures (N, 3, 64, 64) and sentences as indices (K, 6) to similarities (N, K)."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures = picture_tower()
        self.words = Words()
        self.tau = nn.Parameter(torch.tensor(2.66))

    def forward(self, images: Tensor, said: Tensor) -> Tensor:
        return similarities(self.pictures(images), self.words(said), self.tau)


def similarities(pictures: Tensor, words: Tensor, tau: Tensor) -> Tensor:
    """e^tau f . g for vectors (N, D) and (K, D) that are brought to length one: (N, K)."""
    return tau.exp() * F.normalize(pictures, dim=1) @ F.normalize(words, dim=1).T


class Asked(nn.Module):
    """The two towers with their sentences fixed: pictures to similarities (N, K), a classifier like any other."""

    said: Tensor

    def __init__(self, towers: TwoTowers, said: Tensor) -> None:
        super().__init__()
        self.pictures, self.tau = towers.pictures, towers.tau
        with torch.no_grad():
            self.register_buffer("said", towers.words(said))

    def forward(self, images: Tensor) -> Tensor:
        return similarities(self.pictures(images), self.said, self.tau)


def towers(name: str = NAMES[0]) -> TwoTowers:
    """The trained towers, for whoever wants to open that of the words. Raises `ModelError` for missing weights."""
    network = load_trained(TwoTowers, name, SHA256[name])
    assert isinstance(network, TwoTowers)
    return network.requires_grad_(False)


def asking(said: Sequence[str]) -> Model:
    """The two towers as a `Model` whose classes are these sentences: similarities (N, K), before their softmax.

    Every method, the audit and `sl.weighted` take it as any classifier. Raises `TargetError` for a word that the
    towers never saw, naming the nearest that they know. The chapter *Tokens and words* teaches it.
    """
    indices = tokens(said)
    return Model(Asked(towers(), indices), MEAN, STD, Head("softmax", Categories(tuple(said))), SIZE)


def load(name: str) -> Model:
    """The towers as a classifier of the ten creatures, by the ten sentences "a butterfly", "a cat", ..."""
    asked = Asked(towers(name), tokens([named(one) for one in CATEGORIES.names]))
    return Model(asked, MEAN, STD, Head("softmax", CATEGORIES), SIZE)


def recipe(name: str) -> "Recipe":
    """How they were trained. An answer is a sentence as six indices with its fact, and the same of it turned around."""
    from saliency_lib.models.training import Jittered, Recipe

    return Recipe(
        network=TwoTowers,
        mean=MEAN,
        std=STD,
        draw=_examples,
        loss=contrast,
        error=missed,
        unit="of the pictures are most like a sentence that is not true of them",
        alter=Jittered(1),
        outputs=_outputs,
        examples=9000,
        epochs=10,
    )


def _examples(count: int, seed: int) -> tuple[Tensor, Tensor]:
    drawn = captioned(count, seed=seed)
    turned = torch.where(drawn.facts[:, 1:2] < 0, drawn.facts, drawn.facts[:, [1, 0, 2]])
    both = [torch.cat([tokens([sentence(*one) for one in f.tolist()]), f], 1) for f in (drawn.facts, turned)]
    return drawn.images, torch.cat(both, 1)


def _halves(answers: Tensor) -> Tensor:
    """Answers (N, 18) as those that are said and, behind them, those turned around, (2 N, 9)."""
    return torch.cat(answers.chunk(2, dim=1))


def _outputs(network: nn.Module, images: Tensor, answers: Tensor) -> Tensor:
    """Similarities (M, 2 N) of the images with all sentences, as they are and turned around."""
    return network(images, _halves(answers)[:, :LENGTH])


def contrast(s: Tensor, answers: Tensor) -> Tensor:
    """The mean of both cross-entropies of similarities (N, 2 N): of the sentence among all, of the picture among all.

    Sentences turned around stand in the second half: each is a wrong one for its own picture alone.
    """
    facts, count = _halves(answers)[:, LENGTH:].cpu(), len(s)
    out = true_of(facts[:count], facts)
    out[:, count:] |= ~torch.eye(count, dtype=torch.bool)
    out[:, :count].fill_diagonal_(False)
    s, right = s.masked_fill(out.to(s.device), -torch.inf), torch.arange(count).to(s.device)
    return (F.cross_entropy(s, right) + F.cross_entropy(s[:, :count].T, right)) / 2


def missed(s: Tensor, answers: Tensor) -> float:
    """The share of pictures whose most similar sentence, of those of all held out and turned, is not true of them."""
    facts = _halves(answers)[:, LENGTH:]
    true = true_of(facts[: len(s)], facts)
    return 1 - true.gather(1, s.argmax(1, keepdim=True)).double().mean().item()
