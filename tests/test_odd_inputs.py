"""Odd values for every argument of the package, odd photos, odd commands: a right answer, or one sentence.

One argument at a time is replaced in a call that is right. What the argument may be is said by a kind; everything else
has to be refused. What methods owe is in `test_contract`, what folders and results may be in `test_odd_data`.
"""

import math
from collections.abc import Callable
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import raises_one_line, says
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib import checks, plots, widgets
from saliency_lib.class_images import priors
from saliency_lib.cli import main

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=9),
    st.lists(st.integers(-9, 9), max_size=5),
    st.tuples(st.floats(), st.floats(), st.floats(), st.floats()),
    st.integers(-9, 9).map(np.int16),
    st.floats(width=32).map(np.float32),
    st.lists(st.floats(width=32), max_size=4).map(torch.tensor),
    st.lists(st.integers(-300, 300), min_size=4, max_size=4).map(lambda box: np.array(box, np.int16)),
    st.just(Image.new("RGB", (3, 3))),
    st.just(object()),
)


class Broken:
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
        "an object": Broken(),
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


# --- kinds: whether a value is what an argument may be ---------------------------------------------------------------

Kind = Callable[[Any], bool]


def whole(least: float = 0, most: float = math.inf) -> Kind:
    """A whole number within limits, by whatever type."""

    def kind(value: Any) -> bool:
        if isinstance(value, Tensor | np.ndarray):
            value = value.item() if value.shape == () else None
        return isinstance(value, int | np.integer) and not isinstance(value, bool) and least <= int(value) <= most

    return kind


def real(least: float = -math.inf, most: float = math.inf) -> Kind:
    """A finite number within limits."""

    def kind(value: Any) -> bool:
        value = value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
        number = isinstance(value, Real) and not isinstance(value, bool)
        return number and abs(value) < 1e18 and least <= value <= most

    return kind


def plain(value: Any) -> bool:
    """A tensor of numbers in memory."""
    return isinstance(value, Tensor) and value.layout == torch.strided and not (value.is_meta or value.is_nested)


def full(value: Any) -> bool:
    """Floating-point numbers like the images; NaN may stay NaN."""
    return plain(value) and value.ndim == 4 and value.dtype == torch.float32


def images(value: Any) -> bool:
    """Images in [0, 1]."""
    return full(value) and bool(((value >= 0) & (value <= 1)).all())


def ordered(value: Any) -> bool:
    """Numbers in the shape of the images; flags have an order too."""
    return (
        plain(value)
        and value.shape == (2, 3, 16, 16)
        and not (value.is_complex() or value.dtype.itemsize < 1)
        and (value.dtype != torch.float8_e4m3fn)
    )


def empty(value: Any) -> bool:
    """An empty collection of names, by whatever type."""
    return isinstance(value, list | dict | set) and not value


def three(value: Any) -> bool:
    """The generator among the odd values gives three numbers, as many as there are channels."""
    return hasattr(value, "__next__")


def either(*kinds: Kind) -> Kind:
    return lambda value: any(kind(value) for kind in kinds)


def never(value: Any) -> bool:
    return False


def none(value: Any) -> bool:
    return value is None


def photo(value: Any) -> bool:
    return isinstance(value, Image.Image)


def module(value: Any) -> bool:
    return isinstance(value, nn.Module)


def one_set(value: Any) -> bool:
    """The set of the number one, which is a list of numbers as good as any."""
    return isinstance(value, set) and value == {1}


COUNT, SEED, SHARE, POSITIVE = whole(1, 10**6), whole(0, 2**63 - 1), real(0, 1), real(0)
TARGET = either(none, whole(0, 4))
RULE = either(none, callable)


def _net() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 5)
        return nn.Sequential(*layers).eval()


NET, I = _net(), torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
BASIC: dict[str, Any] = {"model": NET, "images": I}
MAP, PHOTO = torch.rand(16, 16, generator=torch.Generator().manual_seed(1)), sl.to_image(I[0])
PIECES = torch.arange(256).view(1, 16, 16) // 64
WHERE: dict[str, Any] = {"image": PHOTO, "saliency": MAP, "part": "whole"}
COMMON: dict[str, Kind] = {"model": module, "images": images, "target": TARGET}
CLIMB = {"model": NET, "target": 1, "steps": 2, "size": 16, "progress": False}
FRAMES = {"frames": [PHOTO] * 2, "labels": ["a", "b"], "name": "n", "alt": "a"}
NAMES, MODEL = sl.Categories(["owl", "cat", "dog"]), sl.as_classifier(NET, size=16)

ASKED: dict[str, tuple[Callable[..., Any], dict[str, Any], dict[str, Kind]]] = {
    "input_gradient": (sl.input_gradient, BASIC, COMMON | {"rule": RULE}),
    "saliency_map": (sl.saliency_map, BASIC, COMMON | {"rule": RULE}),
    "top_class_maps": (sl.top_class_maps, {"model": NET, "image": I[:1]}, {"image": never, "k": whole(1)}),
    "linear_approximation": (sl.linear_approximation, BASIC, COMMON),
    "smoothgrad": (sl.smoothgrad, BASIC | {"samples": 2},
        {"samples": COUNT, "noise": POSITIVE, "seed": SEED, "batch_size": COUNT}),
    "integrated_gradients": (sl.integrated_gradients, BASIC | {"steps": 2},
        {"steps": COUNT, "quadrature": never, "baseline": images}),
    "adaptive": (partial(sl.integrated_gradients, quadrature="adaptive"), BASIC, {"steps": whole(2, 1000)}),
    "completeness_gap": (sl.completeness_gap, BASIC | {"attribution": I}, {"attribution": full}),
    "occlusion": (sl.occlusion, BASIC,
        {"patch": either(none, whole(1, 16)), "stride": either(none, whole(1, 1)),
         "value": either(none, real(), three)}),
    "lime": (sl.lime, BASIC | {"samples": 12, "segments": PIECES},
        {"samples": whole(2, 10**6), "sigma": real(1e-3), "alpha": POSITIVE, "segments": none}),
    "shap": (sl.shap, BASIC | {"samples": 12, "segments": PIECES},
        {"samples": whole(2, 10**6), "segments": none, "baseline": images}),
    "balance": (sl.balance, BASIC | {"reference": I * 0, "steps": 2}, {"reference": images, "steps": COUNT}),
    "deconvnet_reconstruction": (sl.deconvnet_reconstruction, BASIC, COMMON | {"rule": RULE}),
    "activations": (sl.activations, BASIC | {"layers": ["0"]}, {"layers": empty}),
    "reduce_channels": (sl.reduce_channels, {"gradient": I}, {"gradient": full, "how": never}),
    "rank_correlation": (sl.rank_correlation, {"a": I, "b": I}, {"a": ordered, "b": ordered}),
    "relu_rule": (sl.relu_rule, {"rule": "guided"}, {"rule": callable, "others": never}),
    "class_image": (sl.class_image, CLIMB, {
        "target": either(whole(0, 4), one_set, three), "steps": either(none, COUNT),
        "step_size": either(none, POSITIVE),
        "l2": either(none, POSITIVE), "start": none, "optimizer": none, "size": either(none, whole(3, 8000)),
        "seed": SEED,
    }),
    "Jitter": (priors.Jitter, {}, {"pixels": whole()}),
    "Blur": (priors.Blur, {}, {"sigma": POSITIVE}),
    "TotalVariation": (priors.TotalVariation, {}, {"weight": POSITIVE}),
    "localize": (sl.localize, WHERE,
        {"image": photo, "saliency": never, "part": none, "foreground": SHARE, "background": real(0, 0.95),
         "size": whole(1, 10**4)}),
    "threshold_box": (sl.threshold_box, WHERE,
        {"image": photo, "saliency": never, "part": none, "threshold": either(real(1e-9, 1), one_set)}),
    "box_iou": (sl.box_iou, {"a": (0, 0, 1, 1), "b": (0, 0, 1, 2)}, {"a": never, "b": never}),
    "to_tensor": (sl.to_tensor, {"image": PHOTO}, {"image": photo, "size": whole(1, 8000), "channels": whole(1, 1)}),
    "to_image": (sl.to_image, {}, {"images": never}),
    "load_image": (sl.load_image, {}, {"source": photo}),
    "sample_photo": (sl.sample_photo, {}, {"name": never}),
    "creatures": (sl.creatures, {"count": 1},
        {"count": whole(1, 100), "seed": whole(), "size": whole(16, 500), "kind": either(none, whole(0, 9))}),
    "scenes": (sl.scenes, {"count": 1}, {"count": whole(1, 100), "seed": whole()}),
    "roads": (sl.roads, {"count": 1}, {"count": whole(1, 100), "seed": whole(), "without": empty, "moved": none}),
    "Categories": (sl.Categories, {}, {"names": empty}),
    "Categories.index": (NAMES.index, {}, {"target": whole(0, 2)}),
    "Categories.name": (NAMES.name, {}, {"index": whole(0, 2)}),
    "Head": (sl.Head, {}, {"kind": never, "names": none}),
    "as_model": (sl.as_model, {"module": NET, "mean": [0.5] * 3, "std": [0.5] * 3},
        {"module": module, "mean": three, "std": one_set, "size": whole(1, 8000), "head": never}),
    "Model.top": (MODEL.top, {"images": I}, {"images": images, "k": whole(1)}),
    "Model.index": (MODEL.index, {}, {"target": whole(0, 999)}),
    "unit": (sl.unit, {"layer": "0", "channel": 1}, {"channel": whole(), "position": none}),
    "unit as target": (lambda channel: sl.saliency_map(NET, I, sl.unit("0", channel)), {}, {"channel": whole(0, 3)}),
    "weighted": (sl.weighted, {}, {"terms": lambda value: isinstance(value, dict) and len(value) > 0}),
    "load_model": (sl.load_model, {}, {"name": never}),
    "find_method": (sl.find_method, {}, {"name": never}),
    "check": (sl.check, {"name": "three-scores", "answer": None}, {"name": never}),
    "plots.grid": (plots.grid, {"pictures": {"a": PHOTO}},
        {"pictures": never, "columns": either(none, whole(1)), "top": either(none, POSITIVE), "size": real(0.1, 50)}),
    "plots.colorize": (plots.colorize, {"saliency": MAP}, {"saliency": never, "top": either(none, POSITIVE)}),
    "plots.overlay": (plots.overlay, {"image": PHOTO, "saliency": MAP}, {"image": never, "saliency": never}),
    "plots.signed": (lambda gradient: plots.signed(gradient).to_image(), {}, {"gradient": never}),
    "frame_player": (widgets.frame_player, FRAMES,
        {"frames": never, "labels": never, "start": either(none, whole(0, 1)), "width": whole(1, 10**4),
         "quality": whole(1, 100)}),
}  # fmt: skip
"""Functions, arguments that are right, and what may take the place of one of them."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ASKED)
def test_an_argument_is_of_its_kind_or_refused(name: str) -> None:
    function, right, kinds = ASKED[name]
    tensors = [value for value in right.values() if isinstance(value, Tensor)]
    before = [tensor.clone() for tensor in tensors]
    for argument, may in kinds.items():
        for title, value in values().items():
            try:
                function(**right | {argument: value})
            except sl.SaliencyError as error:
                says(error)
            else:
                assert may(value), f"{argument} = {title} is accepted"
            assert all(map(torch.equal, tensors, before))


# --- photos and commands ---------------------------------------------------------------------------------------------

OPTIONS = {
    "saliency coffee": ["--class", "--against", "--unit", "--method", "--layer", "--rule", "--channels", "--model"],
    "localize coffee": ["--class", "--method", "--model"],
    "class-image owl": ["--unit", "--recipe", "--steps", "--size", "--seed", "--model"],
    "evaluate": ["--method", "--limit", "--batch-size", "--model", "--ilsvrc"],
    "audit .": ["--class", "--method", "--threshold", "--model"],
    "train creature_convnet --check": ["--out"],
}
WORDS = ["", "nan", "no such thing", "\ud800", "a\nb"]


@pytest.mark.parametrize("command", OPTIONS)
def test_options_that_make_no_sense(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option in OPTIONS[command]:
        for word in WORDS:
            given = [*command.split(), f"{option}={word}"]
            given += [] if option == "--out" else ["--out", str(tmp_path / "out.png")]
            given += ["--model", "creature_convnet"] if "coffee" in given and option != "--model" else []
            try:
                code: Any = main(given)
            except SystemExit as stop:  # from argparse
                code = stop.code
            said = capsys.readouterr().err
            assert code == 2, given
            assert "Traceback" not in said
            assert said.splitlines()[-1], given


# --- the vocabulary of arguments -------------------------------------------------------------------------------------


def said(error: BaseException, beginning: str) -> None:
    assert says(error).startswith(beginning)


@settings(max_examples=150)
@given(ANYTHING, st.integers(-3, 3), st.integers(0, 9))
def test_whole_numbers(value: Any, least: int, more: int) -> None:
    try:
        found = checks.integer("n", value, least, least + more)
    except sl.SaliencyError as error:
        said(error, "n should be a whole number")
    else:
        assert type(found) is int
        assert found == value
        assert least <= found <= least + more
        assert not isinstance(value, bool | float)


@settings(max_examples=150)
@given(ANYTHING)
def test_numbers(value: Any) -> None:
    try:
        found = checks.number("x", value, -1, 1)
    except sl.SaliencyError as error:
        said(error, "x should be a number")
    else:
        assert -1 <= found <= 1
        assert not isinstance(value, bool | str)


@settings(max_examples=150)
@given(ANYTHING, ANYTHING)
def test_boxes(a: Any, b: Any) -> None:
    try:
        overlap = sl.box_iou(a, b)
    except sl.SaliencyError as error:
        said(error, "a box is")
    else:
        assert 0 <= overlap <= 1
        assert len(a) == len(b) == 4


@settings(max_examples=100)
@given(ANYTHING)
def test_everything_else_of_the_vocabulary(value: Any) -> None:
    for check in (
        checks.check_size,
        checks.check_photo,
        checks.check_images,
        checks.check_map,
        checks.seed_of,
        lambda value: checks.numbers("x", value),
        lambda value: checks.one_of("word", value, ("a", "b")),
        lambda value: checks.some_of("word", value, ("a", "b")),
        lambda value: checks.function("f", value),
    ):
        try:
            check(value)
        except sl.SaliencyError as error:
            says(error)


def test_what_is_too_large_is_refused_before_memory_is_taken() -> None:
    for use in (
        lambda: sl.creatures(10**9),
        lambda: sl.scenes(10**12),
        lambda: sl.class_image(torch.nn.Flatten(), list(range(10**6)), size=200),
    ):
        with raises_one_line(sl.SaliencyError, "GB"):
            use()
