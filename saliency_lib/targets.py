"""What to explain: from what a network says of a batch to one number S(I) per image.

A target is one of

    None                         the class of highest score, for each image its own
    285, "Egyptian cat"          one class for all images (names as in `Categories.index`)
    [285, "tench"]               one class per image; a tensor or an array of N indices likewise
    lambda output: output[:, 3]  any function from what the network returns to (N,) numbers
    sl.posterior(285)            the probability of a class in place of its score
    sl.unit("layer4", 7)         a channel inside the network
    sl.weighted({"cat": 1, "dog": -1})      a weighted sum of targets

A network may return scores (N, K), plain numbers (N,) or (N, 1), or anything else that a function of yours picks from.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, SupportsIndex

import numpy as np
import torch
from torch import Tensor

from saliency_lib.categories import CLASSES, Head
from saliency_lib.checks import check_tensor, integer, number, short_repr
from saliency_lib.errors import ModelError, TargetError

Layer = Hashable
"""How a layer is named: a module, its name, or a view of one (see `models.activations`)."""


_TEXT = (str, bytes, bytearray, memoryview)
"""Sequences, for Python, and none of numbers."""


@dataclass(frozen=True)
class Answer:
    """What a network said of N images: its output, what the outputs mean, and what the layers watched put out.

    `inner` holds the layers' outputs as they are meant to be seen, `raw` as they were put out; the images' grid has so
    many `axes`.
    """

    output: Any
    head: Head = CLASSES
    inner: Mapping[Layer, Tensor] = field(default_factory=dict)
    size: int | None = None
    raw: Mapping[Layer, Tensor] = field(default_factory=dict)
    axes: int = 2

    @property
    def count(self) -> int:
        """The number N of images."""
        return len(self.output) if self.size is None else self.size

    @property
    def scores(self) -> Tensor:
        """The output as numbers (N, K). Raises `ModelError` if it is nothing of the kind, or has no gradient."""
        output, wanted = self.output, f"({self.count}, K)"
        if not isinstance(output, Tensor):
            raise ModelError(
                f"the model returns {type(output).__name__}, not a tensor of scores: pass a function that picks "
                "one number per image from it"
            )
        check_tensor("scores from the model", output, ModelError)
        if output.ndim > 2 and len(output) == self.count:
            raise ModelError(
                f"the model scores each place, {tuple(output.shape)}: pass a function that makes one number per image "
                f"of it, such as lambda output: output[:, c].flatten(1).mean(1)"
            )
        if output.ndim not in (1, 2) or len(output) != self.count or output.numel() == 0:
            raise ModelError(f"expected scores of shape {wanted} from the model, and got {tuple(output.shape)}")
        if not output.is_floating_point():
            raise ModelError(f"the model returns {output.dtype}, which has no gradient: return scores, not indices")
        return output[:, None] if output.ndim == 1 else output


class Objective:
    """A target that looks at more than the network's output: a subclass says at which layers, and what it makes of it.

    Called with a bare output it is like any other function, where it needs no layers.
    """

    layers: tuple[Layer, ...] = ()

    def numbers(self, answer: Answer) -> Tensor:
        """The (N,) numbers to be explained."""
        raise NotImplementedError

    def __call__(self, output: Tensor) -> Tensor:
        return self.numbers(Answer(output))


Target = None | SupportsIndex | str | Sequence[SupportsIndex | str] | Tensor | Objective | Callable[[Any], Tensor]


def layers_of(target: Target) -> tuple[Layer, ...]:
    """The layers that have to be watched for a target."""
    return target.layers if isinstance(target, Objective) else ()


def is_class(target: object) -> bool:
    """Whether a target names classes, and is no function."""
    return not callable(target) or isinstance(target, Tensor)


def select(answer: Answer, target: Target) -> Tensor:
    """The (N,) numbers to be explained: S_c(I) for the class c that `target` means for each image.

    Raises `TargetError` if the target names no class of these, does not fit the batch, or, being a function, does not
    return one number per image; `ModelError` if classes are asked of an output that holds no scores.
    """
    return check_finite(selected(answer, target))


def check_finite(S: Tensor) -> Tensor:
    """The numbers themselves. Raises `ModelError` if one of them is infinite or NaN: nothing can be explained then."""
    if not S.detach().isfinite().all():
        raise ModelError("the number to be explained is infinite or NaN for one of the images, as a masked class is")
    return S


def selected(answer: Answer, target: Target) -> Tensor:
    """`select` for whoever has a sentence of their own for numbers that are infinite or NaN."""
    if isinstance(target, Objective):
        return _check_numbers(target.numbers(answer), answer.count)
    if callable(target) and not isinstance(target, Tensor):
        try:
            picked = target(answer.output)
        except Exception as error:  # the function is somebody's own code
            raise TargetError(f"the target function failed with {type(error).__name__}: {error}") from error
        return _check_numbers(picked, answer.count)
    scores = check_scores(answer.scores)
    return scores.gather(1, class_indices(scores, target, answer.head)[:, None])[:, 0]


def check_scores(scores: Tensor) -> Tensor:
    """The scores themselves. Raises `ModelError` if there is NaN among them: no class is the top one then."""
    if scores.detach().isnan().any():
        raise ModelError("the model returns NaN for these images: look at its weights")
    return scores


def class_indices(scores: Tensor, target: Target, head: Head = CLASSES) -> Tensor:
    """The (N,) class indices that `target` means for a batch with these scores (N, K); not for functions."""
    count, known = scores.shape
    if target is None:
        if head.kind == "numbers" and known > 1:
            raise TargetError(f"the model gives {known} numbers, and none of them is the top class: say which one")
        return scores.argmax(1)
    if isinstance(target, np.ndarray):
        target = target.tolist()
    if isinstance(target, Tensor):
        target = _tensor_to_list(target)
    if isinstance(target, str | SupportsIndex):
        target = [target] * count
    if not isinstance(target, Sequence) or isinstance(target, _TEXT):
        raise TargetError(f"a target is a class, one class per image, or a function, not {type(target).__name__}")
    if len(target) != count:
        raise TargetError(f"got {len(target)} targets for {count} image{'s' * (count != 1)}")
    indices = [class_index(item, head, known) for item in target]
    return torch.tensor(indices, device=scores.device)


def class_index(item: object, head: Head, known: int) -> int:
    """The index of one class among `known` scores. Raises `TargetError` if it is none."""
    if isinstance(item, bool) or not (isinstance(item, str) or hasattr(item, "__index__")):
        raise TargetError(f"a class is an index or a name, not {short_repr(item)}")
    categories = head.categories or head.categories_for(known)
    index = categories.index(item)
    if index >= known:
        raise TargetError(f"there is no class {index}: the model scores {known} classes")
    return index


def _tensor_to_list(target: Tensor) -> int | list[int]:
    check_tensor("a target", target, TargetError)
    if target.is_floating_point() or target.is_complex() or target.dtype == torch.bool or target.ndim > 1:
        raise TargetError(
            f"a target tensor holds one integer per image, not {target.dtype} of shape {tuple(target.shape)}"
        )
    return target.tolist()


def _check_numbers(selected: object, count: int) -> Tensor:
    if isinstance(selected, Tensor):
        check_tensor("numbers from the target function", selected, TargetError)
    if not isinstance(selected, Tensor) or selected.shape != (count,):
        got = tuple(selected.shape) if isinstance(selected, Tensor) else type(selected).__name__
        raise TargetError(f"the target function must return one number per image, shape ({count},), and returned {got}")
    if not selected.is_floating_point():
        raise TargetError(f"the target function returned {selected.dtype}, which has no gradient: return real numbers")
    return selected


class posterior(Objective):
    """A target: the probability P_c = exp(S_c) / sum_k exp(S_k) in place of the score S_c (a sigmoid's, where the model
    has labels that hold each by itself).

    The paper advises against it (section 2): the posterior also rises when the other scores fall, and its gradient
    P_c (grad S_c - sum_k P_k grad S_k) vanishes where the network is sure. `target` is a class, or one class per image.
    Raises `ModelError` for a model whose outputs are plain numbers. Chapter 3 teaches it.
    """

    def __init__(self, target: Target = None) -> None:
        if not is_class(target):
            raise TargetError("a posterior is that of a class, not of a function")
        self.target = target

    def numbers(self, answer: Answer) -> Tensor:
        probabilities = answer.head.probabilities(answer.scores)
        if probabilities is None:
            raise ModelError("the model gives plain numbers: they have no probabilities")
        classes = class_indices(answer.scores, self.target, answer.head)
        return probabilities.gather(1, classes[:, None])[:, 0]


class unit(Objective):
    """A target: one channel of a layer h inside the network, h of shape (N, C, H, W) or (N, C).

    `position` is None for the channel's mean over all positions, `"max"` for its largest value, or `(i, j)` for the one
    in row i, column j. `layer` is a module, its name, or `sl.tokens(...)`. A saliency map of it shows where one filter
    looks, a class image what it responds to. Raises `TargetError` for a channel or a position that is not there.
    Chapter 8 teaches it.
    """

    def __init__(self, layer: Layer, channel: int, position: tuple[int, ...] | str | None = None) -> None:
        self.layers = (layer,)
        self.channel = integer("channel", channel, 0, error=TargetError)
        self.position = _position(position)

    def numbers(self, answer: Answer) -> Tensor:
        h = answer.inner[self.layers[0]]
        if h.ndim not in (2, 4, answer.axes + 2) or not self.channel < h.shape[1]:
            raise TargetError(f"there is no channel {self.channel} in a layer of shape {tuple(h.shape)}")
        here = h[:, self.channel]
        if self.position is None:
            return here.reshape(len(h), -1).mean(1)
        if self.position == "max":
            return here.reshape(len(h), -1).amax(1)
        grid = here.shape[1:] or (1,) * len(self.position)
        if len(self.position) != len(grid) or any(i >= side for i, side in zip(self.position, grid, strict=True)):
            shape = " x ".join(map(str, grid))
            raise TargetError(f"there is no position {self.position} in a layer of {shape}")
        return here.reshape(len(h), *grid)[(slice(None), *self.position)]


def _position(position: Any) -> Any:
    """None, "max" or (i, j)."""
    if position is None or (isinstance(position, str) and position == "max"):
        return position
    if isinstance(position, _TEXT) or not isinstance(position, Sequence) or not 0 < len(position) < 4:
        raise TargetError(f'a position is (i, j), "max" or None, not {short_repr(position)}')
    return tuple(integer("a position", side, 0, error=TargetError) for side in position)


def _weights(terms: Any) -> list[tuple[Any, float]]:
    """Pairs of a target and its weight, at least one."""
    try:
        pairs = [(target, weight) for target, weight in (terms.items() if isinstance(terms, Mapping) else terms)]
    except (TypeError, ValueError):
        pairs = []
    if not pairs:
        raise TargetError(f"a weighted target is {{target: weight, ...}}, weights finite, and not {short_repr(terms)}")
    return [(target, number("a weight", weight, error=TargetError)) for target, weight in pairs]


class weighted(Objective):
    """A target: sum_i a_i S_i over other targets S_i, given as `{S_i: a_i}` or as pairs (S_i, a_i).

    `sl.weighted({"tiger cat": 1, "lynx": -1})` asks what speaks for the one rather than the other. Its map is linear in
    the weights before the absolute value. Raises `TargetError` if there is nothing to add, or a weight is no finite
    number. Chapter 8 teaches it.
    """

    def __init__(self, terms: Mapping[Any, float] | Sequence[tuple[Target, float]]) -> None:
        self.terms = _weights(terms)
        self.layers = tuple(layer for target, _ in self.terms for layer in layers_of(target))

    def numbers(self, answer: Answer) -> Tensor:
        return torch.stack([weight * select(answer, target) for target, weight in self.terms]).sum(0)
