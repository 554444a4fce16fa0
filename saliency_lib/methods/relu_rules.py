"""What a ReLU does on the way back: the one place where three visualization methods differ.

    with sl.relu_rule("guided"):
        score = model(images)[0, 285]       # every ReLU met in here will go backward by the rule
    score.backward()

Forward, a ReLU with pre-activation z gives max(z, 0). Backward, it is handed a signal g from above and passes on

    backprop     g * 1(z > 0)               the gradient
    deconvnet    g * 1(g > 0)               Zeiler and Fergus 2014
    guided       g * 1(z > 0) * 1(g > 0)    Springenberg et al. 2014

(section 4 of the paper compares the first two). The rule is installed by watching the *calls* of ReLU functions while
the context is open, not by hooking modules, so it also reaches `F.relu`, reused modules and in-place forms, and a ReLU
that is not called one: `x.clamp(min=0)`, `torch.maximum(x, zero)`, `torch.where(x > 0, x, 0)`, `x * (x > 0)`. What no
call of Python's makes is found in the graph (`hidden`), and refused.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.overrides import TorchFunctionMode, _pop_mode, _push_mode

from saliency_lib.checks import function, one_of
from saliency_lib.errors import ModelError, SaliencyError
from saliency_lib.methods.hidden import find_hidden, is_sum_with_modulus, nodes

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
    return function("a rule", rule) if callable(rule) else RULES[one_of("ReLU rule", rule, RULES)]


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
        return _downstream(ctx.rule, upstream[0], z, ctx.bound), None, None, None


def _downstream(rule: Rule, g: Tensor, z: Tensor, bound: float | None) -> Tensor:
    """The rule at a ReLU with an upper bound. What the built-in ones say takes them one or two passes over memory."""
    if rule is deconvnet:
        return g.clamp(min=0)
    if rule is guided and bound is None:
        return torch.ops.aten.threshold_backward.default(g, z, 0).clamp_(min=0)
    if rule is guided:
        return torch.ops.aten.hardtanh_backward.default(g, z, 0, bound).clamp_(min=0)
    # An activation at or above its bound does not respond either: the rule is told that it was off.
    result = rule(g, z if bound is None else torch.where(z < bound, z, 0))
    if not isinstance(result, Tensor) or result.shape != z.shape:
        got = tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__
        raise SaliencyError(f"a rule returns a tensor shaped like g and z, {tuple(z.shape)}, and this one {got}")
    return result


_open: ContextVar[tuple["relu_rule", ...]] = ContextVar("open rules", default=())
"""The contexts that are open in this thread and task, the innermost last: torch asks all, and only that one answers."""


class relu_rule(TorchFunctionMode):
    """A context in which every ReLU that is called goes backward by `rule`.

    `rule` is `"backprop"`, `"deconvnet"`, `"guided"`, or a function `(g, z) -> downstream` of your own, where g is the
    upstream signal and z the pre-activation, shaped alike. ReLU6 and other ReLUs bounded above count as off outside
    0 < z < bound: there the function is handed z = 0. Of nested contexts the inner one decides. `"backprop"` leaves
    PyTorch's own derivative untouched. A context is for one piece of code from beginning to end: a generator that is
    suspended in it leaves it open for whoever goes on.

    The paper defines no rule for LeakyReLU, ELU, SiLU, GELU and their like: meeting one raises `ModelError`, unless
    `others="backprop"` lets them keep their gradient. Functions with an argument `rule` take such an object too:
    `rule=sl.relu_rule("guided", others="backprop")`. Leaving the context without having met any ReLU raises
    `ModelError`, because the result would silently be the plain gradient. So does what no rule reaches: a ReLU in
    scripted or compiled code, and a function with a derivative of its own, unless `others="backprop"` lets it keep
    that. Chapter 5 tells the whole story.
    """

    def __init__(self, rule: str | Rule, *, others: str = "raise") -> None:
        super().__init__()
        one_of("way with others", others, ("raise", "backprop"))
        self.rule = find_rule(rule)
        self.others = others

    def __torch_function__(
        self, func: Callable, types: Iterable[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        rules = _open.get()
        if not rules or self is not rules[-1] or self.rule is backprop:
            self.met += bool(rules) and self is rules[-1] and _as_relu(func, args, kwargs) is not None
            return func(*args, **kwargs)
        self._refuse_hidden(func, [*args, *kwargs.values()])
        if func in _UNDEFINED and self.others == "raise":
            raise ModelError(
                f"the rules are defined for ReLU, and the network calls {_UNDEFINED[func]}{_calling_layer()}: "
                "relu_rule(..., others='backprop') lets such activations keep their gradient"
            )
        call = _as_relu(func, args, kwargs)
        self.met += call is not None
        if call is None:
            result = func(*args, **kwargs)
            if func in _UNDEFINED:  # it keeps its derivative, as `others` says
                self.seen.update(nodes([result]))
            return result
        z, bound, changes_input = call
        if self.rule not in RULES.values() and _is_checkpointed():
            raise ModelError(
                "a checkpoint computes activations anew without this rule: use a rule of the library, or no checkpoint"
            )
        with torch._C.DisableTorchFunction():
            result = _RuledReLU.apply(z, bound, self.rule, changes_input)
            return z.copy_(result) if changes_input else result

    def _refuse_hidden(self, func: Callable, values: list[Any]) -> None:
        """Raise `ModelError` if these values come from where no rule reaches."""
        found = find_hidden(values, self.seen, self.since, functions=self.others == "raise")
        if found is None and func in _SUMS and is_sum_with_modulus(values):
            found = "x + |x| is twice a ReLU, and no rule reaches it"
        if found is not None:
            hint = ": relu_rule(..., others='backprop') lets it keep its derivative" if "of its own" in found else ""
            raise ModelError(f"{found}: under a rule, part of the network would not follow it{hint}")

    def __enter__(self) -> Self:
        super().__enter__()
        self.met = 0
        self.seen: set[Node] = set()
        self.since = torch.autograd._get_sequence_nr()
        _open.set((*_open.get(), self))
        return self

    def __exit__(self, error: type[BaseException] | None, *rest: Any) -> None:
        above = []
        while (mode := _pop_mode()) is not self:  # another task or a generator has opened one meanwhile
            above.append(mode)
        for mode in reversed(above):
            _push_mode(mode)
        self.seen.clear()
        rules = tuple(rule for rule in _open.get() if rule is not self)
        _open.set(rules)
        if rules:
            rules[-1].met += self.met  # what an inner context was asked to do, the outer one need not miss
            rules[-1].since = torch.autograd._get_sequence_nr()
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
    return nullcontext() if find_rule(rule) is backprop and not _open.get() else relu_rule(rule)


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
    torch._C._nn.relu6: (("input",), _RELU6),
    torch._C._nn.relu6_: (("input",), _RELU6 | {"inplace": True}),
    torch._C._nn.hardtanh: (("input", "min", "max"), _HARDTANH),
    torch._C._nn.hardtanh_: (("input", "min", "max"), _HARDTANH | {"inplace": True}),
    torch.clamp_min: (("input", "min"), _CLAMP),
    torch.clamp_min_: (("input", "min"), _CLAMP | {"inplace": True}),
    Tensor.clamp_min: (("input", "min"), _CLAMP),
    Tensor.clamp_min_: (("input", "min"), _CLAMP | {"inplace": True}),
}
_ATEN: dict[str, dict[str, Any]] = {"relu": _RELU, "relu6": _RELU6, "hardtanh": _HARDTANH, "clamp": _CLAMP}
_IN_PLACE: dict[str, dict[str, Any]] = {"": {}, "_": {"inplace": True}}
for _suffix, _more in _IN_PLACE.items():
    for _name, _absent in _ATEN.items():
        _CALLS[getattr(torch.ops.aten, _name + _suffix)] = ("input", "min", "max"), _absent | _more
    _CALLS[getattr(torch.ops.aten, "clamp_min" + _suffix)] = ("input", "min"), _CLAMP | _more
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
    func = func.overloadpacket if isinstance(func, torch._ops.OpOverload) else func
    if func in _CASES:
        return _by_cases(_CASES[func], [*args, *kwargs.values()])
    if func not in _CALLS:
        return None
    names, absent = _CALLS[func]
    call = absent.copy()
    call.update(zip(names, args, strict=False))
    for name, value in kwargs.items():
        call[_OTHER_NAMES.get(name, name)] = value
    low, high, z = _plain(call["min"]), _plain(call["max"]), call["input"]
    if "out" in call or call.get("threshold", 0) != 0 or call.get("value", 0) != 0:
        return None  # autograd refuses the first; the others are no max(z, 0)
    starts_at_zero = isinstance(low, int | float) and low == 0
    bounded = isinstance(high, int | float) and high > 0
    if not (starts_at_zero and (high is None or bounded) and z.is_floating_point()):
        return None
    return z, high, bool(call.get("inplace", False))


def _plain(bound: Any) -> Any:
    """A bound as Python's number, if it is one: clamp takes NumPy's numbers and tensors too."""
    if bound is None or isinstance(bound, float):
        return bound
    if isinstance(bound, Tensor) and bound.numel() and not bound.requires_grad:
        return bound.flatten()[0].item() if (bound == bound.flatten()[0]).all() else bound
    return bound.item() if hasattr(bound, "dtype") and not isinstance(bound, Tensor) else bound


_SUMS = {torch.add, Tensor.add, Tensor.add_, Tensor.__add__, Tensor.__radd__, Tensor.__iadd__}

_CASES: dict[Callable, str] = {
    **dict.fromkeys((torch.maximum, Tensor.maximum, torch.fmax, Tensor.fmax, torch.max, Tensor.max), "maximum"),
    **dict.fromkeys((torch.mul, torch.multiply, Tensor.mul, Tensor.multiply, Tensor.__mul__, Tensor.__rmul__), "mask"),
    **dict.fromkeys((Tensor.mul_, Tensor.multiply_, Tensor.__imul__), "mask in place"),
    torch.where: "where",
    Tensor.where: "tensor where",
}
"""Calls that are a ReLU if their other arguments are what makes them one."""


def _by_cases(form: str, values: list[Any]) -> tuple[Tensor, None, bool] | None:
    """The pre-activation z, if this call is max(z, 0) put together by hand."""
    if form == "tensor where" and len(values) == 3:
        values = [values[1], values[0], values[2]]
    condition = values.pop(0) if "where" in form and len(values) == 3 else None
    if len(values) != 2:
        return None
    for z, other, positive in ((*values, condition), (*values[::-1], None if condition is None else ~condition)):
        if not (isinstance(z, Tensor) and z.is_floating_point()) or (isinstance(other, Tensor) and other.requires_grad):
            continue
        if form == "maximum" and isinstance(other, Tensor):
            relu = not other.any()
        elif "mask" in form:
            relu = isinstance(other, Tensor) and other.shape == z.shape and _is_sign(z, other)
        else:
            zero = not other.any() if isinstance(other, Tensor) else not other
            relu = zero and positive is not None and positive.shape == z.shape and _is_sign(z, positive)
        if relu:
            return z, None, "in place" in form
    return None


def _is_sign(z: Tensor, mask: Tensor) -> bool:
    """Whether a mask is 1 where z is positive and 0 where it is negative, and there are places where it is."""
    return bool((z < 0).any() and ((mask.to(z.dtype) == (z > 0).to(z.dtype)) | (z == 0)).all())


def _is_checkpointed() -> bool:
    """Whether what is computed now will be computed once more on the way back, by torch.utils.checkpoint."""
    hooks = torch._C._autograd._top_saved_tensors_default_hooks(True)
    return hooks is not None and "checkpoint" in getattr(hooks[0], "__module__", "")


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
