"""The network that draws: a small U-Net which reads words through cross-attention.

Noisy pictures go down from 32 to 16 to 8 pixels a side and up again; what was on the way down is added on the way up.
At 16 and at 8, each place *looks* at the words: its features ask, the words answer, and what it takes from each is a
share of one (`Look`). Words enter nowhere else, and without an order: a text is a bag of words. Time shifts and scales
the features of every block. It has 0.96 million parameters.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (32, 64, 112)
"""Channels at 32, 16 and 8 pixels a side."""

HEADS, GROUPS, TIMES, WORDS = 2, 8, 64, 64
"""Heads of each attention, groups of each normalization, numbers that tell the time, numbers that stand for a word."""


class Block(nn.Module):
    """Two convolutions, with the time between them, added to what came in."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(GROUPS, width), nn.SiLU(), nn.Conv2d(width, out, 3, padding=1))
        self.time = nn.Linear(TIMES, 2 * out)
        self.norm = nn.GroupNorm(GROUPS, out)
        self.second = nn.Conv2d(out, out, 3, padding=1)
        self.past = nn.Identity() if width == out else nn.Conv2d(width, out, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.time(time)[:, :, None, None].chunk(2, dim=1)
        inner = self.norm(self.first(x)) * (1 + scale) + shift
        return self.past(x) + self.second(F.silu(inner))


class Look(nn.Module):
    """Attention of places: to words, or, where `words` is None, to each other.

    softmax(Q K^T / sqrt(d)) V, where places (N, H W, C) ask and keys and values (N, T, D) answer.
    """

    def __init__(self, width: int, source: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, width)
        self.ask = nn.Linear(width, width, bias=False)
        self.answer = nn.Linear(source, 2 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, words: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The places with what they took, and the shares (N, heads, H W, T) in which they took it."""
        places = self.norm(x).flatten(2).transpose(1, 2)
        queries, keys, values = (
            part.unflatten(2, (HEADS, -1)).transpose(1, 2)
            for part in (self.ask(places), *self.answer(places if words is None else words).chunk(2, dim=2))
        )
        shares = (queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[3])).softmax(3)
        taken = self.out((shares @ values).transpose(1, 2).flatten(2))
        return x + taken.transpose(1, 2).view_as(x), shares


class Denoiser(nn.Module):
    """Noisy pictures (N, 3, H, W), times (N,) and words as indices (N, T) to velocities (N, 3, H, W)."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        high, middle, low = WIDTHS
        self.time = nn.Sequential(nn.Linear(TIMES, TIMES), nn.SiLU(), nn.Linear(TIMES, TIMES), nn.SiLU())
        self.words = nn.Embedding(vocabulary, WORDS)
        self.enter = nn.Conv2d(3, high, 3, padding=1)
        self.down = nn.ModuleList([Block(high, high), Block(middle, middle), Block(low, low)])
        self.shrink = nn.ModuleList([nn.Conv2d(high, middle, 3, 2, 1), nn.Conv2d(middle, low, 3, 2, 1)])
        self.down_look = nn.ModuleList([Look(middle, WORDS), Look(low, WORDS)])
        self.around = Look(low, low)
        self.up = nn.ModuleList([Block(low, low), Block(middle, middle), Block(high, high)])
        self.up_look = nn.ModuleList([Look(low, WORDS), Look(middle, WORDS)])
        self.grow = nn.ModuleList([nn.Conv2d(low, middle, 1), nn.Conv2d(middle, high, 1)])
        last = nn.Conv2d(high, 3, 3, padding=1)
        nn.init.zeros_(last.weight)
        self.leave = nn.Sequential(nn.GroupNorm(GROUPS, high), nn.SiLU(), last)

    def forward(self, x: Tensor, t: Tensor, tokens: Tensor) -> Tensor:
        return self.read(x, t, self.words(tokens))[0]

    def read(self, x: Tensor, t: Tensor, words: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The velocity, from words as vectors (N, T, 64), and who looked at which: four times (N, heads, H, W, T)."""
        time, looks = self.time(clock(t).to(x.dtype)), []
        x = self.down[0](self.enter(x), time)
        passed = [x]
        for shrink, block, look in zip(self.shrink, self.down[1:], self.down_look, strict=True):
            x, shares = look(block(shrink(x), time), words)
            looks.append(shares.unflatten(2, x.shape[2:]))
            passed.append(x)
        x, _ = self.around(x)
        for level, block in enumerate(self.up):
            x = block(x + passed.pop(), time)
            if level < len(self.grow):
                x, shares = self.up_look[level](x, words)
                looks.append(shares.unflatten(2, x.shape[2:]))
                x = F.interpolate(self.grow[level](x), scale_factor=2.0, mode="nearest")
        return self.leave(x), looks


def clock(t: Tensor) -> Tensor:
    """Times (N,) in [0, 1] as waves (N, 64), from slow ones to fast ones."""
    waves = torch.exp(torch.linspace(0, math.log(200.0), TIMES // 2, device=t.device))
    angles = math.pi * t[:, None] * waves
    return torch.cat([angles.sin(), angles.cos()], dim=1)
