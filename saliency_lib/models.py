"""Networks that take images in [0, 1] and return unnormalized class scores.

    model = sl.load_model()                 # EfficientNet-Lite0, trained on ImageNet; its weights are installed with us
    model(images)                           # (N, 3, H, W) in [0, 1] -> (N, 1000) scores S_c(I), before the softmax
    model.top(images)                       # what it sees, by name

A `Classifier` is frozen and in evaluation mode, and normalizes its input itself: a derivative with respect to `images`
is a derivative with respect to what one sees.
"""

import copy
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from saliency_lib.categories import Categories, imagenet_categories, numbered_categories
from saliency_lib.errors import ModelError, SaliencyError, TargetError
from saliency_lib.images import check_images

EMBEDDED = "efficientnet_lite0"
SECOND = "efficientnet_lite1"
CREATURES = "creature_convnet"


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


def device() -> torch.device:
    """Where to compute: CUDA if there is one, else MPS, else the CPU. The variable SALIENCY_DEVICE overrides.

    Raises `ModelError` if that variable names a device that is not here.
    """
    wanted = os.environ.get("SALIENCY_DEVICE")
    if wanted:
        try:
            torch.empty(0, device=wanted)
        except (RuntimeError, AssertionError):
            raise ModelError(f"SALIENCY_DEVICE={wanted} is no device of this machine") from None
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def available_models() -> dict[str, str]:
    """Every name that `load_model` knows, and what it takes here: "embedded", "cached" or "needs a download"."""
    import torchvision.models

    names = torchvision.models.list_models(module=torchvision.models)
    return dict.fromkeys((EMBEDDED, SECOND, CREATURES), "embedded") | {
        name: "cached"
        if _cache_path(torchvision.models.get_model_weights(name).DEFAULT).exists()
        else "needs a download"
        for name in names
    }


def load_model(name: str = EMBEDDED) -> Classifier:
    """A trained network, on `device()`, ready for images in [0, 1].

    `"efficientnet_lite0"` needs no network access: its weights are installed as a package, are checked by their
    SHA-256, and give 224 x 224 images 1000 scores. So does `"efficientnet_lite1"` for 240 x 240 images.
    `"creature_convnet"`, part of this package, gives 64 x 64 images such as `creatures` draws 10 scores. Any classifier
    of torchvision, trained on ImageNet, works by its name where its weights are cached or can be downloaded.

    Raises `ModelError` if the name is unknown, or the weights are missing, corrupt or out of reach.
    """
    with torch.inference_mode(False):  # weights made in inference mode could never be differentiated through
        if name in (EMBEDDED, SECOND):
            model = _load_lite(name)
        else:
            model = _load_creatures() if name == CREATURES else _load_torchvision(name)
        return model.to(device()).to(memory_format=torch.channels_last)


def _load_lite(name: str) -> Classifier:
    from saliency_lib.lite import LITE, MEAN, STD, fast_lite  # here, because importing timm takes seconds

    return Classifier(fast_lite(name), MEAN, STD, imagenet_categories(), LITE[name].size)


def _load_creatures() -> Classifier:
    from saliency_lib import creature_convnet as made
    from saliency_lib.creatures import CATEGORIES

    return Classifier(made.trained_creature_convnet(), made.MEAN, made.STD, CATEGORIES, made.SIZE)


def _load_torchvision(name: str) -> Classifier:
    import torchvision.models

    if not isinstance(name, str) or name not in torchvision.models.list_models(module=torchvision.models):
        raise ModelError(f"there is no model {name!r}; `python -m saliency_lib models` lists them all")
    weights = torchvision.models.get_model_weights(name).DEFAULT
    if _cache_path(weights).exists() and not _is_intact(_cache_path(weights)):
        raise ModelError(f"the weights in {_cache_path(weights)} are damaged: delete the file")
    try:
        with torch.random.fork_rng(devices=[]):
            network = torchvision.models.get_model(name, weights=weights)
    except Exception as error:  # URLError, HTTPError, ConnectionError, UnpicklingError, RuntimeError, ...
        raise ModelError(
            f"the weights of {name} could not be downloaded ({error}); {EMBEDDED} needs no download"
        ) from error
    preset = weights.transforms()
    return Classifier(network, preset.mean, preset.std, imagenet_categories(), preset.crop_size[0])


def _cache_path(weights: Any) -> Path:
    """Where torch.hub keeps, or would keep, a weight file of torchvision's."""
    return Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rsplit("/", 1)[-1]


def _is_intact(path: Path) -> bool:
    """Whether a file has the SHA-256 whose beginning its name ends in. torch.hub asks only right after a download."""
    published = path.stem.rsplit("-", 1)[-1]
    return hashlib.sha256(path.read_bytes()).hexdigest().startswith(published)


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """`model` without dropout and batch statistics; what was training goes back to it afterwards, on errors too."""
    training = [module for module in model.modules() if module.training] if isinstance(model, nn.Module) else []
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def differentiating(model: nn.Module) -> Iterator[None]:
    """`model` in evaluation mode and gradients on, whatever the caller has switched off."""
    with evaluation_mode(model), torch.inference_mode(False), torch.enable_grad():
        yield


def class_scores(model: nn.Module, images: Tensor) -> Tensor:
    """The unnormalized scores S_c(I) of shape (N, K) that `model` gives to `images`.

    Raises `ModelError` if the output is not a floating-point tensor of that shape.
    """
    try:
        scores = model(images)
    except SaliencyError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        raise ModelError(
            f"the model cannot run on images of shape {tuple(images.shape)}: {_first_line(error)}"
        ) from error
    if not isinstance(scores, Tensor):
        raise ModelError(f"the model returns {type(scores).__name__}, not a tensor of scores: wrap it so that it does")
    if scores.ndim != 2 or len(scores) != len(images):
        raise ModelError(f"expected scores of shape ({len(images)}, K) from the model, and got {tuple(scores.shape)}")
    if not scores.is_floating_point():
        raise ModelError(f"the model returns {scores.dtype}, which has no gradient: return scores, not class indices")
    return scores


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
