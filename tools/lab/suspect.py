"""Twelve cards for the lab `suspect`: an owl beside its tree, and a network that learned with or without such trees."""

import base64
from typing import Any

import numpy as np
import torch
from torch import Tensor

import saliency_lib as sl
from saliency_lib.datasets.companions import Companions
from tools.lab.creatures import pixels, shared, weights, whole
from tools.lab.packing import packed

NETWORKS = ("companion_convnet", "companion_convnet_shortcut")
"""The innocent one, and the guilty one."""

CARDS, SEED = 12, 7
"""The first twelve owls of a seed that no chapter draws from; the tables of chapter 11 use 21."""

LEAST = 0.3
"""The rule: guilty if a pixel of the tree is on average this share as bright as one of the owl, or more. Chosen on
sixty owls of the seed 5, of which it judged 58 by the guilty network and 60 by the innocent one rightly."""

LAYERS = ("features.0", "features.3", "features.6", "classifier.2")


def guilty() -> list[bool]:
    """Which cards show the guilty network: six of them, in an order drawn with the seed."""
    order = np.random.default_rng(SEED).permutation(CARDS)
    return [bool(place < CARDS // 2) for place in order]


def owls() -> tuple[Companions, Tensor]:
    """The drawings, and the same without their trees, as whole 255ths."""
    drawn = sl.companions(CARDS, seed=SEED, kind="owl")
    alone = sl.companions(CARDS, seed=SEED, kind="owl", without=["companion"])
    return drawn._replace(images=whole(drawn.images)), whole(alone.images)


def trees(images: Tensor, alone: Tensor, creature: Tensor) -> Tensor:
    """Where the tree is seen (N, 64, 64): the pixels that change with it, and are not the owl's."""
    return ((images - alone).abs().amax(1) > 1e-3) & ~creature


def moved(images: Tensor, alone: Tensor, creature: Tensor, right: int, down: int) -> Tensor:
    """The drawings with their trees elsewhere, behind the owl (N, 3, 64, 64); at (0, 0) they are as they were."""
    if (right, down) == (0, 0):
        return images
    result, seen = alone.clone(), trees(images, alone, creature)
    side = images.shape[-1]
    rows = torch.arange(max(0, down), min(side, side + down))
    columns = torch.arange(max(0, right), min(side, side + right))
    if len(rows) and len(columns):
        to, source = (..., rows[:, None], columns), (..., rows[:, None] - down, columns - right)
        shown = seen[source] & ~creature[to]
        result[to] = torch.where(shown[:, None], images[source], alone[to])
    return result


def suspect_data() -> dict[str, Any]:
    """Everything that the lab needs, as JSON."""
    drawn, alone = owls()
    creature = drawn.masks["creature"]
    behind = alone * trees(drawn.images, alone, creature)[:, None]
    bits = [creature.numpy().tobytes(), trees(drawn.images, alone, creature).numpy().tobytes()]
    models = [sl.load_model(name).to("cpu") for name in NETWORKS]
    return {
        **shared(models[0]),
        "weights": [weights(model, LAYERS)[0] for model in models],
        "images": pixels(drawn.images),
        "behind": pixels(behind),
        "masks": packed(b"".join(bits)),
        "guilty": guilty(),
        "least": LEAST,
        "owl": models[0].index("owl"),
    }


def race_data() -> dict[str, Any]:
    """The random order in which the package takes pixels of equal value (`comparison.metric.order`), for `race`."""
    order = torch.randperm(64 * 64, generator=torch.Generator().manual_seed(0)).numpy().astype("<u2")
    return {"order": base64.b64encode(order.tobytes()).decode()}
