"""Every method on fifteen networks of other people's making: right, refused in a sentence, or wrong.

python -m benchmarks.any_network [--network swin] [--method lime]     exits with 1 if anything is wrong

The networks are timm's, torchvision's and PyTorch's, with random weights, small and in double precision. *Right* means
equal to the method's formula written out on plain autograd (brute force for occlusion, all coalitions for SHAP, normal
equations for LIME, a patched `torch.nn.functional` for rules and relevance), up to rounding.
"""

import argparse
import itertools
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import saliency_lib as sl
from saliency_lib.methods.method import methods
from saliency_lib.models.activations import find_layer

MEAN, STD = (0.4, 0.5, 0.3), (0.3, 0.2, 0.25)

PIECES = torch.arange(4).view(2, 2).repeat_interleave(32, 0).repeat_interleave(32, 1)
"""Four quarters of an image of 64 x 64."""


class Case(NamedTuple):
    """A network, how it is asked, and at which layers, the last for Grad-CAM; `read` sees a layer's output as a map."""

    model: Any
    layers: tuple[Any, ...]
    target: Any = 2
    read: Callable[[Tensor], Tensor] = lambda h: h
    dtype: torch.dtype = torch.float64
    literal: Any = None  # the same network in Python, where the model itself is not

    @property
    def images(self) -> Tensor:
        """Two images in [0, 1]."""
        return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3)).to(self.dtype)

    def score(self, images: Tensor) -> Tensor:
        """S (N,), by one ordinary call of the network."""
        output = (self.literal or self.model)(images.clone())
        return self.target(output) if callable(self.target) else output[:, self.target]


# --- the networks -----------------------------------------------------------------------------------------------------


class Patches(nn.Module):
    """An LSTM that reads an image patch by patch."""

    def __init__(self) -> None:
        super().__init__()
        self.cut, self.lstm, self.last = nn.Conv2d(3, 12, 16, 16), nn.LSTM(12, 10, batch_first=True), nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(self.cut(x).flatten(2).mT)
        return self.last(states[:, -1])


class InPlace(nn.Module):
    """Normalizes its input in place, and has ReLUs in place."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = convolutional()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.sub_(0.5).div_(0.25))


def convolutional(outputs: int = 5) -> nn.Sequential:
    """Three convolutions without batch norm."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, 2), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3), nn.ReLU(inplace=True),
        nn.Conv2d(12, 12, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, outputs),
    )  # fmt: skip


def _timm(name: str, **options: Any) -> nn.Module:
    import timm

    return timm.create_model(name, **{"num_classes": 5} | options)


def _resnet(**options: Any) -> nn.Module:
    from torchvision.models.resnet import BasicBlock, ResNet

    return ResNet(BasicBlock, [1, 1, 1, 1], **{"num_classes": 5} | options)


def _densenet() -> nn.Module:
    from torchvision.models import DenseNet

    return DenseNet(growth_rate=8, block_config=(2, 2, 2, 2), num_init_features=16, num_classes=5)


def _segmentation() -> nn.Module:
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    return lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=5)


def _weight_normed() -> nn.Module:
    from torch.nn.utils.parametrizations import weight_norm

    network = convolutional()
    for layer in (network[0], network[3]):
        weight_norm(layer)
    return network


def _traced() -> Case:
    network = _resnet().double().eval()
    traced = torch.jit.trace(network, torch.rand(2, 3, 64, 64).double(), check_trace=False)
    return Case(traced, ("layer2", "layer4"), literal=network)


def _model(network: nn.Module, head: sl.Head | None = None) -> sl.Model:
    return sl.as_model(network, mean=MEAN, std=STD, size=64, head=head or sl.Head())


@cache
def case(name: str) -> Case:
    """One of the networks, with random weights, lively: what is initialized to zero or to nearly nothing is not."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        found = CASES[name]()
        if name != "traced":
            for weight in found.model.parameters():
                if weight.ndim < 2 or weight.detach().std() < 0.01:
                    weight.data += 0.1 * torch.randn(weight.shape, dtype=weight.dtype)
                if weight.ndim > 1:
                    weight.data *= 1.5
        found.model.to(found.dtype).eval()
    return found


CASES: dict[str, Callable[[], Case]] = {
    "ConvNeXt": lambda: Case(_model(_timm("test_convnext")), ("stages.1", "stages.3")),
    "Swin": lambda: Case(
        _timm("swin_tiny_patch4_window7_224", img_size=64, embed_dim=16, depths=(2, 2), num_heads=(2, 2)),
        (sl.at("layers.0", channels="last"), sl.at("layers.1", channels="last")),
        read=lambda h: h.permute(0, 3, 1, 2),
    ),
    "ViT": lambda: Case(
        _model(_timm("test_vit", img_size=64)),
        (sl.tokens("blocks.2.norm1"), sl.tokens("blocks.5.norm1")),
        read=lambda h: h[:, 1:].mT.unflatten(2, (4, 4)),
    ),
    "RegNet": lambda: Case(_model(_timm("regnetx_002")), ("s2", "s4")),
    "EfficientNet": lambda: Case(_timm("test_efficientnet"), ("blocks.2", "blocks.4")),
    "DenseNet": lambda: Case(_model(_densenet()), ("features.denseblock2", "features.denseblock4")),
    "MobileViT": lambda: Case(_model(_timm("mobilevit_xxs")), ("stages.2", "final_conv")),
    "MaxViT": lambda: Case(
        _timm("maxvit_pico_rw_256", img_size=64, embed_dim=(32, 64), depths=(1, 1), stem_width=16),
        ("stages.0", "stages.1"),
    ),
    "LSTM on patches": lambda: Case(_model(Patches()), ("cut", "cut")),
    "traced": _traced,
    "bfloat16": lambda: Case(_model(_resnet()), ("layer2", "layer4"), dtype=torch.bfloat16),
    "in place": lambda: Case(InPlace(), ("layers.3", "layers.5")),
    "weight-normed": lambda: Case(_model(_weight_normed()), ("3", "5")),
    "several outputs": lambda: Case(
        _model(_segmentation()),
        ("backbone.4", "backbone.16"),
        lambda output: output["out"][:, 3].mean((1, 2)),
    ),
    "one logit": lambda: Case(_model(_resnet(num_classes=1), sl.Head("sigmoid", ["owl"])), ("layer2", "layer4"), 0),
}

METHODS = [*methods(), "guided backpropagation", "DeconvNet's rule"]
SMALL: dict[str, Any] = {"samples": 4, "steps": 4, "patch": 32, "stride": 32, "seed": 7, "quadrature": "midpoint"}


# --- what each method should give, written out --------------------------------------------------------------------


def gradient_at(at: Case, I: Tensor) -> Tensor:
    """dS / dI by plain autograd."""
    I = I.clone().requires_grad_()
    return torch.autograd.grad(at.score(I).sum(), I)[0]


def noisy(at: Case, power: int) -> Tensor:
    """The mean of the gradients, or of their squares, at four noisy copies."""
    I, random = at.images, torch.Generator().manual_seed(7)
    sigma = 0.15 * (I.amax((1, 2, 3), keepdim=True) - I.amin((1, 2, 3), keepdim=True))
    parts = [gradient_at(at, I + sigma * torch.randn(I.shape[1:], generator=random).to(I)) ** power for _ in range(4)]
    return torch.stack(parts).mean(0)


def by_captum(at: Case) -> Tensor:
    """Integrated gradients from black by the midpoint rule, as Captum has them."""
    from captum.attr import IntegratedGradients

    found = IntegratedGradients(at.score).attribute(at.images, n_steps=4, method="riemann_middle")
    return found.to(at.dtype)


@torch.no_grad()
def covered(at: Case) -> Tensor:
    """S(I) - S(I without the quarter), for each pixel that of its quarter."""
    I, M = at.images, torch.zeros(2, 64, 64, dtype=at.dtype)
    for number in range(4):
        drop = at.score(I) - at.score(torch.where(PIECES.eq(number), torch.full_like(I, 0.5), I))
        M += drop[:, None, None] * (PIECES.eq(number))
    return M


@torch.no_grad()
def worth(at: Case, shown: Tensor) -> Tensor:
    """S of the images with the quarters that are shown, (4,), and gray elsewhere."""
    return at.score(torch.where(shown[PIECES], at.images, torch.full_like(at.images, 0.5))).double()


def shapley(at: Case) -> Tensor:
    """The mean over all orders of what a quarter adds to those before it."""
    shares = torch.zeros(2, 4, dtype=torch.float64)
    for order in itertools.permutations(range(4)):
        shown = torch.zeros(4, dtype=torch.bool)
        for j in order:
            before = worth(at, shown)
            shown[j] = True
            shares[:, j] += (worth(at, shown) - before) / math.factorial(4)
    return shares[:, PIECES]


def ridge(at: Case) -> Tensor:
    """LIME's coefficients, from the normal equations."""
    shown = torch.rand(20, 4, generator=torch.Generator().manual_seed(7)) < 0.5
    shown[0] = True
    z, S = shown.numpy().astype(float), torch.stack([worth(at, one) for one in shown]).numpy()
    weight = np.exp(-(((1 - np.sqrt(z.mean(1))) / 0.25) ** 2))[:, None]
    z_mean, S_mean = ((weight * values).sum(0) / weight.sum() for values in (z, S))
    z, S = z - z_mean, S - S_mean
    c = np.linalg.solve(z.T @ (weight * z) + np.eye(4), z.T @ (weight * S))
    return torch.from_numpy(c.T)[:, PIECES]


def enlarged(cells: int, side: int) -> np.ndarray:
    """How much of each of `cells` there is at each of `side` places, by straight lines between their middles."""
    places = (np.arange(side) + 0.5) * cells / side - 0.5
    return np.stack([np.interp(places, np.arange(cells), one) for one in np.eye(cells)], 1)


@torch.no_grad()
def masked(at: Case) -> Tensor:
    """The mean score of four masked images, weighted by what each mask shows of a pixel: Petsiuk et al., equation 6."""
    random, M, lines = torch.Generator().manual_seed(7), torch.zeros(2, 64, 64), enlarged(7, 80)
    for _ in range(4):
        grid = (torch.rand(7, 7, generator=random) < 0.5).double().numpy()
        y, x = (int(torch.randint(0, 11, (), generator=random)) for _ in range(2))
        mask = torch.from_numpy(lines @ grid @ lines.T)[y : y + 64, x : x + 64].to(at.dtype)
        M = M + at.score(mask * at.images)[:, None, None] * mask / (0.5 * 4)
    return M


def layers_of(at: Case, I: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Output and gradient of each layer, by hooks."""
    names = [layer if isinstance(layer, str) else layer.layer for layer in at.layers]
    met: dict[str, Tensor] = {}
    known = {name: find_layer(at.model, name) for name in names}
    hooks = []
    for name, module in known.items():
        hooks.append(module.register_forward_hook(lambda m, given, out, name=name: met.setdefault(name, out).clone()))
    try:
        S = at.score(I.clone().requires_grad_())
    finally:
        for hook in hooks:
            hook.remove()
    gradients = torch.autograd.grad(S.sum(), [met[name] for name in names])
    return [(at.read(met[name].detach()), at.read(g)) for name, g in zip(names, gradients, strict=True)]


def cam(h: Tensor, g: Tensor) -> Tensor:
    """Grad-CAM, channel by channel."""
    parts = [g[:, k].mean((1, 2))[:, None, None] * h[:, k] for k in range(h.shape[1])]
    return torch.stack(parts).sum(0).clamp(min=0)


def object_map(at: Case, I: Tensor) -> Tensor:
    """The object map: each part interpolated to 56 x 56, smoothed by a Gaussian cell by cell, over its mean, added."""
    *earlier, last = layers_of(at, I)
    total = torch.zeros(2, 56, 56, dtype=at.dtype)
    for M in [cam(*last), *(g.abs().amax(1) for _, g in earlier)]:
        fine = F.interpolate(M[:, None].double(), (56, 56), mode="bilinear", align_corners=False)[:, 0]
        kernel = torch.tensor([[math.exp(-((i - j) ** 2) / 2) for j in range(56)] for i in range(56)]).double()
        kernel /= kernel.sum(1, keepdim=True)
        smooth = torch.einsum("ia,nab,jb->nij", kernel, fine, kernel)
        mean = smooth.mean((1, 2), keepdim=True)
        total += (smooth / mean.where(mean > 0, 1)).to(total)
    return total


def averaged(at: Case) -> Tensor:
    """The mean of object maps over two scales and the mirror image."""
    large = F.interpolate(at.images.double(), (82, 82), mode="bicubic", antialias=True).clamp(0, 1).to(at.dtype)
    views = [object_map(at, I) for I in (at.images, large)]
    mirrored = [object_map(at, I.flip(-1)).flip(-1) for I in (at.images, large)]
    return torch.stack([*views, *mirrored]).mean(0)


NONLINEAR = ("relu", "relu6", "silu", "gelu", "hardswish", "leaky_relu", "elu")


@contextmanager
def patched(back: Callable[[Tensor, Tensor, Tensor], Tensor], names: tuple[str, ...]) -> Iterator[None]:
    """While open, these functions of `torch.nn.functional` go backward as `back(g, z, f(z))` says."""

    def literal(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
        class Function(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, z: Tensor) -> Tensor:
                ctx.save_for_backward(z)
                return f(z)

            @staticmethod
            def backward(ctx: Any, *g: Tensor) -> Tensor:
                (z,) = ctx.saved_tensors
                return back(g[0], z, f(z))

        return lambda z, *more, **settings: Function.apply(z.clone())

    patches = [patch.object(F, name, literal(getattr(F, name))) for name in names]
    try:
        for one in patches:
            one.start()
        yield
    finally:
        for one in patches:
            one.stop()


def by_rule(at: Case, rule: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The gradient with this rule at the ReLUs."""
    with patched(lambda g, z, y: rule(g, z), ("relu", "relu6")):
        return gradient_at(at, at.images)


def relevance(at: Case) -> Tensor:
    """(I - mean) times a gradient that goes through a nonlinearity f as f(z) / z."""
    mean = at.model.mean if isinstance(at.model, sl.Model) else 0
    with patched(lambda g, z, y: g * torch.where(z == 0, 0, y / z), NONLINEAR):
        return (at.images - mean) * gradient_at(at, at.images)


def z_plus(at: Case) -> Tensor | None:
    """Relevance by the z-plus rule, layer by layer, of a plain sequence; None of any other network."""
    inner = getattr(at.model, "network", getattr(at.model, "layers", None))
    if not isinstance(inner, nn.Sequential):
        return None
    mean, std = (at.model.mean, at.model.std) if isinstance(at.model, sl.Model) else (0.5, 0.25)
    x, shift = at.images, (0 if isinstance(at.model, sl.Model) else 0.5 / 0.25)
    inputs = [(x - mean) / std]
    for layer in inner:
        inputs.append(layer(inputs[-1].clone()).detach())
    R = torch.zeros_like(inputs[-1])
    R[:, at.target] = inputs[-1][:, at.target]
    for layer, z, y in reversed(list(zip(inner, inputs, inputs[1:], strict=False))):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            parts = torch.zeros_like(z)
            for sign in (1, -1):
                total = torch.zeros_like(y)
                ways = []
                for x_sign in (1, -1):
                    part = (z * x_sign).clamp(min=0) * x_sign
                    part.requires_grad_()
                    weight = (layer.weight.detach() * x_sign * sign).clamp(min=0) * x_sign * sign
                    if isinstance(layer, nn.Linear):
                        out = F.linear(part, weight)
                    else:
                        out = F.conv2d(part, weight, None, layer.stride, layer.padding)
                    ways.append((part, out))
                    total = total + out.detach()
                share = torch.where((y < 0) == (sign < 0), R / torch.where(total == 0, sign * 1e-6, total), 0)
                for part, out in ways:
                    parts += part.detach() * torch.autograd.grad(out, part, share)[0]
            R = parts
        elif not isinstance(layer, nn.ReLU):
            given = z.clone().requires_grad_()
            out = layer(given)
            share = R / torch.where(y == 0, 1, y)
            R = z * torch.autograd.grad(out, given, share)[0]
    # What the normalization in place subtracts has its share in the relevance of the image.
    return R if not shift else R * (at.images / (at.images - 0.5))


def expected(method: str, at: Case) -> Tensor | None:
    """The map that a method should give, or None where nothing here says it."""
    ways: dict[str, Callable[[], Tensor | None]] = {
        "gradient": lambda: gradient_at(at, at.images),
        "gradient-times-input": lambda: at.images * gradient_at(at, at.images),
        "smoothgrad": lambda: noisy(at, 1),
        "smoothgrad-squared": lambda: noisy(at, 2),
        "integrated-gradients": lambda: by_captum(at),
        "occlusion": lambda: covered(at),
        "occlusion-superpixels": lambda: covered(at),
        "shap": lambda: shapley(at),
        "lime": lambda: ridge(at),
        "rise": lambda: masked(at),
        "layer-saliency": lambda: layers_of(at, at.images)[0][1].abs().amax(1),
        "grad-cam": lambda: cam(*layers_of(at, at.images)[-1]),
        "object-map": lambda: object_map(at, at.images),
        "object-map-averaged": lambda: averaged(at),
        "lrp": lambda: relevance(at),
        "lrp-z-plus": lambda: z_plus(at),
        "guided backpropagation": lambda: by_rule(at, lambda g, z: g.clamp(min=0) * (z > 0)),
        "DeconvNet's rule": lambda: by_rule(at, lambda g, z: g.clamp(min=0)),
    }
    found = ways[method]()
    return found.abs().amax(1) if found is not None and found.ndim == 4 else found


# --- the table --------------------------------------------------------------------------------------------------------


def found(method: str, at: Case) -> Tensor:
    """The map that the package gives."""
    rules = {"guided backpropagation": "guided", "DeconvNet's rule": "deconvnet"}
    kind = sl.find_method("gradient" if method in rules else method)
    given = {name: value for name, value in SMALL.items() if name in kind.settings()}
    if "segments" in kind.settings() and method != "occlusion":
        given["segments"] = PIECES[None]
    given |= {"samples": 20} if method in ("lime", "shap") else {}
    given |= {"layer": at.layers[0 if method == "layer-saliency" else -1]} if "layer" in kind.settings() else {}
    given |= {"layers": at.layers} if "layers" in kind.settings() else {}
    given |= {"rule": rules[method]} if method in rules else {}
    return kind(at.model, at.images, **given).maps(at.target)


def verdict(method: str, name: str) -> str:
    """`right` with the difference, `refused` with the sentence, or `WRONG` with what is wrong."""
    at = case(name)
    try:
        M = found(method, at)
    except sl.SaliencyError as error:
        return f"refused: {error}"
    with nullcontext() if at.dtype != torch.bfloat16 else torch.random.fork_rng(devices=[]):
        wanted = expected(method, at)
    if wanted is None:
        return "WRONG: nothing says what it should be"
    if M.shape != wanted.shape:
        return f"WRONG: {tuple(M.shape)} and {tuple(wanted.shape)}"
    largest = float(wanted.double().abs().max()) or 1.0  # where nothing speaks for the class Grad-CAM is 0
    difference = float((M.double() - wanted.double()).abs().max()) / largest
    limit = 0.05 if at.dtype == torch.bfloat16 else 1e-2 if method.startswith("lrp") else 1e-6
    return f"{'right' if difference < limit else 'WRONG'}: {difference:.0e}"


def main(command: list[str] | None = None) -> int:
    """Print the table, and what was refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=list(CASES), help="this one only")
    parser.add_argument("--method", choices=METHODS, help="this one only")
    options = parser.parse_args(command)
    names = [options.network] if options.network else list(CASES)
    chosen = [options.method] if options.method else METHODS
    table = {(method, name): verdict(method, name) for name in names for method in chosen}
    print(f"{'':24}" + "  ".join(f"{name[:12]:12}" for name in names))
    for method in chosen:
        print(f"{method:24}" + "  ".join(f"{table[method, name].split(': ', 1)[0]:12}" for name in names))
    said: dict[str, list[str]] = {}
    for (method, name), words in table.items():
        if words.startswith(("refused", "WRONG")):
            said.setdefault(words, []).append(f"{method} on {name}")
    for words, where in said.items():
        print(f"\n{words}\n    " + ", ".join(where))
    counts = {kind: sum(words.startswith(kind) for words in table.values()) for kind in ("right", "refused", "WRONG")}
    print("\n" + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return counts["WRONG"] > 0


if __name__ == "__main__":
    sys.exit(main())
