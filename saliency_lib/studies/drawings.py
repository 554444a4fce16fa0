"""What do training and architecture do? Small networks that differ in one thing, on drawings with exact masks."""

import copy

import torch
from torch import Generator, Tensor

from saliency_lib.comparison.metrics.on_the_object import mass
from saliency_lib.methods.gradients import saliency_map
from saliency_lib.models.model import Model
from saliency_lib.models.networks.twin import KINDS, SEEDS
from saliency_lib.studies.classes import alike
from saliency_lib.studies.study import CREATURES, Case, Found, study

TWINS = {kind: tuple(f"twin_{kind}_{seed}" for seed in range(SEEDS)) for kind in KINDS}


def _two_images(at: Case, model: Model) -> Tensor:
    """How alike the DeconvNet's maps of each image and of another are, for the one class, (N,)."""
    own, other = (
        saliency_map(model, images, at.labels, rule="deconvnet") for images in (at.images, at.images.roll(1, 0))
    )
    return alike(own, other)


def _two_classes(at: Case, *, second: bool) -> Tensor:
    """How alike the guided maps of each image are for its class and another, (N,)."""
    return alike(*(at.map(asked, rule="guided", second=second) for asked in (at.labels, at.others(1)[0])))


@study("more", second="max", count=24, networks=TWINS["stride"], on=CREATURES)
def strides_blind_the_deconvnet(at: Case) -> Found:
    """With strides in place of max-pools the DeconvNet's maps of two drawings, one class asked, are more alike.

    Refuted if the rank correlation is no higher than for the twin with max-pools. (It is 1, by a theorem.)
    """
    return Found(_two_images(at, at.model), _two_images(at, at.other))


@study("more", second="max", count=24, networks=TWINS["stride"], on=CREATURES)
def strides_hide_the_class_from_guided(at: Case) -> Found:
    """With strides in place of max-pools guided backpropagation's maps of two classes are more alike.

    Refuted if the rank correlation of own and random other class is no higher than for the twin with max-pools.
    """
    return Found(_two_classes(at, second=False), _two_classes(at, second=True))


@study("more", second="max", masks=True, count=24, networks=TWINS["robust"], on=CREATURES)
def robust_maps_lie_on_the_object(at: Case) -> Found:
    """After adversarial training more of a saliency map lies on the object than for the plain twin.

    Refuted if the share in the exact mask is no larger.
    """
    return Found(mass(at.map(), at.objects), mass(at.map(second=True), at.objects))


@study("less", second="max", count=24, networks=TWINS["robust"], on=CREATURES)
def robust_maps_know_the_class(at: Case) -> Found:
    """After adversarial training the saliency maps of two classes are less alike than for the plain twin.

    Refuted if the rank correlation of own and random other class is no lower.
    """
    other = at.others(1)[0]
    return Found(*(alike(at.map(second=twin), at.map(other, second=twin)) for twin in (False, True)))


@study("more", second="max", count=24, networks=TWINS["skips"], on=CREATURES)
def skips_keep_the_map(at: Case) -> Found:
    """With skip connections a little noise (a standard deviation of 0.1) changes a saliency map less than without.

    Refuted if the rank correlation of the maps before and after is no higher than for the twin without.
    """
    e = 0.1 * torch.randn(at.images.shape[1:], generator=Generator().manual_seed(0)).to(at.images)
    noisy = (at.images + e).clamp(0, 1)
    return Found(
        alike(at.map(), saliency_map(at.model, noisy, at.labels)),
        alike(at.map(second=True), saliency_map(at.other, noisy, at.labels)),
    )


def shuffled(model: Model) -> Model:
    """A copy of the network, the weights of each layer in a random order: the same numbers, and nothing learned."""
    mixed, random = copy.deepcopy(model), Generator().manual_seed(0)
    for values in mixed.parameters():
        values.data = values.flatten()[torch.randperm(values.numel(), generator=random)].view_as(values).data
    return mixed


@study("more", second="seed", count=24, networks=TWINS["max"], on=CREATURES)
def another_seed_keeps_more_than_shuffling(at: Case) -> Found:
    """The gradient's map of a network trained from another seed is more like the own one than with shuffled weights.

    Refuted if the weights in a random order leave as much of the map: then the sanity check has no null above it.
    """
    return Found(
        alike(at.map(), at.map(second=True)), alike(at.map(), saliency_map(shuffled(at.model), at.images, at.labels))
    )


@study("more", second="seed", count=24, networks=TWINS["max"], on=CREATURES)
def another_seed_keeps_more_of_guided(at: Case) -> Found:
    """Guided backpropagation's map from another seed is more like the own one than with shuffled weights.

    Refuted if the weights in a random order leave as much of the map.
    """
    mixed = saliency_map(shuffled(at.model), at.images, at.labels, rule="guided")
    own = at.map(rule="guided")
    return Found(alike(own, at.map(rule="guided", second=True)), alike(own, mixed))
