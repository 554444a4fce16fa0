"""saliency_lib: what a convolutional network sees, after Simonyan, Vedaldi and Zisserman (2013).

    import saliency_lib as sl
    model = sl.load_model()
    images = sl.to_tensor(sl.sample_photo("chelsea"))
    sl.saliency_map(model, images, "Egyptian cat")

The files read in the order in which the data flows: images, categories, creature_shapes, creatures, weights, lite,
creature_convnet, models, targets, relu_rules, deconvnet, maps, gradients, layers, localization, evaluation, priors,
parameterizations, recipes, class_images; then the faces: plots, widgets, and the command line in cli.
"""

import importlib
from types import ModuleType

from saliency_lib.categories import Categories, imagenet_categories
from saliency_lib.class_images import ClassImage, class_image
from saliency_lib.creatures import Creatures, creatures
from saliency_lib.deconvnet import deconvnet_reconstruction
from saliency_lib.errors import ImageError, ModelError, SaliencyError, TargetError
from saliency_lib.gradients import (
    LinearApproximation,
    input_gradient,
    linear_approximation,
    saliency_map,
    top_class_maps,
)
from saliency_lib.images import SamplePhoto, load_image, sample_photo, sample_photos, to_image, to_tensor
from saliency_lib.layers import grad_cam, layer_saliency, object_map
from saliency_lib.localization import Localization, box_iou, localize, threshold_box
from saliency_lib.maps import reduce_channels
from saliency_lib.models import Classifier, Prediction, as_classifier, available_models, device, load_model
from saliency_lib.relu_rules import relu_rule
from saliency_lib.targets import posterior

__all__ = [
    "Categories",
    "ClassImage",
    "Classifier",
    "Creatures",
    "ImageError",
    "LinearApproximation",
    "Localization",
    "ModelError",
    "Prediction",
    "SaliencyError",
    "SamplePhoto",
    "TargetError",
    "as_classifier",
    "available_models",
    "box_iou",
    "class_image",
    "creatures",
    "deconvnet_reconstruction",
    "device",
    "grad_cam",
    "imagenet_categories",
    "input_gradient",
    "layer_saliency",
    "linear_approximation",
    "load_image",
    "load_model",
    "localize",
    "object_map",
    "posterior",
    "reduce_channels",
    "relu_rule",
    "saliency_map",
    "sample_photo",
    "sample_photos",
    "threshold_box",
    "to_image",
    "to_tensor",
    "top_class_maps",
]


def __getattr__(name: str) -> ModuleType:
    """`sl.plots` and `sl.widgets`, imported when first used: matplotlib takes a second to import."""
    if name in ("plots", "widgets"):
        return importlib.import_module(f"saliency_lib.{name}")
    raise AttributeError(f"module 'saliency_lib' has no attribute {name!r}")
