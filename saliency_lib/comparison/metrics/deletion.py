"""Does a map tell which pixels the score needs? Gray the largest first, or put them into gray."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from saliency_lib.checks import integer
from saliency_lib.comparison.metric import GRAY, Examined, Metric, numbers, order
from saliency_lib.errors import SaliencyError
from saliency_lib.targets import Target

STEPS = 10


def ends(model: nn.Module, images: Tensor, target: Target = None, *, batch_size: int = 8) -> tuple[Tensor, Tensor]:
    """S of each image, and of gray in its place, (N,) each: deletion goes from one to the other, insertion back."""
    of_images, of_gray = numbers(model, images, (images, torch.full_like(images, GRAY)), 2, target, batch_size)
    return of_images, of_gray


def deletion(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    target: Target = None,
    *,
    steps: int = 10,
    batch_size: int = 8,
    known: tuple[Tensor, Tensor] | None = None,
    back: bool = False,
) -> Tensor:
    """The mean of S from the image (0) to gray (1), the pixels of the largest values first: (N,).

    A share of 1 / steps of the pixels goes each time. `known` are the `ends`, if somebody has asked for them before:
    they are the same for all maps. `back` goes from gray to the image, which is `insertion`.
    """
    if maps.shape != (len(images), *images.shape[2:]):
        raise SaliencyError(f"expected maps of the images' shape, and got {tuple(maps.shape)}")
    integer("steps", steps, 1)
    way = [images, torch.full_like(images, GRAY)]
    S = list(known or ends(model, images, target, batch_size=batch_size))
    if back:
        way.reverse()
        S.reverse()
    ordered = order(maps)
    place = torch.empty_like(ordered).scatter_(
        1, ordered, torch.arange(ordered.shape[1], device=ordered.device).expand_as(ordered)
    )

    def versions() -> Iterator[Tensor]:
        for step in range(1, steps):
            reached = (place < round(step / steps * ordered.shape[1])).view(len(images), 1, *images.shape[2:])
            yield torch.where(reached, way[1], way[0])

    S[1:1] = numbers(model, images, versions(), steps - 1, target, batch_size)
    heights = torch.stack(S)
    return (heights[:-1] + heights[1:]).mean(0) / 2  # trapezoids


def insertion(*given: Any, **settings: Any) -> Tensor:
    """The mean of S from gray (0) to the image (1), the pixels of the largest values first: (N,). As `deletion`."""
    return deletion(*given, **settings, back=True)


class Deletion(Metric):
    """`deletion` of the class's probability."""

    name, title, best = "deletion", "probability while pixels go", "low"
    settings: ClassVar = {"steps": STEPS}
    of: ClassVar[Callable[..., Tensor]] = staticmethod(deletion)

    def measure(self, at: Examined) -> Tensor:
        known = at.once("ends", lambda: ends(at.model, at.images, at.asked, batch_size=at.batch_size))
        return self.of(at.model, at.images, at.maps, at.asked, steps=STEPS, batch_size=at.batch_size, known=known)


class Insertion(Deletion):
    """`insertion` of the class's probability."""

    name, title, best = "insertion", "probability while pixels come", "high"
    of = staticmethod(insertion)
