"""The derivative of a class score with respect to the image: all of the paper's section 3 stands on it.

    w = sl.input_gradient(model, images, "Egyptian cat")    # w = dS_c / dI at I_0,      (N, 3, H, W)
    M = sl.saliency_map(model, images, "Egyptian cat")      # M_ij = max_k |w_ijk|,      (N, H, W)

Nothing of yours changes: not the model's mode, gradients or flags, not the images, not the random state.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from saliency_lib.checks import SHAPES, Form, Images, check_inputs, check_tensor, flag
from saliency_lib.errors import ImageError, ModelError, SaliencyError
from saliency_lib.images import with_part
from saliency_lib.methods.maps import reduce_channels
from saliency_lib.methods.method import Method
from saliency_lib.methods.relu_rules import AnyRule, as_rule, following, relu_rule
from saliency_lib.models.activations import as_map, find_layer, tokens
from saliency_lib.models.forward import ask, differentiating
from saliency_lib.models.model import Prediction, form_of, predictions
from saliency_lib.targets import Layer, Target, layers_of, select


def input_gradient(
    model: nn.Module, images: Images, target: Target = None, *, rule: AnyRule = None, create_graph: bool = False
) -> Tensor:
    """The derivative of the class score with respect to the image, w = dS_c / dI at I_0.

    Equation (4) of the paper, by one backward pass. `images` is (N, C, H, W) in [0, 1], and so is the result's shape;
    its unit is score per unit of pixel value. Signals (N, C, L) and volumes (N, C, D, H, W) will do as well, and what a
    network takes beside them is held fixed: `(images, table)`, a row for each image. `target` says which S to explain
    (see `targets`), by default each image's top class. `rule` says how a ReLU goes backward (see `relu_rule`), by
    default as the derivative does; under any other rule the result is no derivative. With `create_graph` the result can
    be differentiated itself, by the network's weights or by the images: a loss on the explanation.

    Raises `ImageError`, `TargetError` or `ModelError` if one of the three cannot be used. Chapters 2 and 3 teach it.
    """
    seen = Recording(model, images, watch=layers_of(target), rule=rule, create_graph=create_graph)
    S = seen.numbers(target)
    return with_part(seen.gradient(S), images)  # an image's S depends on that image alone: the gradient of each


def saliency_map(
    model: nn.Module, images: Images, target: Target = None, *, rule: AnyRule = None, create_graph: bool = False
) -> Tensor:
    """The image-specific class saliency M_ij = max_k |w_ijk| (section 3.1): (N, H, W), values >= 0.

    Arguments and errors as in `input_gradient`. Chapter 3 teaches it.
    """
    return reduce_channels(input_gradient(model, images, target, rule=rule, create_graph=create_graph))


def gradient(S: Tensor, I: Tensor, *, rule: AnyRule = None, create_graph: bool = False) -> Tensor:
    """dS / dI of scores that an ordinary forward pass has computed from I, shaped like I.

        I = images.clone().requires_grad_()
        w = sl.gradient(model(I)[:, 285], I, rule="guided")

    S is one number or several; of several, (N,), the derivative of their sum, which is each image's own where each
    number depends on its own image alone. `rule` is what the ReLUs between the two do (see `relu_rule`). The graph is
    kept: ask again as often as you like. With `create_graph` the result can be differentiated itself.

    Raises `ModelError` if S cannot be differentiated by I. Chapter 5 teaches it.
    """
    for name, value in (("S", S), ("I", I)):
        if not check_tensor(f"{name} of floating-point numbers", value).is_floating_point():
            raise SaliencyError(f"expected {name} of floating-point numbers, and got {value.dtype}")
    if not I.requires_grad:
        raise SaliencyError("I wants no gradient: call I.requires_grad_() before S is computed from it")
    return _derivatives(S, [I], as_rule(rule), "image", keep=True, create_graph=create_graph)[0]


class Gradient(Method):
    """`input_gradient` and `saliency_map` for one target after another: one forward pass, one backward pass each."""

    name, title, derivative = "gradient", "gradient at the pixels", True

    rule: AnyRule = None

    def __post_init__(self) -> None:
        self.recording = Recording(self.model, self.images, rule=self.rule)
        self.answer = self.recording.answer

    def attribution(self, target: Target = None) -> Tensor:
        """w = dS / dI, (N, C, H, W)."""
        self.recording = self.recording.watching(target)
        S = self.recording.numbers(target)
        return with_part(self.recording.gradient(S, keep=True), self.images)


def top_class_maps(
    model: nn.Module, image: Images, k: int = 5, *, rule: AnyRule = None
) -> tuple[list[Prediction], Tensor]:
    """What the network sees in one image, and where: its k best classes, and the saliency map (k, H, W) of each.

    One forward pass is shared by k backward passes; the maps equal `saliency_map` with each class as the target. Of a
    network that gives plain numbers these are the first k.

    `image` is (1, C, H, W); errors as in `input_gradient`. The widget of chapter 3, `sl.widgets.explore`, shows them.
    """
    if (count := len(check_inputs(image)[0])) != 1:
        raise ImageError(f"expected one image, and got a batch of {count}")
    seen = Gradient(model, image, rule=rule)
    best = predictions(seen.answer.scores.detach(), k, seen.answer.head)[0]
    return best, with_part(torch.cat([seen.maps(one.class_index) for one in best]), image)


@dataclass(frozen=True)
class LinearApproximation:
    """The plane that touches the class score at I_0: S_c(I) ~ w^T I + b (equation 3).

    `weights` w is (N, C, H, W), `bias` b is (N,). Calling it on images (N, C, H, W), or (1, C, H, W), gives (N,)
    approximate scores in float64: the sum runs over C H W products and should not add rounding of its own. Pixels may
    leave [0, 1]. Raises `ImageError` for any other shape.
    """

    weights: Tensor
    bias: Tensor

    def __call__(self, images: Tensor) -> Tensor:
        count = len(self.weights)
        check_tensor("images", images, ImageError)
        if images.shape[1:] != self.weights.shape[1:] or len(images) not in (1, count):
            raise ImageError(f"expected images of shape {tuple(self.weights.shape)}, and got {tuple(images.shape)}")
        return _dot(self.weights, images) + self.bias


def linear_approximation(model: nn.Module, images: Images, target: Target = None) -> LinearApproximation:
    """The first-order Taylor expansion of the class score at each image I_0, as w and b = S_c(I_0) - w^T I_0.

    Equation (3) of the paper. Arguments and errors as in `input_gradient`. Chapter 2 teaches it.
    """
    seen = Recording(model, images, watch=layers_of(target))
    S = seen.numbers(target)
    w = seen.gradient(S)
    return LinearApproximation(w, S.detach().cpu().double() - _dot(w, seen.I))


def _dot(w: Tensor, I: Tensor) -> Tensor:
    return (w.cpu().double() * I.detach().cpu().double()).flatten(1).sum(1)


ANYWHERE = Form(low=-math.inf, high=math.inf)
"""What versions of images may be: noise and paths lead beyond their range."""


class LayerGradient(NamedTuple):
    """What a layer put out for each image, h of shape (N, C, H, W), and dS / dh, shaped alike."""

    output: Tensor
    gradient: Tensor


class Recording:
    """One forward pass, kept: a batch that a network has looked at, to be differentiated target by target.

    Every gradient of the package goes this way. `I` are the images as the leaf of the graph, `answer` is what the
    network said of them. With `layers` derivatives are taken there: the pass up to the first of them builds no graph,
    so that a gradient there costs less than one at the pixels. `watch` are layers that the targets will look at; `rule`
    is what the ReLUs do on the way back; `under` is open during the forward pass. Pixels have to be `in_range`, [0, 1].
    With `create_graph` what it returns can be differentiated itself.

    Raises `ModelError` if a layer is not met exactly once, or has another kind of output than a map, and what
    `input_gradient` raises.
    """

    def __init__(
        self,
        model: nn.Module,
        images: Images,
        layers: Sequence[Layer] = (),
        *,
        watch: Sequence[Layer] = (),
        rule: AnyRule = None,
        under: AbstractContextManager = nullcontext(),  # noqa: B008 -- it can be opened again and again
        in_range: bool = True,
        create_graph: bool = False,
    ) -> None:
        self.model, self.layers, self.rule = model, tuple(layers), as_rule(rule)
        self._again: dict[str, Any] = {"layers": layers, "rule": rule, "under": under, "in_range": in_range}
        self.create_graph = flag("create_graph", create_graph)
        with differentiating(model):
            images, *held = check_inputs(images, form_of(model) if in_range else ANYWHERE)
            connected = create_graph and images.requires_grad
            self.I = images.clone() if connected else images.detach().clone().requires_grad_(not layers)
            self.inputs = self.I, *held
            with under:
                self.answer = ask(model, self.inputs, [*self.layers, *watch], leaf=bool(layers))
        self.sources = [self.answer.raw[layer] for layer in self.layers] or [self.I]
        for layer in self.layers:
            if self.answer.inner[layer].ndim not in (4, self.I.ndim):
                name = type(find_layer(model, layer)).__name__
                shape = SHAPES[self.answer.axes]
                raise ModelError(f"the output of a layer should be {shape}, and that of {name} is not")

    def watching(self, target: Target) -> "Recording":
        """Itself, or, if the target looks at layers that were not watched, another one that watches them."""
        watch = layers_of(target)
        if all(layer in self.answer.inner for layer in watch):
            return self
        return Recording(self.model, self.inputs, watch=watch, **self._again)

    def numbers(self, target: Target = None) -> Tensor:
        """S (N,), the numbers that `target` means."""
        with differentiating(self.model):
            return select(self.answer, target)

    def gradient(self, S: Tensor, *, keep: bool = False) -> Tensor:
        """dS / dI at the pixels, (N, C, H, W); `keep` keeps what another derivative needs."""
        return self._back(S, keep)[0]

    def at_layers(self, target: Target = None) -> list[LayerGradient]:
        """For each layer its output h and dS / dh."""
        gradients = self._back(self.numbers(target), keep=True)
        pairs = zip(self.layers, gradients, strict=True)
        views = [(self.answer.inner[at].detach(), as_map(at, g, self.I)) for at, g in pairs]
        if any(isinstance(at, tokens) and not g.any() for at, (_, g) in zip(self.layers, views, strict=True)):
            raise ModelError("the score depends on none of these tokens, as after the last block: name an earlier one")
        return [LayerGradient(h, g) for h, g in views]

    def _back(self, S: Tensor, keep: bool) -> tuple[Tensor, ...]:
        with differentiating(self.model):  # a checkpoint runs parts of the network once more
            of = "layer" if self.layers else "image"
            ends = [part for part in tree_leaves(self.answer.output) if isinstance(part, Tensor)]
            graph = {"keep": keep or self.create_graph, "create_graph": self.create_graph}
            return _derivatives(S, self.sources, self.rule, of, ends=ends, **graph)


def _derivatives(
    S: Tensor,
    sources: Sequence[Tensor],
    rule: relu_rule,
    of: str,
    *,
    keep: bool,
    create_graph: bool = False,
    ends: Sequence[Tensor] = (),
) -> tuple[Tensor, ...]:
    """d(sum S) / dh for each of the sources h, by a rule. Raises `ModelError` if there is none."""
    none = f"the score has no gradient: it does not depend on the {of}, or the model "
    if not S.requires_grad:
        raise ModelError(f"{none}computes under no_grad or inference_mode, detaches, or rounds")
    with torch.inference_mode(False), torch.enable_grad():
        total = S.sum()
        try:
            with following(rule, total, sources, ends):
                found = torch.autograd.grad(total, sources, None, keep, create_graph, allow_unused=True)
        except SaliencyError:
            raise
        except RuntimeError as error:
            reason = str(error).strip().split("\n", 1)[0]
            raise ModelError(f"the model cannot be differentiated: {reason}") from error
    if any(one is None for one in found):
        raise ModelError(f"{none}detaches that")
    if not all(one.isfinite().all() for one in found):
        raise ModelError(f"the gradient at the {of} is infinite or NaN: look at what the network divides by")
    return found
