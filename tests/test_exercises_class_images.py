"""Chapter 6's exercises accept the right answer and meet each typical mistake with its hint."""

import math
from typing import cast

import pytest
import torch
from helpers import judged
from torch import Tensor

import saliency_lib as sl
from saliency_lib.class_images.priors import Prior


def test_class_gaussian() -> None:
    wrong = [(25, "variance"), (math.sqrt(50), "2 in its denominator"), (-5, "positive"), (0.02, "exponent")]
    judged("class-gaussian", 5.0, wrong)


def test_class_steps() -> None:
    wrong = [(90, "*twice*"), (43, "above one percent"), (50, "fewer"), (43.7, "whole number")]
    judged("class-steps", 44, wrong)


def test_class_posterior() -> None:
    wrong = [
        ((0.09, 0.09), "subtracted"),
        ((0.1, -0.1), "in front of it"),
        ((0.9, -0.09), "the class itself"),
        ((0.09, -0.1), "included"),
        (0.09, "two numbers"),
    ]
    judged("class-posterior", (0.09, -0.09), wrong)


def test_class_logs() -> None:
    wrong = [
        ((1000, False), "log-posterior"),
        ((0.001, False), "the other way round"),
        ((999, False), "denominator"),
        ((500, False), "put P"),
        ((1001, True), "balance the penalty"),
        ((1001, 3), "True or False"),
        (1001, "a pair"),
    ]
    judged("class-logs", (1001, False), wrong)
    judged("class-logs", (1 / (0.001 * 0.999), 0), wrong)


class SeesGeeseWhereItIsGreen:
    """Stands for the network, which would take a minute to make a goose for."""

    def index(self, name: str) -> int:
        return ["grebe", "goose"].index(name)

    def __call__(self, images: Tensor) -> Tensor:
        return torch.stack([images[:, 0].mean((1, 2)), images[:, 1].mean((1, 2))], dim=1)


def test_class_seed() -> None:
    green = torch.rand(3, 3, 128, 128)
    green[:, 0] *= 0.1
    same, red, raw = green.clone(), green.clone(), green - 0.5
    same[1] = same[0]
    red[2] = red[2].flip(0)
    red[2, 0] += 0.2 * (red[2, 0] < 0.8)
    wrong = [
        (green[:, :, ::2, ::2], "shape"),
        (same, "same"),
        (raw, ".image"),
        (red, "no goose"),
        ([green[0], green[1], green[2]], "torch.cat"),
    ]
    judged("class-seed", green, wrong, model=cast(sl.Model, SeesGeeseWhereItIsGreen()))


class Symmetric(Prior):
    def project(self, images: Tensor) -> Tensor:
        return (images + images.flip(3)) / 2


@pytest.fixture(scope="module")
def creatures() -> sl.Model:
    """The network of the drawings."""
    return sl.load_model("creature_convnet").cpu()


def test_class_own(creatures: sl.Model) -> None:
    def owl(*priors: Prior, name: str = "owl") -> sl.ClassImage:
        return sl.class_image(creatures, name, priors=priors, steps=100, step_size=2.5, l2=0.02, progress=False)

    plain, symmetric = owl(), owl(Symmetric())
    wrong = [
        (plain.raw, "left and right differ"),
        (symmetric.image, ".raw"),
        (plain.raw - plain.raw.flip(3), "do not subtract"),
        (owl(Symmetric(), name="snail").raw, "no owl"),
        (symmetric.raw[0], "shape"),
        (symmetric, ".raw"),
    ]
    judged("class-own", symmetric.raw, wrong, model=creatures)
