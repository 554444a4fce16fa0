"""Grad-CAM for studies: at the last layer with places, brought to the images' pixels."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from saliency_lib.methods.layers import GradCam
from saliency_lib.models.model import Model, layers_known
from saliency_lib.studies.study import Case

LAST = {"EfficientNetLite": "bn2", "CreatureConvNet": "features.7"}
"""The last layer with places, of networks that do not say so themselves."""


def last_layer(model: Model) -> str:
    """The layer at which Grad-CAM is asked."""
    known = layers_known(model).localization
    return known[-1] if known else LAST[type(model.network).__name__]


def last_weights(at: Case) -> Tensor:
    """The weights of the last, linear layer for the classes asked about, (N, K)."""
    network: Any = at.model.network
    return network.classifier.weight[at.labels]


def cam(at: Case, labels: Tensor) -> Tensor:
    """Grad-CAM for some classes, (N, H, W)."""
    asked = at.once("cam", lambda: GradCam(at.model, at.images, layer=last_layer(at.model)))
    found = asked.maps(labels)
    return F.interpolate(found[:, None], at.images.shape[2:], mode="bilinear")[:, 0]
