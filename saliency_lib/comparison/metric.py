"""What all metrics have in common: a number for every map, and what it is made of.

A new metric is one file in the folder `metrics`, with a subclass of `Metric` in it: it is found by its `name`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn

from saliency_lib.methods.perturbations import PerturbationMethod
from saliency_lib.models.model import Model
from saliency_lib.registry import declared, find
from saliency_lib.targets import Target, posterior

GRAY = 0.5
"""What is painted over pixels that are taken away."""


@dataclass(frozen=True)
class Examined:
    """What a metric is given: images (N, C, H, W), their classes, masks and maps (N, H, W), and how these were made.

    `shares` say what each pixel has of the score, compared with gray; `explain` makes the maps of other images.
    """

    model: Model
    images: Tensor
    labels: Tensor
    masks: Tensor | None
    maps: Tensor
    shares: Tensor
    explain: Callable[[Tensor], Tensor]
    batch_size: int
    known: dict[str, Any] = field(default_factory=dict)

    @property
    def asked(self) -> Target:
        """The probability of the class or, where there is none, its number."""
        return self.labels if self.model.head.kind == "numbers" else posterior(self.labels)

    def once(self, name: str, compute: Callable[[], Any]) -> Any:
        """What is the same for all methods: computed for the first that needs it."""
        if name not in self.known:
            self.known[name] = compute()
        return self.known[name]


class Metric:
    """A number for every map; a subclass says what it is, and computes it by `measure`."""

    name: ClassVar[str]
    title: ClassVar[str]
    best: ClassVar[str]
    """Which values are good, "high" or "low"."""
    masked: ClassVar[bool] = False
    """Whether somebody must have said where the object is."""
    usual: ClassVar[bool] = True
    """Whether it is measured where nobody chose."""
    settings: ClassVar[Mapping[str, Any]] = {}
    """On what its numbers depend beside maps and network."""

    def measure(self, at: Examined) -> Tensor:
        """The numbers (N,)."""
        raise NotImplementedError


def metric_names() -> list[str]:
    """The names of all metrics."""
    from saliency_lib.comparison import metrics as folder

    return list(declared(folder))


def find_metric(name: str) -> Metric:
    """A metric by its name. Raises `SaliencyError` if there is none, naming all."""
    from saliency_lib.comparison import metrics as folder

    return find(folder, "metric", name)()


def order(maps: Tensor) -> Tensor:
    """The pixels of each map from its largest value to its smallest, (N, H W); equal ones in one random order."""
    flat = maps.flatten(1)
    shuffled = torch.randperm(flat.shape[1], generator=Generator().manual_seed(0), device="cpu").to(flat.device)
    return shuffled[flat[:, shuffled].argsort(dim=1, descending=True, stable=True)]


def numbers(
    model: nn.Module, images: Tensor, versions: Iterable[Tensor], count: int, target: Target, batch_size: int
) -> Tensor:
    """S of `count` versions (N, C, H, W) of the images, (count, N) in float64."""
    S = torch.empty(count, len(images), dtype=torch.float64)
    asked = PerturbationMethod(model, images, batch_size=batch_size, progress=False)
    for seen in asked.numbers(versions, count, target):
        S[seen.version, seen.row] = seen.S.double()
    return S
