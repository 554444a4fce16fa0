"""What the methods share that show a network many versions of an image: dimmer ones, noisy ones, covered ones.

The versions come one after another from a generator and go through the network `batch_size` at a time, so that memory
does not grow with their number. What is handed over beside an image, `(images, table)`, goes with each version of it.
Classes are settled once, on the images as they are.
"""

import copy
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor

from saliency_lib.checks import MANY, check_inputs, integer, rows_of
from saliency_lib.methods.gradients import Recording
from saliency_lib.methods.method import Method
from saliency_lib.methods.relu_rules import AnyRule
from saliency_lib.models.forward import ask, check_places, evaluation_mode
from saliency_lib.models.model import form_of
from saliency_lib.progress import progress_bar
from saliency_lib.targets import (
    Answer,
    Objective,
    Target,
    check_scores,
    class_indices,
    is_class,
    layers_of,
    posterior,
    select,
    weighted,
)

BATCH = 5
"""How many versions are in memory at a time, unless one says otherwise.

No activation of the book's network then takes 32 MB. What is larger, the C library of Linux asks the system for anew
each time: integrated gradients took about 5 % longer with eight at a time.
"""


class Seen(NamedTuple):
    """What came of version number `version` of image number `row`: its number S and, if asked for, dS / dI."""

    version: int
    row: int
    S: Tensor
    gradient: Tensor


Version = tuple[int, int, Tensor]
"""The number of a version, the number of the image that it is one of, and its pixels (C, H, W)."""


class PerturbationMethod(Method):
    """A method that asks the network about versions of the images; one forward pass prepares.

    `batch_size` versions are in memory at a time; `progress` shows a bar, by default where there is somebody to see it.
    Raises what `input_gradient` raises, and `SaliencyError` for settings that cannot be used.
    """

    batch_size: int = BATCH
    progress: bool | None = None
    rule: AnyRule = field(default=None, init=False)
    """A setting of those that differentiate."""

    def __post_init__(self) -> None:
        self.batch_size = integer("batch_size", self.batch_size, 1, MANY)
        with evaluation_mode(self.model), torch.inference_mode(False), torch.no_grad():
            self.form = form_of(self.model)
            images, *self.held = check_inputs(self.images, self.form)
            self.I = images.detach().clone()
            self.answer = ask(self.model, (self.I, *self.held))
            check_places(self.model, (self.I, *self.held), self.answer)

    def numbers(self, versions: Iterable[Tensor], count: int, target: Target) -> Iterator[Seen]:
        """S of each of `count` versions (N, C, H, W) of the images."""
        return self.numbers_of(_singly(versions), count * len(self.I), target)

    def numbers_of(self, versions: Iterable[Version], count: int, target: Target) -> Iterator[Seen]:
        """S of each of `count` versions in all, where the images do not have as many of them each."""
        return self._each(versions, count, target, differentiate=False)

    def gradients(self, versions: Iterable[Tensor], count: int, target: Target) -> Iterator[Seen]:
        """S, and dS / dI (C, H, W), at each of `count` versions (N, C, H, W) of the images."""
        return self._each(_singly(versions), count * len(self.I), target, differentiate=True)

    def gradients_of(self, versions: Iterable[Version], target: Target) -> Iterator[Seen]:
        """The same for a few versions, without a bar."""
        for batch in self._batches(versions):
            yield from self._ask(batch, target, differentiate=True)

    def _each(self, versions: Iterable[Version], count: int, target: Target, *, differentiate: bool) -> Iterator[Seen]:
        total = math.ceil(count / self.batch_size)
        for batch in progress_bar(self._batches(versions), total, "batch", self.progress):
            yield from self._ask(batch, target, differentiate)

    def _batches(self, versions: Iterable[Version]) -> Iterator[list[Version]]:
        left = iter(versions)
        return iter(lambda: list(islice(left, self.batch_size)), [])

    def _ask(self, batch: list[Version], target: Target, differentiate: bool) -> Iterator[Seen]:
        """What comes of a batch of versions; what is global changes back before anything is handed on."""
        places, rows, images = zip(*batch, strict=True)
        S, gradients = self._results(torch.stack(images), rows, target, differentiate)
        return map(Seen, places, rows, S, gradients)

    def _results(
        self, images: Tensor, rows: tuple[int, ...], target: Target, differentiate: bool
    ) -> tuple[Tensor, Tensor]:
        inputs = images, *rows_of(self.held, list(rows))
        target, watch = settled(target, self.answer, torch.tensor(rows)), layers_of(target)
        with evaluation_mode(self.model), torch.inference_mode(False):  # out here, so that it is switched once
            if differentiate:
                seen = Recording(self.model, inputs, watch=watch, rule=self.rule, in_range=False)
                S = seen.numbers(target)
                return S.detach(), seen.gradient(S)
            with torch.no_grad():
                S = select(ask(self.model, inputs, watch), target)
                return S, torch.empty_like(S)


def _singly(versions: Iterable[Tensor]) -> Iterator[Version]:
    return ((v, row, image) for v, images in enumerate(versions) for row, image in enumerate(images))


def settled(target: Target, answer: Answer, rows: Tensor) -> Target:
    """The target that asks of versions of the images `rows` what `target` asks of the images themselves.

    Whatever class each image means is settled by `answer`, what the network said of the images as they are: the top
    class of a version may be another one. `rows` holds one index per version.
    """
    if callable(target) and not isinstance(target, Objective | Tensor):
        return lambda output: torch.stack(
            [
                select(Answer(_placed(answer.output, output, k, row), size=answer.count), target)[row]
                for k, row in enumerate(rows.tolist())
            ]
        )
    if isinstance(target, posterior):
        return posterior(settled(target.target, answer, rows))
    if isinstance(target, weighted):
        return weighted([(settled(one, answer, rows), weight) for one, weight in target.terms])
    if is_class(target):
        return class_indices(check_scores(answer.scores), target, answer.head)[rows.to(answer.scores.device)]
    return target


def _placed(base: Any, versions: Any, k: int, row: int) -> Any:
    """The output for the images, with version k in the place of image `row`, where a function looks for it."""
    if isinstance(base, Tensor):
        whole = base.ndim and versions.ndim == base.ndim and versions.shape[1:] == base.shape[1:] and row < len(base)
        return torch.cat([base[:row], versions[k : k + 1], base[row + 1 :]]) if whole else versions
    if isinstance(base, Mapping):
        return type(base)({key: _placed(base[key], versions[key], k, row) for key in base})  # type: ignore[call-arg]
    if isinstance(base, list | tuple):
        parts = [_placed(a, b, k, row) for a, b in zip(base, versions, strict=True)]
        return type(base)(*parts) if hasattr(base, "_fields") else type(base)(parts)
    if hasattr(base, "__dict__"):
        found = copy.copy(versions)
        vars(found).update({key: _placed(value, vars(versions)[key], k, row) for key, value in vars(base).items()})
        return found
    return versions
