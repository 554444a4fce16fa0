"""The creature network and its drawings, as the lab's pages load them."""

import base64
from typing import Any

import matplotlib
import numpy as np
import torch
from torch import Tensor

import saliency_lib as sl
from saliency_lib.localization.boxes import bounding_box
from saliency_lib.plots import MAP_COLORS
from tools.lab.packing import packed

WEIGHTED = ("features.0", "features.3", "features.6", "classifier.1", "classifier.3")


def drawings() -> Tensor:
    """One drawing of each class (10, 3, 64, 64), its values whole 255ths: the first of the data set that nobody chose."""
    images = sl.creatures(10).images
    return (images * 255).round() / 255


def colors() -> str:
    """The 256 colors in which the book draws maps, as base64 of bytes red, green, blue."""
    table = matplotlib.colormaps[MAP_COLORS](np.arange(256))[:, :3]
    return base64.b64encode((table * 255).astype(np.uint8).tobytes()).decode()


def weights(model: sl.Model) -> tuple[bytes, list[list[list[int]]]]:
    """The weights in half precision, which is how the package keeps them, and their shapes."""
    parts, shapes = [], []
    for name in WEIGHTED:
        layer = model.network.get_submodule(name)
        weight, bias = layer.weight, layer.bias  # type: ignore[union-attr]
        shapes.append([list(weight.shape), list(bias.shape)])  # type: ignore[union-attr, arg-type]
        parts += [weight.half().numpy().tobytes(), bias.half().numpy().tobytes()]  # type: ignore[union-attr, operator]
    return b"".join(parts), shapes


def creature_data() -> dict[str, Any]:
    """Everything that the labs with the small network need, as JSON."""
    model = sl.load_model("creature_convnet").to("cpu")
    content, shapes = weights(model)
    counts = [[int(np.prod(weight)), int(np.prod(bias))] for weight, bias in shapes]
    pixels = (drawings() * 255).round().to(torch.uint8).numpy().tobytes()
    assert model.categories is not None
    return {
        "names": list(model.categories.names),
        "mean": model.mean.flatten().tolist(),
        "std": model.std.flatten().tolist(),
        "shapes": counts,
        "weights": packed(content),
        "drawings": packed(pixels),
        "boxes": [bounding_box(mask) for mask in sl.creatures(10).masks],
        "colors": colors(),
    }
