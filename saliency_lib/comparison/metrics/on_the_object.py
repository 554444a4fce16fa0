"""Does a map lie on the object? Against a mask (N, H, W) of where it is."""

import torch
from torch import Tensor

from saliency_lib.comparison.metric import Examined, Metric, order
from saliency_lib.errors import SaliencyError


def pointing(maps: Tensor, masks: Tensor | None) -> Tensor:
    """1 where the largest value of a map lies in its mask, else 0: (N,). Of equal values a random one counts."""
    return _inside(maps, masks).gather(1, order(maps)[:, :1])[:, 0]


def mass(maps: Tensor, masks: Tensor | None) -> Tensor:
    """The share of a map's positive values that lies in its mask: (N,), from 0 to 1, and 0 if no value is positive."""
    positive = maps.flatten(1).clamp(min=0).double()
    return (positive * _inside(maps, masks)).sum(1) / positive.sum(1).clamp(min=1e-300)


def rank(maps: Tensor, masks: Tensor | None) -> Tensor:
    """Of as many of a map's largest values as the mask has pixels, the share that lies in it: (N,), from 0 to 1."""
    inside = _inside(maps, masks)
    count = inside.sum(1, keepdim=True)
    first = torch.arange(inside.shape[1], device=inside.device) < count
    return (inside.gather(1, order(maps)) * first).sum(1) / count[:, 0]


def _inside(maps: Tensor, masks: Tensor | None) -> Tensor:
    if masks is None or maps.shape != masks.shape or not masks.flatten(1).any(1).all():
        raise SaliencyError("every map needs a mask of its own shape, with something in it")
    return masks.flatten(1).to(maps.device).double()


class Pointing(Metric):
    """`pointing`."""

    name, title, best, masked = "pointing", "largest value on the object", "high", True

    def measure(self, at: Examined) -> Tensor:
        return pointing(at.maps, at.masks)


class Mass(Metric):
    """`mass`."""

    name, title, best, masked = "mass", "share of the map on the object", "high", True

    def measure(self, at: Examined) -> Tensor:
        return mass(at.maps, at.masks)


class Rank(Metric):
    """`rank`."""

    name, title, best, masked = "rank", "largest values on the object", "high", True

    def measure(self, at: Examined) -> Tensor:
        return rank(at.maps, at.masks)
