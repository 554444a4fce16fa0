"""Is it looking at the right thing? Whether a network's answers rest on the object, or on something that stands by it.

    found = sl.audit(model, images, "owl", regions={"object": owls, "shortcut": trees})
    found.shortcut, found.control       # how much the score loses without it, and without another place of its shape
    found.verdict                       # "relies on it", "partly" or "not shown"
    found.table()                       # region by region: area, saliency, change of the score without it

With S for the score of an image, and o and s for its object and its suspected shortcut, four scores are asked for:
S, S without s, S without o, S without both. They give, image by image,

    the effect of a region r        E_r = S - S without r                       how much the score loses
    the interaction                 I = S - S without s - S without o + S without both
    Shapley's shares                E_r - I / 2                                 together S - S without both

I > 0 if neither does much without the other, I < 0 if either suffices: then both effects alone are too small, and
Shapley's shares say more. E_s is read beside the effect of a control, the shortcut's shape at another place: what is
*beyond* it is due to what stood there, and not to the hole. Of a plain number, such as an angle, sizes count.

The *reliance* compares the two: of a_r = max(0, E_r), since a score that rises without a thing does not rest on it,

    R = mean a_s / (mean a_s + mean a_o).

The map's *opinion* is the same of lifts (share of the saliency over share of the area), before anything was changed.
Each region is removed in three ways (see `removal`), and of the three the middle mean counts. Intervals are the
bootstrap's over images, and of very few images they are too narrow: take dozens.

The network relies on the shortcut if its effect lies beyond the control's and R above the threshold, by their whole
intervals; partly, if only the first is so; else nothing is shown, and how much may be there is `beyond.high`. A
threshold is a decision of the auditor, and belongs before the audit. `THRESHOLD` was looked at on a few networks, and
tried on others (`benchmarks.shortcuts`, chapter 11).
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor, nn

from saliency_lib import statistics
from saliency_lib.auditing.examination import check_regions, examine
from saliency_lib.checks import number
from saliency_lib.errors import SaliencyError
from saliency_lib.targets import Target

THRESHOLD = 0.5
"""The score rests on the shortcut more than on the object if the interval of R lies above this."""

LEVEL = 0.05
"""A group counts if its p, adjusted for the number of groups, lies below this."""

RELIES, PARTLY, NOT_SHOWN = "relies on it", "partly", "not shown"


class Interval(statistics.Interval):
    """A number over images, and its 95 % interval by the bootstrap over images."""

    __slots__ = ()

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
class Found:
    """The numbers of some images together: effects E of `object`, `shortcut` and `control` (None where none fits).

    `beyond` is the shortcut's less the control's, image by image (the shortcut's, where there is no control).
    `interaction`, `shapley` (by region) and `reliance` are defined above.
    """

    images: int
    object: Interval
    shortcut: Interval
    control: Interval | None
    beyond: Interval
    interaction: Interval
    shapley: dict[str, Interval]
    reliance: Interval
    threshold: float
    plain: bool

    @property
    def verdict(self) -> str:
        """What the numbers permit to say of the shortcut; "not shown" is no acquittal (see `beyond.high`)."""
        compared = not self.plain or self.control is not None  # a size alone lies above 0 in any case
        shown = compared and self.beyond.low > 0
        if self.reliance.low > self.threshold and (shown or not compared):
            return RELIES
        return PARTLY if shown else NOT_SHOWN


@dataclass(frozen=True)
class Group(Found):
    """The same of one group of images; `p` is that of the sign test of `beyond`, by Holm for all groups at once."""

    p: float

    @property
    def verdict(self) -> str:
        """As of all images; and nothing is shown if it could be chance, as many groups as there are."""
        return super().verdict if self.p < LEVEL else NOT_SHOWN


@dataclass(frozen=True)
class Audit(Found):
    """The result of `audit`: the numbers of all images, what was found in each of the `regions`, and by group.

    `opinion` is what the map says of R. `agreement` is the rank correlation, over images and regions, of a region's
    share of the saliency with the size of the change without it.
    """

    regions: dict[str, Region]
    opinion: Interval
    agreement: float
    groups: dict[str, Group] = field(default_factory=dict)

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

    def effects(self) -> list[dict[str, str]]:
        """All images, and each group: the effects with their intervals, reliance, and what they permit to say."""
        rows = []
        for name, found in {"all": self, **self.groups}.items():
            row = {"images": name, "number": str(found.images), "object": str(found.object)}
            row |= {"shortcut": str(found.shortcut), "control": str(found.control or "none fits")}
            row |= {"interaction": str(found.interaction), "reliance": str(found.reliance)}
            if self.groups:
                row["p (Holm)"] = f"{found.p:.2g}" if isinstance(found, Group) else ""
            rows.append(row | {"it": found.verdict})
        return rows


def audit(
    model: nn.Module,
    images: Tensor,
    target: Target = None,
    *,
    regions: Mapping[str, Tensor],
    groups: Sequence[Hashable] | None = None,
    threshold: float = THRESHOLD,
    method: str = "gradient",
) -> Audit:
    """Whether a model's answers for these images rest on a suspected shortcut, and how much: an `Audit`.

    `images` (N, C, H, W) in [0, 1], at least two; `regions` are masks (N, H, W) of booleans by name, among them
    "object" and "shortcut"; what is in none of them is reported as "rest". `target` says which number is explained (see
    `targets`), by default the score of each image's top class. `groups` says to which group (a hospital, a camera) each
    image belongs, two of each at least. `method` makes the maps. The definitions are in
    `saliency_lib/auditing/audit.py`.

    Raises `ImageError` if images or masks cannot be used or a region is empty in an image, `SaliencyError` if a region
    or images are missing, and as `input_gradient` does. Chapter 11 teaches it.
    """
    from saliency_lib.auditing.summary import summarize

    check_threshold(threshold)
    records = examine(model, images, target, check_regions(images, regions), method)
    return summarize(records, threshold=threshold, groups=groups)


def check_threshold(threshold: float) -> None:
    """Raises `SaliencyError` if a threshold is no share."""
    if number("threshold", threshold, 0, 1) in (0, 1):
        raise SaliencyError(f"the threshold lies between 0 and 1, and is {threshold}")
