"""Superpixels: pieces of an image of one color each, and what methods share that show a network only some of them.

    segments = sl.superpixels(images, 50)       # (N, H, W), about 50 numbers, one a piece

A coalition is a set of pieces that are shown; the others are painted over with a baseline. The pieces are found by SLIC
(Achanta et al., 2012): k-means of the pixels by color and place together, as scikit-image computes it. A map by pieces
can be no finer than they are, and one that cuts through the object blames its surroundings too.
"""

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from saliency_lib.checks import MANY, check_images, check_tensor, integer, seed_of
from saliency_lib.errors import ImageError, SaliencyError
from saliency_lib.images import with_part
from saliency_lib.methods.baselines import Baseline, baselines_of
from saliency_lib.methods.gradients import ANYWHERE
from saliency_lib.methods.perturbations import PerturbationMethod, Version
from saliency_lib.targets import Target

COUNT = 50
"""About how many superpixels an image has, if nobody says."""

COMPACTNESS = (10, 30, 100, 300)
"""What nearness counts for beside color, in turn."""


def superpixels(images: Tensor, count: int = COUNT) -> Tensor:
    """The number of the superpixel that each pixel belongs to, (N, *grid), from 0: about `count` of them in an image.

    SLIC (Achanta et al., 2012), by scikit-image. They are connected, and have about one size. In an image with a strong
    grain colors scatter, and pieces fall apart and are merged away: there nearness counts for more, until half of
    `count` are left, and if none helps a warning says how many there are. Raises `ImageError` for bad images.
    Reference: `saliency_lib/methods/superpixels.py`.
    """
    pixels = check_images(images, ANYWHERE).detach().cpu().double().movedim(1, -1).numpy()
    count = integer("count", count, 1, MANY)
    return with_part(torch.from_numpy(np.stack([_slic(image, count) for image in pixels])).long(), images)


def _slic(image: np.ndarray, count: int) -> np.ndarray:
    """The pieces of one image (*grid, C); a signal is an image of one row."""
    from skimage.segmentation import slic  # here, because it takes a second to import

    grid = image.shape[:-1]
    plane, colors = image[None] if len(grid) == 1 else image, {} if len(grid) == 2 else {"convert2lab": False}
    for compactness in COMPACTNESS:
        found = slic(plane, count, compactness=compactness, start_label=0, channel_axis=-1, **colors).reshape(grid)
        pieces = int(found.max()) + 1
        if pieces >= min(count, found.size) / 2:
            return found
    warnings.warn(f"about {count} superpixels were asked for, and there are {pieces}", stacklevel=4)
    return found


class SuperpixelMethod(PerturbationMethod):
    """A method that shows the network coalitions of superpixels: a subclass says which, and what their scores say.

    `segments` (N, H, W) holds the number of every pixel's piece, from 0 and with none left out; without it SLIC finds
    about `superpixels` of them. What is not shown has the pixels of `baseline`.
    """

    segments: Tensor | None = None
    superpixels: int = COUNT
    baseline: Baseline = "gray"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        found = superpixels(self.I, self.superpixels) if self.segments is None else self.segments
        self.pieces = pieces_of(self.I, found)
        self.seed = seed_of(self.seed)
        random = torch.Generator().manual_seed(self.seed)
        (self.paint,) = baselines_of([self.baseline], self.I, random, self.form)  # type: ignore[list-item]
        # Each image begins the random numbers anew, so that none depends on another.
        counts = [int(segments.max()) + 1 for segments in self.pieces]
        self.coalitions = [self.draw(count, torch.Generator().manual_seed(self.seed)) for count in counts]

    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """The coalitions of `count` superpixels to be shown, (samples, count), true where a piece is shown."""
        raise NotImplementedError

    def weigh(self, shown: np.ndarray, S: np.ndarray) -> np.ndarray:
        """One number a superpixel, (count,), from the coalitions (samples, count) and their scores (samples,)."""
        raise NotImplementedError

    def _versions(self) -> Iterator[Version]:
        for row, coalitions in enumerate(self.coalitions):
            for version, shown in enumerate(coalitions):
                yield version, row, torch.where(shown[self.pieces[row]], self.I[row], self.paint[row])

    def scores(self, target: Target = None) -> list[np.ndarray]:
        """S of every coalition, for each image (samples,) in float64."""
        S = [np.empty(len(coalitions)) for coalitions in self.coalitions]
        for seen in self.numbers_of(self._versions(), sum(map(len, S)), target):
            S[seen.row][seen.version] = seen.S.item()
        return S

    def weights(self, target: Target = None) -> list[Tensor]:
        """One number a superpixel, for each image (count,) in float64."""
        scores = zip(self.coalitions, self.scores(target), strict=True)
        return [torch.from_numpy(self.weigh(shown.cpu().numpy(), S)) for shown, S in scores]

    def _maps(self, target: Target) -> Tensor:
        pieces = zip(self.weights(target), self.pieces, strict=True)
        return torch.stack([weights.to(self.I)[segments] for weights, segments in pieces])


def pieces_of(I: Tensor, segments: Tensor) -> Tensor:
    """The segments (N, H, W) of images I, checked: whole numbers from 0, none left out in any image."""
    shape, one = (len(I), *I.shape[2:]), (1, *I.shape[2:])
    check_tensor("segments", segments, ImageError)
    if segments.is_floating_point() or segments.is_complex() or segments.shape not in [shape, one]:
        raise ImageError(f"segments are whole numbers of shape {shape}, and got {tuple(segments.shape)}")
    if any(pieces.unique().tolist() != list(range(int(pieces.max()) + 1)) for pieces in segments):
        raise SaliencyError("the numbers of the segments should be 0, 1, 2, ..., and none left out")
    return segments.detach().long().to(I.device).expand(shape)
