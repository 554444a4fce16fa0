"""Studies on many pictures and several networks, resumed after any interruption and shared among processes.

The pictures are split once into two halves, one to find with and one to confirm on, by a hash of their names: nobody
chose, and another day the same photograph lies in the same half. A batch of pictures goes through all studies before
the next: what several of them need of it is computed once.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saliency_lib.checks import integer
from saliency_lib.comparison.explainers import SECOND
from saliency_lib.comparison.pictures import (
    PHOTOS,
    Item,
    Picture,
    Pictures,
    batch,
    examined,
    find_pictures,
    loaded,
)
from saliency_lib.errors import SaliencyError
from saliency_lib.models.load import load_model
from saliency_lib.models.model import Model
from saliency_lib.models.networks import twin
from saliency_lib.runs.records import Record
from saliency_lib.runs.run import execute
from saliency_lib.studies.results import summary_of
from saliency_lib.studies.study import CREATURES, Case, Study, find_study
from saliency_lib.studies.study import studies as all_studies

AT_A_TIME = 6
"""So many pictures go through a network at a time."""

FIND, CONFIRM = "find", "confirm"


def halves(names: Sequence[str], count: int | None = None) -> dict[str, str]:
    """From each picture to its half, at most `count` of each: the first by the hash of the name are to find with.

    They come in the order of the hash, so that more pictures later are asked in the same batches as before.
    """
    ordered = sorted(names, key=lambda name: hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest())
    middle = (len(ordered) + 1) // 2
    return dict.fromkeys(ordered[:middle][:count], FIND) | dict.fromkeys(ordered[middle:][:count], CONFIRM)


@dataclass(frozen=True)
class StudyRun:
    """Some studies on some pictures, each by the networks and on as many pictures as it says."""

    studies: Mapping[str, Study]
    networks: Mapping[str, Sequence[str]]
    pictures: Mapping[str, Pictures]
    half: Mapping[str, Mapping[str, str]]
    title: str
    unit = "answer"
    _models: dict[str, Model] = field(default_factory=dict)
    _last: dict[tuple[str, ...], Case] = field(default_factory=dict)

    def settings_of(self, record: Record) -> dict[str, str]:
        """What every record of a study says of how it came about."""
        study = self.studies.get(record["study"])
        title = next(iter(self.pictures.values())).title
        return {"data": title, **({"settings": study.digest} if study else {})}

    def complete(self, record: Record) -> bool:
        """Whether a record says of a picture and a network what was found."""
        kinds = {"study": str, "picture": str, "network": str, "half": str, "value": float, "null": float}
        return all(isinstance(record.get(key), kind) for key, kind in kinds.items())

    @property
    def names(self) -> list[str]:
        """Every picture by every network and study."""
        return [item.name for chunk in self.chunks for item in chunk]

    @property
    def chunks(self) -> list[list[Item]]:
        """A network and some pictures of one half at a time, study after study."""
        longest = max(map(len, self.half.values()))
        parts = [
            (name, network, [one for one, side in self.half[name].items() if side == half][start : start + AT_A_TIME])
            for network in self.pictures
            for start in range(0, longest, AT_A_TIME)
            for half in (FIND, CONFIRM)
            for name in self.studies
            if network in self.networks[name]
        ]
        return [[Item(f"{name} {network}", one) for one in some] for name, network, some in parts if some]

    def examine(self, chunk: Sequence[Item]) -> list[Record]:
        """The records of one chunk. Pictures that cannot be used get a record that says why."""
        name, network = chunk[0].what.split(" ")
        names = [item.picture for item in chunk]
        found = examined(
            names, lambda one: self._load(name, network, one), lambda usable: self._measure(name, network, usable)
        )
        own = {"study": name, "network": network}
        return [
            {"image": item.name, **own, "picture": item.picture, "half": self.half[name][item.picture]}
            | one
            | self.settings_of(own)
            for item, one in zip(chunk, found, strict=True)
        ]

    def _load(self, study: str, network: str, name: str) -> Picture | str:
        picture = loaded(self.pictures[network].load, name)
        if isinstance(picture, str) or not self.studies[study].masks:
            return picture
        lacks = picture.mask is None or not picture.mask.any()
        return "nobody says where its object is" if lacks else picture

    def _measure(self, name: str, network: str, pictures: Mapping[str, Picture]) -> list[Record]:
        study = self.studies[name]
        other = second_of(network, study.second or "seed")
        which = (network, other, *pictures)
        if which not in self._last:
            self._last.clear()
            model, asked = self._model(network), {one.second for one in self.studies.values()}
            second = self._model(other) if (study.second or "seed") in asked and other else None
            self._last[which] = Case(model, *batch(model, list(pictures.values())), second)
        value, null = study.of(self._last[which])
        if not (value.isfinite().all() and null.isfinite().all()):
            raise SaliencyError(f"{name} gives no finite number for one of {', '.join(pictures)}")
        rows = zip(value.double().tolist(), null.double().tolist(), strict=True)
        return [{"value": round(value, 9), "null": round(null, 9)} for value, null in rows]

    def _model(self, network: str) -> Model:
        if network not in self._models:
            self._models[network] = load_model(network)
        return self._models[network]

    def again(self, done: Mapping[str, Record]) -> set[str]:
        """What could not be used, and can be now."""
        broken = {name: record for name, record in done.items() if "broken" in record}
        return {
            name
            for name, one in broken.items()
            if one["network"] in self.networks.get(one["study"], ())
            and one["picture"] in self.half[one["study"]]
            and isinstance(self._load(one["study"], one["network"], one["picture"]), Picture)
        }

    def summarize(self, results: Sequence[Record]) -> dict[str, Any]:
        """What came of each study, network by network and half by half."""
        return {
            name: summary_of(one, [record for record in results if record["study"] == name])
            for name, one in self.studies.items()
        }


def run_studies(
    names: Sequence[str] | None,
    out: Path,
    *,
    folder: str = PHOTOS,
    models: Sequence[str] | None = None,
    count: int | None = None,
) -> dict[str, Any] | None:
    """Try some studies, or all that fit; returns what came of each, in the first process only.

    `folder` holds photos, or ILSVRC in its layout; or it is "photos", the sample photos. `models` are the networks,
    by default each study's own; `count` is the largest number of pictures of each half, by default each study's own.
    Results are appended to `out`, one JSON line a study, network and picture, and those that it has are not done again.
    Raises `SaliencyError` for names that do not exist, a study that does not fit the pictures or networks, and as
    `compare` does.
    """

    def prepare() -> StudyRun:
        limit = None if count is None else integer("the number of pictures", count, 1)
        everything = {
            name: one for name, one in all_studies().items() if (one.on == CREATURES) == (folder == CREATURES)
        }
        studies = everything if names is None else {name: find_study(name) for name in names}
        networks = {name: tuple(models or one.networks) for name, one in studies.items()}
        asked = list(dict.fromkeys(network for some in networks.values() for network in some))
        pictures = {network: find_pictures(folder, load_model(network)) for network in asked}
        first = pictures[asked[0]]
        reasons = {name: unfit(one, networks[name], folder, known=first.known) for name, one in studies.items()}
        for name, reason in reasons.items():
            if reason and names is not None:
                raise SaliencyError(f"{name} {reason}")
        studies = {name: one for name, one in studies.items() if not reasons[name]}
        half = {name: halves(first.names, min(limit or one.count, one.count)) for name, one in studies.items()}
        return StudyRun(studies, networks, pictures, half, f"{len(studies)} studies")

    return execute(prepare, Path(out), None, lambda file: [Path(folder) / file])


def second_of(network: str, which: str) -> str:
    """The network that one is compared with: trained separately ("seed"), or a twin of another kind; or none."""
    if network in twin.EXTRA:
        return twin.second(network, which)
    return SECOND.get(network, "") if which == "seed" else ""


def unfit(study: Study, networks: Sequence[str], folder: str, *, known: bool) -> str:
    """Why a study cannot be asked of some networks, or of pictures whose objects are not `known`; else nothing."""
    if study.on == CREATURES != folder:
        return f"speaks of drawings: write {CREATURES} in place of {folder}"
    if study.second and not all(second_of(network, study.second) for network in networks):
        return f"needs a second network: ask {', '.join(SECOND)}"
    return "needs to know where the objects are, and nobody says so" if study.masks and not known else ""
