"""What a ReLU does on the way back: the one place where three visualization methods differ.

    S = model(images)[:, 285]                       # an ordinary forward pass
    w = sl.gradient(S, images, rule="guided")       # back: by the rule at every ReLU that S went through

Forward, a ReLU with pre-activation z gives max(z, 0). Backward, it is handed a signal g from above and passes on

    backprop     g * 1(z > 0)               the gradient
    deconvnet    g * 1(g > 0)               Zeiler and Fergus 2014
    guided       g * 1(z > 0) * 1(g > 0)    Springenberg et al. 2014

(section 4 of the paper compares the first two). The rule stands where the derivative stands: in the graph that autograd
has recorded, a hook at each node of a ReLU between S and the image replaces what that node passes on. How the ReLU was
written does not matter: a module, a function, in place, `x.clamp(min=0)`, `torch.maximum(x, zero)`. A node that may
hide one is refused, because a network that follows a rule in part gives a map of nothing.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import Node, get_gradient_edge

from saliency_lib.checks import function, one_of
from saliency_lib.errors import ModelError, SaliencyError

Rule = Callable[[Tensor, Tensor], Tensor]
"""From the upstream signal g and the pre-activation z, both shaped alike, to the downstream signal."""


def backprop(g: Tensor, z: Tensor) -> Tensor:
    """The gradient of max(z, 0): g where z > 0. At z = 0 it is 0."""
    return g * (z > 0)


def deconvnet(g: Tensor, z: Tensor) -> Tensor:
    """Zeiler and Fergus (2014): g where g > 0, whatever z was."""
    return g.clamp(min=0)


def guided(g: Tensor, z: Tensor) -> Tensor:
    """Springenberg et al. (2014): g where both z > 0 and g > 0."""
    return g.clamp(min=0) * (z > 0)


RULES: dict[str, Rule] = {"backprop": backprop, "deconvnet": deconvnet, "guided": guided}


@dataclass(frozen=True)
class relu_rule:
    """A rule with its options, for whatever takes a `rule`: `rule=sl.relu_rule("guided", others="backprop")`.

    `rule` is `"backprop"` (the derivative), `"deconvnet"`, `"guided"`, or a function `(g, z) -> downstream` of your
    own, where g is the upstream signal and z the pre-activation, shaped alike; of a plain ReLU, which keeps no more, z
    is max(z, 0). ReLU6 and other ReLUs bounded above count as off outside 0 < z < bound: there z is 0.

    The paper defines no rule for LeakyReLU, ELU, SiLU, GELU and their like: meeting one raises `ModelError`, unless
    `others="backprop"` lets them keep their derivative, and so does a function with a derivative of its own, or a mask
    that may be a ReLU written out, x * (x > 0). What hides its parts raises in any case: scripted and compiled code, a
    reentrant checkpoint, an operation in place on a part of a tensor. So does a network in which no ReLU is met,
    because the result would silently be the plain gradient. Chapter 5 tells the whole story.
    """

    rule: str | Rule
    others: str = field(default="raise", kw_only=True)

    def __post_init__(self) -> None:
        one_of("way with others", self.others, ("raise", "backprop"))
        self.function  # noqa: B018 -- an unknown name is refused here, and not when the rule is used

    @property
    def function(self) -> Rule:
        """The rule as a function of g and z. Raises `SaliencyError` if there is none of its name."""
        return function("a rule", self.rule) if callable(self.rule) else RULES[one_of("ReLU rule", self.rule, RULES)]


AnyRule = str | Rule | relu_rule | None
"""How a rule is given: by name, as a function, or with its options; None is the derivative."""


def as_rule(rule: AnyRule) -> relu_rule:
    """A rule, however it was given. Raises `SaliencyError` if it is none."""
    return rule if isinstance(rule, relu_rule) else relu_rule("backprop" if rule is None else rule)


def downstream(rule: Rule, g: Tensor, z: Tensor) -> Tensor:
    """What a rule makes of g and z. Raises `SaliencyError` if that is no tensor shaped like them."""
    result = rule(g, z)
    plain = isinstance(result, Tensor) and result.is_floating_point() and result.device == g.device
    if not plain or result.layout != g.layout or result.shape != z.shape:
        got = f"{tuple(result.shape)}, {result.dtype}" if isinstance(result, Tensor) else type(result).__name__
        raise SaliencyError(f"a rule returns a tensor shaped like g and z, {tuple(z.shape)}, and this one {got}")
    return result.to(g.dtype)


_one_at_a_time = threading.RLock()


@contextmanager
def following(rule: relu_rule, S: Tensor, sources: Sequence[Tensor], ends: Sequence[Tensor] = ()) -> Iterator[None]:
    """While open, the backward pass that begins at S goes by the rule at every ReLU on its ways to the sources.

    S is a number that nobody else has: the hooks act in the pass that begins there, and in no other of this graph.
    `ends` are what the network put out, where that is known: what a target makes of them keeps its derivative.
    """
    if rule.function is backprop:
        yield
        return
    passes = {-1}  # torch's number of no pass
    hooks = [S.grad_fn.register_prehook(lambda _: passes.add(torch._C._current_graph_task_id()))]  # type: ignore[union-attr]
    with _one_at_a_time:
        try:
            nodes = _between(S, sources)
            if inside := [end.grad_fn for end in ends if end.grad_fn is not None]:
                network = _above(inside)[1]
                nodes = [node for node in nodes if node in network]
            for node in nodes:
                if (relu := _relu(node, rule.others)) is not None:
                    hooks.append(node.register_hook(_replacing(rule.function, *relu, passes)))
            if nodes and len(hooks) == 1:
                raise ModelError("no ReLU was met: under this rule the result would be the plain gradient")
            yield
        finally:
            for hook in hooks:
                hook.remove()


def _between(S: Tensor, sources: Sequence[Tensor]) -> list[Any]:
    """The nodes on the ways from S back to the sources."""
    above, _ = _above([S.grad_fn])
    todo, found = [get_gradient_edge(source).node for source in sources], dict[Any, bool]()
    while todo:
        for node in above.pop(todo.pop(), ()):
            found[node] = True
            todo.append(node)
    return list(found)


def _above(starts: Sequence[Any]) -> tuple[dict[Node, list[Any]], set[Any]]:
    """Of each node that can be reached from the starts those that lead to it directly, and all that can be reached."""
    above: dict[Node, list[Any]] = {}
    todo, seen = [*starts], {*starts}
    while todo:
        node = todo.pop()
        for below, _ in node.next_functions:
            if below is not None:
                above.setdefault(below, []).append(node)
                if below not in seen:
                    seen.add(below)
                    todo.append(below)
    return above, seen


def _replacing(rule: Rule, kind: str, place: int, z: Tensor, bound: Any, passes: set[int]) -> Callable[..., Any]:
    """A hook for the node of a ReLU: the rule's signal in place of what the node passes on to its input z."""
    clamps = rule is guided and not kind.startswith(("Clamp", "Max", "Fmax"))  # these let a signal through at z = 0

    def hook(passed: tuple[Tensor | None, ...], arrived: tuple[Tensor | None, ...]) -> Any:
        (g,), own = arrived, passed[place]
        if g is None or own is None or torch._C._current_graph_task_id() not in passes:
            return None
        if clamps:
            down = own.clamp(min=0) if own.requires_grad else own.clamp_(min=0)  # it is nobody else's
        else:
            down = downstream(rule, g, z if bound is None or rule is deconvnet else torch.where(z < bound, z, 0))
        return *passed[:place], down, *passed[place + 1 :]

    return hook


_RELUS: dict[str, tuple[str | None, str | None, str]] = {
    "Relu": (None, None, "_saved_result"),
    "Threshold": ("_saved_threshold", None, "_saved_self"),
    "Hardtanh": ("_saved_min_val", "_saved_max_val", "_saved_self"),
    "ClampMin": ("_saved_min", None, "_saved_self"),
    "Clamp": ("_saved_min", "_saved_max", "_saved_self"),
}
"""Functions that are a ReLU if they begin at 0: what their nodes call their beginning, their end, and z."""

_OTHERS = {
    **{"LeakyRelu": "LeakyReLU", "PreluKernel": "PReLU", "RreluWithNoise": "RReLU", "Elu": "ELU", "Celu": "CELU"},
    **{"Gelu": "GELU", "Silu": "SiLU", "Mish": "Mish", "Hardswish": "Hardswish", "Softplus": "Softplus"},
}
_TRANSPARENT = ("torch.nn.parallel", "torch.distributed", "torch.nn.modules._functions")
"""Modules whose functions hand gradients on as they are, or are no activations."""


def _relu(node: Any, others: str) -> tuple[str, int, Tensor, Any] | None:
    """Of a ReLU's node its kind, which of its inputs is z, z itself, and the bound above. None of any other function.

    Raises `ModelError` if the node is not known to be free of ReLUs.
    """
    kind = type(node).__name__.rstrip("0123456789").removesuffix("Backward")
    doubt = f"the rules are defined for ReLU, and the network computes {_OTHERS[kind]}" if kind in _OTHERS else None
    if relu := _one_call(node, kind):
        return kind, *relu
    if isinstance(node, BackwardCFunction):  # written in Python
        made = getattr(node, "_forward_cls", type(node))
        if made.__module__.startswith("torch.") and not made.__module__.startswith(_TRANSPARENT):
            _refuse(made.__name__)
        if not made.__module__.startswith("torch."):
            doubt = f"the function {made.__name__} has a derivative of its own"
    elif kind == "CopySlices" or not hasattr(torch._C._functions, type(node).__name__):
        _refuse(node.name().rsplit(":")[-1])
    elif _may_be_written_out(node, kind):
        doubt = f"a mask, a maximum of a stack, a minimum with 0 or x + |x| may be a ReLU written out ({node.name()})"
    if doubt and others == "raise":
        raise ModelError(f"{doubt}: relu_rule(..., others='backprop') lets it keep its derivative")
    return None


def _one_call(node: Any, kind: str) -> tuple[int, Tensor, Any] | None:
    """Of a ReLU that is one function which input is z, z, and the bound above; None of any other."""
    if kind in _RELUS:
        low, high, z = _RELUS[kind]
        begins = 0 if low is None else getattr(node, low)
        if begins is not None and not (begins.any() if isinstance(begins, Tensor) else begins):
            return 0, getattr(node, z), high and getattr(node, high)
    elif kind in ("Maximum", "Fmax") and (zeros := _zeros(node)) is not None:
        return 1 - zeros, (node._saved_self, node._saved_other)[1 - zeros], None
    return None


def _refuse(what: str) -> None:
    raise ModelError(
        "part of the network would not follow the rule: nothing is seen of what is scripted, compiled, in a reentrant "
        f"checkpoint, or changed in place by parts ({what})"
    )


def _may_be_written_out(node: Any, kind: str) -> bool:
    """Whether this may be a ReLU put together from other functions: the graph does not tell x > 0 from any mask."""
    below, shape = [one for one, _ in node.next_functions], tuple(node._input_metadata[0].shape)
    match kind:
        case "Mul" if None in below:
            mask = node._saved_other if node._saved_self is None else node._saved_self
            binary = mask.dtype == torch.bool or ((mask == 0).any() and ((mask == 0) | (mask == 1)).all())
            return mask.shape == shape and bool(binary)
        case "Maximum" | "Fmax":
            return _one_is_a_multiple(below)
        case "Minimum" | "Fmin":
            return _zeros(node) is not None
        case "Clamp" | "ClampMax":
            return node._saved_max is not None and not torch.as_tensor(node._saved_max).any()
        case "Where":
            return node._saved_condition.shape == shape and (None in below or _one_is_a_multiple(below))
        case "MaskedFill":
            return node._saved_mask.shape == shape
        case "Add" | "Sub" if None not in below:
            return any("Abs" in a.name() and a.next_functions[0][0] is b for a, b in (below, below[::-1]))
        case "Max" | "Amax" | "Sort" | "Topk" | "MaxPool2DWithIndices" | "MaxPool3DWithIndices":
            source = _before_views(below[0])
            made = "" if source is None else source.name()
            if not (made.startswith("Stack") or (made.startswith(("Cat", "ConstantPad")) and "Pool" not in kind)):
                return False
            parts = [_before_views(part) for part, _ in source.next_functions]
            return "Pad" in made or None in parts or _one_is_a_multiple(parts)
    return False


def _zeros(node: Any) -> int | None:
    """Which of a maximum's or minimum's two inputs is a constant 0."""
    sides = node._saved_self, node._saved_other
    return next((i for i in (0, 1) if node.next_functions[i][0] is None and not sides[i].any()), None)


def _one_is_a_multiple(parts: Sequence[Any]) -> bool:
    """Whether one of some functions is another of them times something, as in max(x, 0 * x)."""
    return any(
        "Mul" in part.name() and any(_before_views(one) in parts for one, _ in part.next_functions if one is not None)
        for part in parts
        if part is not None
    )


def _before_views(node: Any) -> Any:
    """The function that made the entries, whatever their shape."""
    while node is not None and node.name().removesuffix("Backward0") in _VIEWS:
        node = node.next_functions[0][0]
    return node


_VIEWS = {"View", "UnsafeView", "ReshapeAlias", "Unsqueeze", "Squeeze", "Permute", "Transpose", "Clone", "Expand"}
"""Functions after which the entries are the same."""
