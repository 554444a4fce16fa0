"""The creature network and its drawings, as the lab's pages load them."""

import base64
from collections.abc import Sequence
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
    """The first drawing of each class in the data set, chosen by nobody (10, 3, 64, 64)."""
    return whole(sl.creatures(10).images)


def whole(images: Tensor) -> Tensor:
    """Values as a screen shows them, whole 255ths."""
    return (images * 255).round() / 255


def pixels(images: Tensor) -> str:
    """The same as bytes, packed."""
    return packed((images * 255).round().to(torch.uint8).numpy().tobytes())


def colors() -> str:
    """The 256 colors in which the book draws maps, as base64 of bytes red, green, blue."""
    table = matplotlib.colormaps[MAP_COLORS](np.arange(256))[:, :3]
    return base64.b64encode((table * 255).astype(np.uint8).tobytes()).decode()


def weights(model: sl.Model, layers: Sequence[str] = WEIGHTED) -> tuple[str, list[list[int]]]:
    """The weights in half precision, which is how the package keeps them, packed, and how many each layer has."""
    parts, shapes = [], []
    for name in layers:
        layer = model.network.get_submodule(name)
        both = [layer.get_parameter(kind).half().numpy() for kind in ("weight", "bias")]
        shapes.append([values.size for values in both])
        parts += [values.tobytes() for values in both]
    return packed(b"".join(parts)), shapes


def shared(model: sl.Model) -> dict[str, Any]:
    """What every lab with a small network needs of it."""
    assert model.categories is not None
    numbers = {"mean": model.mean.flatten().tolist(), "std": model.std.flatten().tolist()}
    return {"names": list(model.categories.names), **numbers, "colors": colors()}


def creature_data() -> dict[str, Any]:
    """Everything that the labs with the small network need, as JSON."""
    model = sl.load_model("creature_convnet").to("cpu")
    content, shapes = weights(model)
    return {
        **shared(model),
        "shapes": shapes,
        "weights": content,
        "drawings": pixels(drawings()),
        "boxes": [bounding_box(mask) for mask in sl.creatures(10).masks],
    }
