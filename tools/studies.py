"""Numbers of stored studies in a text: what {study}`saliency-on-object:mean` says.

    {study}`NAME`                0.31 [0.27, 0.35] on 60 photographs (null 0.41)
    {study}`NAME:value`          0.31          the mean alone; in the same way `null`, `n`, `interval` and `verdict`
    {study}`NAME:against`        23 %          the share of photographs that contradict the claim
    {study}`NAME:difference`     −0.10 [−0.13, −0.07] on 60 photographs
    {study}`NAME:value%`         31 %          a share in percent; `NAME:%` is 31 % [27, 35] on ...
    {study}`NAME:value@NETWORK`  of another network than the study's first: its name, or "lite1", or "lite2"

The numbers are those of the confirming half. Nobody types them: they follow when the study is run again.
"""

import json
from collections.abc import Callable, Mapping
from math import floor, log10
from pathlib import Path
from typing import Any

from tools.project import BookError

FILE = Path("data") / "studies.json"
ENOUGH = 10
"""So many photographs a confirming half has, or both halves are taken together."""


def spoken(root: Path, content: str) -> str:
    """What the role says. Raises BookError for a study, a number or a network that is not stored."""
    asked, _, network = content.partition("@")
    name, _, what = asked.partition(":")
    percent, what = what.endswith("%"), what.removesuffix("%") or "mean"
    stored = json.loads((root / FILE).read_text("utf-8"))
    networks = _known("study", name, stored)["networks"]
    full = f"efficientnet_{network}" if network.startswith("lite") else network or next(iter(networks))
    halves = _known("network", full, networks)
    confirming = halves.get("confirm", {"n": 0})
    own = confirming if confirming["n"] >= ENOUGH else halves["all"]
    return _known("number", what, WAYS)(own, 100 if percent else 1, stored[name].get("unit", "photographs"))


def _known(kind: str, name: str, there: Mapping[str, Any]) -> Any:
    if name not in there:
        raise BookError(f"no {kind} {name} is stored in {FILE.as_posix()}: {', '.join(there)} are.")
    return there[name]


def _mean(own: Mapping[str, Any], scale: int, unit: str) -> str:
    null = _number(own["null"], own["interval"], scale)
    return f"{_value(own, scale)} {_interval(own, scale)} on {own['n']} {unit} (null {null})"


def _difference(own: Mapping[str, Any], scale: int, unit: str) -> str:
    mean, *bounds = own["difference"]
    return f"{_number(mean, bounds, scale, sign=True)} {_bounds(bounds, scale, sign=True)} on {own['n']} {unit}"


def _value(own: Mapping[str, Any], scale: int, unit: str = "") -> str:
    return _number(own["mean"], own["interval"], scale)


def _interval(own: Mapping[str, Any], scale: int, unit: str = "") -> str:
    return _bounds(own["interval"], scale)


WAYS: dict[str, Callable[[Mapping[str, Any], int, str], str]] = {
    "mean": _mean,
    "value": _value,
    "interval": _interval,
    "null": lambda own, scale, unit: _number(own["null"], own["interval"], scale),
    "n": lambda own, scale, unit: str(own["n"]),
    "against": lambda own, scale, unit: f"{100 * own['against']:.0f} %",
    "difference": _difference,
    "verdict": lambda own, scale, unit: str(own["verdict"]),
}


def _bounds(bounds: list[float | None], scale: int, *, sign: bool = False) -> str:
    low, high = (_number(bound, bounds, scale, sign=sign).removesuffix(" %") for bound in bounds)
    return f"[{low}, {high}]"


def _number(value: float | None, bounds: list[float | None], scale: int, *, sign: bool = False) -> str:
    """As many digits as the interval can tell apart, with a minus that is one."""
    if value is None:
        return "unknown"
    low, high = (scale * (bound or 0.0) for bound in bounds)
    digits = max(0, -floor(log10((high - low) / 4))) if high > low else 2
    plus = "+" if sign and value > 0 else ""
    return f"{plus}{scale * value:.{digits}f}".replace("-", "−") + (" %" if scale == 100 else "")
