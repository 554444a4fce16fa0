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
from typing import Any, Self

import torch
from torch import Tensor
from torch.autograd.graph import Node
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from saliency_lib.checks import number, one_of
from saliency_lib.errors import ModelError, SaliencyError
from saliency_lib.images import with_part
from saliency_lib.methods.gradients import Recording
from saliency_lib.methods.method import Method, function
from saliency_lib.models.model import Model
from saliency_lib.targets import Target

FORMS = ("epsilon", "z-plus")
WEIGHTED = {
    *("conv1d", "conv2d", "conv3d", "linear", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    *("matmul", "__matmul__", "__rmatmul__", "mm", "bmm"),
}
ADDED = {"add", "add_", "__add__", "__radd__", "__iadd__", "sub", "sub_", "__sub__", "__isub__"}
NONLINEAR = {
    *("relu", "relu_", "relu6", "hardtanh", "hardtanh_", "clamp", "clamp_", "clip", "clamp_min", "clamp_min_"),
    *("leaky_relu", "leaky_relu_", "elu", "elu_", "selu", "selu_", "celu", "celu_", "prelu"),
    *("gelu", "silu", "mish", "hardswish", "tanh"),
}
"""Functions with f(0) = 0, that work on each entry by itself."""
POOLED = {
    *("max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d"),
    *("adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool2d", "mean"),
}
"""Each output is the largest of its inputs, or their mean: a layer whose weights are 0 and 1, or 1 / n."""
PASSED = {
    *("sum", "pad", "flatten", "unflatten", "view", "view_as", "reshape", "reshape_as", "permute", "transpose", "t"),
    *("squeeze", "unsqueeze", "cat", "concat", "stack", "chunk", "split", "unbind", "__getitem__", "contiguous"),
    *("expand", "expand_as", "repeat", "clone", "to", "float", "double", "cpu", "cuda", "neg", "__neg__", "T", "mT"),
    *("movedim", "moveaxis", "swapaxes", "narrow", "select", "flip", "roll", "dropout", "dropout2d", "feature_dropout"),
}
"""What moves, picks or negates its entries: the way back is that of the gradient."""
SCALED = {
    *("mul", "mul_", "__mul__", "__rmul__", "__imul__", "rsub", "__rsub__"),
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
    """A context in which every layer that is called goes backward by its rule; raises `ModelError` if it has none.

    What depends on the image is what descends from it in the graph; what descends from it and was not computed by a
    call that was seen here, as in scripted code, is refused.
    """

    def __init__(self, form: str, epsilon: float) -> None:
        super().__init__()
        self.form, self.epsilon = form, epsilon

    def __enter__(self) -> Self:
        self.ruled: set[Node] = set()
        self.still: set[Node] = set()
        return super().__enter__()

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs, name = dict(kwargs or {}), getattr(func, "__name__", "")
        name = getattr(func.__self__, "__name__", name) if name == "__get__" else name
        moving = [self.moves(value) for value in tree_leaves([args, kwargs])]
        if not any(moving) and (self.ruled or name != "clone"):
            return func(*args, **kwargs)
        given, overwrites = list(args), _overwrites(name, args, kwargs)
        if overwrites:
            given[0] = args[0].clone()
        result = func(given[0].clone(), *given[1:], **kwargs) if overwrites else func(*given, **kwargs)
        found = [one for one in tree_leaves(result) if isinstance(one, Tensor) and one.requires_grad]
        if found and name not in PASSED:
            if not isinstance(result, Tensor):
                self._refuse(name)
            result = self._by_rule(name, func, given, kwargs, result, sum(moving))
        if overwrites:
            result = args[0].copy_(result)
        self.ruled.update(one.grad_fn for one in tree_leaves(result) if isinstance(one, Tensor) and one.grad_fn)
        return result

    def moves(self, value: object) -> bool:
        """Whether this descends from the image. Raises `ModelError` if it does so by what was not seen."""
        if not isinstance(value, Tensor) or value.grad_fn is None or value.grad_fn in self.still:
            return False
        todo, seen = [value.grad_fn], {value.grad_fn}
        if todo[0] in self.ruled:
            return True
        while todo:
            for below, _ in todo.pop().next_functions:
                if below in self.ruled:
                    what = value.grad_fn.name().rsplit(":")[-1]
                    raise ModelError(
                        "relevance propagation does not see what is scripted, traced, compiled, under vmap, in place "
                        f"by parts, or a function with a derivative of its own ({what})"
                    )
                if below is not None and below not in seen and below not in self.still:
                    seen.add(below)
                    todo.append(below)
        self.still.update(seen)
        return False

    def _refuse(self, name: str) -> None:
        hint = ": fold it into the convolution before it" if name == "batch_norm" else ""
        raise ModelError(f"relevance propagation has no {self.form} rule for {name}, which the network calls{hint}")

    def _by_rule(self, name: str, func: Callable, args: list, kwargs: dict[str, Any], y: Tensor, moving: int) -> Tensor:
        saving = torch._C._autograd._top_saved_tensors_default_hooks(True)
        if saving is not None and "checkpoint" in getattr(saving[0], "__module__", ""):
            raise ModelError("relevance propagation needs what a checkpoint throws away: switch checkpoints off")
        for key in ("input", "weight" if name in WEIGHTED else "other")[len(args) :]:
            if key in kwargs:
                args.append(kwargs.pop(key))
        if name in NONLINEAR:
            z = args[0]
            return _Handed.apply(z, y.detach(), torch.where(z == 0, 0, y / z).detach())
        if name in WEIGHTED and moving == 1:
            carrier = y if self.form == "epsilon" else _of_one_sign(func, args, int(self.moves(args[1])), kwargs, y)
        elif name in ADDED and moving == 2:
            a, b = args[0], args[1] * kwargs.get("alpha", 1) * (-1 if "sub" in name else 1)
            positive, negative = a.clamp(min=0) + b.clamp(min=0), a.clamp(max=0) + b.clamp(max=0)
            carrier = y if self.form == "epsilon" else torch.where(y < 0, negative, positive)
        elif name in POOLED | {"batch_norm"} and self.form == "epsilon":
            carrier = y
        elif name in POOLED or (name in SCALED | ADDED and moving < 2):
            return y
        elif name == "interpolate" and kwargs.get("mode", "nearest") != "bicubic":
            return y  # weights that are not negative and add up to 1
        else:
            self._refuse(name)
        return _Handed.apply(carrier, y.detach(), (y / self._stable(carrier)).detach())

    def _stable(self, z: Tensor) -> Tensor:
        return z + torch.where(z < 0, -self.epsilon, self.epsilon)


def _overwrites(name: str, args: tuple, kwargs: Mapping[str, Any]) -> bool:
    """Whether a call puts its result into its first argument."""
    if name in NONLINEAR and any(value is True for value in (*args, kwargs.get("inplace"))):
        return True
    return name in NONLINEAR | ADDED | SCALED and (name.startswith("__i") or (name[-1] == "_" != name[0]))


def _of_one_sign(func: Callable, args: list, place: int, kwargs: dict[str, Any], y: Tensor) -> Tensor:
    """sum_i (x_i w_ij)+ where y_j > 0, and the sum of the negative parts where y_j < 0, by the layer itself.

    x is the argument number `place`, the weights are the other one, and a bias is left out.
    """
    x, weight = args[place], args[1 - place].detach()
    kwargs = {name: value for name, value in kwargs.items() if name != "bias"}
    signs = [(x.clamp(min=0), 1)] + [(x.clamp(max=0), -1)] * bool((x < 0).any())

    def parts(sign: int) -> Tensor:
        sides = ((one, weight.clamp(**{"min" if side == sign else "max": 0})) for one, side in signs)
        rest = [None, *args[3:]] if len(args) > 2 else []
        return sum(func(*(pair[::-1] if place else pair), *rest, **kwargs) for pair in sides)

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
        rules = _Relevance(self.form, self.epsilon)
        self.recording = Recording(self.model, self.images, under=rules)
        self.answer = self.recording.answer
        output = self.answer.output
        parts = vars(output) if hasattr(output, "__dict__") and not isinstance(output, Tensor) else output
        for value in tree_leaves(parts):
            rules.moves(value)  # raises where the last layers were not seen

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
