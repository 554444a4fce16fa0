"""Odd values for every argument of the package: which function takes it, and which of the values are none of the kind.

One argument at a time is replaced in a call that is right. What is then returned has to be what that argument may mean:
`may` says of a value whether it is of the kind. Everything else has to be refused by a sentence.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from numbers import Real
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib import plots, widgets
from saliency_lib.class_images import priors


class _Broken:
    """An object that cannot even describe itself."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


def values() -> dict[str, Any]:
    """Odd values by name, made anew: some are used up by looking at them."""
    found: dict[str, Any] = {
        "None": None,
        "True": True,
        "0": 0,
        "1": 1,
        "-1": -1,
        "2.5": 2.5,
        "nan": math.nan,
        "inf": math.inf,
        "1e400 as int": 10**400,
        "10**9": 10**9,
        "10**30": 10**30,
        "empty text": "",
        "text": "no such thing",
        "half a letter": "\ud800",
        "a megabyte of text": "x" * 10**6,
        "bytes": b"bytes",
        "empty list": [],
        "nested list": [[1], [2, 3]],
        "list of None": [None],
        "a set": {1},
        "a mapping": {"a": 1},
        "an object": _Broken(),
        "a class": int,
        "a generator": (i for i in range(3)),
        "np.int64": np.int64(1),
        "np.float32": np.float32(0.5),
        "NaN array": np.full(4, np.nan),
        "array of objects": np.array([None, "x"], dtype=object),
        "an image": Image.new("RGB", (4, 4)),
        "a module": nn.Identity(),
        "empty tensor": torch.empty(0),
        "a number's tensor": torch.tensor(1),
        "images": torch.rand(2, 3, 16, 16),
        "NaN images": torch.full((2, 3, 16, 16), math.nan),
        "images of 0 to 255": torch.randint(0, 256, (2, 3, 16, 16)),
        "sparse": torch.rand(2, 3, 16, 16).to_sparse(),
        "meta": torch.rand(2, 3, 16, 16, device="meta"),
        "float8": torch.rand(2, 3, 16, 16).to(torch.float8_e4m3fn),
        "complex": torch.rand(2, 3, 16, 16) + 1j,
        "bool": torch.rand(2, 3, 16, 16) > 0.5,
        "nested tensor": torch.nested.nested_tensor([torch.rand(2, 2), torch.rand(3, 2)]),
    }
    return found


def is_int(value: Any, least: int = 0, most: float = math.inf) -> bool:
    """Whether this is a whole number within limits, by whatever type."""
    if isinstance(value, Tensor | np.ndarray):
        value = value.item() if value.shape == () else None
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and least <= int(value) <= most


def is_number(value: Any, least: float = -math.inf, most: float = math.inf) -> bool:
    """Whether this is a finite number within limits."""
    if isinstance(value, Tensor):
        value = value.item() if value.numel() == 1 else None
    real = isinstance(value, Real) and not isinstance(value, bool)
    return real and abs(value) < 1e18 and least <= value <= most


def is_images(value: Any) -> bool:
    """Whether these are images in [0, 1]."""
    plain = isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta and not value.is_nested
    return plain and value.ndim == 4 and value.dtype == torch.float32 and bool(((value >= 0) & (value <= 1)).all())


def count(most: int = 10**6) -> Callable[[Any], bool]:
    """A whole number from 1."""
    return lambda value: is_int(value, 1, most)


def share(value: Any) -> bool:
    """A number in [0, 1]."""
    return is_number(value, 0, 1)


def is_target(value: Any) -> bool:
    """What may name one of five classes for each of two images, or is a function (which is asked, and refused then)."""
    if isinstance(value, Tensor | np.ndarray) and value.size == 2 if isinstance(value, np.ndarray) else False:
        return all(is_int(one, 0, 4) for one in value)
    return value is None or is_int(value, 0, 4)


def is_box(value: Any) -> bool:
    """Four ordered numbers."""
    return False


@cache
def _net() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 5)
        return nn.Sequential(*layers).eval()


@cache
def _images() -> Tensor:
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@cache
def _map() -> Tensor:
    return torch.rand(16, 16, generator=torch.Generator().manual_seed(1))


@cache
def _photo() -> Image.Image:
    return sl.to_image(_images()[0])


@dataclass(frozen=True)
class Asked:
    """A function, arguments that are right, and for those that are replaced what they may be."""

    name: str
    function: Callable[..., Any]
    right: dict[str, Any]
    may: dict[str, Callable[[Any], bool]]


def never(value: Any) -> bool:
    """None of the odd values is of this kind."""
    return False


def asked() -> Iterator[Asked]:
    """Every function of the package that takes arguments from people."""
    net, images = _net(), _images()
    basic = {"model": net, "images": images}
    common = {"model": lambda v: isinstance(v, nn.Module), "images": is_images, "target": is_target}
    rules: dict[str, Callable[[Any], bool]] = {"rule": lambda v: v is None or callable(v)}
    bars = {"batch_size": lambda v: is_int(v, 1)}
    yield Asked("input_gradient", sl.input_gradient, basic, common | rules)
    yield Asked("saliency_map", sl.saliency_map, basic, common | rules)
    yield Asked(
        "top_class_maps", sl.top_class_maps, {"model": net, "image": images[:1]}, {"image": never, "k": count(10**500)}
    )
    yield Asked("linear_approximation", sl.linear_approximation, basic, common)
    yield Asked("gradient_times_input", sl.gradient_times_input, basic, common)
    yield Asked("layer_saliency", sl.layer_saliency, basic | {"layer": "0"}, common | {"layer": never})
    yield Asked("grad_cam", sl.grad_cam, basic | {"layer": "0"}, common | {"layer": never})
    ladder = {"layers": never, "scales": lambda v: v == {1} or isinstance(v, set)}
    yield Asked("object_map", sl.object_map, basic | {"layers": ["0", "1"]}, common | ladder)
    noisy = {"samples": count(), "noise": lambda v: is_number(v, 0), "seed": lambda v: is_int(v, 0, 2**63 - 1)}
    quick = basic | {"samples": 2}
    yield Asked("smoothgrad", sl.smoothgrad, quick, common | noisy | bars)
    path = {"steps": count(), "quadrature": never, "baseline": is_images, "seed": noisy["seed"]}
    yield Asked("integrated_gradients", sl.integrated_gradients, basic | {"steps": 2}, common | path | bars)
    adaptive = basic | {"steps": 2, "quadrature": "adaptive"}
    yield Asked("integrated_gradients", sl.integrated_gradients, adaptive, {"steps": lambda v: is_int(v, 2, 1000)})
    yield Asked("completeness_gap", sl.completeness_gap, basic | {"attribution": images}, {"attribution": is_full})
    squares = {"patch": lambda v: v is None or is_int(v, 1, 16), "value": lambda v: is_number(v) or is_three(v)}
    yield Asked("occlusion", sl.occlusion, basic, common | squares | bars | {"stride": lambda v: v is None or v == 1})
    yield Asked(
        "balance", sl.balance, basic | {"reference": images * 0, "steps": 2}, {"reference": is_images, "steps": count()}
    )
    pieces = torch.arange(256).view(1, 16, 16) // 64
    few = basic | {"samples": 12, "segments": pieces}
    yield Asked(
        "lime",
        sl.lime,
        few,
        {
            "samples": lambda v: is_int(v, 2, 10**6),
            "sigma": lambda v: is_number(v, 1e-3),
            "alpha": lambda v: is_number(v, 0),
            "segments": lambda v: v is None,
            "seed": noisy["seed"],
        },
    )
    yield Asked(
        "shap",
        sl.shap,
        few,
        {"samples": lambda v: is_int(v, 2, 10**6), "segments": lambda v: v is None, "baseline": is_images},
    )
    yield Asked("deconvnet", sl.deconvnet_reconstruction, basic, common | {"rule": callable})
    yield Asked(
        "activations",
        sl.activations,
        basic | {"layers": ["0"]},
        {"layers": lambda v: isinstance(v, list | dict | set) and not len(v)},
    )
    yield Asked("reduce_channels", sl.reduce_channels, {"gradient": images}, {"gradient": is_full, "how": never})
    yield Asked("rank_correlation", sl.rank_correlation, {"a": images, "b": images}, {"a": is_ordered, "b": is_ordered})
    yield Asked("relu_rule", lambda **g: sl.relu_rule(**g), {"rule": "guided"}, {"rule": callable, "others": never})
    climbing = {"steps": 2, "size": 16, "progress": False}
    ascent = {
        "target": lambda v: (is_target(v) and v is not None) or v == {1} or (hasattr(v, "__next__")),
        "steps": lambda v: v is None or is_int(v, 1, 10**6),
        "step_size": lambda v: v is None or is_number(v, 0),
        "l2": lambda v: v is None or is_number(v, 0),
        "start": lambda v: v is None,
        "priors": lambda v: (
            not isinstance(v, bool)
            and hasattr(v, "__len__")
            and not isinstance(v, str | Tensor | np.ndarray)
            and len(v) == 0
        ),
        "optimizer": lambda v: v is None,
        "size": lambda v: v is None or is_int(v, 3, 8000),
        "seed": noisy["seed"],
        "callback": lambda v: v is None or callable(v) or v in (0, "", [], False),
    }
    yield Asked("class_image", sl.class_image, {"model": net, "target": 1} | climbing, ascent)
    kinds: list[Any] = [priors.Jitter, priors.Blur, priors.Noise, priors.Rotate, priors.TotalVariation]
    for prior in kinds:
        name = prior.__init__.__code__.co_varnames[1]
        whole = prior is priors.Jitter
        yield Asked(
            prior.__name__, prior, {}, {name: (lambda v: is_int(v, 0)) if whole else (lambda v: is_number(v, 0))}
        )
    where = {"image": lambda v: isinstance(v, Image.Image), "saliency": never, "part": lambda v: v is None}
    cut = {"foreground": share, "background": lambda v: is_number(v, 0, 0.95), "size": lambda v: is_int(v, 1, 10**4)}
    yield Asked("localize", sl.localize, {"image": _photo(), "saliency": _map(), "part": "whole"}, where | cut)
    box = {"threshold": lambda v: is_number(v, 1e-9, 1) or v == {1}}
    yield Asked(
        "threshold_box", sl.threshold_box, {"image": _photo(), "saliency": _map(), "part": "whole"}, where | box
    )
    yield Asked("box_iou", sl.box_iou, {"a": (0, 0, 1, 1), "b": (0, 0, 1, 2)}, {"a": is_box, "b": is_box})
    yield Asked(
        "to_tensor",
        sl.to_tensor,
        {"image": _photo()},
        {
            "image": lambda v: isinstance(v, Image.Image),
            "size": lambda v: is_int(v, 1, 8000),
            "channels": lambda v: v in (1, 3) if is_int(v) else v is True,
        },
    )
    yield Asked("to_image", sl.to_image, {}, {"images": never})
    yield Asked("load_image", sl.load_image, {}, {"source": lambda v: isinstance(v, Image.Image)})
    yield Asked("sample_photo", sl.sample_photo, {}, {"name": never})
    yield Asked(
        "creatures",
        sl.creatures,
        {"count": 1},
        {
            "count": lambda v: is_int(v, 1, 100),
            "seed": lambda v: is_int(v),
            "size": lambda v: is_int(v, 16, 500),
            "kind": lambda v: v is None or is_int(v, 0, 9),
        },
    )
    yield Asked("scenes", sl.scenes, {"count": 1}, {"count": lambda v: is_int(v, 1, 100), "seed": lambda v: is_int(v)})
    yield Asked(
        "roads",
        sl.roads,
        {"count": 1},
        {
            "count": lambda v: is_int(v, 1, 100),
            "seed": lambda v: is_int(v),
            "without": is_none_of_it,
            "moved": lambda v: v is None,
        },
    )
    names = sl.Categories(["owl", "cat", "dog"])
    yield Asked("Categories", sl.Categories, {}, {"names": is_none_of_it})
    yield Asked("Categories.index", names.index, {}, {"target": lambda v: is_int(v, 0, 2)})
    yield Asked("Categories.name", names.name, {}, {"index": lambda v: is_int(v, 0, 2)})
    yield Asked("Head", sl.Head, {}, {"kind": never, "names": lambda v: v is None})
    wrapped = {"mean": lambda v: is_three(v), "std": lambda v: v == {1}, "size": count(8000), "head": never}
    yield Asked(
        "as_model",
        sl.as_model,
        {"module": net, "mean": [0.5] * 3, "std": [0.5] * 3},
        {"module": lambda v: isinstance(v, nn.Module)} | wrapped,
    )
    yield Asked(
        "Model.top", sl.as_classifier(net, size=16).top, {"images": images}, {"images": is_images, "k": count(10**500)}
    )
    yield Asked("Model.index", sl.as_classifier(net, size=16).index, {}, {"target": lambda v: is_int(v, 0, 999)})
    yield Asked(
        "unit", sl.unit, {"layer": "0", "channel": 1}, {"channel": lambda v: is_int(v), "position": lambda v: v is None}
    )
    yield Asked("weighted", sl.weighted, {}, {"terms": lambda v: isinstance(v, dict) and len(v) > 0})
    yield Asked(
        "unit as target",
        lambda channel: sl.saliency_map(net, images, sl.unit("0", channel)),
        {},
        {"channel": lambda v: is_int(v, 0, 3)},
    )
    yield Asked("load_model", sl.load_model, {}, {"name": never})
    yield Asked("find_method", sl.find_method, {}, {"name": never})
    yield Asked("check", sl.check, {"name": "three-scores", "answer": None}, {"name": never, "answer": lambda v: True})
    drawn = {"pictures": {"a": _photo()}}
    yield Asked(
        "plots.grid",
        plots.grid,
        drawn,
        {
            "pictures": never,
            "columns": lambda v: v is None or is_int(v, 1),
            "top": lambda v: v is None or is_number(v, 0),
            "size": lambda v: is_number(v, 0.1, 50),
        },
    )
    yield Asked(
        "plots.colorize",
        plots.colorize,
        {"saliency": _map()},
        {"saliency": is_drawable, "top": lambda v: v is None or is_number(v, 0)},
    )
    yield Asked(
        "plots.overlay", plots.overlay, {"image": _photo(), "saliency": _map()}, {"image": never, "saliency": never}
    )
    yield Asked("plots.signed", lambda gradient: plots.signed(gradient).to_image(), {}, {"gradient": is_full})
    framed = {"frames": [_photo()] * 2, "labels": ["a", "b"], "name": "n", "alt": "a"}
    yield Asked(
        "frame_player",
        widgets.frame_player,
        framed,
        {
            "frames": never,
            "labels": never,
            "start": lambda v: v is None or is_int(v, 0, 1),
            "width": count(10**4),
            "quality": count(100),
        },
    )


def is_full(value: Any) -> bool:
    """Floating-point numbers like the images; NaN may stay NaN."""
    plain = isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta and not value.is_nested
    return plain and value.ndim == 4 and value.dtype == torch.float32


def is_three(value: Any) -> bool:
    """The generator among the odd values gives three numbers, as many as there are channels."""
    return hasattr(value, "__next__")


def is_ordered(value: Any) -> bool:
    """Numbers in the shape of the images; flags have an order too."""
    plain = isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta and not value.is_nested
    return plain and value.shape == (2, 3, 16, 16) and not value.is_complex() and value.dtype != torch.float8_e4m3fn


def is_drawable(value: Any) -> bool:
    """A map."""
    return False


def is_none_of_it(value: Any) -> bool:
    """An empty list of names, by whatever type."""
    return isinstance(value, list | dict | set) and not value
