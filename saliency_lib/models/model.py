"""A network together with what is known of it: normalization, size, and what its outputs mean.

    model = sl.load_model()                 # EfficientNet-Lite0, trained on ImageNet; its weights are installed with us
    model(images)                           # (N, 3, H, W) in [0, 1] -> (N, 1000) scores S_c(I), before the softmax
    model.top(images)                       # what it sees, by name
    sl.as_model(network, mean=[0.5], std=[0.5], size=(66, 200), head=sl.Head("numbers", ["angle"], "degrees"))

A `Model` is frozen and in evaluation mode, and normalizes its input itself: a derivative with respect to `images` is a
derivative with respect to what one sees.
"""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

from saliency_lib.categories import CLASSES, Categories, Head
from saliency_lib.checks import ANY, Form, Size, check_inputs, check_size, integer, numbers, short_repr
from saliency_lib.errors import ModelError, TargetError
from saliency_lib.images import sides, to_tensor
from saliency_lib.models.forward import ask, evaluation_mode
from saliency_lib.targets import check_scores


class Prediction(NamedTuple):
    """One output for one image: the index and the name of the class, its score, and its probability.

    The probability is the softmax or sigmoid of the score, and None where the model gives plain numbers; the score then
    is the number itself.
    """

    class_index: int
    name: str
    score: float
    probability: float | None


class Layers(NamedTuple):
    """What is known of a network's layers.

    `localization` names those that serve to find objects, the last for Grad-CAM. `shift` says by how much of a cell
    the deep cells lie further right and down than the middle of their share of the image. `any_size` is false where a
    linear layer counts the cells, so that images have one size only. `middle` names one of some eight pixels a cell,
    whose features tell a thing from what surrounds it.
    """

    localization: tuple[str, ...] = ()
    shift: float = 0.0
    any_size: bool = True
    middle: str = ""


UNKNOWN = Layers()


class Model(nn.Module):
    """A frozen network in evaluation mode: images (N, C, H, W) in [0, 1] to what the network returns.

    Made by `load_model`, `as_classifier` and `as_model`. It computes on the device where its weights lie
    (`model.to("cuda")`), wherever the images come from. `size` is what it was trained on, the side of a square in
    pixels or (H, W); `channels` is C; `head` says what the outputs mean; `layers` what is known of the network's
    layers. Chapter 1 introduces it, chapter 8 the heads.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        head: Head = CLASSES,
        size: Size = 224,
        layers: Layers = UNKNOWN,
        values: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        super().__init__()
        self.network = network
        self.head = head
        self.size = size
        self.layers = layers
        self.values = values
        weight = next(network.parameters(), None)  # normalization happens where the weights lie
        device = None if weight is None else weight.device
        shape = 1, -1, *[1] * len(sides(size))
        self.register_buffer("mean", torch.tensor([float(value) for value in mean], device=device).view(shape))
        self.register_buffer("std", torch.tensor([float(value) for value in std], device=device).view(shape))
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor, *held: Any) -> Tensor:
        images = images.to(self.mean.device)
        return self.network(((images - self.mean) / self.std).to(self.dtype), *held)

    @property
    def dtype(self) -> torch.dtype | None:
        """The number format in which the network computes: that of its first weight, if it has any."""
        return next((weight.dtype for weight in self.network.parameters() if weight.is_floating_point()), None)

    @property
    def channels(self) -> int:
        """The number C of channels that an image has."""
        return self.mean.shape[1]

    @property
    def form(self) -> Form:
        """What images it takes: their channels, the axes of their grid, and the range of their values."""
        return Form(self.channels, self.mean.ndim - 2, *self.values)

    @property
    def categories(self) -> Categories | None:
        """The names of the outputs, if they have any."""
        return self.head.categories

    def to_tensor(self, photo: Image.Image, *, crop: bool = True) -> Tensor:
        """A photo as this network takes it, (1, C, H, W): `sl.to_tensor` with its size and channels."""
        return to_tensor(photo, self.size, crop=crop, channels=self.channels)

    @torch.no_grad()
    def top(self, images: Tensor, k: int = 5) -> list[list[Prediction]]:
        """The k outputs of highest score for each image, best first; plain numbers in their own order.

        Raises `ImageError` if `images` is no batch of images in [0, 1], `ModelError` if the output holds no scores.
        """
        with evaluation_mode(self):
            return predictions(ask(self, check_inputs(images, self.form)).scores, k, self.head)

    def index(self, target: str | int) -> int:
        """The index of a class by its name (see `Categories.index`). Raises `TargetError` if none or several match."""
        return (self.categories or self.head.categories_for(1000)).index(target)

    def name(self, index: int) -> str:
        """What output `index` is called."""
        return self.categories.name(index) if self.categories else self.head.categories_for(index + 1).name(index)


def predictions(scores: Tensor, k: int, head: Head = CLASSES) -> list[list[Prediction]]:
    """The k outputs of highest score for each row of the scores (N, K), best first; all K where k is more.

    Plain numbers are not ranked: the first k, in their order. Raises `TargetError` if k < 1, and `ModelError` if there
    are fewer names than scores.
    """
    count = scores.shape[1]
    names = head.categories_for(count).names
    k = integer("k", k, 1, error=TargetError)
    check_scores(scores)
    probabilities = head.probabilities(scores)
    if probabilities is None:
        return [[Prediction(i, names[i], score, None) for i, score in enumerate(row[:k])] for row in scores.tolist()]
    order = scores.topk(min(k, count)).indices
    columns = order.tolist(), scores.gather(1, order).tolist(), probabilities.gather(1, order).tolist()
    return [
        [Prediction(i, names[i], score, probability) for i, score, probability in zip(*row, strict=True)]
        for row in zip(*columns, strict=True)
    ]


def as_classifier(
    module: nn.Module,
    mean: Sequence[float] = (0.0, 0.0, 0.0),
    std: Sequence[float] = (1.0, 1.0, 1.0),
    categories: Categories | Sequence[str] | None = None,
    size: Size = 224,
) -> Model:
    """Your own network that scores classes, as a `Model`: `as_model` with a softmax over its K scores.

    `module` takes normalized images `(images - mean) / std` and returns scores (N, K), before any softmax; `categories`
    are the names of the K classes. Errors as in `as_model`. Chapter 5 uses it.
    """
    return as_model(module, mean=mean, std=std, size=size, head=Head("softmax", categories))


def as_model(
    module: nn.Module,
    *,
    mean: Sequence[float] = (0.0, 0.0, 0.0),
    std: Sequence[float] = (1.0, 1.0, 1.0),
    size: Size = 224,
    head: Head = CLASSES,
    layers: Layers = UNKNOWN,
    values: tuple[float, float] = (0.0, 1.0),
) -> Model:
    """Your own network as a `Model`, whatever it computes.

    `module` takes normalized images `(images - mean) / std` with as many channels as there are means, and returns
    scores (N, K), numbers (N,), or anything that a target of yours can pick from. `size` is the side in pixels of the
    square images that it was trained on, or (H, W); of signals it is (L,), of volumes (D, H, W). `values` is the range
    of what is handed over, before the normalization. `head` says what the outputs mean. What the module takes beside
    images is handed over with them, as `(images, table)`. The module is copied: yours
    keeps its mode and its gradients, and does not see later changes of the copy.

    Raises `ModelError` if `module` is no module, `mean` and `std` are not one finite number for each channel, a `std`
    is not positive, or `size` is not made of positive whole numbers. The page *Your own network* teaches it.
    """
    if not isinstance(module, nn.Module):
        raise ModelError(f"expected a torch.nn.Module, and got {type(module).__name__}")
    mean = numbers("mean, one number for each channel,", mean, error=ModelError)
    std = numbers("std, one number for each channel,", std, len(mean), error=ModelError)
    if min(std) <= 0:
        raise ModelError(f"a standard deviation is positive; got std={std}")
    if not isinstance(head, Head) or not isinstance(layers, Layers):
        raise ModelError(
            f"the head is an sl.Head and the layers are sl.Layers, not {short_repr(head)} and {short_repr(layers)}"
        )
    low, high = numbers("values, the least and the largest that images have,", values, 2, error=ModelError)
    if low >= high:
        raise ModelError(f"values are from the least to the largest, not from {low:g} to {high:g}")
    return Model(_copied(module), mean, std, head, check_size(size, ModelError, None), layers, (low, high))


def _copied(module: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(module)
    except Exception as error:  # a lock, an open file, a tensor that belongs to a graph: modules can hold anything
        reason, name = str(error) or type(error).__name__, type(module).__name__
        raise ModelError(f"{name} cannot be copied ({reason}): pass it to the functions as it is") from error


def layers_known(model: nn.Module) -> Layers:
    """What is known of a network's layers, which is nothing for a bare module."""
    known = getattr(model, "layers", None)
    return known if isinstance(known, Layers) else UNKNOWN


def form_of(model: nn.Module) -> Form:
    """What images a network takes, where it says so."""
    return model.form if isinstance(model, Model) else ANY
