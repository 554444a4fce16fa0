"""What every method owes, whichever it is: a new file in `saliency_lib/methods` is tried here without a line more.

Whether a map is *right* is for the method's own tests. Here: it answers every kind of target, no image depends on
another, nothing of the caller's changes, it is found by name and from the command line, it is no other method's map,
and what cannot be used is said in one sentence.
"""

import copy
import gc
import weakref
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import nothing_changes, raises_one_line, relative, says, thawed
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib import plots
from saliency_lib.cli import main, pictures
from saliency_lib.methods.method import Method, methods

METHODS = sorted(methods())

MEAN, STD = (0.4, 0.5, 0.3), (0.3, 0.2, 0.25)


class Functional(nn.Module):
    """ReLUs that are no modules, one of them in place and one bounded above."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 3, 2), nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu6(self.second(F.relu(self.first(x), inplace=True)))
        return self.last(x.mean((2, 3)))


class Residual(nn.Module):
    """A sum of two branches, with a pool, in a network that normalizes by kept statistics and drops out in training."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.branch = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.last, self.drop = nn.Linear(4, 5), nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = F.max_pool2d(torch.relu(x + self.branch(x)), 2)
        return self.last(self.drop(x.mean((2, 3))))


class Network(NamedTuple):
    """A network, two images for it, a layer of it, and whether it is made of ReLUs and takes images of any size."""

    model: sl.Model
    images: Tensor
    layer: Any
    plain: bool = True


def _convolutional(outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3, stride=2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, outputs),
    )  # fmt: skip


@cache
def network(name: str) -> Network:
    """One of the networks, in double precision. Shared: change nothing of it."""
    if name in ("creatures", "transformer"):
        model = copy.deepcopy(sl.load_model({"creatures": "creature_convnet"}.get(name, "creature_vit"))).cpu().double()
        layer: Any = "features.7" if name == "creatures" else sl.tokens("encoder.layers.encoder_layer_1")
        model.layers = sl.Layers((layer,), any_size=False)
        return Network(model, sl.creatures(2, seed=3).images.double(), layer, plain=False)
    head = sl.Head("numbers", ["angle"], "degrees") if name == "one number" else sl.Head("softmax", list("abcde"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        made, layers = {
            "modules": (lambda: _convolutional(5), ("0", "2")),
            "functional": (Functional, ("first", "second")),
            "residual": (Residual, ("stem", "branch")),
            "one layer": (lambda: _convolutional(5), ("2",)),
            "one number": (lambda: _convolutional(1), ("0", "2")),
        }[name]
        module = made()
    model = sl.as_model(module, mean=MEAN, std=STD, size=16, head=head, layers=sl.Layers(layers)).double()
    return Network(model, sl.creatures(2, seed=3, size=32).images[..., 4:20, 6:28].double(), layers[-1])


NETWORKS = ["modules", "functional", "residual", "one layer", "one number", "creatures", "transformer"]


def prepared(method: str, model: nn.Module, images: Tensor, **more: Any) -> Method:
    """The method, ready to be asked: quick, where it has one of these settings."""
    kind = sl.find_method(method)
    known = kind.settings()
    side = min(images.shape[2:]) // 2 if isinstance(images, Tensor) and images.ndim == 4 else 8
    quick: dict[str, Any] = {"steps": 3, "samples": 4, "patch": side, "stride": side}
    if "superpixels" in known:
        quick = {"superpixels": 9, "samples": 24}
    elif "segments" in more:
        quick = {"samples": 24}
    return kind(model, images, **{name: value for name, value in quick.items() if name in known} | more)


def ready(method: str, name: str, **more: Any) -> tuple[Network, Method]:
    """The method on one of the networks. It says itself what it does not fit; on one that is not plain it may raise."""
    net = network(name)
    if not sl.find_method(method).fits(net.model):
        assert not net.plain
        pytest.skip("it says that it does not fit")
    try:
        return net, prepared(method, net.model, net.images, **more)
    except sl.ModelError as error:
        if net.plain:
            raise
        pytest.skip(says(error))


def at_a_layer(method: str, layer: str) -> dict[str, Any]:
    """The setting by which a method that needs a layer is told of one."""
    known = sl.find_method(method).settings()
    return {"layer": layer} if "layer" in known else {"layers": [layer]} if "layers" in known else {}


def shape_of(M: Tensor) -> Tensor:
    """The map up to a factor."""
    return M / M.abs().amax((1, 2), keepdim=True)


# --- targets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_every_kind_of_target_and_no_image_depends_on_another(method: str, name: str) -> None:
    net, found = ready(method, name)
    model, images = net.model, net.images
    S = model(images)
    assert relative(found.answer.scores, S) < 1e-9
    top, count = S.argmax(1).tolist(), S.shape[1]
    M = found.maps()
    assert M.shape[0] == len(images)
    assert M.ndim == 3
    assert M.isfinite().all()
    assert M.abs().amax((1, 2)).min() > 0
    assert not M.requires_grad
    alone = [prepared(method, model, image[None]).maps(c) for image, c in zip(images, top, strict=True)]
    each = torch.cat(alone)
    assert relative(M, each) < 1e-8
    if name not in ("modules", "one number"):
        return  # what a target means does not depend on the network
    assert torch.equal(found.maps(), M)
    for target in (top, torch.tensor(top), np.array(top), [model.name(c) for c in top]):
        assert relative(found.maps(target), each) < 1e-8
    c = count - 1
    expected = found.maps(c)
    assert relative(found.maps(model.name(c)), expected) < 1e-12
    assert relative(found.maps(lambda output: output[:, c]), expected) < 1e-8
    assert relative(shape_of(found.maps(sl.weighted({c: 2.0}))), shape_of(expected)) < 1e-6
    assert relative(found.maps(sl.unit(_last(net), c)), expected) < 1e-8
    if not found.needs_layers:  # below a unit, no layer matters
        assert found.maps(sl.unit(net.layer, 0)).abs().amax((1, 2)).min() > 0
    if model.head.kind == "numbers":
        with pytest.raises(sl.ModelError, match="no probabilities"):
            found.maps(sl.posterior(c))
        return
    chance = found.maps(sl.posterior(c))
    assert relative(chance, expected) > 1e-3
    assert chance.isfinite().all()
    assert relative(found.maps(0), expected) > 1e-3  # it knows which class is asked for


def _last(net: Network) -> str:
    """The layer that puts out the scores."""
    return [name for name, module in net.model.network.named_modules() if isinstance(module, nn.Linear)][-1]


@pytest.mark.parametrize("method", METHODS)
def test_targets_that_are_none_are_said(method: str) -> None:
    _, found = ready(method, "modules")
    for target in (5, -1, "zebra", [0], [0, 1, 2], True, 1.5, object(), lambda o: o[:, 77], lambda o: o.sum()):
        with raises_one_line(sl.TargetError):
            found.maps(target)


@pytest.mark.parametrize("method", METHODS)
def test_an_attribution_has_a_number_for_every_entry_and_the_map_is_made_of_it(method: str) -> None:
    net, found = ready(method, "functional")
    if not found.per_pixel():
        with raises_one_line(sl.SaliencyError, "use maps"):
            found.attribution(1)
        return
    A = found.attribution(1)
    assert A.shape == net.images.shape
    assert torch.equal(sl.reduce_channels(A), found.maps(1))


# --- each its own ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["functional", "creatures"])
def test_no_two_methods_give_the_same_map(name: str) -> None:
    net, maps = network(name), {}
    for method in METHODS:
        if sl.find_method(method).fits(net.model):
            try:
                maps[method] = shape_of(prepared(method, net.model, net.images).maps())
            except sl.ModelError:
                if net.plain:
                    raise
    assert len(maps) > 9
    for one, M in maps.items():
        for other, N in maps.items():
            assert one >= other or M.shape != N.shape or relative(M, N) > 1e-3, f"{one} is {other}"


OTHERS: dict[str, list[Any]] = {
    "rule": ["guided"], "samples": [70], "noise": [0.5], "steps": [2], "patch": [10], "stride": [7], "value": [0.0],
    "sigma": [0.1], "alpha": [9.0], "superpixels": [3], "epsilon": [0.5], "quadrature": ["midpoint"],
    "baseline": ["blurred"], "mirror": [False, True], "scales": [(1, 2)], "squared": [False, True],
    "centered": [True], "probability": [0.3], "cells": [2],
    "layers": [["first"], ["second"]], "layer": ["first", "second"],
    "segments": [torch.arange(16 * 22).view(1, 16, 22) // 100],
}  # fmt: skip
"""Values that are nobody's default; of several one or the other is."""


@pytest.mark.parametrize("method", METHODS)
def test_settings_and_seeds_count_and_the_global_random_numbers_do_not(method: str) -> None:
    _, found = ready(method, "functional")
    M = found.maps(1)
    torch.manual_seed(99)
    assert torch.equal(ready(method, "functional")[1].maps(1), M)
    known = sl.find_method(method).settings()
    assert {"progress", "batch_size"} <= {*known} or not {"progress", "batch_size"} & {*known}
    for setting in {*known} & {*OTHERS}:
        found_by = [ready(method, "functional", **{setting: value})[1].maps(1) for value in OTHERS[setting]]
        assert not all(_same(other, M) for other in found_by), setting
    if "seed" in known:
        random = {"baseline": "noise"} if "baseline" in known else {}
        one, other = (ready(method, "functional", seed=seed, **random)[1].maps(1) for seed in (0, 1))
        assert not _same(one, other)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_of_the_package_is_a_function_too(method: str) -> None:
    net, of = network("functional"), getattr(sl, method.replace("-", "_"), None)
    if of is None or of.__doc__ != sl.find_method(method).__doc__:
        pytest.skip("a method by name only")
    known = {*sl.find_method(method).settings()}
    quick = {name: value for name, value in {"superpixels": 9, "samples": 24}.items() if name in known}
    for setting in known & {*OTHERS} - {"patch", "stride"}:
        given = {name: value for name, value in quick.items() if {name, setting} != {"superpixels", "segments"}}
        given |= {setting: OTHERS[setting][0]}
        same = sl.find_method(method)(net.model, net.images, **given)
        asked = same.attribution if same.per_pixel() else same.maps
        assert torch.equal(of(net.model, net.images, 1, **given), asked(1))


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and relative(a, b) < 1e-6


# --- what is the caller's --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_nothing_of_the_callers_changes(method: str) -> None:
    net = network("residual")
    model = thawed(net.model).train()
    model.network.stem.weight.grad = torch.ones_like(model.network.stem.weight)
    hook = model.network.branch.register_forward_hook(lambda module, given, output: output)
    images = net.images.clone().requires_grad_()
    expected = ready(method, "residual")[1].maps(1)
    with nothing_changes(model, images):
        assert relative(prepared(method, model, images).maps(1), expected) < 1e-9
    with nothing_changes(model, images), torch.inference_mode():
        assert relative(prepared(method, model, images).maps(1), expected) < 1e-9
    with nothing_changes(model, images), pytest.raises(sl.TargetError):
        prepared(method, model, images).maps(lambda output: output[:, 77])
    with nothing_changes(model, images), pytest.raises(sl.ImageError):
        prepared(method, model, images * 2)
    hook.remove()
    model.network.last.register_forward_hook(_stumble)
    with nothing_changes(model, images), raises_one_line(sl.ModelError, "stumbled"):
        prepared(method, model, images).maps(1)


def _stumble(module: nn.Module, given: Any, output: Tensor) -> None:
    raise RuntimeError("stumbled\nover two lines")


@pytest.mark.parametrize("method", METHODS)
def test_the_network_sees_a_batch_at_a_time_and_nothing_is_kept_of_the_others(method: str) -> None:
    known = sl.find_method(method).settings()
    if "batch_size" not in known:
        pytest.skip("sees the images once")
    net, more = network("modules"), {"steps": 7} if "steps" in known else {}
    sizes: list[int] = []
    seen: list[weakref.ref] = []
    alive: list[int] = []

    def watch(module: nn.Module, given: Any, output: Tensor) -> None:
        gc.collect(0)
        alive.append(sum(one() is not None for one in seen))
        seen.append(weakref.ref(output))
        sizes.append(len(output))

    whole = prepared(method, net.model, net.images, batch_size=1000, **more).maps(1)
    model = copy.deepcopy(net.model)
    model.network[1].register_forward_hook(watch)  # a ReLU, whose result the way back needs
    found = prepared(method, model, net.images, batch_size=3, **more)
    sizes.clear()
    seen.clear()
    alive.clear()
    assert relative(found.maps(1), whole) < 1e-9
    assert max(sizes) == 3
    assert sum(sizes) > 6
    assert max(alive) <= 1


@pytest.mark.parametrize("method", METHODS)
def test_a_map_knows_its_part_of_the_photo_its_device_and_its_precision(method: str, device: torch.device) -> None:
    net = network("modules")
    images = net.model.to_tensor(sl.sample_photo("bee")).double()
    sl.images.with_part(images, (0.25, 0, 0.75, 1))
    expected = prepared(method, net.model, images).maps(1)
    model = copy.deepcopy(net.model).to(device)
    found = prepared(method, model, images).maps(1)
    assert sl.images.part_of(found) == (0.25, 0, 0.75, 1)
    if sl.find_method(method).per_pixel():
        assert sl.images.part_of(prepared(method, model, images).attribution(1)) == (0.25, 0, 0.75, 1)
    assert relative(found, expected) < 1e-6
    single = prepared(method, model.float(), images.float()).maps(1)
    assert single.dtype == torch.float32
    assert relative(single, expected) < 1e-2


# --- by name, and from the command line ------------------------------------------------------------------------------


def test_from_the_command_line_each_method_draws_its_own_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes into the picture; that one is written is a matter of `test_cli`."""
    model, drawn = copy.deepcopy(network("modules").model).float(), set()
    monkeypatch.setattr(pictures, "load_model", lambda name: model)
    monkeypatch.setattr(plots, "grid", lambda shown, **_: drawn.add([*shown.values()][1].numpy().tobytes()))
    monkeypatch.setattr(pictures, "save", lambda *_: None)
    for method in METHODS:
        assert sl.find_method(method).name == method
        assert main(["saliency", "bee", "--method", method, "--out", str(tmp_path / "map.png")]) == 0
        assert capsys.readouterr().err == ""
    assert len(drawn) == len(METHODS)


# --- what cannot be used ---------------------------------------------------------------------------------------------


class _Nan(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)) * torch.tensor([1.0, float("nan"), 1.0])


class _Apart(nn.Module):
    """Scores in which the image has no part: they are cut off from it, or weights of their own."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.layer, self.scores, self.cut = nn.Conv2d(3, 3, 1), nn.Parameter(torch.rand(1, 3)), cut

    def forward(self, x: Tensor) -> Tensor:
        h = self.layer(x)
        return h.detach().mean((2, 3)) if self.cut else self.scores.expand(len(x), -1)


BAD_IMAGES: dict[str, Callable[[Tensor], Any]] = {
    "no tensor": lambda I: I.tolist(),
    "an array": lambda I: I.numpy(),
    "no batch": lambda I: I[0],
    "empty": lambda I: I[:0],
    "one channel": lambda I: I[:, :1],
    "bytes": lambda I: (I * 255).byte(),
    "normalized": lambda I: I - 0.5,
    "NaN": lambda I: I * float("nan"),
    "sparse": lambda I: I.to_sparse(),
    "complex": lambda I: I + 1j,
}


@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_used_is_said_in_one_sentence(method: str) -> None:
    net = network("modules")
    for title, spoil in BAD_IMAGES.items():
        with pytest.raises(sl.ImageError) as caught:
            prepared(method, net.model, spoil(net.images))
        assert says(caught.value), title
    for model in (None, torch.relu, _Nan()):
        with raises_one_line(sl.SaliencyError):
            prepared(method, model, net.images, **at_a_layer(method, "0")).maps()  # type: ignore[arg-type]
    for name in sl.find_method(method).settings():
        if name != "progress":  # whatever Python takes for a truth
            for value in (object(), float("nan"), "", b"x", [None], {"a": 1}, torch.empty(0)):
                with pytest.raises(sl.SaliencyError) as caught:
                    prepared(method, net.model, net.images, **{name: value}).maps(1)
                assert says(caught.value), (name, value)


@pytest.mark.parametrize("method", METHODS)
def test_scores_in_which_the_image_has_no_part_have_no_gradient(method: str) -> None:
    images = network("modules").images.float()
    for cut in (True, False):
        try:
            M = prepared(method, _Apart(cut), images, **at_a_layer(method, "layer")).maps(1)
        except sl.ModelError as error:
            told = says(error)
            assert "no gradient" in told or "does not depend" in told
        else:
            assert M.isfinite().all()
            assert sl.find_method(method).settings().keys() & {"patch", "samples", "superpixels"}
