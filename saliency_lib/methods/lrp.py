"""Layer-wise relevance propagation: how is the score handed down, layer by layer, to the pixels?

    R = sl.lrp(model, images, "Egyptian cat")       # (N, C, H, W), what each entry has of the score

At the top the relevance is the score itself. A layer that computes y_j = sum_i x_i w_ij + b_j hands the relevance R_j
of its outputs to its inputs in proportion to what each contributed,

    epsilon     R_i = sum_j  x_i w_ij / (y_j + epsilon sign y_j)  R_j                   Bach et al. (2015), equation 58
    z-plus      R_i = sum_j  (x_i w_ij)+ / sum_k (x_k w_kj)+  R_j                       Bach et al. (2015), equation 60

with ( )+ for positive parts: alpha = 1, beta = 0. A nonlinearity hands on what it gets. The second is meant for what a
ReLU follows, y_j > 0. Where none does and y_j < 0, the inputs that made it negative share R_j: the ( )+ are negative
parts then (Andeol et al., 2021). Under the first rule biases and epsilon take relevance away; under the second, only a
unit that its bias alone has made what it is.

Here R = x G is carried as its factor G, which goes back like a gradient: through a layer as usual, times y / (y +
epsilon sign y) at its output, and times f(z) / z at a nonlinearity f. For ReLUs and a small epsilon both factors are
those of the gradient, so that **epsilon-LRP of a ReLU network is gradient times input** (Shrikumar et al., 2016; Ancona
et al., 2018), with the network's normalized image for the input. z-plus is another map; all of it has the score's sign.

In the creature network nothing is lost so; in EfficientNet-Lite0, where each filter of a depthwise layer sees one
channel and may live on its bias, more than nine tenths are for the photo of the cat.

Cost: one forward and one backward pass; z-plus up to five forward passes and four of the way back. It fails where a
layer has no rule (attention, gates that multiply two signals, normalization by what is seen), and says so. z-plus
depends little on what is asked and on the weights of the last layers (Sixt et al., 2020), as its products of positive
matrices turn toward one direction whatever they began with.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from saliency_lib.checks import number, one_of
from saliency_lib.errors import ModelError, SaliencyError
from saliency_lib.images import with_part
from saliency_lib.methods.gradients import Recording
from saliency_lib.methods.method import Method, function
from saliency_lib.models.model import Model
from saliency_lib.targets import Target

FORMS = ("epsilon", "z-plus")
WEIGHTED = {"conv1d", "conv2d", "conv3d", "linear"}
ADDED = {"add", "add_", "__add__", "__radd__", "__iadd__"}
NONLINEAR = {
    *("relu", "relu_", "relu6", "hardtanh", "hardtanh_", "clamp", "clamp_", "clip", "clamp_min", "clamp_min_"),
    *("leaky_relu", "leaky_relu_", "elu", "elu_", "gelu", "silu", "mish", "hardswish", "tanh"),
}
"""Functions with f(0) = 0, that work on each entry by itself."""
POOLED = {
    *("max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d"),
    *("adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool2d", "mean"),
}
"""Each output is the largest of its inputs, or their mean: a layer whose weights are 0 and 1, or 1 / n."""
PASSED = {
    *("sum", "pad", "flatten", "unflatten", "view", "reshape", "permute", "transpose", "squeeze", "unsqueeze", "cat"),
    *(
        "concat",
        "chunk",
        "split",
        "__getitem__",
        "contiguous",
        "expand",
        "clone",
        "to",
        "float",
        "double",
        "cpu",
        "cuda",
    ),
    *("dropout", "dropout2d", "feature_dropout"),
}
"""What moves or picks its entries: the way back is that of the gradient."""
SCALED = {
    *("sub", "sub_", "__sub__", "__isub__", "mul", "mul_", "__mul__", "__rmul__", "__imul__"),
    *("div", "div_", "__truediv__", "__itruediv__", "true_divide"),
}
"""The same, if only one of the two sides depends on the image."""


class _Handed(torch.autograd.Function):
    """Forward `value`, which was computed elsewhere; backward g times `factor`, to what `carrier` was made of."""

    @staticmethod
    def forward(ctx: Any, carrier: Tensor, value: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(factor)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        return upstream[0] * ctx.saved_tensors[0], None, None


class _Relevance(TorchFunctionMode):
    """A context in which every layer that is called goes backward by its rule; raises `ModelError` if it has none."""

    def __init__(self, form: str, epsilon: float) -> None:
        super().__init__()
        self.form, self.epsilon = form, epsilon

    def __torch_function__(
        self, func: Callable, types: Iterable[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs, name = dict(kwargs or {}), getattr(func, "__name__", "")
        given, overwrites = list(args), _overwrites(name, args, kwargs)
        if overwrites:
            given[0] = args[0].clone()
        result = func(given[0].clone(), *given[1:], **kwargs) if overwrites else func(*given, **kwargs)
        if not isinstance(result, Tensor) or not result.requires_grad or not result.is_floating_point():
            return args[0].copy_(result) if overwrites else result
        result = self._ruled(name, func, given, kwargs, result)
        return args[0].copy_(result) if overwrites else result

    def _ruled(self, name: str, func: Callable, args: list, kwargs: dict[str, Any], y: Tensor) -> Tensor:
        moving = sum(isinstance(value, Tensor) and value.requires_grad for value in args)
        if name in NONLINEAR:
            z = args[0]
            return _Handed.apply(z, y.detach(), torch.where(z == 0, 0, y / z).detach())
        if name in WEIGHTED:
            carrier = y if self.form == "epsilon" else _of_one_sign(func, args, kwargs, y)
        elif name in ADDED and moving == 2:
            a, b = args[:2]
            positive, negative = a.clamp(min=0) + b.clamp(min=0), a.clamp(max=0) + b.clamp(max=0)
            carrier = y if self.form == "epsilon" else torch.where(y < 0, negative, positive)
        elif name in POOLED | {"batch_norm"} and self.form == "epsilon":
            carrier = y
        elif name in POOLED | PASSED or (name in SCALED | ADDED and moving < 2):
            return y
        else:
            hint = ": fold it into the convolution before it" if name == "batch_norm" else ""
            raise ModelError(f"relevance propagation has no {self.form} rule for {name}, which the network calls{hint}")
        return _Handed.apply(carrier, y.detach(), (y / self._stable(carrier)).detach())

    def _stable(self, z: Tensor) -> Tensor:
        return z + torch.where(z < 0, -self.epsilon, self.epsilon)


def _overwrites(name: str, args: tuple, kwargs: Mapping[str, Any]) -> bool:
    """Whether a call puts its result into its first argument."""
    if name in NONLINEAR and any(value is True for value in (*args, kwargs.get("inplace"))):
        return True
    return name in NONLINEAR | ADDED | SCALED and (name.startswith("__i") or (name[-1] == "_" != name[0]))


def _of_one_sign(func: Callable, args: list, kwargs: dict[str, Any], y: Tensor) -> Tensor:
    """sum_i (x_i w_ij)+ where y_j > 0, and the sum of the negative parts where y_j < 0, by the layer itself."""
    x, weight, rest = args[0], args[1], [None, *args[3:]]
    kwargs = {name: value for name, value in kwargs.items() if name != "bias"}
    signs = [(x.clamp(min=0), 1)] + [(x.clamp(max=0), -1)] * bool((x < 0).any())

    def parts(sign: int) -> Tensor:
        return sum(
            func(one, weight.clamp(**{"min" if side == sign else "max": 0}), *rest, **kwargs) for one, side in signs
        )

    return torch.where(y < 0, parts(-1), parts(1))


class Lrp(Method):
    """The relevance of each entry of the images, what layer after layer hands down of the score: (N, C, H, W), signed.

    Bach et al. (2015), equation 58 for `form="epsilon"` and equation 60 with alpha = 1, beta = 0 for `"z-plus"`. Its
    unit is that of the score, and its sum is the score less what biases and `epsilon` take. The input that is explained
    is the normalized image: a pixel of the mean color has no relevance. Convolutions, linear layers, sums of two
    branches, pooling and nonlinearities have rules; batch norm has one for epsilon only.

    Arguments and errors as in `input_gradient`; `ModelError` names the first thing that the network does and that has
    no rule. Reference: `saliency_lib/methods/lrp.py` says when it fails.
    """

    name, title = "lrp", "LRP, epsilon"

    form: str = "epsilon"
    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        one_of("form", self.form, FORMS)
        if number("epsilon", self.epsilon, 0) == 0:
            raise SaliencyError("epsilon is a small positive number, and not 0")
        self.recording = Recording(self.model, self.images, under=_Relevance(self.form, self.epsilon))
        self.answer = self.recording.answer

    def attribution(self, target: Target = None) -> Tensor:
        """The relevance of every entry, (N, C, H, W)."""
        self.recording = self.recording.watching(target)
        G = self.recording.gradient(self.recording.numbers(target), keep=True)
        # By the normalized image x = (I - mean) / std the factor is std G, and the relevance x std G.
        mean = self.model.mean.to(G) if isinstance(self.model, Model) else 0
        return with_part((self.recording.I.detach() - mean) * G, self.images)


class LrpZPlus(Lrp):
    """`lrp` with the form "z-plus"."""

    name, title = "lrp-z-plus", "LRP, z-plus"

    form: str = "z-plus"


lrp = function(Lrp)
