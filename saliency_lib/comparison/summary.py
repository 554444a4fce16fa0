"""What the records of a comparison say together: means with standard errors, beside the best control."""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

from saliency_lib.comparison.metric import find_metric
from saliency_lib.statistics import interval

Values = Mapping[str, Mapping[str, Sequence[float]]]
"""Of each method, by each metric, the numbers of all pictures."""


def rows(values: Values, controls: Sequence[str], metrics: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is told of each metric, and of each method its means."""
    nulls = {name: _null(name, values, controls) for name in metrics}
    columns = {name: {"title": (m := find_metric(name)).title, "best": m.best, "null": nulls[name]} for name in metrics}
    means = {
        method: {
            name: _mean(own[name]) | _beyond(own[name], values.get(nulls[name] or "", {}).get(name)) for name in metrics
        }
        for method, own in values.items()
    }
    return columns, means


def _null(metric: str, values: Values, controls: Sequence[str]) -> str | None:
    """The control that is best by this metric, among those compared."""
    sign = 1 if find_metric(metric).best == "high" else -1
    return max(controls, key=lambda name: sign * sum(values[name][metric]), default=None)


def _beyond(values: Sequence[float], null: Sequence[float] | None) -> dict[str, dict[str, float]]:
    """By how much, picture by picture, a method is larger than its null: the mean with its interval."""
    if null is None or len(values) < 2:
        return {}
    found = interval([a - b for a, b in zip(values, null, strict=True)])
    return {"beyond_null": {name: round(value, 6) for name, value in found._asdict().items()}}


def _mean(values: Sequence[float]) -> dict[str, float]:
    """A mean, and its standard error where there are two values or more."""
    if not values:
        return {}
    mean = sum(values) / len(values)
    spread = sum((value - mean) ** 2 for value in values)
    error = {"error": round(sqrt(spread / (len(values) - 1) / len(values)), 6)} if len(values) > 1 else {}
    return {"mean": round(mean, 6)} | error


def table(result: dict[str, Any]) -> str:
    """A summary as text: a line a method, means with their standard errors; a star where it is better than its null."""
    width = max(len(name) for name in result["methods"])
    lines = [
        f"{result['n']} images, {result['data']}, {result['model']}: means, standard errors; * beyond the null",
        "",
    ]
    columns = result["metrics"]
    lines.append(" " * width + "".join(f"{name:>18}" for name in columns))
    lines.append(" " * width + "".join(f"{one['best'] + ' is good':>18}" for one in columns.values()))
    lines.append(" " * width + "".join(f"{'null: ' + (one.get('null') or '-'):>18}" for one in columns.values()))
    for name, row in result["methods"].items():
        lines.append(
            f"{name:{width}}" + "".join(f"{_cell(row[metric], columns[metric]['best']):>18}" for metric in columns)
        )
    if result["broken_images"]:
        lines += ["", f"{len(result['broken_images'])} could not be used:"]
        lines += [f"  {image}: {reason}" for image, reason in result["broken_images"].items()]
    return "\n".join(lines)


def _cell(value: dict[str, Any], best: str) -> str:
    if not value:
        return "-"
    beyond = value.get("beyond_null", {"low": 0, "high": 0})
    star = "*" if (beyond["low"] > 0 if best == "high" else beyond["high"] < 0) else " "
    return f"{value['mean']:.3f}" + (f" +- {value['error']:.3f}" if "error" in value else "") + star


def csv(result: dict[str, Any]) -> str:
    """A summary as CSV: method, metric, mean, standard error, number of images."""
    rows = ["method,metric,mean,standard_error,images"]
    for name, row in result["methods"].items():
        for metric in result["metrics"]:
            value = row[metric]
            rows.append(f"{name},{metric},{value.get('mean', '')},{value.get('error', '')},{result['n']}")
    return "\n".join(rows) + "\n"
