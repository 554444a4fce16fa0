"""What a transformer's attention says of where: the attention of a block, rollout, and attention weighted by gradients.

    A = sl.attention_weights(model, images)             # of each block (N, heads, T, T), whose rows are shares of one
    M = sl.attention_rollout(model, images)             # (N, h, w), whatever is asked
    M = sl.attention_relevance(model, images, "owl")    # (N, h, w), for a class

Token q of a block takes from token k the share A_qk = softmax_k(q . k / sqrt d). Beside it runs the skip connection,
which hands every token on as it is. So what token q has of token k after b blocks is, as far as shares can tell,

    R_0 = 1,  R_b = ((1 + mean_h A_b) / 2) R_(b-1)             rollout: Abnar and Zuidema (2020)
    R_0 = 1,  R_b = R_(b-1) + mean_h (dS/dA_b * A_b)+ R_(b-1)      relevance: Chefer et al. (2021)

A map is the row of R that the score is read from, at the tokens of the image. The first knows no question: the values
that are passed on, and what the network makes of them, have no part in it. The second asks of each share what a little
more of it would do to the score S, and keeps what would raise it.

No network has to hand its attention out. Implementations fuse it, and the weights are then never in memory; asked under
`sdpa_kernel(MATH)`, PyTorch computes the softmax openly, and its node in the graph that autograd records holds the
shares and knows their gradient. Cost: one forward pass, and one backward pass. It fails where attention runs in windows
(Swin), or its grid shrinks on the way. The chapter *Tokens and words* measures what these maps are worth.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_leaves

from saliency_lib.checks import Images
from saliency_lib.errors import ModelError
from saliency_lib.images import with_part
from saliency_lib.methods.gradients import Recording
from saliency_lib.models.activations import as_map, tokens
from saliency_lib.models.forward import differentiating
from saliency_lib.targets import Target, layers_of

MOST = 32
"""So many leading tokens at most are taken to belong to no part of the image: a class token, and registers."""


class Attention:
    """A batch that a transformer has looked at, with the shares of all of its blocks, ready to be asked.

    `shares` are (N, heads, T, T), from the first block to the last. `skip` leading tokens belong to no part of the
    image, by default as few as leave a square; `grid` is (h, w) where the rest is no square. Raises `ModelError` where
    no attention among all tokens is met.
    """

    def __init__(
        self,
        model: nn.Module,
        images: Images,
        *,
        watch: Sequence[Any] = (),
        skip: int | None = None,
        grid: tuple[int, int] | None = None,
    ) -> None:
        self.recording = Recording(model, images, watch=watch, under=sdpa_kernel(SDPBackend.MATH))
        self.model, self.images, self.grid = model, images, grid
        count = len(self.recording.I)
        self.nodes = _softmaxes(tree_leaves(self.recording.answer.output))
        self.shares = [_by_head(node._saved_result, count) for node in self.nodes]
        known = {share.shape[-1] for share in self.shares}
        if len(known) != 1:
            what = f"as many tokens as {sorted(known)}" if known else "none"
            raise ModelError(f"attention among all tokens of an image is needed in every block, and there is {what}")
        self.skip = _leading(known.pop(), grid) if skip is None else skip

    def gradients(self, target: Target) -> list[Tensor]:
        """dS / dA of each block, (N, heads, T, T)."""
        S = self.recording.numbers(target)
        with differentiating(self.model):
            edges = [GradientEdge(node, 0) for node in self.nodes]
            found = torch.autograd.grad(S.sum(), edges, retain_graph=True, allow_unused=True)
        return [
            torch.zeros_like(share) if one is None else _by_head(one, len(share))
            for one, share in zip(found, self.shares, strict=True)
        ]

    def read(self, R: Tensor, gradients: Sequence[Tensor]) -> Tensor:
        """Of the rows of R (N, T, T) the mean of those that the score is read from, as a map (N, h, w).

        They are the rows of the last block that have a gradient: the class token's, or those of all that are averaged.
        """
        asked = (gradients[-1] != 0).any(3).any(1).to(R)
        row = (R * asked[..., None]).sum(1) / asked.sum(1, keepdim=True).clamp_min(1)
        laid = as_map(tokens("", self.skip, self.grid), row[..., None], self.recording.I)
        return with_part(laid[:, 0], self.images)


def attention_weights(model: nn.Module, images: Images) -> list[Tensor]:
    """The shares of each block, from the first, (N, heads, T, T): row q says how much token q takes of each token.

    Raises `ModelError` where no attention among all tokens is met. The chapter *Tokens and words* teaches it.
    """
    return [share.detach() for share in Attention(model, images).shares]


def attention_rollout(
    model: nn.Module,
    images: Images,
    target: Target = None,
    *,
    skip: int | None = None,
    grid: tuple[int, int] | None = None,
) -> Tensor:
    """Rollout (Abnar and Zuidema, 2020), the product of all blocks' (1 + mean attention) / 2: (N, h, w), values >= 0.

    The target says only from which tokens the score is read; the map is the same for all that are read from the same.
    `skip` and `grid` as in `sl.tokens`, found where they are not given. Raises `ModelError` where no attention among
    all tokens is met. The chapter *Tokens and words* teaches it.
    """
    seen = Attention(model, images, watch=layers_of(target), skip=skip, grid=grid)
    R = torch.eye(seen.shares[0].shape[-1]).to(seen.shares[0])
    for A in seen.shares:
        R = (R + A.mean(1) @ R) / 2
    return seen.read(R.detach(), seen.gradients(target))


def attention_relevance(
    model: nn.Module,
    images: Images,
    target: Target = None,
    *,
    skip: int | None = None,
    grid: tuple[int, int] | None = None,
) -> Tensor:
    """Attention weighted by gradients (Chefer et al., 2021), summed over the ways through all blocks: (N, h, w), >= 0.

    What each token is to itself is left out. `skip` and `grid` as in `sl.tokens`, found where they are not given.
    Arguments and errors else as in `input_gradient`. The chapter *Tokens and words* teaches it.
    """
    seen = Attention(model, images, watch=layers_of(target), skip=skip, grid=grid)
    gradients = seen.gradients(target)
    one = torch.eye(seen.shares[0].shape[-1]).to(seen.shares[0])
    R = one
    for A, g in zip(seen.shares, gradients, strict=True):
        R = R + (g * A).clamp_min(0).mean(1) @ R
    return seen.read((R - one).detach(), gradients)


def _softmaxes(ends: Sequence[Any]) -> list[Any]:
    """The nodes of every softmax over square shares between the outputs and the images, in the order of the network."""
    todo: list[Any] = [end.grad_fn for end in ends if isinstance(end, Tensor) and end.grad_fn is not None]
    seen = set(todo)
    found = []
    while todo:
        node = todo.pop()
        if "Softmax" in node.name():
            shares = node._saved_result
            if shares.ndim > 2 and shares.shape[-1] == shares.shape[-2]:
                found.append(node)
        new = {below for below, _ in node.next_functions if below is not None} - seen
        seen |= new
        todo += new
    return sorted(found, key=lambda node: node._sequence_nr())


def _by_head(shares: Tensor, count: int) -> Tensor:
    """Shares (N, heads, T, T), or (N heads, T, T). Raises `ModelError` if they are of parts of images."""
    if (shares.ndim == 3 and len(shares) % count) or (shares.ndim == 4 and len(shares) != count) or shares.ndim > 4:
        shape = tuple(shares.shape)
        raise ModelError(f"attention among all tokens of an image is needed, and this is within windows: {shape}")
    return shares.unflatten(0, (count, -1)) if shares.ndim == 3 else shares


def _leading(count: int, grid: tuple[int, int] | None) -> int:
    """How many tokens stand before those of the image: as few as leave its grid, or a square."""
    if grid is not None:
        return count - math.prod(grid)
    for skip in range(min(MOST, count - 1)):
        if math.isqrt(count - skip) ** 2 == count - skip:
            return skip
    raise ModelError(f"{count} tokens are no square and a few before it: say grid=(h, w)")
