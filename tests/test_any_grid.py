"""Signals, images and volumes, alone and with a table beside them: each method against its formula written out."""

import itertools
import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import nothing_changes, raises_one_line, relative
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib import plots, widgets
from saliency_lib.class_images import priors
from saliency_lib.class_images.parameterizations import Fourier
from saliency_lib.methods.method import methods
from saliency_lib.models.activations import as_map

GRIDS = {1: (24,), 2: (8, 10), 3: (6, 8, 7)}
CONVOLUTION: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
CONVOLVE: dict[int, Any] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
MEAN, STD = (0.3, 0.4), (0.5, 0.6)


class Net(nn.Module):
    """Two convolutions, the mean over places, and a last layer; a table, if there is one, weighs the features."""

    def __init__(self, axes: int, table: bool) -> None:
        super().__init__()
        self.first, self.second = CONVOLUTION[axes](2, 5, 3), CONVOLUTION[axes](5, 6, 3, padding=1)
        self.gate, self.last = nn.Linear(3, 6), nn.Linear(6, 4)
        self.table = table

    def forward(self, x: Tensor, table: Tensor | None = None) -> Tensor:
        features = F.relu(self.second(F.relu(self.first(x)))).flatten(2).mean(2)
        if self.table:
            assert table is not None
            features = features * self.gate(table).sigmoid()
        return self.last(features)


class Asked:
    """A model with two images, a table or none, and what the formulas need."""

    def __init__(self, axes: int, table: bool) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(8)
            self.net = Net(axes, table).double()
            self.net.last.weight.data.abs_()
            self.I = torch.rand(2, 2, *GRIDS[axes], dtype=torch.float64)
            self.table = torch.randn(2, 3, dtype=torch.float64)
        self.axes, self.has_table, self.grid = axes, table, GRIDS[axes]
        self.model = sl.as_model(self.net, mean=MEAN, std=STD, size=self.grid)
        self.mean, self.std = (torch.tensor(one).double().view(1, 2, *[1] * axes) for one in (MEAN, STD))
        halves = [torch.arange(side) * 2 // side for side in self.grid[:2]]
        pieces = halves[0] if axes == 1 else 2 * halves[0][:, None] + halves[1]
        self.pieces = pieces.reshape(*pieces.shape, *[1] * (axes - pieces.ndim)).expand(self.grid)

    @property
    def inputs(self) -> Any:
        return (self.I, self.table) if self.has_table else self.I

    def S(self, I: Tensor) -> Tensor:
        """The scores of class 1."""
        return self.net((I - self.mean) / self.std, *[self.table] * self.has_table)[:, 1]

    def gradient(self, I: Tensor) -> Tensor:
        I = I.detach().clone().requires_grad_()
        return torch.autograd.grad(self.S(I).sum(), I)[0]

    def layers(self, I: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Output and gradient of both convolutions."""
        h1 = self.net.first((I - self.mean) / self.std).requires_grad_()
        h2 = self.net.second(F.relu(h1))
        features = F.relu(h2).flatten(2).mean(2) * (self.net.gate(self.table).sigmoid() if self.has_table else 1)
        gradients = torch.autograd.grad(self.net.last(features)[:, 1].sum(), [h1, h2])
        return [(h.detach(), g) for h, g in zip((h1, h2), gradients, strict=True)]


@cache
def asked(axes: int, table: bool) -> Asked:
    return Asked(axes, table)


def each(values: Tensor, like: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (like.ndim - 1))


def shares(at: Asked, values: Tensor) -> Tensor:
    """One number a piece, (N, pieces), at each place."""
    return values[:, at.pieces]


@torch.no_grad()
def shown(at: Asked, coalition: Tensor) -> Tensor:
    """S where only some pieces are shown, and the others gray."""
    return at.S(torch.where(coalition[at.pieces], at.I, torch.full_like(at.I, 0.5)))


def smooth(at: Asked, power: int) -> Tensor:
    random = torch.Generator().manual_seed(0)
    sigma = 0.15 * each(at.I.flatten(1).amax(1) - at.I.flatten(1).amin(1), at.I)
    parts = [at.gradient(at.I + sigma * torch.randn(at.I.shape[1:], generator=random)) ** power for _ in range(3)]
    return torch.stack(parts).mean(0)


def integrated(at: Asked) -> Tensor:
    nodes = [(k + 0.5) / 4 for k in range(4)]
    return torch.stack([at.I * at.gradient(a * at.I) / 4 for a in nodes]).sum(0)


@torch.no_grad()
def squares(at: Asked, patch: int, stride: int) -> Tensor:
    fall, count = torch.zeros(2, *at.grid).double(), torch.zeros(2, *at.grid).double()
    for corner in itertools.product(*(range(0, side - patch + stride, stride) for side in at.grid)):
        covered = at.I.clone()
        where = tuple(slice(start, start + patch) for start in corner)
        covered[(slice(None), slice(None), *where)] = 0.5
        fall[(slice(None), *where)] += each(at.S(at.I) - at.S(covered), fall)
        count[(slice(None), *where)] += 1
    return fall / count


def covered_pieces(at: Asked) -> Tensor:
    count = int(at.pieces.max()) + 1
    drops = [shown(at, torch.ones(count).bool()) - shown(at, torch.arange(count) != j) for j in range(count)]
    return shares(at, torch.stack(drops, 1))


def shapley(at: Asked) -> Tensor:
    count = int(at.pieces.max()) + 1
    phi = torch.zeros(2, count, dtype=torch.float64)
    for order in itertools.permutations(range(count)):
        coalition = torch.zeros(count, dtype=torch.bool)
        for j in order:
            before = shown(at, coalition)
            coalition[j] = True
            phi[:, j] += (shown(at, coalition) - before) / math.factorial(count)
    return shares(at, phi)


def masked(at: Asked) -> Tensor:
    """RISE by five masks of three cells a side, each enlarged along one axis after another, over black."""
    random, M = torch.Generator().manual_seed(0), torch.zeros(2, *at.grid).double()
    for _ in range(5):
        m = (torch.rand([3] * at.axes, generator=random) < 0.5).double()
        for axis, side in enumerate(at.grid):
            step = math.ceil(side / 3)
            place = (((torch.arange(4 * step) + 0.5) * 3 / (4 * step)) - 0.5).clamp(min=0).double()
            weight = (1 - (place[:, None] - torch.arange(3)).abs()).clamp(min=0)
            m = torch.tensordot(m, weight / weight.sum(1, keepdim=True), ([axis], [1])).movedim(-1, axis)
        for axis, side in enumerate(at.grid):
            start = int(torch.randint(0, math.ceil(side / 3) + 1, (), generator=random))
            m = m.narrow(axis, start, side)
        M += each(at.S(m * at.I), M) * m / (0.5 * 5)
    return M


def ridge(at: Asked) -> Tensor:
    count = int(at.pieces.max()) + 1
    drawn = torch.rand(12, count, generator=torch.Generator().manual_seed(0)) < 0.5
    drawn[0] = True
    z, S = drawn.numpy().astype(float), torch.stack([shown(at, one) for one in drawn]).numpy()
    weight = np.exp(-(((1 - np.sqrt(z.mean(1))) / 0.25) ** 2))[:, None]
    z, S = (values - (weight * values).sum(0) / weight.sum() for values in (z, S))
    return shares(at, torch.from_numpy(np.linalg.solve(z.T @ (weight * z) + np.eye(count), z.T @ (weight * S)).T))


def cam(h: Tensor, g: Tensor) -> Tensor:
    return torch.stack([each(g[:, k].flatten(1).mean(1), h[:, k]) * h[:, k] for k in range(h.shape[1])]).sum(0).relu()


def on_grid(M: Tensor) -> Tensor:
    """A map on 56 cells an axis, by interpolation and a Gaussian, over its mean."""
    modes = {1: "linear", 2: "bilinear", 3: "trilinear"}
    fine = F.interpolate(M[:, None], (56,) * (M.ndim - 1), mode=modes[M.ndim - 1])[:, 0]
    cells = torch.arange(56, dtype=torch.float64)
    kernel = torch.exp(-((cells[:, None] - cells) ** 2) / 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    for axis in range(1, fine.ndim):
        fine = torch.tensordot(fine, kernel, ([axis], [1])).movedim(-1, axis)
    return fine / each(fine.flatten(1).mean(1), fine)


def object_map(at: Asked, I: Tensor) -> Tensor:
    (_, g1), (h2, g2) = at.layers(I)
    return on_grid(cam(h2, g2)) + on_grid(g1.abs().amax(1))


def averaged(at: Asked) -> Tensor:
    how: dict[int, Any] = {1: {"mode": "linear"}, 2: {"mode": "bicubic", "antialias": True}, 3: {"mode": "trilinear"}}
    large = F.interpolate(at.I, [round(side * 288 / 224) for side in at.grid], **how[at.axes]).clamp(0, 1)
    views = [object_map(at, I) for I in (at.I, large)] + [object_map(at, I.flip(-1)).flip(-1) for I in (at.I, large)]
    return torch.stack(views).mean(0)


def z_plus(at: Asked) -> Tensor:
    """Relevance by positive parts, from the score down to the entries of the normalized image."""
    net, x = at.net, (at.I - at.mean) / at.std
    h1 = F.relu(net.first(x))
    h2 = F.relu(net.second(h1))
    gate = net.gate(at.table).sigmoid() if at.has_table else torch.ones(2, 6).double()
    S = at.S(at.I)
    parts = h2.flatten(2).mean(2) * gate * net.last.weight[1]
    parts = torch.where(S[:, None] > 0, parts.clamp(min=0), parts.clamp(max=0))
    R = each(S, parts) * parts / parts.sum(1, keepdim=True)
    sums = h2.flatten(2).sum(2)
    R = h2 * (R / sums.where(sums > 0, 1)).view(*R.shape, *[1] * at.axes)
    for layer, below in ((net.second, h1), (net.first, x)):
        ways = [below.detach().clamp(min=0).requires_grad_(), below.detach().clamp(max=0).requires_grad_()]
        weights = layer.weight.clamp(min=0), layer.weight.clamp(max=0)
        z = sum(CONVOLVE[at.axes](one, w, padding=layer.padding) for one, w in zip(ways, weights, strict=True))
        share = torch.where(z > 0, R / z.where(z > 0, 1), 0).detach()
        R = sum(one * g for one, g in zip(ways, torch.autograd.grad(z, ways, share), strict=True)).detach()
    return R


LITERAL: dict[str, Callable[[Asked], Tensor]] = {
    "gradient": lambda at: at.gradient(at.I),
    "gradient-times-input": lambda at: at.I * at.gradient(at.I),
    "smoothgrad": lambda at: smooth(at, 1),
    "smoothgrad-squared": lambda at: smooth(at, 2),
    "integrated-gradients": integrated,
    "occlusion": lambda at: squares(at, 4, 3),
    "occlusion-superpixels": covered_pieces,
    "rise": masked,
    "shap": shapley,
    "lime": ridge,
    "layer-saliency": lambda at: at.layers(at.I)[1][1].abs().amax(1),
    "grad-cam": lambda at: cam(*at.layers(at.I)[1]),
    "object-map": lambda at: object_map(at, at.I),
    "object-map-averaged": averaged,
    "lrp": lambda at: (at.I - at.mean) * at.gradient(at.I),
    "lrp-z-plus": z_plus,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "smoothgrad": {"samples": 3},
    "smoothgrad-squared": {"samples": 3},
    "integrated-gradients": {"steps": 4, "quadrature": "midpoint"},
    "occlusion": {"patch": 4, "stride": 3},
    "rise": {"samples": 5, "cells": 3},
    "lime": {"samples": 12},
    "shap": {"samples": 14},
    "layer-saliency": {"layer": "second"},
    "grad-cam": {"layer": "second"},
    "object-map": {"layers": ["first", "second"]},
    "object-map-averaged": {"layers": ["first", "second"]},
    "lrp": {"epsilon": 1e-12},
    "lrp-z-plus": {"epsilon": 1e-12},
}


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("axes", GRIDS)
@pytest.mark.parametrize("method", sorted(methods()))
def test_a_method_on_a_grid_is_its_formula_written_out(method: str, axes: int, table: bool) -> None:
    """Batches of three versions: what belongs to an image goes with each of them."""
    at, kind = asked(axes, table), sl.find_method(method)
    settings = dict(SETTINGS.get(method, {}))
    if method in ("occlusion-superpixels", "lime", "shap"):
        settings["segments"] = at.pieces[None]
    if "batch_size" in kind.settings():
        settings["batch_size"] = 3
    with nothing_changes(at.model, at.I, at.table):
        M = kind(at.model, at.inputs, **settings).maps(1)
    expected = LITERAL[method](at).detach()
    expected = expected.abs().amax(1) if expected.ndim == axes + 2 else expected
    assert relative(M, expected) < (1e-6 if method.startswith("lrp") else 1e-9)


@pytest.mark.parametrize("axes", GRIDS)
def test_superpixels_units_baselines_and_functions_on_a_grid(axes: int) -> None:
    at = asked(axes, False)
    pieces = sl.superpixels(at.I, 6)
    assert pieces.shape == (2, *at.grid)
    assert 3 <= int(pieces.max()) + 1 <= 12
    middle = tuple(side // 2 for side in at.layers(at.I)[0][0].shape[2:])
    w = sl.input_gradient(at.model, at.I, sl.unit("first", 3, middle))
    near = w[0].abs().amax(0).nonzero()
    assert (near.amax(0) - near.amin(0)).tolist() == [2] * axes  # a filter of three
    for baseline in ("blurred", "gray", "noise"):
        A = sl.integrated_gradients(at.model, at.I, 1, baseline=baseline, steps=200, quadrature="midpoint")
        assert sl.completeness_gap(at.model, at.I, A, 1, baseline=baseline).max() < 0.1
    found = sl.occlusion(at.model, at.I, lambda S: S[:, 1], batch_size=3)
    assert relative(found, sl.occlusion(at.model, at.I, 1)) < 1e-9
    assert relative(sl.balance(at.model, at.I, 1, reference=0 * at.I, steps=4).signed, integrated(at).sum(1)) < 1e-9


@pytest.mark.parametrize("axes", GRIDS)
def test_an_ascent_on_a_grid_climbs(axes: int) -> None:
    """The paper's steps are I + a (w - 2 l I), in plain PyTorch; and what is known of images goes with any grid."""
    at = asked(axes, False)
    I = at.I[:1] - at.mean
    for _ in range(3):
        I = I + 0.5 * (at.gradient(torch.cat([I + at.mean] * 2))[:1] - 2 * 0.01 * I)
    found = sl.class_image(at.model, 1, steps=3, start=at.I[:1])
    assert found.image.shape == (1, 2, *at.grid)
    assert relative(found.raw, I) < 1e-5
    known = [priors.TotalVariation(), priors.Jitter(2), priors.Scale(), priors.Crop(), priors.Blur(), priors.Noise()]
    assert sl.class_image(at.model, 1, steps=4, priors=known).raw.isfinite().all()
    if at.grid[-1] % 2 == 0:
        assert sl.class_image(at.model, 1, steps=4, priors=[Fourier()]).raw.isfinite().all()


@pytest.mark.parametrize("axes", GRIDS)
def test_waves_are_those_of_a_sum_of_cosines(axes: int) -> None:
    """One coordinate is one wave, a(f) cos(2 pi f x) times two, on any grid."""
    grid = {1: (8,), 2: (6, 8), 3: (4, 6, 8)}[axes]
    fourier, shape = Fourier(decay=0.0), (1, 2, *grid)
    z = torch.zeros(fourier.shape(shape), dtype=torch.float64)
    z[(0, 0, *[1] * axes, 0)] = 1
    x = fourier.image(z, torch.zeros(1))
    places = torch.meshgrid(*map(torch.arange, grid), indexing="ij")
    wave = torch.cos(2 * math.pi * sum(p / side for p, side in zip(places, grid, strict=True)).double())
    assert relative(x[0, 0] / x.max(), wave) < 1e-6
    assert not x[0, 1].any()


# --- values, places of channels, and what cannot be used ----------------------------------------------------------


def signal_model() -> sl.Model:
    return sl.as_model(Net(1, False), mean=[0.0, 0.0], std=[1.0, 1.0], size=(24,), values=(-1, 1))


def test_values_are_where_the_model_says() -> None:
    model, I = signal_model(), 2 * torch.rand(2, 2, 24) - 1
    gray = sl.integrated_gradients(model, I, 1, baseline="gray", quadrature="midpoint", steps=4)
    assert relative(gray, sl.integrated_gradients(model, I, 1, baseline=0 * I, quadrature="midpoint", steps=4)) < 1e-6
    assert relative(sl.occlusion(model, I, 1), sl.occlusion(model, I, 1, value=0.0)) < 1e-6
    with pytest.raises(sl.ImageError, match=r"in \[-1, 1\].*values=\(low, high\)"):
        sl.saliency_map(model, 2 * I, 1)
    with pytest.raises(sl.ModelError, match="from the least to the largest"):
        sl.as_model(Net(1, False), size=(24,), values=(1, -1))


class Channels(nn.Module):
    """A signal's features, channels first or last, from a layer of a kind that does not tell."""

    def __init__(self, last: bool, width: int) -> None:
        super().__init__()
        self.cut, self.end, self.is_last = nn.Conv1d(2, width, 3, padding=1), nn.Linear(width, 4), last
        self.layer = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        h = self.cut(x)
        return self.end(self.layer(h.mT).mean(1) if self.is_last else self.layer(h).mean(2))


@pytest.mark.parametrize("last", [False, True])
def test_channels_of_a_signals_layer_are_said_or_told_by_its_length(last: bool) -> None:
    I, place = torch.rand(2, 2, 24), "last" if last else "first"
    doubtful, wide = Channels(last, 6).eval(), Channels(last, 40).eval()
    with raises_one_line(sl.ModelError, r"channels='first'.*channels='last'"):
        sl.grad_cam(doubtful, I, 1, layer="layer")
    h = F.relu(doubtful.cut(I))
    expected = (h * doubtful.end.weight[1].view(1, -1, 1)).sum(1).relu() / 24
    for layer in [sl.at("layer", channels=place)] + [sl.tokens("layer", skip=0)] * last:
        assert relative(sl.grad_cam(doubtful, I, 1, layer=layer), expected.detach()) < 1e-5
    if last:
        with pytest.raises(sl.ModelError, match="channels last"):
            sl.grad_cam(wide, I, 1, layer="layer")
    else:
        assert sl.grad_cam(wide, I, 1, layer="layer").shape == (2, 24)


@pytest.mark.parametrize("axes", GRIDS)
def test_the_mean_takes_the_place_of_a_region_on_any_grid(axes: int) -> None:
    I, masks = torch.rand(2, 2, *GRIDS[axes]), torch.rand(2, *GRIDS[axes]) < 0.3
    expected = I.clone()
    for image, mask in zip(expected, masks, strict=True):
        for channel in image:
            channel[mask] = channel[~mask].mean()
    assert relative(sl.removed(I, masks, "mean"), expected) < 1e-5


def refusals() -> Iterator[tuple[str, Callable[[], object]]]:
    at, alone, two = asked(2, True), asked(1, False), asked(2, False)
    yield "and got", lambda: sl.saliency_map(two.model, alone.I, 1)
    yield r"images\[None\]", lambda: sl.saliency_map(two.model, two.I[0], 1)
    yield "a row for each image", lambda: sl.saliency_map(at.model, (at.I, at.table[:1]), 1)
    yield "a row for each image", lambda: sl.lime(at.model, (at.I, torch.zeros(3, 3)), 1)
    yield "cannot run", lambda: sl.saliency_map(at.model, at.I[:1], 1)
    yield "expected a tensor of images", lambda: sl.saliency_map(at.model, (), 1)
    yield "expected a tensor of images", lambda: sl.saliency_map(at.model, (at.table.tolist(), at.I), 1)
    yield "a size of 1 sides", lambda: sl.class_image(two.model, 1, size=(8,), steps=1)
    yield "the limit is", lambda: sl.class_image(asked(3, False).model, 1, size=(500, 500, 500), steps=1)
    yield "the size must be", lambda: sl.as_model(two.net, mean=[0.5] * 2, std=[0.5] * 2, size=(2, 2, 2, 2))
    yield "say grid=", lambda: as_map(sl.tokens("x"), torch.rand(2, 9, 4), asked(3, False).I)
    yield "no position", lambda: sl.input_gradient(two.model, two.I, sl.unit("first", 1, (1,)))
    signal = alone.I.float(), alone.I[:, 0] > 0.5
    yield 'take "mean"', lambda: sl.removed(*signal, "blur")
    yield (
        r"of shape \(N, C, H, W\)",
        lambda: sl.audit(alone.model, signal[0], 1, regions={"a": signal[1]}),
    )


@pytest.mark.parametrize("number", range(14))
def test_what_cannot_be_used_is_said(number: int) -> None:
    words, ask = list(refusals())[number]
    with raises_one_line(sl.SaliencyError, words):
        ask()


def test_one_image_for_a_network_of_images_is_no_batch_of_signals() -> None:
    """A bare network of two-dimensional layers takes (C, H, W) for one image, and would answer for it."""
    network = nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(0))
    with raises_one_line(sl.ImageError, r"images\[None\]"):
        sl.saliency_map(network, torch.rand(3, 9, 9))


def test_a_table_held_by_a_wrapper_is_noticed_where_versions_are_shown() -> None:
    at = asked(2, True)

    class Held(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return at.model(x, at.table)

    assert relative(sl.input_gradient(Held(), at.I, 1), at.gradient(at.I)) < 1e-9
    for method in ("occlusion", "lime", "smoothgrad"):
        with raises_one_line(sl.ModelError, r"\(images, table\)"):
            sl.find_method(method)(Held(), at.I)


# --- pictures --------------------------------------------------------------------------------------------------------


def test_a_signal_is_drawn_in_the_colors_of_its_map() -> None:
    figure = plots.signal(torch.rand(2, 24), torch.arange(24.0), rate=8)
    (curve,) = figure.axes[0].collections
    assert len(figure.axes) == 2
    assert curve.get_array().tolist() == list(range(23))
    assert figure.axes[1].get_xlim()[1] >= 23 / 8
    with pytest.raises(sl.SaliencyError, match=r"has a map \(L,\)"):
        plots.signal(torch.rand(2, 24), torch.rand(23))


def test_a_volume_is_shown_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALIENCY_STATIC", "1")
    V, M = torch.rand(1, 1, 4, 5, 6), torch.rand(1, 4, 5, 6)
    for axis, count in enumerate((4, 5, 6)):
        player = widgets.volume(V, M, axis=axis, alt="a slice of noise, beside it another")
        assert player._repr_html_().count("data:image") >= count
    with pytest.raises(sl.SaliencyError, match="one shape"):
        widgets.volume(V, M[..., :3], alt="a slice")


def test_more_than_three_bands_are_chosen() -> None:
    bands = torch.rand(1, 7, 4, 4)
    with pytest.raises(sl.ImageError, match=r"choose three bands"):
        sl.to_image(bands)
    assert sl.to_image(bands[:, [3, 2, 1]]).size == (4, 4)
