"""What a ReLU does on the way back: the one place where three visualization methods differ.

    with sl.relu_rule("guided"):
        score = model(images)[0, 285]       # every ReLU met in here will go backward by the rule
    score.backward()

Forward, a ReLU with pre-activation z gives max(z, 0). Backward, it is handed a signal g from above and passes on

    backprop     g * 1(z > 0)               the gradient
    deconvnet    g * 1(g > 0)               Zeiler and Fergus 2014
    guided       g * 1(z > 0) * 1(g > 0)    Springenberg et al. 2014

(section 4 of the paper compares the first two). The rule is installed by watching the *calls* of ReLU functions while
the context is open, not by hooking modules, so it also reaches `F.relu`, reused modules and in-place forms.
"""

import inspect
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from saliency_lib.checks import one_of
from saliency_lib.errors import ModelError, SaliencyError

Rule = Callable[[Tensor, Tensor], Tensor]
"""From the upstream signal g and the pre-activation z, both shaped alike, to the downstream signal."""


def backprop(g: Tensor, z: Tensor) -> Tensor:
    """The gradient of max(z, 0): g where z > 0. At z = 0 it is 0, as in PyTorch."""
    return g * (z > 0)


def deconvnet(g: Tensor, z: Tensor) -> Tensor:
    """Zeiler and Fergus (2014): g where g > 0, whatever z was."""
    return g * (g > 0)


def guided(g: Tensor, z: Tensor) -> Tensor:
    """Springenberg et al. (2014): g where both z > 0 and g > 0."""
    return g * ((z > 0) & (g > 0))


RULES: dict[str, Rule] = {"backprop": backprop, "deconvnet": deconvnet, "guided": guided}


def find_rule(rule: str | Rule) -> Rule:
    """The function that a rule's name stands for. Raises `SaliencyError` if there is none of that name."""
    return rule if callable(rule) else RULES[one_of("ReLU rule", rule, RULES)]


class _RuledReLU(torch.autograd.Function):
    """Forward max(z, 0), or min(max(z, 0), bound); backward a rule."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, bound: float | None, rule: Rule, changes_input: bool) -> Tensor:
        ctx.save_for_backward(z.clone() if changes_input else z)
        ctx.rule, ctx.bound = rule, bound
        return z.clamp(0, bound)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None, None]:
        (z,) = ctx.saved_tensors
        downstream = _downstream(ctx.rule, upstream[0], z, ctx.bound)
        if not isinstance(downstream, Tensor) or downstream.shape != z.shape:
            got = tuple(downstream.shape) if isinstance(downstream, Tensor) else type(downstream).__name__
            raise SaliencyError(f"a rule returns a tensor shaped like g and z, {tuple(z.shape)}, and this one {got}")
        return downstream, None, None, None


def _downstream(rule: Rule, g: Tensor, z: Tensor, bound: float | None) -> Tensor:
    """The rule at a ReLU with an upper bound. What the built-in ones say takes them one or two passes over memory."""
    if rule is deconvnet:
        return g.clamp(min=0)
    if rule is guided and bound is None:
        return torch.ops.aten.threshold_backward(g, z, 0).clamp_(min=0)
    if rule is guided:
        return torch.ops.aten.hardtanh_backward(g, z, 0, bound).clamp_(min=0)
    # An activation at or above its bound does not respond either: the rule is told that it was off.
    return rule(g, z if bound is None else torch.where(z < bound, z, 0))


class _Open(threading.local):
    """The contexts that are open in this thread, the innermost last: torch asks them all, and only that one answers."""

    def __init__(self) -> None:
        self.rules: list[relu_rule] = []


_open = _Open()


class relu_rule(TorchFunctionMode):
    """A context in which every ReLU that is called goes backward by `rule`.

    `rule` is `"backprop"`, `"deconvnet"`, `"guided"`, or a function `(g, z) -> downstream` of your own, where g is the
    upstream signal and z the pre-activation, shaped alike. ReLU6 and other ReLUs bounded above count as off outside
    0 < z < bound: there the function is handed z = 0. Of nested contexts the inner one decides. `"backprop"` leaves
    PyTorch's own derivative untouched.

    The paper defines no rule for LeakyReLU, ELU, SiLU, GELU and their like: meeting one raises `ModelError`, unless
    `others="backprop"` lets them keep their gradient. Functions with an argument `rule` take such an object too:
    `rule=sl.relu_rule("guided", others="backprop")`. Leaving the context without having met any ReLU raises
    `ModelError`, because the result would silently be the plain gradient. Chapter 4 tells the whole story.
    """

    def __init__(self, rule: str | Rule, *, others: str = "raise") -> None:
        super().__init__()
        if others not in ("raise", "backprop"):
            raise SaliencyError(f"others is 'raise' or 'backprop', not {others!r}")
        self.rule = find_rule(rule)
        self.others = others

    def __torch_function__(
        self, func: Callable, types: Iterable[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if self is not _open.rules[-1]:
            return func(*args, **kwargs)
        if func in _UNDEFINED and self.others == "raise" and self.rule is not backprop:
            raise ModelError(
                f"the rules are defined for ReLU, and the network calls {_UNDEFINED[func]}{_calling_layer()}: "
                "relu_rule(..., others='backprop') lets such activations keep their gradient"
            )
        call = _as_relu(func, args, kwargs)
        self.met += call is not None
        if call is None or self.rule is backprop:
            return func(*args, **kwargs)
        z, bound, changes_input = call
        with torch._C.DisableTorchFunction():
            result = _RuledReLU.apply(z, bound, self.rule, changes_input)
            return z.copy_(result) if changes_input else result

    def __enter__(self) -> Self:
        super().__enter__()
        self.met = 0
        _open.rules.append(self)
        return self

    def __exit__(self, error: type[BaseException] | None, *rest: Any) -> None:
        super().__exit__(error, *rest)
        _open.rules.pop()
        if _open.rules:
            _open.rules[-1].met += self.met  # what an inner context was asked to do, the outer one need not miss
        if error is None and not self.met and self.rule is not backprop:
            raise ModelError("no ReLU was called: under this rule the result would be the plain gradient")


AnyRule = str | Rule | relu_rule | None
"""How functions take a rule: by name, as a function, as a `relu_rule(...)` with its options; None is the open one."""


def following(rule: AnyRule) -> AbstractContextManager[object]:
    """The context that `rule` asks for; none where it would change nothing, because watching every call takes time.

    None leaves it to the `relu_rule` that is open, and without one means the gradient.
    """
    if rule is None:
        return nullcontext()
    if isinstance(rule, relu_rule):
        return relu_rule(rule.rule, others=rule.others)  # a context of its own: the caller's may be in use
    return nullcontext() if find_rule(rule) is backprop and not _open.rules else relu_rule(rule)


_RELU, _RELU6 = {"min": 0, "max": None}, {"min": 0, "max": 6}
_CLAMP, _HARDTANH = {"min": None, "max": None}, {"min": -1.0, "max": 1.0}
_THRESHOLD = {"min": 0, "max": None}

# Every call that can be a ReLU: the names of its positional arguments, and what the absent ones are.
_CALLS: dict[Callable, tuple[tuple[str, ...], dict[str, Any]]] = {
    F.relu: (("input", "inplace"), _RELU),
    torch.relu: (("input",), _RELU),
    torch.relu_: (("input",), _RELU | {"inplace": True}),
    Tensor.relu: (("input",), _RELU),
    Tensor.relu_: (("input",), _RELU | {"inplace": True}),
    F.relu6: (("input", "inplace"), _RELU6),
    F.hardtanh: (("input", "min", "max", "inplace"), _HARDTANH),
    F.hardtanh_: (("input", "min", "max"), _HARDTANH | {"inplace": True}),
    torch.clamp: (("input", "min", "max"), _CLAMP),
    torch.clamp_: (("input", "min", "max"), _CLAMP | {"inplace": True}),
    torch.clip: (("input", "min", "max"), _CLAMP),
    torch.clip_: (("input", "min", "max"), _CLAMP | {"inplace": True}),
    Tensor.clamp: (("input", "min", "max"), _CLAMP),
    Tensor.clamp_: (("input", "min", "max"), _CLAMP | {"inplace": True}),
    Tensor.clip: (("input", "min", "max"), _CLAMP),
    Tensor.clip_: (("input", "min", "max"), _CLAMP | {"inplace": True}),
    F.threshold: (("input", "threshold", "value", "inplace"), _THRESHOLD),
    torch.threshold: (("input", "threshold", "value"), _THRESHOLD),
    torch.threshold_: (("input", "threshold", "value"), _THRESHOLD | {"inplace": True}),
    torch.clamp_min: (("input", "min"), _CLAMP),
    torch.clamp_min_: (("input", "min"), _CLAMP | {"inplace": True}),
    Tensor.clamp_min: (("input", "min"), _CLAMP),
    Tensor.clamp_min_: (("input", "min"), _CLAMP | {"inplace": True}),
}
_OTHER_NAMES = {"min_val": "min", "max_val": "max", "self": "input"}

_UNDEFINED: dict[Callable, str] = {
    cast(Callable, function): name
    for name, functions in {
        "LeakyReLU": (F.leaky_relu, F.leaky_relu_),
        "PReLU": (F.prelu, torch.prelu, Tensor.prelu),
        "RReLU": (F.rrelu, torch.rrelu, torch.rrelu_),
        "ELU": (F.elu, F.elu_),
        "SELU": (F.selu, torch.selu, torch.selu_),
        "CELU": (F.celu, torch.celu, torch.celu_),
        "GELU": (F.gelu,),
        "SiLU": (F.silu,),
        "Mish": (F.mish,),
        "Hardswish": (F.hardswish,),
        "Softplus": (F.softplus,),
    }.items()
    for function in functions
}


def _as_relu(func: Callable, args: tuple, kwargs: Mapping[str, Any]) -> tuple[Tensor, float | None, bool] | None:
    """The pre-activation, the upper bound, and whether the input is overwritten, if this call is a ReLU."""
    if func not in _CALLS:
        return None
    names, absent = _CALLS[func]
    given = dict(zip(names, args, strict=False)) | {_OTHER_NAMES.get(key, key): value for key, value in kwargs.items()}
    call = absent | given
    low, high, z = call["min"], call["max"], call["input"]
    if "out" in given or call.get("threshold", 0) != 0 or call.get("value", 0) != 0:
        return None  # autograd refuses the first; the others are no max(z, 0)
    starts_at_zero = isinstance(low, int | float) and low == 0
    bounded = isinstance(high, int | float) and high > 0
    if not (starts_at_zero and (high is None or bounded) and z.is_floating_point()):
        return None
    return z, high, bool(call.get("inplace", False))


def _calling_layer() -> str:
    """Where in the network the present call comes from, as text for an error: " in layer features.0.2 (SiLU)"."""
    frame = inspect.currentframe()
    modules: list[nn.Module] = []
    while frame:
        owner = frame.f_locals.get("self")
        if isinstance(owner, nn.Module):
            modules.append(owner)
        frame = frame.f_back
    if not modules:
        return ""
    layer, network = modules[0], modules[-1]
    name = next((name for name, module in network.named_modules() if module is layer), "")
    return f" in layer {name or 'the network itself'} ({type(layer).__name__})"
