"""What a transformer's attention says of where: the attention of a block, rollout, weighted by gradients, and AttnLRP.

    A = sl.attention_weights(model, images)             # of each block (N, heads, T, T), whose rows are shares of one
    M = sl.attention_rollout(model, images)             # (N, h, w), whatever is asked
    M = sl.attention_relevance(model, images, "owl")    # (N, h, w), for a class
    R = sl.attention_lrp(model, images, "owl")          # (N, C, H, W), what each entry has of a class's score

Token q of a block takes from token k the share A_qk = softmax_k(q . k / sqrt d). Beside it runs the skip connection,
which hands every token on as it is. So what token q has of token k after b blocks is, as far as shares can tell,

    R_0 = 1,  R_b = ((1 + mean_h A_b) / 2) R_(b-1)             rollout: Abnar and Zuidema (2020)
    R_0 = 1,  R_b = R_(b-1) + mean_h (dS/dA_b * A_b)+ R_(b-1)      relevance: Chefer et al. (2021)

A map is the row of R that the score is read from, at the tokens of the image. The first knows no question: the values
that are passed on, and what the network makes of them, have no part in it. The second asks of each share what a little
more of it would do to the score S, and keeps what would raise it. AttnLRP (Achtibat et al., 2024) leaves the shares:
it carries relevance through the whole network to the pixels, `attention_lrp` says by which rules.

No network has to hand its attention out. Implementations fuse it, and the weights are then never in memory; asked under
`sdpa_kernel(MATH)`, PyTorch computes the softmax openly, and its node in the graph that autograd records holds the
shares and knows their gradient. Cost: one forward pass, and one backward pass. It fails where attention runs in windows
(Swin), or its grid shrinks on the way. The chapter *Tokens and words* measures what these maps are worth.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import gelu
from torch.utils._pytree import tree_leaves

from saliency_lib.checks import Images
from saliency_lib.errors import ModelError
from saliency_lib.images import with_part
from saliency_lib.methods.gradients import Recording
from saliency_lib.models.activations import as_map, tokens
from saliency_lib.models.forward import differentiating
from saliency_lib.models.model import Model
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

    def followed(self, target: Target, step: Callable[[Tensor, Tensor, Tensor], Tensor], without: int = 0) -> Tensor:
        """The map of R_b = step(R_(b-1), A_b, dS / dA_b) after the last block, from R_0 = 1; less `without` R_0."""
        gradients = self.gradients(target)
        R = one = torch.eye(self.shares[0].shape[-1]).to(self.shares[0])
        for A, g in zip(self.shares, gradients, strict=True):
            R = step(R, A, g)
        return self.read((R - without * one).detach(), gradients)

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
    return seen.followed(target, lambda R, A, g: (R + A.mean(1) @ R) / 2)


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
    return seen.followed(target, lambda R, A, g: R + (g * A).clamp_min(0).mean(1) @ R, without=1)


def attention_lrp(model: nn.Module, images: Images, target: Target = None) -> Tensor:
    """The relevance of each entry of the images by AttnLRP (Achtibat et al., 2024): (N, C, H, W), signed.

    As in `lrp` with a small epsilon, R = x G is carried by its factor G, which goes back like a gradient, except that a
    product of two signals gives half of R to either (their equation 7), a GELU hands on f(z) / z (9), and a layer norm
    holds the deviation fixed by which it divides. At a softmax their rule is R_i = x_i (R_i - s_i sum_k R_k), which is
    the gradient's. Biases, softmaxes and the class token take some of the score; the sum is the rest. x is the
    normalized image.

    Arguments and errors as in `input_gradient`; `ModelError` names the first thing that has no rule. The chapter
    *Tokens and words* teaches it.
    """
    seen = Recording(model, images, watch=layers_of(target), under=sdpa_kernel(SDPBackend.MATH))
    for node in _nodes(tree_leaves(seen.answer.output)):
        if (rule := _rule(node)) is not None:
            node.register_hook(rule)
    G = seen.gradient(seen.numbers(target))
    return with_part((seen.I.detach() - (model.mean.to(G) if isinstance(model, Model) else 0)) * G, images)


LINEAR = {
    *("Add", "Sub", "Neg", "Cat", "Sum", "Mean", "Addmm", "Mm", "Mv", "Addmv", "Convolution", "AvgPool2D"),
    *("Alias", "View", "UnsafeView", "ReshapeAlias", "Permute", "Transpose", "T", "Clone", "Expand", "Squeeze"),
    *("Unsqueeze", "Select", "Slice", "Split", "Unbind", "Index", "Gather", "Repeat", "Stack", "ToCopy", "Relu"),
    *("Softmax", "SafeSoftmax", "Mul", "Div"),
}
"""What goes back as the gradient does, by the names of its nodes."""


def _rule(node: Any) -> Any:
    """The hook by which a node hands G back, or None where that is the gradient's. Raises `ModelError` for no rule."""
    kind = node.name().rsplit(":")[-1].split("Backward")[0]
    two = sum(below is not None for below, _ in node.next_functions) > 1
    if kind in ("Bmm", "Mul") and two:
        return lambda given, _: tuple(one / 2 for one in given)
    if kind == "Gelu":
        z = node._saved_self
        slope = torch.where(z == 0, 0.5, gelu(z, approximate=node._saved_approximate) / z)
        return lambda _, G: (G[0] * slope,)
    if kind == "NativeLayerNorm":
        scale = node._saved_result2 * (1 if node._saved_weight is None else node._saved_weight)
        axes = tuple(range(-len(node._saved_normalized_shape), 0))
        return lambda given, G: (G[0] * scale - (G[0] * scale).mean(axes, keepdim=True), *given[1:])
    if kind not in LINEAR | {"Bmm", "AccumulateGrad"} or (kind == "Div" and two):
        raise ModelError(f"AttnLRP has no rule for {kind}, which the network computes")
    return None


def _softmaxes(ends: Sequence[Any]) -> list[Any]:
    """The nodes of every softmax over square shares between the outputs and the images, in the order of the network."""
    found = [node for node in _nodes(ends) if "Softmax" in node.name()]
    square = [node for node in found if (A := node._saved_result).ndim > 2 and A.shape[-1] == A.shape[-2]]
    return sorted(square, key=lambda node: node._sequence_nr())


def _nodes(ends: Sequence[Any]) -> Iterator[Any]:
    """Every node of the graph between the outputs and the images."""
    todo: list[Any] = [end.grad_fn for end in ends if isinstance(end, Tensor) and end.grad_fn is not None]
    seen = set(todo)
    while todo:
        node = todo.pop()
        yield node
        new = {below for below, _ in node.next_functions if below is not None} - seen
        seen |= new
        todo += new


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
