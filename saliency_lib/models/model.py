"""Networks that take images in [0, 1] and return unnormalized class scores.

    model = sl.load_model()                 # EfficientNet-Lite0, trained on ImageNet; its weights are installed with us
    model(images)                           # (N, 3, H, W) in [0, 1] -> (N, 1000) scores S_c(I), before the softmax
    model.top(images)                       # what it sees, by name

A `Classifier` is frozen and in evaluation mode, and normalizes its input itself: a derivative with respect to `images`
is a derivative with respect to what one sees.
"""

import copy
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from saliency_lib.categories import Categories, numbered_categories
from saliency_lib.errors import ModelError, TargetError
from saliency_lib.images import check_images


class Prediction(NamedTuple):
    """One class of one image: its score before the softmax, and its posterior probability after it."""

    class_index: int
    name: str
    score: float
    probability: float


class Classifier(nn.Module):
    """A frozen network in evaluation mode: images (N, 3, H, W) in [0, 1] to scores (N, K), normalization inside.

    Made by `load_model` and `as_classifier`. It computes on the device where its weights lie (`model.to("cuda")`),
    wherever the images come from. `size` is the side in pixels of the square images that it was trained on. Chapter 1
    introduces it.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        categories: Categories | None,
        size: int = 224,
    ) -> None:
        super().__init__()
        self.network = network
        self.categories = categories
        self.size = size
        self.register_buffer("mean", torch.tensor([float(value) for value in mean]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([float(value) for value in std]).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        images = images.to(self.mean.device)
        return self.network((images - self.mean) / self.std)

    @torch.no_grad()
    def top(self, images: Tensor, k: int = 5) -> list[list[Prediction]]:
        """The k classes of highest score for each image, best first.

        Raises `ImageError` if `images` is no batch of images in [0, 1].
        """
        return predictions(self(check_images(images)), k, self.categories)

    def index(self, target: str | int) -> int:
        """The index of a class by its name (see `Categories.index`). Raises `TargetError` if none or several match."""
        return (self.categories or numbered_categories(1000)).index(target)

    def name(self, index: int) -> str:
        """What class `index` is called."""
        return self.categories.name(index) if self.categories else f"class {index}"


def predictions(scores: Tensor, k: int, categories: Categories | None = None) -> list[list[Prediction]]:
    """The k classes of highest score for each row of the scores (N, K), best first; all K where k is more.

    Raises `TargetError` if k < 1, and `ModelError` if there are fewer names than scores.
    """
    count = scores.shape[1]
    names = (categories or numbered_categories(count)).names
    if len(names) < count:
        raise ModelError(f"the model scores {count} classes, and {len(names)} of them have names")
    if k < 1:
        raise TargetError(f"at least one class has to be asked for, and k is {k}")
    probabilities = scores.softmax(1)
    order = scores.topk(min(k, count)).indices
    columns = order.tolist(), scores.gather(1, order).tolist(), probabilities.gather(1, order).tolist()
    return [
        [Prediction(i, names[i], score, probability) for i, score, probability in zip(*row, strict=True)]
        for row in zip(*columns, strict=True)
    ]


def as_classifier(
    module: nn.Module,
    mean: Sequence[float],
    std: Sequence[float],
    categories: Categories | Sequence[str] | None = None,
    size: int = 224,
) -> Classifier:
    """A `Classifier` from any network that maps normalized images to scores (N, K).

    The network sees `(images - mean) / std`, with three numbers each, for pixels in [0, 1]. `size` is the side in
    pixels of the square images that it was trained on. The module is copied: yours keeps its mode and its gradients,
    and does not see later changes of the copy.

    Raises `ModelError` if `module` is no module, `mean` or `std` are not three numbers, a `std` is not positive, or
    `size` is no positive whole number.
    """
    if not isinstance(module, nn.Module):
        raise ModelError(f"expected a torch.nn.Module, and got {type(module).__name__}")
    if not (np.shape(mean) == np.shape(std) == (3,) and np.isfinite([mean, std]).all() and min(std) > 0):
        raise ModelError(f"mean and std are three numbers each, std positive; got mean={mean}, std={std}")
    if not isinstance(size, int) or size < 1:
        raise ModelError(f"the size must be a whole number of pixels, at least 1, and is {size!r}")
    if categories is not None and not isinstance(categories, Categories):
        categories = Categories(categories)
    return Classifier(copy.deepcopy(module), mean, std, categories, size)
