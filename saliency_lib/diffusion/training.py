"""How `creature_diffusion` was made: noise is added to drawings, and the network learns to tell it.

    python -m saliency_lib.diffusion --out data/creature_diffusion.pt --kept FILE [--minutes 25]

    loss = mean of (v - v_theta(alpha x_0 + sigma eps, t, words))^2,    v = alpha eps - sigma x_0

over drawings x_0 of one thing and of two by turns, noise eps, and times t. In a tenth of them the words are dropped,
so that one network learns both scores that guidance needs. What is kept is the running mean of the weights.
`--kept` holds what a later call goes on from; a training in pieces is bit for bit the one in a single piece.
"""

import copy
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_lib.datasets.worded import worded
from saliency_lib.diffusion.denoiser import Denoiser
from saliency_lib.diffusion.schedule import mixed, velocity
from saliency_lib.diffusion.words import NOTHING, VOCABULARY, text, tokens


@dataclass(frozen=True)
class DrawingRecipe:
    """How many drawings of each kind, how many steps of how many, and how fast."""

    drawings: int = 6000
    steps: int = 14000
    batch: int = 16
    rate: float = 2e-3
    warm: int = 200
    falling: float = 0.5
    dropped: float = 0.1
    memory: float = 0.999
    seed: int = 1


@dataclass
class State:
    """Where a training is: the network, the running mean of its weights, the optimizer, and the steps taken."""

    network: nn.Module
    mean: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0

    def save(self, path: Path) -> None:
        parts = {name: getattr(self, name).state_dict() for name in ("network", "mean", "optimizer")}
        beside = path.with_suffix(".part")
        torch.save({"step": self.step, **parts}, beside)
        beside.replace(path)

    def load(self, path: Path) -> None:
        kept = torch.load(path, weights_only=True)
        self.step = kept["step"]
        for name in ("network", "mean", "optimizer"):
            getattr(self, name).load_state_dict(kept[name])


def begun(recipe: DrawingRecipe) -> State:
    """A training before its first step. The caller's random state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = Denoiser(len(VOCABULARY)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, betas=(0.9, 0.99), weight_decay=0.01)
    return State(network, copy.deepcopy(network).requires_grad_(False), optimizer)


def examples(recipe: DrawingRecipe) -> list[tuple[Tensor, Tensor]]:
    """Drawings as bytes (N, 3, 32, 32 K) with their words as indices (N, 5): of one thing, and of two."""
    drawn = (worded(recipe.drawings, seed=recipe.seed, things=things) for things in (1, 2))
    return [((256 * d.images).clamp_max(255).byte(), tokens([text(words) for words in d.words])) for d in drawn]


def advance(state: State, recipe: DrawingRecipe, drawn: list[tuple[Tensor, Tensor]]) -> float:
    """One step: half as many drawings where there are two things. Returns the loss."""
    random = torch.Generator().manual_seed(recipe.seed * 1_000_003 + state.step)
    images, words = drawn[state.step % 2]
    count = recipe.batch >> state.step % 2
    chosen = torch.randint(len(images), (count,), generator=random)
    clean = (images[chosen].float() + 0.5) / 128 - 1
    mirrored = torch.rand(count, 1, 1, 1, generator=random) < 0.5
    clean = torch.where(mirrored, clean.flip(3), clean).contiguous(memory_format=torch.channels_last)
    silent = torch.rand(count, 1, generator=random) < recipe.dropped
    said = words[chosen].masked_fill(silent, VOCABULARY.index(NOTHING))
    # one time in each of so many equal parts of [0, 1]: the mean over a batch varies less
    t = (torch.arange(count) + torch.rand(count, generator=random)) / count
    eps = torch.randn(clean.shape, generator=random)
    found = state.network(mixed(clean, eps, t), t, said)
    loss = F.mse_loss(found, velocity(clean, eps, t))
    for group in state.optimizer.param_groups:
        group["lr"] = recipe.rate * pace(state.step, recipe)
    state.optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    state.optimizer.step()
    state.step += 1
    memory = min(recipe.memory, state.step / (state.step + 9))
    with torch.no_grad():
        for kept, new in zip(state.mean.parameters(), state.network.parameters(), strict=True):
            kept.lerp_(new, 1 - memory)
    return loss.item()


def pace(step: int, recipe: DrawingRecipe) -> float:
    """The learning rate, as a share of the highest: it rises in a line, stays, and falls as half a cosine."""
    left = (recipe.steps - step) / (recipe.falling * recipe.steps)
    return min(1.0, (step + 1) / recipe.warm, (1 - math.cos(math.pi * min(1.0, left))) / 2)


def train(
    recipe: DrawingRecipe, *, kept: Path | None = None, minutes: float = math.inf, most: int | None = None
) -> State:
    """The training, from where the file `kept` left it, for at most so many minutes, or to the step `most`."""
    state, until, losses = begun(recipe), time.monotonic() + 60 * minutes, list[float]()
    if kept and kept.exists():
        state.load(kept)
    drawn = examples(recipe)
    last = recipe.steps if most is None else most
    while state.step < last and time.monotonic() < until:
        losses.append(advance(state, recipe, drawn))
        if state.step % 50 == 0 or state.step == recipe.steps:
            print(f"step {state.step} of {recipe.steps}: loss {sum(losses) / len(losses):.4f}", flush=True)
            losses = []
            if kept:
                state.save(kept)
    if kept:
        state.save(kept)
    return state
