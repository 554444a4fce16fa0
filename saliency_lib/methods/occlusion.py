"""Occlusion: how far does the score fall, if a square of the image is covered?

    M = sl.occlusion(model, images, "Egyptian cat")     # M_ij = mean over squares P that cover (i, j) of S(I) - S(I_P)

I_P is the image with the square P painted over in one value. This asks for the effect of a real change, not of an
infinitesimal one, and needs no derivative: any network will do. Source: Zeiler and Fergus (2014), section 4.2.

With `segments` superpixels are covered in turn instead of squares (`sl.superpixels` makes some).

Cost: one forward pass a square, 49 for squares of 32 pixels side by side in 224, and one more for the image itself. It
fails where two parts say the same: cover either one, and the other still carries the score. What is painted is
something too, a gray square that the network may take for a thing; and the map is as coarse as the squares.
"""

import itertools
from collections.abc import Iterator, Sequence
from numbers import Real

import torch
from torch import Tensor

from saliency_lib.checks import integer, numbers, short_repr
from saliency_lib.errors import SaliencyError
from saliency_lib.images import each
from saliency_lib.methods.method import function
from saliency_lib.methods.perturbations import PerturbationMethod
from saliency_lib.methods.superpixels import COUNT, pieces_of, superpixels
from saliency_lib.targets import Target


class Covering(PerturbationMethod):
    """What the methods share that cover one piece after another: `pieces` says which, (1 or N, H, W) masks."""

    segments: Tensor | None = None
    value: float | Sequence[float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        middle = (self.form.low + self.form.high) / 2
        self.paint = _paint(middle if self.value is None else self.value, self.I)
        self.places = self.pieces()

    def pieces(self) -> list[Tensor]:
        """A mask (N, H, W) for each number of the segments."""
        assert self.segments is not None
        found = pieces_of(self.I, self.segments)
        return [found == number for number in range(int(found.max()) + 1)]

    def _covered(self) -> Iterator[Tensor]:
        yield self.I
        for place in self.places:
            yield torch.where(place[:, None], self.paint, self.I)

    def _maps(self, target: Target) -> Tensor:
        S = torch.empty(1 + len(self.places), len(self.I), dtype=self.I.dtype)
        for seen in self.numbers(self._covered(), len(S), target):
            S[seen.version, seen.row] = seen.S
        fall, count = torch.zeros_like(self.I[:, 0]), torch.zeros_like(self.I[:, 0])
        for place, drop in zip(self.places, (S[0] - S[1:]).to(fall), strict=True):
            fall += place * each(drop, fall)
            count += place
        return fall / count


class Occlusion(Covering):
    """How far the score falls on average when a piece over the pixel is covered, S(I) - S(I_P): (N, H, W), signed.

    Zeiler and Fergus (2014), section 4.2; its unit is that of the score, and negative where covering raises it. `patch`
    is the side of the squares in pixels, by default a seventh of the image's shorter side; `stride`, their distance, is
    by default the same. With `segments` (N, H, W), pieces numbered from 0, these are covered in turn. `value` is what
    is painted, one number or one a channel, by default the middle of the images' range. Without a target the class is
    the top one of the image itself. At most `batch_size` copies are in memory; `progress` as in `smoothgrad`.

    Images, target and errors as in `input_gradient`, but the network need not be differentiable; `SaliencyError` for
    squares that leave pixels out. Reference: `saliency_lib/methods/occlusion.py` says when it fails.
    """

    name, title = "occlusion", "occlusion by squares"

    patch: int | None = None
    stride: int | None = None

    def pieces(self) -> list[Tensor]:
        """The segments, if there are any; else a mask (1, H, W) for each square, cut off at the image's border."""
        if self.segments is not None:
            if self.patch is not None or self.stride is not None:
                raise SaliencyError("either segments are covered or squares: give segments, or patch and stride")
            return super().pieces()
        grid = self.I.shape[2:]
        patch = integer("patch", max(1, min(grid) // 7) if self.patch is None else self.patch, 1)
        stride = integer("stride", patch if self.stride is None else self.stride, 1)
        if stride > patch or patch > min(grid):
            raise SaliencyError(f"squares of {patch} pixels, {stride} apart, do not cover {min(grid)} pixels")
        corners = itertools.product(*(range(0, side - patch + stride, stride) for side in grid))
        return [self._square([slice(start, start + patch) for start in corner]) for corner in corners]

    def _square(self, where: list[slice]) -> Tensor:
        mask = torch.zeros(1, *self.I.shape[2:], dtype=torch.bool, device=self.I.device)
        mask[(slice(None), *where)] = True
        return mask


class SuperpixelOcclusion(Covering):
    """`occlusion` by about so many `superpixels`, or by `segments` of your own."""

    name, title = "occlusion-superpixels", "occlusion by superpixels"

    superpixels: int = COUNT

    def pieces(self) -> list[Tensor]:
        """A mask (N, H, W) for each superpixel."""
        if self.segments is None:
            self.segments = superpixels(self.I, self.superpixels)
        return super().pieces()


occlusion = function(Occlusion)


def _paint(value: float | Sequence[float], I: Tensor) -> Tensor:
    values = numbers("the value to paint", [value] if isinstance(value, Real) else value)
    if len(values) not in (1, I.shape[1]):
        raise SaliencyError(f"the value to paint is one finite number, or one a channel, and not {short_repr(value)}")
    return each(torch.tensor(values).to(I), I[0])
