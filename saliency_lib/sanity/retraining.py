"""Remove and retrain: what can a network still learn from images without the pixels that a map calls important?

A network that never saw gray holes is at a loss with them, whatever they hide. So train a new one on images with holes
(Hooker et al., 2019, section 3). `learn` trains a small network in a few seconds, by the trainer of the package.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_lib.categories import Categories, Head
from saliency_lib.errors import SaliencyError
from saliency_lib.models.model import Model
from saliency_lib.models.training import Recipe, begun, train, wrong_class

SIZE = 32


def small_convnet(classes: int) -> nn.Module:
    """Normalized images (N, 3, 32, 32) to scores (N, classes): three convolutions, two fully connected layers."""
    layers: list[nn.Module] = []
    for before, after, kernel in ((3, 16, 5), (16, 32, 3), (32, 32, 3)):
        layers += [nn.Conv2d(before, after, kernel, stride=2, padding=kernel // 2), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 4 * 4, 64), nn.ReLU(), nn.Linear(64, classes))


def largest(maps: Tensor, share: float) -> Tensor:
    """True at the largest values of each map (N, H, W), that `share` of them; of equal ones at the first."""
    if not 0 <= share <= 1:
        raise SaliencyError(f"a share is a number from 0 to 1, and not {share!r}")
    order = maps.flatten(1).argsort(dim=1, descending=True, stable=True)
    chosen = order[:, : round(share * order.shape[1])]
    return torch.zeros_like(order, dtype=torch.bool).scatter(1, chosen, True).view(maps.shape)


def learn(images: Tensor, labels: Tensor, categories: Categories, *, epochs: int = 8, seed: int = 0) -> Model:
    """A small network trained on images (N, 3, 32, 32) with labels (N,): a few seconds for a thousand.

    It never mirrors or moves them, so that holes stay where they are. Hooker et al. (2019), section 3, train anew like
    this for every method and share. Chapter 9 teaches it.
    """
    recipe = Recipe(
        network=begun(lambda: small_convnet(len(categories))),
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        draw=lambda count, seed: (images, labels),
        loss=F.cross_entropy,
        error=wrong_class,
        unit="of the images wrong",
        alter=lambda loss, images, answers, ramp: (images, answers),
        examples=len(images),
        epochs=epochs,
        batch=50,
        rate=3e-3,
    )
    return Model(train(recipe, seed=seed).cpu(), recipe.mean, recipe.std, Head("softmax", categories), SIZE)


def right(model: Model, images: Tensor, labels: Tensor) -> float:
    """The share of the images whose class of highest score is their label."""
    with torch.no_grad():
        return 1 - wrong_class(model(images).cpu(), labels)
