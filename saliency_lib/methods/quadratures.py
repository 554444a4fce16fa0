"""Where on the way from 0 to 1 an integrand is asked, and what each answer counts.

`FIXED` quadratures know their nodes beforehand. The adaptive one finds them as it goes. It stands on trapezoids, and on
what few integrals offer: for the slope d = dS/da the integral over a cell is known, it is S at its end less S at its
beginning, and S comes with every slope for nothing. So each trapezoid's error is known too, and the next nodes halve
the cells whose errors are the largest.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np


def _midpoints(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (edges[1:] + edges[:-1]) / 2, np.diff(edges)


def _gauss_legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    x, w = np.polynomial.legendre.leggauss(n)
    return (1 + x) / 2, w / 2


FIXED: dict[str, Callable[[int], tuple[np.ndarray, np.ndarray]]] = {
    "graded": lambda n: _midpoints((np.arange(n + 1) / n) ** 3),
    "midpoint": lambda n: _midpoints(np.arange(n + 1) / n),
    "gauss-legendre": _gauss_legendre,
}
"""From a number of steps to as many nodes in (0, 1), and their weights. The first two are the middles and the widths of
n cells, of one width or between the cubes of k / n."""

FIRST, MORE = 9, 8
"""Nodes of the adaptive one's first round, and of each round after it."""


def rounds(steps: int) -> int:
    """How many rounds it takes to find so many nodes."""
    return 1 + math.ceil(max(0, steps - FIRST) / MORE)


def first_nodes(steps: int) -> list[float]:
    """The ends of [0, 1] and cubes between them, at most `FIRST` in all."""
    return (np.linspace(0, 1, min(steps, FIRST)) ** 3).tolist()


def next_nodes(nodes: Sequence[float], S: Sequence[float], slopes: Sequence[float], count: int) -> list[float]:
    """The middles of the `count` cells, or of all, where trapezoids err most; of those that err alike, of the widest.

    The nodes come in any order, with S(a) and its slope dS/da at each.
    """
    order = np.argsort(nodes)
    a, values, d = (np.asarray(row, dtype=np.float64)[order] for row in (nodes, S, slopes))
    errors = np.abs(np.diff(a) * (d[1:] + d[:-1]) / 2 - np.diff(values))
    worst = np.lexsort((-np.diff(a), -errors))[:count]
    return ((a[1:] + a[:-1]) / 2)[np.sort(worst)].tolist()


def trapezoids(nodes: Sequence[float]) -> np.ndarray:
    """What each node counts, in whichever order they come: half the way from its left neighbor to its right one."""
    order = np.argsort(nodes)
    halves = np.diff(np.asarray(nodes)[order]) / 2
    weights = np.empty(len(nodes))
    weights[order] = np.append(halves, 0) + np.insert(halves, 0, 0)
    return weights
