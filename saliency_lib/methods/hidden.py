"""What a rule for ReLUs cannot reach, because no call of Python's makes it: it is looked for in the graph instead.

Scripted and compiled code, C++ extensions and functions with a derivative of their own (`torch.autograd.Function`) are
not seen by whoever watches calls. What they computed has a node in the graph that autograd records, and there a ReLU
shows. Under a rule they would keep their plain derivative, so that part of a network followed the rule and part did
not: that is refused.

Not found is what leaves no such trace: a ReLU put together from arithmetic in scripted code, or from others than
`x * (x > 0)`, `torch.where` and `(x + |x|) / 2`.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

from torch import Tensor
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import Node

ACTIVATIONS = ("Relu", "LeakyRelu", "Prelu", "Rrelu", "Elu", "Celu", "Gelu", "Silu", "Mish", "Hardswish", "Softplus")
"""How the names of their nodes begin."""

BOUNDS = {
    "ClampBackward": "_saved_min",
    "ClampMinBackward": "_saved_min",
    "HardtanhBackward": "_saved_min_val",
    "ThresholdBackward": "_saved_threshold",
}
"""Functions that are a ReLU if they begin at 0, and what their nodes call that."""

TRUSTED = ("saliency_lib.", "torch.nn.parallel.", "torch.distributed.", "torch.nn.modules._functions.")
"""Modules whose functions hand gradients on as they are, or by the rule, or are no activations: the last one's serve
the backward hooks of modules and two kinds of normalization."""

_LISTS = (list, tuple)


def find_hidden(values: Iterable[Any], seen: set[Node], since: int, *, functions: bool) -> str | None:
    """What was computed behind the back of whoever watches calls, if anything was, of what these values depend on.

    `seen` holds the nodes that were looked at before, and is added to; nodes older than `since` do not count.
    `functions` says whether a derivative of its own counts.
    """
    todo = nodes(values)
    while todo:
        node = todo.pop()
        if node in seen or node._sequence_nr() < since:
            continue
        seen.add(node)
        if (found := _hidden(node, functions)) is not None:
            return found
        for other, _ in node.next_functions:
            if other is not None:
                todo.append(other)
    return None


def nodes(values: Iterable[Any]) -> list[Node]:
    """Where in the graph the tensors among the arguments of a call, and in lists of them, come from."""
    found: list[Node] = []
    for value in values:
        if isinstance(value, Tensor):
            if (node := value.grad_fn) is not None:
                found.append(node)
        elif isinstance(value, _LISTS) and value and not isinstance(value[0], int):  # strides and sizes
            found += nodes(value)
    return found


def _hidden(node: Node, functions: bool) -> str | None:
    if isinstance(node, BackwardCFunction):
        made = getattr(node, "_forward_cls", type(node))
        trusted = not functions or _is_trusted(made.__module__)
        return None if trusted else f"the function {made.__name__} has a derivative of its own"
    said, bound = _by_name(node.name())
    return said if bound is None or getattr(node, bound, None) == 0 else None


@cache
def _is_trusted(module: str) -> bool:
    return f"{module}.".startswith(TRUSTED)


@cache
def _by_name(name: str) -> tuple[str | None, str | None]:
    """What is to be said of nodes of this name, if anything, and which number of theirs has to be 0 for it."""
    if "DifferentiableGraph" in name:
        return "a part of the network is scripted", None
    kind = name.rstrip("0123456789")
    if kind in BOUNDS:
        return "a ReLU was computed where no rule reaches", BOUNDS[kind]
    if kind.removesuffix("Backward").removesuffix("Kernel") in ACTIVATIONS:
        return f"an activation was computed where no rule reaches ({name})", None
    return None, None


def is_sum_with_modulus(values: Iterable[Any]) -> bool:
    """Whether a sum is x + |x|, which is twice a ReLU."""
    parts = nodes(values)
    if len(parts) != 2:
        return False
    return any(
        one.name().startswith("AbsBackward") and one.next_functions[0][0] is other
        for one, other in (parts, parts[::-1])
    )
