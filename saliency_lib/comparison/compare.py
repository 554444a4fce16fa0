"""Methods beside each other: the same images, the same metrics, one line for each method and image.

The work is cut into chunks of one method and a batch of images; `loop` does them all, through any interruption.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from saliency_lib.checks import some_of, whole
from saliency_lib.comparison import map_metrics
from saliency_lib.comparison.explainers import Explainer, find_explainers
from saliency_lib.comparison.pictures import Picture, Pictures, find_pictures, network_for
from saliency_lib.errors import ImageError, SaliencyError
from saliency_lib.images import sides
from saliency_lib.models.load import load_model
from saliency_lib.models.model import Model
from saliency_lib.runs.records import Record
from saliency_lib.runs.run import carry_out
from saliency_lib.statistics import interval
from saliency_lib.targets import Target, posterior

PIXELS = 8 * 224 * 224
"""So many pixels go through the network at a time, whatever the size of the images."""

STEPS, SQUARES, RADIUS, MOVES = 10, 50, 0.02, 3
"""Of deletion and insertion; of infidelity; of sensitivity."""


class Examined(NamedTuple):
    """What a metric is given: a batch of images, their classes, masks and maps, and how the maps were made."""

    model: Model
    explainer: Explainer
    images: Tensor
    labels: Tensor
    masks: Tensor | None
    maps: Tensor
    shares: Tensor
    falls: Callable[[], tuple[Tensor, Tensor]]
    ends: Callable[[], tuple[Tensor, Tensor]]
    batch_size: int


def _asked(model: Model, labels: Tensor) -> Target:
    """The probability of the class or, where there is none, its number."""
    return labels if model.head.kind == "numbers" else posterior(labels)


@dataclass(frozen=True)
class Metric:
    """A number for every map; `best` says which ones are good, `seen` whether it needs a mask."""

    title: str
    best: str
    masked: bool
    of: Callable[[Any], Tensor]


def _sensitivity(at: Examined) -> Tensor:
    def explain(images: Tensor) -> Tensor:
        return at.explainer.maps(at.model, images, at.labels, at.batch_size)

    return map_metrics.sensitivity(explain, at.images, radius=RADIUS, samples=MOVES)


def _area(of: Callable[..., Tensor]) -> Callable[[Examined], Tensor]:
    def measure(at: Examined) -> Tensor:
        more = {"steps": STEPS, "batch_size": at.batch_size, "known": at.ends()}
        return of(at.model, at.images, at.maps, _asked(at.model, at.labels), **more)

    return measure


METRICS = {
    "pointing": Metric("largest value on the object", "high", True, lambda at: map_metrics.pointing(at.maps, at.masks)),
    "mass": Metric("share of the map on the object", "high", True, lambda at: map_metrics.mass(at.maps, at.masks)),
    "rank": Metric("largest values on the object", "high", True, lambda at: map_metrics.rank(at.maps, at.masks)),
    "deletion": Metric("probability while pixels go", "low", False, _area(map_metrics.deletion)),
    "insertion": Metric("probability while pixels come", "high", False, _area(map_metrics.insertion)),
    "infidelity": Metric(
        "falls that are not foretold", "low", False, lambda at: map_metrics.infidelity(at.shares, *at.falls())
    ),
    "sensitivity": Metric("how far the map moves with the image", "low", False, _sensitivity),
}
USUAL = [name for name in METRICS if name != "sensitivity"]
"""Without the one that makes every map four times."""


class Item(NamedTuple):
    """One method on one picture."""

    explainer: Explainer
    picture: str

    @property
    def name(self) -> str:
        """How the two are called in the results."""
        return f"{self.explainer.name} {self.picture}"


@dataclass(frozen=True)
class Comparison:
    """Which methods are measured how, on what."""

    data: Pictures
    explainers: list[Explainer]
    metrics: list[str]
    model: Model
    model_name: str
    at_a_time: int
    unit = "map"
    _known: dict[tuple[str | int, ...], Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What the progress bar says."""
        return f"{len(self.explainers)} methods on {self.data.title}"

    @property
    def settings(self) -> dict[str, str]:
        """What every record says of how it came about."""
        text = json.dumps(
            [self.data.title, self.metrics, self.at_a_time, STEPS, SQUARES, RADIUS, MOVES, self.model.size]
        )
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return {"data": self.data.title, "model": self.model_name, "settings": digest}

    @property
    def names(self) -> list[str]:
        """Every method on every picture."""
        return [Item(explainer, picture).name for explainer in self.explainers for picture in self.data.names]

    @property
    def chunks(self) -> list[list[Item]]:
        """One method and a batch of pictures at a time."""
        starts = range(0, len(self.data.names), self.at_a_time)
        batches = [self.data.names[start : start + self.at_a_time] for start in starts]
        return [[Item(explainer, name) for name in batch] for explainer in self.explainers for batch in batches]

    def examine(self, chunk: Sequence[Item]) -> list[Record]:
        """The records of one chunk. Pictures that cannot be used get a record that says why."""
        loaded = {item.picture: self._load(item.picture) for item in chunk}
        usable = {name: picture for name, picture in loaded.items() if isinstance(picture, Picture)}
        values = self._measure(chunk[0].explainer, usable) if usable else {}
        rows = {picture: {name: of[row] for name, of in values.items()} for row, picture in enumerate(usable)}
        return [
            {"image": item.name, "method": item.explainer.name, "picture": item.picture}
            | rows.get(item.picture, {"broken": loaded[item.picture]})
            | self.settings
            for item in chunk
        ]

    def _load(self, name: str) -> Picture | str:
        try:
            return self.data.load(name)
        except ImageError as error:
            return str(error)

    def _measure(self, explainer: Explainer, usable: Mapping[str, Picture]) -> dict[str, list[float]]:
        """Every metric for every picture."""
        model, pictures = self.model, list(usable.values())
        images = torch.cat([picture.image for picture in pictures]).to(model.mean.device)
        with torch.no_grad():
            top = model(images).argmax(1).tolist()
        labels = torch.tensor([best if p.label is None else p.label for p, best in zip(pictures, top, strict=True)])
        found = [picture.mask for picture in pictures if picture.mask is not None]
        batch_size = max(1, PIXELS // (images.shape[2] * images.shape[3]))

        def once(name: str, of: Callable[[], tuple[Tensor, Tensor]]) -> Callable[[], tuple[Tensor, Tensor]]:
            """What is the same for all methods is asked for by the first that needs it."""

            def known() -> tuple[Tensor, Tensor]:
                key = name, *usable
                if key not in self._known:
                    self._known[key] = of()
                return self._known[key]

            return known

        def falls() -> tuple[Tensor, Tensor]:
            P, fall = map_metrics.falls(model, images, labels, squares=SQUARES, batch_size=batch_size)
            return self._known.setdefault(("squares", *P.shape), P), fall  # the same for all images of a size

        def ends() -> tuple[Tensor, Tensor]:
            return map_metrics.ends(model, images, _asked(model, labels), batch_size=batch_size)

        maps, shares = explainer.maps_and_shares(model, images, labels, batch_size)
        masks = torch.cat(found).to(maps.device) if len(found) == len(pictures) else None
        shared = once("falls", falls), once("ends", ends)
        at = Examined(model, explainer, images, labels, masks, maps, shares, *shared, batch_size)
        return {name: [round(value, 9) for value in METRICS[name].of(at).tolist()] for name in self.metrics}

    def again(self, done: Mapping[str, Record]) -> set[str]:
        """What could not be used, and can be now."""
        broken = {record["picture"] for record in done.values() if "broken" in record}
        mended = {name for name in broken if isinstance(self._load(name), Picture)}
        return {name for name, record in done.items() if record["picture"] in mended}

    def summarize(self, results: Sequence[Record]) -> dict[str, Any]:
        """The mean of every metric for every method, with its standard error, and how far it is from its null."""
        broken = {record["picture"]: record["broken"] for record in results if "broken" in record}
        values = {
            explainer.name: {
                name: [r[name] for r in results if r["method"] == explainer.name and "broken" not in r]
                for name in self.metrics
            }
            for explainer in self.explainers
        }
        nulls = {name: self._null(name, values) for name in self.metrics}
        table = {}
        for explainer in self.explainers:
            own = values[explainer.name]
            means = {
                name: _mean(own[name]) | _beyond(own[name], values.get(nulls[name] or "", {}).get(name))
                for name in self.metrics
            }
            settings = {name: str(value) for name, value in explainer.settings.items()}
            table[explainer.name] = {"title": explainer.title, "given": settings, **means}
        count = len(self.data.names) - len(broken)
        metrics = {
            name: {"title": METRICS[name].title, "best": METRICS[name].best, "null": nulls[name]}
            for name in self.metrics
        }
        return self.settings | {"n": count, "broken_images": broken, "metrics": metrics, "methods": table}

    def _null(self, metric: str, values: Mapping[str, Mapping[str, Sequence[float]]]) -> str | None:
        """The control that is best by this metric, among those compared."""
        sign = 1 if METRICS[metric].best == "high" else -1
        controls = [one.name for one in self.explainers if one.control is not None]
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


def compare(
    data: str,
    out: Path,
    *,
    methods: list[str] | None = None,
    metrics: list[str] | None = None,
    model: str | None = None,
    count: int | None = None,
    batch_size: int | None = None,
    summary: Path | None = None,
) -> dict[str, Any] | None:
    """Measure methods on the pictures that `data` names; returns the summary, in the first process only.

    `data` is "photos" (the sample photos), "creatures" (drawings with exact masks), a folder in the layout of ILSVRC
    CLS-LOC, or a folder of photos, for which no metric needs a mask. `methods` and `metrics` are all that fit, by
    default, but for sensitivity. Results are appended to `out`, one JSON line for a method and a picture, and those
    that it has are not done again. Raises `SaliencyError` for names that do not exist and as `evaluate` does.
    """
    return carry_out(
        lambda: _prepare(data, methods, metrics, model, count, batch_size),
        out,
        summary,
        lambda name: [Path(data) / name],
    )


def _prepare(
    data: str,
    methods: list[str] | None,
    metrics: list[str] | None,
    model: str | None,
    count: int | None,
    batch_size: int | None,
) -> Comparison:
    batch_size = batch_size if batch_size is None else whole("the batch size", batch_size, 1, 4096)
    count = count if count is None else whole("the number of images", count, 1)
    name = model or network_for(data)
    network = load_model(name)
    pictures = find_pictures(data, network, count)
    for metric in some_of("metric", metrics or (), METRICS):
        if METRICS[metric].masked and not pictures.known:
            raise SaliencyError(f"{metric} needs to know where the objects are, and for {data} nobody says so")
    chosen = metrics or [one for one in USUAL if pictures.known or not METRICS[one].masked]
    H, W = sides(network.size)
    at_a_time = batch_size or max(1, PIXELS // 2 // (H * W))
    return Comparison(pictures, find_explainers(methods, network, name), chosen, network, name, at_a_time)


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
