"""Methods beside each other: the same images, the same metrics, one line for each method and image.

The work is cut into chunks of one method and a batch of images; `runs` does them all, through any interruption.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from saliency_lib.checks import integer, some_of
from saliency_lib.comparison.explainers import Explainer, find_explainers
from saliency_lib.comparison.metric import Examined, find_metric, metric_names
from saliency_lib.comparison.pictures import (
    Item,
    Picture,
    Pictures,
    batch,
    examined,
    find_pictures,
    loaded,
    network_for,
)
from saliency_lib.comparison.summary import rows
from saliency_lib.errors import SaliencyError
from saliency_lib.images import sides
from saliency_lib.models.load import load_model
from saliency_lib.models.model import Model
from saliency_lib.runs.records import Record
from saliency_lib.runs.run import execute

PIXELS = 8 * 224 * 224
"""So many pixels go through the network at a time, whatever the size of the images."""


@dataclass(frozen=True)
class Comparison:
    """Which methods are measured how, on what."""

    data: Pictures
    explainers: list[Explainer]
    metrics: Sequence[str]
    model: Model
    model_name: str
    at_a_time: int
    unit = "map"
    _known: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{len(self.explainers)} methods on {self.data.title}"

    @property
    def settings(self) -> dict[str, str]:
        return {"data": self.data.title, "model": self.model_name}

    def settings_of(self, record: Record) -> dict[str, str]:
        own = {explainer.name: {"settings": self.digest(explainer)} for explainer in self.explainers}
        return self.settings | own.get(record["method"], {})

    def digest(self, explainer: Explainer) -> str:
        """Eight digits of all on which the numbers of one method depend, and of nothing else."""
        measured = {name: dict(find_metric(name).settings) for name in self.metrics}
        used = [self.data.title, measured, explainer.name, explainer.in_use(), self.at_a_time, self.model.size]
        return hashlib.sha256(json.dumps(used, default=repr).encode()).hexdigest()[:8]

    @property
    def names(self) -> list[str]:
        return [Item(explainer.name, picture).name for explainer in self.explainers for picture in self.data.names]

    @property
    def chunks(self) -> list[list[Item]]:
        starts = range(0, len(self.data.names), self.at_a_time)
        batches = [self.data.names[start : start + self.at_a_time] for start in starts]
        return [[Item(explainer.name, name) for name in batch] for explainer in self.explainers for batch in batches]

    def examine(self, chunk: Sequence[Item]) -> list[Record]:
        method, names = chunk[0].what, [item.picture for item in chunk]
        (explainer,) = (one for one in self.explainers if one.name == method)
        found = examined(names, self._load, lambda usable: self._measure(explainer, usable))
        settings = self.settings_of({"method": method})
        return [
            {"image": item.name, "method": method, "picture": item.picture} | one | settings
            for item, one in zip(chunk, found, strict=True)
        ]

    def _load(self, name: str) -> Picture | str:
        return loaded(self.data.load, name)

    def _measure(self, explainer: Explainer, usable: Mapping[str, Picture]) -> list[Record]:
        """Every metric for every picture."""
        model = self.model
        images, labels, masks = batch(model, list(usable.values()))
        batch_size = max(1, PIXELS // (images.shape[2] * images.shape[3]))

        maps, shares = explainer.maps_and_shares(model, images, labels, batch_size)
        known = self._known.setdefault(tuple(usable), {})

        def explain(moved: Tensor) -> Tensor:
            return explainer.maps(model, moved, labels, batch_size)

        at = Examined(model, images, labels, masks, maps, shares, explain, batch_size, known)
        values = {name: find_metric(name).measure(at).tolist() for name in self.metrics}
        return [{name: round(of[row], 9) for name, of in values.items()} for row in range(len(usable))]

    def again(self, done: Mapping[str, Record]) -> set[str]:
        broken = {record["picture"] for record in done.values() if "broken" in record}
        mended = {name for name in broken if isinstance(self._load(name), Picture)}
        return {name for name, record in done.items() if record["picture"] in mended}

    def complete(self, record: Record) -> bool:
        kinds = {"method": str, "picture": str, "settings": str}
        return all(isinstance(record.get(key), kind) for key, kind in kinds.items())

    def summarize(self, results: Sequence[Record]) -> dict[str, Any]:
        broken = {record["picture"]: record["broken"] for record in results if "broken" in record}
        usable = [record for record in results if "broken" not in record]
        values = {
            one.name: {name: [r[name] for r in usable if r["method"] == one.name] for name in self.metrics}
            for one in self.explainers
        }
        controls = [one.name for one in self.explainers if one.control is not None]
        columns, means = rows(values, controls, self.metrics)
        methods = {
            one.name: {
                "title": one.title,
                "given": {name: str(value) for name, value in one.settings.items()},
                "settings": self.digest(one),
                **means[one.name],
            }
            for one in self.explainers
        }
        count = len(self.data.names) - len(broken)
        return self.settings | {"n": count, "broken_images": broken, "metrics": columns, "methods": methods}


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
    return execute(
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
    batch_size = batch_size if batch_size is None else integer("the batch size", batch_size, 1, 4096)
    count = count if count is None else integer("the number of images", count, 1)
    name = model or network_for(data)
    network = load_model(name)
    pictures = find_pictures(data, network, count)
    chosen = some_of("metric", metrics or (), metric_names())
    for one in chosen:
        if find_metric(one).masked and not pictures.known:
            raise SaliencyError(f"{one} needs to know where the objects are, and for {data} nobody says so")
    if not chosen:
        all_metrics = [find_metric(one) for one in metric_names()]
        chosen = tuple(one.name for one in all_metrics if one.usual and (pictures.known or not one.masked))
    H, W = sides(network.size)
    at_a_time = batch_size or max(1, PIXELS // 2 // (H * W))
    return Comparison(pictures, find_explainers(methods, network, name), chosen, network, name, at_a_time)
