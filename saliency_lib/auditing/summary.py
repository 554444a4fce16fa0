"""What the records of single images say together: an `Audit`."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from saliency_lib import statistics
from saliency_lib.auditing.audit import THRESHOLD, Audit, Found, Group, Interval, Region
from saliency_lib.auditing.examination import BOTH, CONTROL, OBJECT, SHORTCUT
from saliency_lib.auditing.removal import WAYS
from saliency_lib.errors import SaliencyError
from saliency_lib.methods.maps import rank_correlation

Records = Sequence[Mapping[str, Any]]


def summarize(records: Records, *, threshold: float = THRESHOLD, groups: Sequence[Hashable] | None = None) -> Audit:
    """The numbers of all records, and of each group. Raises `SaliencyError` if there are fewer than two of one."""
    if len(records) < 2:
        raise SaliencyError(f"an audit needs two images that can be used, and has {len(records)}: intervals need more")
    names = [name for name in records[0]["regions"] if all(name in record["regions"] for record in records)]
    parts = {name: [record["regions"][name] for record in records] for name in names if name != BOTH}
    area, saliency = (
        {name: np.array([part[key] for part in some]) for name, some in parts.items()} for key in ("area", "saliency")
    )
    changed = [name for name in parts if parts[name][0]["changes"]]
    sizes = [np.abs(np.median([[part["changes"][way] for part in parts[name]] for way in WAYS], 0)) for name in changed]
    return Audit(
        **vars(measured(records, threshold)),
        regions={name: _region(some) for name, some in parts.items()},
        opinion=over_images(_of_lifts, saliency[SHORTCUT], area[SHORTCUT], saliency[OBJECT], area[OBJECT]),
        agreement=rank_correlation(
            torch.from_numpy(np.concatenate([saliency[name] for name in changed])),
            torch.from_numpy(np.concatenate(sizes)),
        ),
        groups=_by_group(records, threshold, groups) if groups is not None else {},
    )


def measured(records: Records, threshold: float = THRESHOLD) -> Found:
    """Effects, interaction and reliance of some images."""
    plain = bool(records[0]["plain"])
    size: Callable[[np.ndarray], np.ndarray] = np.abs if plain else np.asarray
    E = {name: {way: -_changes(records, name, way) for way in WAYS} for name in (OBJECT, SHORTCUT, BOTH, CONTROL)}
    both = {way: E[OBJECT][way] + E[SHORTCUT][way] - E[BOTH][way] for way in WAYS}
    a = {name: {way: np.abs(e) if plain else np.maximum(e, 0) for way, e in E[name].items()} for name in E}
    compared = {way: ~np.isnan(E[CONTROL][way]) for way in WAYS}
    fits = min(kept.sum() for kept in compared.values()) >= max(2, len(records) / 2)
    beyond = [(size(E[SHORTCUT][w]) - size(E[CONTROL][w]))[compared[w]] if fits else size(E[SHORTCUT][w]) for w in WAYS]
    return Found(
        images=len(records),
        object=_middle([over_images(_same, size(E[OBJECT][way])) for way in WAYS]),
        shortcut=_middle([over_images(_same, size(E[SHORTCUT][way])) for way in WAYS]),
        control=_middle([over_images(_same, size(E[CONTROL][w])[compared[w]]) for w in WAYS]) if fits else None,
        beyond=_middle([over_images(_same, values) for values in beyond]),
        # E_both = E_o + E_s - I, by their definitions
        interaction=_middle([over_images(_same, size(both[way])) for way in WAYS]),
        shapley={
            name: _middle([over_images(_same, size(E[name][way] - both[way] / 2)) for way in WAYS])
            for name in (OBJECT, SHORTCUT)
        },
        reliance=_middle([over_images(_share, a[SHORTCUT][way], a[OBJECT][way]) for way in WAYS]),
        threshold=threshold,
        plain=plain,
    )


def _changes(records: Records, name: str, way: str) -> np.ndarray:
    """By how much the score changes without a region, image by image; nan in images that do not have it."""
    parts = [record["regions"].get(name) for record in records]
    return np.array([part["changes"][way] if part else np.nan for part in parts])


def _by_group(records: Records, threshold: float, groups: Sequence[Hashable]) -> dict[str, Group]:
    """The same for each group, the p of all of them adjusted together."""
    if len(groups) != len(records):
        raise SaliencyError(f"expected a group for each of {len(records)} images, and got {len(groups)}")
    own: dict[str, list[Mapping[str, Any]]] = {}
    for group, record in zip(groups, records, strict=True):
        own.setdefault(str(group), []).append(record)
    few = [name for name, some in own.items() if len(some) < 2]
    if few:
        raise SaliencyError(f"an audit needs two images of each group, and of {few[0]!r} there is one")
    p = statistics.holm([statistics.sign_test(_signs(some)) for some in own.values()])
    return {name: Group(**vars(measured(own[name], threshold)), p=value) for name, value in zip(own, p, strict=True)}


def _signs(records: Records) -> list[float]:
    """What the shortcut does beyond the control, image by image: the median of the three ways."""
    size = np.abs if records[0]["plain"] else np.asarray
    s, c = (np.median(np.stack([size(-_changes(records, name, w)) for w in WAYS]), 0) for name in (SHORTCUT, CONTROL))
    return [float(x) for x in s - np.nan_to_num(c)]


def _region(parts: Sequence[Mapping[str, Any]]) -> Region:
    changes = {way: over_images(_same, [part["changes"][way] for part in parts]) for way in parts[0]["changes"]}
    flips = {way: float(np.mean([part["flips"][way] for part in parts])) for way in parts[0]["flips"]}
    area, saliency = (over_images(_same, [part[key] for part in parts]) for key in ("area", "saliency"))
    return Region(area, saliency, changes, flips or None)


# --- over images -----------------------------------------------------------------------------------------------------


def over_images(statistic: Callable[..., Any], *values: Any) -> Interval:
    """A number made of means over images, and its interval."""
    return Interval(*statistics.of_means(statistic, *values))


def _same(mean: Any) -> Any:
    return mean


def _share(a: Any, b: Any) -> Any:
    """a / (a + b); a half where both vanish."""
    return np.where(a + b > 0, a / np.where(a + b > 0, a + b, 1), 0.5)


def _of_lifts(saliency: Any, area: Any, others: Any, rest: Any) -> Any:
    """The share of the first region's lift in both; a lift is a region's mean saliency over its mean area."""
    return _share(saliency / area, others / rest)


def _middle(intervals: Sequence[Interval]) -> Interval:
    """The one with the middle mean."""
    return sorted(intervals)[len(intervals) // 2]
