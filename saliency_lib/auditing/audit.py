"""Is it looking at the right thing? Whether a network's answers rest on the object, or on something that stands by it.

    found = sl.audit(model, images, "owl", regions={"object": owls, "shortcut": trees})
    found.verdict                       # "relies on it", "does not" or "undecided"
    found.table()                       # region by region: area, saliency, change of the score without it

Each region is removed in three ways (see `removal`), and the network asked again. A region r supports a class by what
the class's score loses without it, a_r = max(0, S - S without r); that a score *rises* without a thing means that the
thing distracts, not that the answer rests on it. A plain number, such as an angle, has no direction that is good, and
a_r = |S - S without r|. The *reliance* on the suspected shortcut s beside the object o is

    R = mean a_s / (mean a_s + mean a_o),

0 if the answers do not depend on it, 1 if on nothing else of the two; of the three ways the middle one counts. The same
share of the saliency of both is the map's opinion of R, before anything was changed. Intervals are from resampled
images, and of very few images they are too narrow: take dozens. A threshold is a decision of the auditor, and belongs
before the audit. `THRESHOLD` was looked at on a few networks, and tried on others (`benchmarks.shortcuts`, chapter 11).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_lib.auditing.removal import WAYS, check_masks, removed
from saliency_lib.checks import check_images, number
from saliency_lib.errors import ImageError, SaliencyError
from saliency_lib.methods.maps import rank_correlation
from saliency_lib.methods.method import find_method
from saliency_lib.models.forward import ask, evaluation_mode, head_of
from saliency_lib.models.model import channels_of
from saliency_lib.targets import Target, class_indices, layers_of, select

THRESHOLD = 0.5
"""A network relies on the shortcut if the interval of R lies above this, and does not if it lies below."""

OBJECT, SHORTCUT, REST = "object", "shortcut", "rest"
RESAMPLES, LEVEL = 2000, 0.95
RELIES, NOT, UNDECIDED = "relies on it", "does not", "undecided"

Record = dict[str, Any]


class Interval(NamedTuple):
    """A mean over images, and the interval in which 95 % of the means of resampled images lie."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} ({self.low:.2f} to {self.high:.2f})"


class Region(NamedTuple):
    """What an audit found out about one region.

    `area` and `saliency` are shares of the image and of the map. `changes` says for each way of removing the region by
    how much the score changes, and `flips` in what share of the images another class comes out on top (None for a
    network without classes).
    """

    area: Interval
    saliency: Interval
    changes: dict[str, Interval]
    flips: dict[str, float] | None


@dataclass(frozen=True)
class Audit:
    """The result of `audit`: `images` counted, what was found in each of the `regions`, and the decision.

    `reliance` and `opinion` are R, measured by removal and read off the map. `agreement` is the rank correlation,
    over images and regions, of a region's share of the saliency with the size of the change without it.
    """

    images: int
    regions: dict[str, Region]
    reliance: Interval
    opinion: Interval
    agreement: float
    threshold: float

    @property
    def verdict(self) -> str:
        """Whether the network relies on the shortcut, does not, or the images do not suffice to say."""
        if self.reliance.low > self.threshold:
            return RELIES
        return NOT if self.reliance.high < self.threshold else UNDECIDED

    def table(self) -> list[dict[str, str]]:
        """Region by region, as text: shares of area and saliency, the change of the score, the answers that change."""
        rows = []
        for name, region in self.regions.items():
            row = {"region": name, "area": f"{region.area.mean:.0%}", "saliency": f"{region.saliency.mean:.0%}"}
            row |= {f"without it ({way})": f"{change.mean:+.2f}" for way, change in region.changes.items()}
            if region.flips is not None:
                row["other answer"] = " / ".join(f"{share:.0%}" for share in region.flips.values())
            rows.append(row)
        return rows


def audit(
    model: nn.Module,
    images: Tensor,
    target: Target = None,
    *,
    regions: Mapping[str, Tensor],
    threshold: float = THRESHOLD,
    method: str = "gradient",
    seed: int = 0,
) -> Audit:
    """Whether a model's answers for these images rest on a suspected shortcut rather than on the object: an `Audit`.

    `images` (N, C, H, W) in [0, 1], at least two; `regions` are masks (N, H, W) of booleans by name, among them
    "object" and "shortcut"; what is in none of them is reported as "rest". `target` says which number is explained (see
    `targets`), by default the score of each image's top class. `method` makes the maps. `seed` draws the resampled
    images. The definition of the decision is in `saliency_lib/auditing/audit.py`.

    Raises `ImageError` if images or masks cannot be used or a region is empty in an image, `SaliencyError` if a region
    or images are missing, and as `input_gradient` does. Chapter 11 teaches it.
    """
    check_threshold(threshold)
    records = examine(model, images, target, _checked(images, regions), method)
    return summarize(records, threshold=threshold, seed=seed)


def check_threshold(threshold: float) -> None:
    """Raises `SaliencyError` if a threshold is no share."""
    if number("threshold", threshold, 0, 1) in (0, 1):
        raise SaliencyError(f"the threshold lies between 0 and 1, and is {threshold}")


def _checked(images: Tensor, regions: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The regions, each a mask for each image and not empty, the rest of the image among them."""
    check_images(images)
    for name in (OBJECT, SHORTCUT):
        if name not in regions:
            raise SaliencyError(f"there is no region {name!r} among {', '.join(map(repr, regions)) or 'none'}")
    for name, masks in regions.items():
        empty = ~check_masks(masks, images, name).flatten(1).any(1)
        if empty.any():
            raise ImageError(f"the region {name!r} of image {int(empty.int().argmax())} is empty")
    rest = ~torch.stack([*regions.values()]).any(0)
    known = {name: masks.cpu() for name, masks in regions.items() if name != REST}
    return known | ({REST: rest.cpu()} if rest.flatten(1).any(1).all() else {})


def examine(
    model: nn.Module, images: Tensor, target: Target, regions: Mapping[str, Tensor], method: str = "gradient"
) -> list[Record]:
    """What is found in each image: its score, and for each region shares of area and saliency, and the changes."""
    check_images(images, channels_of(model))
    before, top, target = _look(model, images, target)
    maps = find_method(method)(model, images).maps(target).detach().float().cpu()
    maps = F.interpolate(maps[:, None], images.shape[2:], mode="bilinear")[:, 0].clamp_min(0)
    total = maps.flatten(1).sum(1).clamp_min(1e-30)
    plain = head_of(model).kind == "numbers"
    found: list[Record] = [{"score": score, "plain": plain, "regions": {}} for score in before.tolist()]
    for name, masks in regions.items():
        area = masks.flatten(1).float().mean(1)
        share = (maps * masks).flatten(1).sum(1) / total
        changes, flips = {}, {}
        for way in WAYS if name != REST else ():
            after, other, _ = _look(model, removed(images, masks, way), target)
            changes[way] = (after - before).tolist()
            flips[way] = None if top is None or other is None else (top != other).tolist()
        for index, record in enumerate(found):
            record["regions"][name] = {
                "area": area[index].item(),
                "saliency": share[index].item(),
                "changes": {way: values[index] for way, values in changes.items()},
                "flips": {way: values[index] for way, values in flips.items() if values is not None},
            }
    return found


@torch.no_grad()
def _look(model: nn.Module, images: Tensor, target: Target) -> tuple[Tensor, Tensor | None, Target]:
    """The numbers S (N,), the top classes where there are classes, and the target, fixed to these classes if open."""
    with evaluation_mode(model):
        answer = ask(model, images, layers_of(target))
        kind = head_of(model).kind
        top = answer.scores.argmax(1).cpu() if kind == "softmax" else None
        if target is None:
            target = class_indices(answer.scores, None, answer.head).cpu()
        return select(answer, target).detach().double().cpu(), top, target


# --- over the images -------------------------------------------------------------------------------------------------


def summarize(records: Sequence[Mapping[str, Any]], *, threshold: float = THRESHOLD, seed: int = 0) -> Audit:
    """What the records of single images say together. Raises `SaliencyError` if there are fewer than two."""
    if len(records) < 2:
        raise SaliencyError(f"an audit needs two images that can be used, and has {len(records)}: intervals need more")
    draws = np.random.default_rng(seed).integers(0, len(records), (RESAMPLES, len(records)))
    names = [name for name in records[0]["regions"] if all(name in record["regions"] for record in records)]
    parts = {name: [record["regions"][name] for record in records] for name in names}
    changed = {name: _changes(parts[name]) for name in names if parts[name][0]["changes"]}
    saliency = {name: np.array([part["saliency"] for part in parts[name]]) for name in names}
    middle = [np.abs(np.median(np.stack([*by_way.values()]), 0)) for by_way in changed.values()]
    shares = np.concatenate([saliency[name] for name in changed])
    support = np.abs if records[0]["plain"] else lambda changes: np.maximum(-changes, 0)
    s, o = ({way: support(changes) for way, changes in changed[name].items()} for name in (SHORTCUT, OBJECT))
    return Audit(
        images=len(records),
        regions={name: _region(parts[name], draws) for name in names},
        reliance=_middle([share_of(s[way], o[way], draws) for way in WAYS]),
        opinion=share_of(saliency[SHORTCUT], saliency[OBJECT], draws),
        agreement=rank_correlation(torch.from_numpy(shares), torch.from_numpy(np.concatenate(middle))),
        threshold=threshold,
    )


def _changes(parts: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """For each way the changes of the score, image by image."""
    return {way: np.array([part["changes"][way] for part in parts]) for way in WAYS}


def _region(parts: Sequence[Mapping[str, Any]], draws: np.ndarray) -> Region:
    changes = {way: interval([part["changes"][way] for part in parts], draws) for way in parts[0]["changes"]}
    flips = {way: float(np.mean([part["flips"][way] for part in parts])) for way in parts[0]["flips"]}
    area, saliency = (interval([part[key] for part in parts], draws) for key in ("area", "saliency"))
    return Region(area, saliency, changes, flips or None)


def interval(values: Sequence[float] | np.ndarray, draws: np.ndarray) -> Interval:
    """The mean of values (N,) and its bootstrap interval; `draws` (B, N) says which images each resample holds."""
    array = np.asarray(values, float)
    return _interval(array.mean(), array[draws].mean(1))


def share_of(a: np.ndarray, b: np.ndarray, draws: np.ndarray) -> Interval:
    """mean a / (mean a + mean b) and its bootstrap interval; a half where both vanish."""

    def share(x: Any, y: Any) -> Any:
        return np.where(x + y > 0, x / np.where(x + y > 0, x + y, 1), 0.5)

    return _interval(share(a.mean(), b.mean()), share(a[draws].mean(1), b[draws].mean(1)))


def _interval(value: Any, resampled: np.ndarray) -> Interval:
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(value), float(low), float(high))


def _middle(found: Sequence[Interval]) -> Interval:
    """The one with the middle mean."""
    return sorted(found)[len(found) // 2]
