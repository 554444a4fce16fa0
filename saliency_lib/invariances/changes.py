"""One question, described in two ways: a network and an image before and after a change that no answer depends on.

    before, after = CHANGES["pixel origin"].pair(asked)     # white is called zero, and the network knows it
    # the network says the same of both, so what is said of the pixels should be the same too

Each change keeps every probability that the network gives. What a method says of the second description is brought
`back` to the pixels of the first, and compared there.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from saliency_lib.errors import SaliencyError
from saliency_lib.models.model import Model


class Asked(NamedTuple):
    """A network, images (N, C, H, W), the class asked about, the number asked for, and the layers that maps look at."""

    model: Model
    images: Tensor
    label: int
    target: Any
    layers: tuple[str, ...] = ()


def _same(asked: Asked) -> Asked:
    return asked


def _as_it_is(maps: Tensor) -> Tensor:
    return maps


@dataclass(frozen=True)
class Change:
    """The question before and after, and how maps (N, h, w) and answers of the second are brought back to the first."""

    title: str
    after: Callable[[Asked], Asked]
    before: Callable[[Asked], Asked] = _same
    back: Callable[[Tensor], Tensor] = _as_it_is
    answers: Callable[[Tensor], Tensor] = _as_it_is

    def pair(self, asked: Asked) -> tuple[Asked, Asked]:
        """Both descriptions. Raises `SaliencyError` if they do not give the same probabilities: this network has no
        such description."""
        before, after = self.before(asked), self.after(asked)
        P, Q = _probabilities(before).double(), self.answers(_probabilities(after)).double()
        if P.shape != Q.shape or not torch.allclose(P, Q, rtol=1e-3, atol=1e-5):
            raise SaliencyError(f"{self.title}: the network says something else then")
        return before, after


@torch.no_grad()
def _probabilities(asked: Asked) -> Tensor:
    output = asked.model(asked.images)
    known = asked.model.head.probabilities(output)
    return output if known is None else known


# Pixels


def _recolored(a: float, b: float) -> Callable[[Asked], Asked]:
    """Every pixel value x is called a x + b, and the normalization knows it."""

    def change(asked: Asked) -> Asked:
        model = copy.deepcopy(asked.model)
        model.mean, model.std = a * model.mean + b, a * model.std
        return asked._replace(model=model, images=a * asked.images + b)

    return change


def _placed(there: Callable[[Tensor], Tensor], back: Callable[[Tensor], Tensor]) -> Callable[[Asked], Asked]:
    """The image is handed over moved, and the network moves it back first."""

    def change(asked: Asked) -> Asked:
        model = copy.deepcopy(asked.model)
        model.register_forward_pre_hook(lambda module, given: (back(given[0]),))
        return asked._replace(model=model, images=there(asked.images).contiguous())

    return change


def _mirrored(x: Tensor) -> Tensor:
    return x.flip(-1)


def _moved(x: Tensor) -> Tensor:
    return x.roll((5, 3), (-2, -1))


def _moved_back(x: Tensor) -> Tensor:
    return x.roll((-5, -3), (-2, -1))


def _enlarged(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, -1).repeat_interleave(2, -2)


def _reduced(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2) if x.ndim == 4 else F.avg_pool2d(x[:, None], 2)[:, 0]


def _reversed(x: Tensor) -> Tensor:
    return x.flip(0)


def _in_another_order(asked: Asked) -> Asked:
    if len(asked.images) == 1:
        raise SaliencyError("one image has one order")
    return asked._replace(images=asked.images.flip(0))


# The number asked for


def _log_posterior(asked: Asked) -> Asked:
    return asked._replace(target=lambda S: S.log_softmax(1)[:, asked.label])


def _posterior(asked: Asked) -> Asked:
    return asked._replace(target=lambda S: S.softmax(1)[:, asked.label])


def _log_odds(asked: Asked) -> Asked:
    def odds(S: Tensor) -> Tensor:
        rest = torch.cat([S[:, : asked.label], S[:, asked.label + 1 :]], 1)
        return S[:, asked.label] - rest.logsumexp(1)

    return asked._replace(target=odds)


# The network


def _hooked(asked: Asked, hook: Callable[[Any, Any, Tensor], Tensor]) -> Asked:
    """The network with one more step behind it."""
    model = copy.deepcopy(asked.model)
    model.network.register_forward_hook(hook)
    return asked._replace(model=model)


def _linear(*layers: tuple[Tensor, Tensor | None]) -> Callable[[Any, Any, Tensor], Tensor]:
    def hook(module: Any, given: Any, S: Tensor) -> Tensor:
        for weight, bias in layers:
            S = F.linear(S, weight.to(S), None if bias is None else bias.to(S))
        return S

    return hook


def _known(asked: Asked) -> int:
    known = _probabilities(asked).shape[1]
    if known < 2 or asked.model.head.kind != "softmax":
        raise SaliencyError("the network gives no scores that a softmax compares")
    return known


def _offset(asked: Asked) -> Asked:
    """Another class's score is taken from all scores: a function of the image, and no probability moves."""
    K = _known(asked)
    weight = torch.eye(K, dtype=torch.float64)
    weight[:, (asked.label + 1) % K] -= 1
    return _hooked(asked, _linear((weight, None)))


def _two_for_one(asked: Asked) -> Asked:
    """The last layer turned, and turned back."""
    K = _known(asked)
    draw = torch.randn(K, K, generator=Generator().manual_seed(0), dtype=torch.float64)
    Q = torch.linalg.qr(draw).Q
    return _hooked(asked, _linear((Q, None), (Q.T, None)))


def _constant(asked: Asked) -> Asked:
    """5 added to every score, and subtracted again."""
    K = _known(asked)
    eye, five = torch.eye(K, dtype=torch.float64), torch.full((K,), 5.0, dtype=torch.float64)
    return _hooked(asked, _linear((eye, five), (eye, -five)))


class _Functional(nn.Module):
    """A ReLU that is no module: the larger of x and 0."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)


def _functional(asked: Asked) -> Asked:
    model = copy.deepcopy(asked.model)
    found = [
        (parent, name)
        for parent in model.modules()
        for name, child in parent.named_children()
        if type(child) is nn.ReLU
    ]
    if not found:
        raise SaliencyError("the network has no ReLU that is a module")
    for parent, name in found:
        setattr(parent, name, _Functional())
    return asked._replace(model=model)


def _normalized(asked: Asked) -> Asked:
    """Every convolution is followed by a batch norm into which its bias and a factor a channel are moved."""
    model = copy.deepcopy(asked.model)
    random = Generator().manual_seed(0)
    for conv in [module for module in model.modules() if type(module) is nn.Conv2d]:
        factor = torch.empty(conv.out_channels, dtype=torch.float64).uniform_(0.5, 2, generator=random).to(conv.weight)
        bias = torch.zeros_like(factor) if conv.bias is None else conv.bias.detach()
        conv.weight = nn.Parameter(conv.weight.detach() * factor[:, None, None, None], requires_grad=False)
        conv.bias = None

        def hook(module: Any, given: Any, y: Tensor, factor: Tensor = factor, bias: Tensor = bias) -> Tensor:
            zero, one = torch.zeros_like(bias), torch.ones_like(bias)
            return F.batch_norm(y, zero, one, 1 / factor, bias, eps=0)

        conv.register_forward_hook(hook)
    return asked._replace(model=model)


def _rescaled(asked: Asked) -> Asked:
    """Channel k of each layer that maps look at is put out c_k times as large, and divided by c_k where it goes in."""
    model = copy.deepcopy(asked.model)
    known = dict(model.network.named_modules())
    for number, name in enumerate(asked.layers or (_last_map(asked),)):
        consumer, channels = _consumer(asked, name)
        c = torch.randn(channels, generator=Generator().manual_seed(number), dtype=torch.float64).exp()

        def scale(module: Any, given: Any, h: Tensor, c: Tensor = c) -> Tensor:
            return h * c.to(h)[:, None, None]

        def undo(module: Any, given: Any, c: Tensor = c) -> tuple[Tensor]:
            (h,) = given
            return (h / c.to(h).view(-1, *[1] * (h.ndim - 2)),)

        known[name].register_forward_hook(scale)
        known[consumer].register_forward_pre_hook(undo)
    return asked._replace(model=model)


def _trace(asked: Asked) -> list[tuple[str, str, Tensor]]:
    """What enters and leaves each module of the network, in the order in which it happens."""
    met: list[tuple[str, str, Tensor]] = []
    model = copy.deepcopy(asked.model)
    for name, module in model.network.named_modules():
        if name:
            module.register_forward_pre_hook(lambda m, given, name=name: met.append(("in", name, given[0])))
            module.register_forward_hook(lambda m, given, h, name=name: met.append(("out", name, h)))
    with torch.no_grad():
        model(asked.images[:1])
    return [one for one in met if isinstance(one[2], Tensor)]


def _consumer(asked: Asked, layer: str) -> tuple[str, int]:
    """The module that a layer's output goes into next, and its number of channels."""
    met = _trace(asked)
    start = next((i for i, (way, name, _) in enumerate(met) if (way, name) == ("out", layer)), None)
    if start is None:
        raise SaliencyError(f"the network does not run {layer}")
    channels = met[start][2].shape[1]
    for way, name, h in met[start + 1 :]:
        if way == "in" and h.shape[1] == channels:
            return name, channels
    raise SaliencyError(f"what {layer} puts out goes into no module")


def _last_map(asked: Asked) -> str:
    """The last layer whose output has places."""
    maps = [name for way, name, h in _trace(asked) if way == "out" and h.ndim == 4 and h.shape[2] > 1]
    if not maps:
        raise SaliencyError("the network has no layer with places")
    return maps[-1]


def _single(asked: Asked) -> Asked:
    """Single precision."""
    if asked.images.dtype == torch.float32:
        raise SaliencyError("the images are in single precision")
    return asked._replace(model=copy.deepcopy(asked.model).float(), images=asked.images.float())


CHANGES = {
    "pixel scale": Change("pixel values x are called x / 2", _recolored(0.5, 0)),
    "pixel origin": Change("pixel values x are called 1 - x: white is zero", _recolored(-1, 1)),
    "offset": Change("a function of the image is added to all scores", _offset),
    "score": Change("the logarithm of the probability, in place of the score", _log_posterior),
    "probability": Change("the probability, in place of its logarithm", _posterior, _log_posterior),
    "log-odds": Change("the log-odds, in place of the logarithm of the probability", _log_odds, _log_posterior),
    "feature units": Change("features h_k are called c_k h_k, and divided by c_k after", _rescaled),
    "functions": Change("ReLUs are function calls, not modules", _functional),
    "batch norm": Change("biases and factors are moved into batch norms", _normalized),
    "two layers": Change("two linear layers in place of one", _two_for_one),
    "constant": Change("a constant is added and subtracted", _constant),
    "mirror": Change("the image is mirrored, and mirrored back inside", _placed(_mirrored, _mirrored), back=_mirrored),
    "move": Change("the image is moved around, and back inside", _placed(_moved, _moved_back), back=_moved_back),
    "enlarge": Change("the image is enlarged, and reduced inside", _placed(_enlarged, _reduced), back=_reduced),
    "batch order": Change(
        "the images of a batch come in another order", _in_another_order, back=_reversed, answers=_reversed
    ),
    "number format": Change("single precision in place of double", _single),
}
"""Changes that no answer depends on. The size of the blocks that are asked about is one more (see `table`)."""
