"""Occlusion: how far does the score fall, if a square of the image is covered?

    M = sl.occlusion(model, images, "Egyptian cat")     # M_ij = mean over squares P that cover (i, j) of S(I) - S(I_P)

I_P is the image with the square P painted over in one value. This asks for the effect of a real change, not of an
infinitesimal one, and needs no derivative: any network will do. Source: Zeiler and Fergus (2014), section 4.2.

With `segments` superpixels are covered in turn instead of squares (`sl.superpixels` makes some).

Cost: one forward pass a square, 49 for squares of 32 pixels side by side in 224, and one more for the image itself. It
fails where two parts say the same: cover either one, and the other still carries the score. What is painted is
something too, a gray square that the network may take for a thing; and the map is as coarse as the squares.
"""

import math
from collections.abc import Iterator, Sequence
from numbers import Real

import numpy as np
import torch
from torch import Generator, Tensor, nn

from saliency_lib.checks import numbers, shown, whole
from saliency_lib.errors import SaliencyError
from saliency_lib.methods.superpixels import COUNT, SuperpixelMethod
from saliency_lib.methods.versions import BATCH, VersionMethod
from saliency_lib.targets import Target


class Occlusion(VersionMethod):
    """`occlusion` for one target after another."""

    name = "occlusion"
    title = "occlusion by squares"

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        *,
        patch: int | None = None,
        stride: int | None = None,
        value: float | Sequence[float] = 0.5,
        batch_size: int = BATCH,
        progress: bool | None = None,
    ) -> None:
        super().__init__(model, images, batch_size=batch_size, progress=progress)
        shortest = min(self.I.shape[2:])
        self.patch = whole("patch", max(1, shortest // 7) if patch is None else patch, 1)
        self.stride = whole("stride", self.patch if stride is None else stride, 1)
        if self.stride > self.patch or self.patch > shortest:
            raise SaliencyError(f"squares of {self.patch} pixels, {self.stride} apart, do not cover {shortest} pixels")
        self.paint = _paint(value, self.I)

    def squares(self) -> list[tuple[slice, slice]]:
        """Where the squares lie; those that reach beyond the last row or column are cut off there."""
        corners = [
            range(0, self.stride * (math.ceil((side - self.patch) / self.stride) + 1), self.stride)
            for side in self.I.shape[2:]
        ]
        return [(slice(y, y + self.patch), slice(x, x + self.patch)) for y in corners[0] for x in corners[1]]

    def _covered(self) -> Iterator[Tensor]:
        yield self.I
        for y, x in self.squares():
            covered = self.I.clone()
            covered[..., y, x] = self.paint
            yield covered

    def _maps(self, target: Target) -> Tensor:
        squares = self.squares()
        S = torch.empty(1 + len(squares), len(self.I), dtype=self.I.dtype)
        for seen in self.numbers(self._covered(), len(S), target):
            S[seen.version, seen.row] = seen.S
        fall, count = torch.zeros_like(self.I[:, 0]), torch.zeros_like(self.I[0, 0])
        for (y, x), drop in zip(squares, (S[0] - S[1:]).to(fall), strict=True):
            fall[:, y, x] += drop[:, None, None]
            count[y, x] += 1
        return fall / count


class SuperpixelOcclusion(SuperpixelMethod):
    """`occlusion` by superpixels, for one target after another."""

    name = "occlusion-superpixels"
    title = "occlusion by superpixels"

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        *,
        segments: Tensor | None = None,
        superpixels: int = COUNT,
        value: float | Sequence[float] = 0.5,
        batch_size: int = BATCH,
        progress: bool | None = None,
    ) -> None:
        more = {"batch_size": batch_size, "progress": progress, "superpixels": superpixels}
        super().__init__(model, images, segments=segments, **more)  # type: ignore[arg-type]
        self.baseline = _paint(value, self.I).expand_as(self.I)

    def draw(self, count: int, random: Generator) -> Tensor:
        """All superpixels, and all but one of them in turn."""
        return torch.cat([torch.ones(1, count), 1 - torch.eye(count)]).bool().to(self.I.device)

    def weigh(self, shown: np.ndarray, S: np.ndarray) -> np.ndarray:
        """How far the score falls without each."""
        return S[0] - S[1:]


def occlusion(
    model: nn.Module,
    images: Tensor,
    target: Target = None,
    *,
    patch: int | None = None,
    stride: int | None = None,
    segments: Tensor | None = None,
    value: float | Sequence[float] = 0.5,
    batch_size: int = BATCH,
    progress: bool | None = None,
) -> Tensor:
    """How far the score falls on average when a piece over the pixel is covered, S(I) - S(I_P): (N, H, W), signed.

    Zeiler and Fergus (2014), section 4.2; its unit is that of the score, and negative where covering raises it. `patch`
    is the side of the squares in pixels, by default a seventh of the image's shorter side; `stride`, their distance, is
    by default the same. `value` is what is painted, in [0, 1], one number or one a channel. Without a target the class
    is the top one of the image itself. At most `batch_size` copies are in memory; `progress` as in `smoothgrad`.

    Images, target and errors as in `input_gradient`, but the network need not be differentiable; `SaliencyError` for
    squares that leave pixels out. Reference: `saliency_lib/methods/occlusion.py` says when it fails.
    """
    if segments is None:
        squares = Occlusion(
            model, images, patch=patch, stride=stride, value=value, batch_size=batch_size, progress=progress
        )
        return squares.maps(target)
    if patch is not None or stride is not None:
        raise SaliencyError("either segments are covered or squares: give segments, or patch and stride")
    pieces = SuperpixelOcclusion(
        model, images, segments=segments, value=value, batch_size=batch_size, progress=progress
    )
    return pieces.maps(target)


def _paint(value: float | Sequence[float], I: Tensor) -> Tensor:
    values = numbers("the value to paint", [value] if isinstance(value, Real) else value)
    if len(values) not in (1, I.shape[1]):
        raise SaliencyError(f"the value to paint is one finite number, or one a channel, and not {shown(value)}")
    return torch.tensor(values).to(I).reshape(-1, 1, 1)
