"""Do maps know what they are asked?"""

import copy
from typing import Any

import torch
from torch import Generator, Tensor

from saliency_lib.controls import random_weights
from saliency_lib.methods.gradients import saliency_map
from saliency_lib.methods.maps import rank_correlation
from saliency_lib.studies.study import Case, Found, study


def alike(some: Tensor, more: Tensor) -> Tensor:
    """The rank correlation of each pair of maps, (N,)."""
    return torch.tensor([rank_correlation(a, b) for a, b in zip(some, more, strict=True)])


def _of_two_classes(at: Case, rule: str) -> Tensor:
    return alike(at.map(rule=rule), at.map(at.others(1)[0], rule=rule))


@study("more")
def guided_knows_less_of_the_class(at: Case) -> Found:
    """Under guided backpropagation the maps of two classes are more alike than under the gradient.

    Refuted if the rank correlation of own and random other class is no higher under guided than under the gradient.
    """
    return Found(_of_two_classes(at, "guided"), _of_two_classes(at, "backprop"))


@study("more")
def deconvnet_knows_less_of_the_class(at: Case) -> Found:
    """Under the DeconvNet's rule the maps of two classes are more alike than under the gradient.

    Refuted if the rank correlation of own and random other class is no higher under that rule than under the gradient.
    """
    return Found(_of_two_classes(at, "deconvnet"), _of_two_classes(at, "backprop"))


@study("equal", margin=0.05)
def shuffled_classifier_is_another_class(at: Case) -> Found:
    """Shuffling the last layer's rows changes the gradient's map as much as asking for a random other class does.

    Refuted if the two rank correlations with the own map differ by more than 0.05 on the mean photo.
    """
    shuffled = copy.deepcopy(at.model)
    layer: Any = shuffled.network.classifier
    order = torch.randperm(len(layer.weight), generator=Generator().manual_seed(0))
    layer.weight.data, layer.bias.data = layer.weight.data[order], layer.bias.data[order]
    return Found(alike(at.map(), saliency_map(shuffled, at.images, at.labels)), _of_two_classes(at, "backprop"))


def _untrained_and_second(at: Case, rule: str) -> Found:
    own, untrained = at.map(rule=rule), saliency_map(random_weights(at.model), at.images, at.labels, rule=rule)
    return Found(alike(own, untrained), alike(own, at.map(rule=rule, second=True)))


@study("less", second="seed")
def gradient_falls_with_random_weights(at: Case) -> Found:
    """The gradient's map of an untrained network is less like that of the trained one than a second trained one's is.

    Refuted if random weights leave as much of the map as another training does.
    """
    return _untrained_and_second(at, "backprop")


@study("less", second="seed")
def guided_falls_with_random_weights(at: Case) -> Found:
    """Guided backpropagation's map of an untrained network is less like the trained one's than a second trained one's.

    Refuted if random weights leave as much of the map as another training does.
    """
    return _untrained_and_second(at, "guided")


@study("less", second="seed")
def networks_agree_less_than_classes(at: Case) -> Found:
    """Two networks' maps of one class are less alike than one network's maps of two classes.

    Refuted if a second trained network agrees on the map as well as the same network does on a class that is not there.
    """
    return Found(alike(at.map(), at.map(second=True)), _of_two_classes(at, "backprop"))
