"""Every method under every change of mere description, measured.

    found = invariances("creature_convnet")             # a list of entries
    print(text(found))

An entry compares the map M of the first description with the map M' of the second, brought back to the same pixels:

    change    |M' - M| / |M|, in the Euclidean norm
    factor    the f for which f M is nearest to M', one for each image; none if they differ
    shape     |M' - f M| / |M'|: what is left where only the size is another
    rank      Spearman's correlation of the two, the mean over the images
"""

import importlib.resources
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from saliency_lib.comparison.explainers import Explainer, find_explainers
from saliency_lib.comparison.pictures import CREATURES, PHOTOS, find_pictures
from saliency_lib.controls import CONTROLS
from saliency_lib.errors import SaliencyError
from saliency_lib.invariances.changes import CHANGES, Asked
from saliency_lib.invariances.questions import PROOFS, QUESTIONS
from saliency_lib.methods.maps import rank_correlation, reduce_channels
from saliency_lib.models.load import EMBEDDED, load_model
from saliency_lib.models.model import layers_known

FEW: dict[str, dict[str, Any]] = {
    "smoothgrad": {"samples": 4},
    "smoothgrad-squared": {"samples": 4},
    "integrated-gradients": {"steps": 8},
    "lime": {"samples": 60, "superpixels": 25},
    "rise": {"samples": 60},
    "shap": {"samples": 60, "superpixels": 25},
    "occlusion-superpixels": {"superpixels": 25},
}
"""Few samples serve: what is compared is one and the same sum, described in two ways."""

EXACT, ROUNDED = 1e-6, 1e-2
"""Relative changes below are rounding, in double precision and in single, where some ReLUs near 0 switch."""

BLOCK = 4
"""Pixels a side of the blocks."""

BLOCKS = "block size"

Explain = Callable[[Asked], Tensor]
"""From what is asked to maps (N, h, w)."""


@dataclass(frozen=True)
class Entry:
    """How far a method's map moves under a change; all numbers are None where the method cannot be asked."""

    method: str
    change: str
    relative: float | None = None
    factor: float | None = None
    shape: float | None = None
    rank: float | None = None
    tolerance: float = EXACT
    proof: str = ""

    @property
    def stands(self) -> bool:
        """Whether the map is the same but for a factor."""
        return self.shape is not None and self.shape < self.tolerance

    @property
    def said(self) -> str:
        """The entry in a word: = for the same, ~ for nearly the same, a factor where only the size is another, else the
        rank correlation."""
        if self.rank is None:
            return "-"
        if not self.stands:
            return "~" if self.relative is not None and self.relative < ROUNDED else f"{self.rank:.2f}"
        factor = "x" if self.factor is None else "=" if abs(self.factor - 1) < ROUNDED else f"x {self.factor:.3g}"
        return factor + " p" * bool(self.proof)


def measured(name: str, explain: Explain, change: str, asked: Asked) -> Entry:
    """One entry: a method `explain` under a change of `CHANGES`."""
    how = CHANGES[change]
    try:
        before, after = how.pair(asked)
        M, N = explain(before).double(), how.back(explain(after)).double()
    except SaliencyError:  # a method that has no rule for a network, a network that has no such description
        return Entry(name, change)
    single = asked.images.dtype == torch.float32 or change == "number format"
    return compared(name, change, M, N, ROUNDED if single else EXACT)


def compared(name: str, change: str, M: Tensor, N: Tensor, tolerance: float = EXACT) -> Entry:
    """The entry of two maps (N, h, w) of the same pixels. Where every map is constant no order stays: a rank of 0."""
    size = M.norm().clamp(min=1e-300)
    f = (M * N).sum((1, 2), keepdim=True) / M.square().sum((1, 2), keepdim=True).clamp(min=1e-300)
    own = f.flatten()[M.flatten(1).any(1)]  # a map of zeros has any factor
    ranks = [rank_correlation(a, b) for a, b in zip(M, N, strict=True)]
    known = [rank for rank in ranks if isfinite(rank)]
    reason, proved = PROOFS.get(change, ("", ()))
    return Entry(
        name,
        change,
        relative=((N - M).norm() / size).item(),
        factor=own[0].item() if len(own) and torch.allclose(own, own[0], rtol=1e-2) else None,
        shape=((N - f * M).norm() / N.norm().clamp(min=1e-300)).item(),
        rank=sum(known) / len(known) if known else 0.0,
        tolerance=tolerance,
        proof=reason if name in proved else "",
    )


def in_blocks(explainer: Explainer, asked: Asked) -> Entry:
    """Blocks of 4 x 4 pixels, asked about one by one: their numbers beside the sums of those of their pixels."""
    name, method = explainer.name, explainer.method
    try:
        if method is not None and method.per_pixel():
            A = explainer.attribution(asked.model, asked.images, asked.target, 8)
            sums = F.avg_pool2d(A, BLOCK) * BLOCK**2
            return compared(name, BLOCKS, F.avg_pool2d(reduce_channels(A), BLOCK) * BLOCK**2, reduce_channels(sums))
        other = _other_pieces(explainer, asked.images)
        if other is None:
            return Entry(name, BLOCKS)
        M, N = (one.maps(asked.model, asked.images, asked.target, 8).double() for one in (explainer, other))
    except SaliencyError:
        return Entry(name, BLOCKS)
    return compared(name, BLOCKS, M, N)


def _other_pieces(explainer: Explainer, images: Tensor) -> Explainer | None:
    """The same method, asked about larger pieces, where it is asked about pieces at all."""
    known = explainer.method.settings() if explainer.method is not None else ()
    if "superpixels" in known:
        return replace(explainer, settings=explainer.settings | {"superpixels": 12})
    if "patch" in known:
        return replace(explainer, settings=explainer.settings | {"patch": max(2, min(images.shape[2:]) * 2 // 7)})
    return None


def invariances(
    model: str = EMBEDDED,
    *,
    methods: list[str] | None = None,
    changes: Sequence[str] | None = None,
    images: int = 2,
    double: bool = True,
) -> list[Entry]:
    """Every method that fits a network under every change: one `Entry` for each.

    Asked of the first `images` sample photos, or of as many drawings for a network that knows those, about the top
    class of the first image; in double precision, or in single, which is quicker. Raises `SaliencyError` for names that
    do not exist.
    """
    network = load_model(model).cpu().to(torch.float64 if double else torch.float32)
    drawn = network.categories is not None and "owl" in network.categories.names and len(network.categories.names) == 10
    pictures = find_pictures(CREATURES if drawn else PHOTOS, network, images)
    batch = torch.cat([pictures.load(name).image for name in pictures.names]).to(network.mean.dtype)
    with torch.no_grad():
        label = int(network(batch[:1]).argmax(1))
    asked = Asked(network, batch, label, label, tuple(layers_known(network).localization))
    found = [one for one in find_explainers(methods, network, model) if one.name not in CONTROLS]
    return [entry for one in found for entry in entries(_with_few(one), asked, changes)]


def entries(explainer: Explainer, asked: Asked, changes: Sequence[str] | None = None) -> list[Entry]:
    """One method under all changes, and by blocks."""

    known: dict[int, Tensor] = {}

    def explain(at: Asked) -> Tensor:
        if at is not asked:
            return explainer.maps(at.model, at.images, at.target, 8)
        if not known:  # the question as it is stands on one side of most changes
            known[0] = explainer.maps(at.model, at.images, at.target, 8)
        return known[0]

    some = [measured(explainer.name, explain, name, asked) for name in CHANGES if changes is None or name in changes]
    return some + ([in_blocks(explainer, asked)] if changes is None or BLOCKS in changes else [])


def _with_few(explainer: Explainer) -> Explainer:
    return replace(explainer, settings=explainer.settings | FEW.get(explainer.name, {}))


def as_json(found: Mapping[str, Sequence[Entry]]) -> str:
    """The entries of networks as they are kept in a file: one a line, three digits, without the proofs."""

    def kept(value: Any) -> Any:
        return float(f"{value:.3g}") if isinstance(value, float) else value

    def line(one: Entry) -> str:
        return json.dumps({key: kept(value) for key, value in asdict(one).items() if key != "proof"})

    networks = [f'"{name}": [\n' + ",\n".join(map(line, some)) + "\n]" for name, some in found.items()]
    return "{\n" + ",\n".join(networks) + "\n}\n"


def from_json(text: str) -> dict[str, list[Entry]]:
    """The entries of such a file by network, with their proofs."""

    def proof(method: str, change: str) -> str:
        reason, proved = PROOFS.get(change, ("", ()))
        return reason if method in proved else ""

    return {
        name: [Entry(**one, proof=proof(one["method"], one["change"])) for one in some]
        for name, some in json.loads(text).items()
    }


def stored(network: str = EMBEDDED) -> list[Entry]:
    """The entries of a network that come with the book; each chapter shows the rows of its methods."""
    file = importlib.resources.files("saliency_lib.data") / "invariances.json"
    return from_json(file.read_text("utf-8"))[network]


def markdown(found: Sequence[Entry]) -> str:
    """The table of some entries: a line a method, a column a change."""
    changes = list(dict.fromkeys(one.change for one in found))
    methods = list(dict.fromkeys(one.method for one in found))
    said = {(one.method, one.change): one.said for one in found}
    lines = ["| method | asks for | " + " | ".join(changes) + " |", "|---" * (len(changes) + 2) + "|"]
    for method in methods:
        cells = " | ".join(said.get((method, change), "-") for change in changes)
        lines.append(f"| {method} | {QUESTIONS.get(method, '?')} | {cells} |")
    return "\n".join(lines)


def text(found: Sequence[Entry]) -> str:
    """The same as plain text."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown(found).splitlines()]
    rows.pop(1)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
