"""A network that forgets what it learned, layer by layer: a map of it that stays the same never showed what it learned.

    for name, forgetful in cascade(model):      # from the last layer to the first, each also without the ones before
        ...

Source: Adebayo et al. (2018), section 3.1, cascading randomization.
"""

import copy
from collections.abc import Iterator

import torch
from torch import nn

from saliency_lib.errors import ModelError


def cascade(model: nn.Module, *, seed: int = 0) -> Iterator[tuple[str, nn.Module]]:
    """Copies of the network with the weights of the last layer drawn anew, of the last two, ..., of all.

    Each comes with the name of the layer that was drawn last. Weights are drawn as PyTorch draws them for a network
    that has not been trained; `seed` chooses which, and the caller's random state stays as it is. The model itself is
    not changed. Adebayo et al. (2018), section 3.1. Raises `ModelError` if it has no layer that can be drawn anew.
    Chapter 9 teaches it.
    """
    forgetful = copy.deepcopy(model)
    layers = [(name, layer) for name, layer in forgetful.named_modules() if hasattr(layer, "reset_parameters")]
    if not layers:
        raise ModelError("the model has no layer whose weights PyTorch can draw anew")
    for number, (name, layer) in enumerate(reversed(layers)):
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed + number)
            layer.reset_parameters()
        yield name, copy.deepcopy(forgetful).requires_grad_(False)
