"""What happens without it?"""

import torch
import torch.nn.functional as F
from torch import Tensor

from saliency_lib.comparison.metrics.deletion import deletion, ends
from saliency_lib.controls import edges, noise
from saliency_lib.methods.occlusion import occlusion
from saliency_lib.models.forward import activations
from saliency_lib.studies.classes import alike
from saliency_lib.studies.layer_maps import last_layer, last_weights
from saliency_lib.studies.study import Case, Found, study
from saliency_lib.targets import posterior


def _deletion(at: Case, null: Tensor) -> Found:
    P = posterior(at.labels)
    known = at.once("ends", lambda: ends(at.model, at.images, P))

    def fall(maps: Tensor) -> Tensor:
        return deletion(at.model, at.images, maps, P, steps=10, known=known)

    return Found(at.once("deletion", lambda: fall(at.map())), fall(null))


@study("less", count=42)
def deletion_beats_a_random_order(at: Case) -> Found:
    """The posterior falls sooner when the most salient pixels are grayed first than in a random order (ten steps).

    Refuted if the empty map, random numbers, deletes as well.
    """
    return _deletion(at, noise(at.images))


@study("less", count=42)
def deletion_beats_edges(at: Case) -> Found:
    """The posterior falls sooner when the most salient pixels are grayed first than the strongest edges (ten steps).

    Refuted if edges, which know no network, delete as well.
    """
    return _deletion(at, edges(at.images))


@study("more", count=24)
def saliency_foretells_covering(at: Case) -> Found:
    """By squares of 32 pixels, saliency is more like the size of the fall when they are covered than edges are.

    Refuted if the rank correlation with |fall| is no higher than that of the edges.
    """
    fall = occlusion(at.model, at.images, at.labels, patch=32, progress=False).abs()
    maps = at.map(), edges(at.images)
    return Found(*(alike(F.avg_pool2d(M, 32), F.avg_pool2d(fall, 32)) for M in maps))


@study("less", count=60)
def cam_cell_is_its_place(at: Case) -> Found:
    """Graying the pixels of the strongest cell of the class activation map takes less of it than graying all others.

    Refuted if the cell's contribution falls more by its own square of 32 pixels than by everything else: then a cell
    would be the place in the image that it is drawn on.
    """
    weight, layer = last_weights(at), last_layer(at.model)

    def contributions(images: Tensor) -> Tensor:
        return torch.einsum("nf,nfij->nij", weight, activations(at.model, images, [layer])[layer]).flatten(1)

    own = contributions(at.images)
    best = own.argmax(1)
    side = round(own.shape[1] ** 0.5)
    cells = F.one_hot(best, own.shape[1]).view(-1, 1, side, side).float()
    inside = F.interpolate(cells, at.images.shape[2:], mode="nearest") > 0.5
    falls = [
        (own - contributions(torch.where(gray, 0.5, at.images))).gather(1, best[:, None])[:, 0]
        for gray in (inside, ~inside)
    ]
    return Found(*falls)
