"""A study on many pictures and several networks, resumed after any interruption and shared among processes.

The pictures are split once into two halves, one to find with and one to confirm on, by a hash of their names: nobody
chose, and another day the same photograph lies in the same half.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch

from saliency_lib.checks import integer
from saliency_lib.comparison.explainers import SECOND
from saliency_lib.comparison.pictures import PHOTOS, Picture, Pictures, find_pictures
from saliency_lib.errors import ImageError, SaliencyError
from saliency_lib.models.load import load_model
from saliency_lib.models.model import Model
from saliency_lib.runs.records import Record
from saliency_lib.runs.run import execute
from saliency_lib.studies.results import summary_of
from saliency_lib.studies.study import Case, Study, find_study

AT_A_TIME = 6
"""So many pictures go through a network at a time."""

FIND, CONFIRM = "find", "confirm"


class Item(NamedTuple):
    """One picture, asked of one network."""

    network: str
    picture: str

    @property
    def name(self) -> str:
        """How the two are called in the results."""
        return f"{self.network} {self.picture}"


def halves(names: Sequence[str], count: int | None = None) -> dict[str, str]:
    """From each picture to its half, at most `count` of each: the first by the hash of the name are to find with.

    They come in the order of the hash, so that more pictures later are asked in the same batches as before.
    """
    ordered = sorted(names, key=lambda name: hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest())
    middle = (len(ordered) + 1) // 2
    return dict.fromkeys(ordered[:middle][:count], FIND) | dict.fromkeys(ordered[middle:][:count], CONFIRM)


@dataclass(frozen=True)
class StudyRun:
    """One study on some pictures, by several networks."""

    study: Study
    networks: tuple[str, ...]
    pictures: Mapping[str, Pictures]
    half: Mapping[str, str]
    title: str
    unit = "picture"
    _models: dict[str, Model] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        """What every record says of how it came about."""
        return {"method": self.study.name, "data": self.pictures[self.networks[0]].title, "settings": self.study.digest}

    def settings_of(self, record: Record) -> dict[str, str]:
        """The same for all records."""
        return self.settings

    def complete(self, record: Record) -> bool:
        """Whether a record says of a picture and a network what was found."""
        kinds = {"picture": str, "network": str, "half": str, "value": float, "null": float}
        return all(isinstance(record.get(key), kind) for key, kind in kinds.items())

    @property
    def names(self) -> list[str]:
        """Every picture by every network."""
        return [Item(network, picture).name for network in self.networks for picture in self.half]

    @property
    def chunks(self) -> list[list[Item]]:
        """A network and some pictures of one half at a time."""
        batches = [
            [picture for picture in self.half if self.half[picture] == half][start : start + AT_A_TIME]
            for half in (FIND, CONFIRM)
            for start in range(0, len(self.half), AT_A_TIME)
        ]
        return [[Item(network, one) for one in batch] for network in self.networks for batch in batches if batch]

    def examine(self, chunk: Sequence[Item]) -> list[Record]:
        """The records of one chunk. Pictures that cannot be used get a record that says why."""
        network = chunk[0].network
        loaded = {item.picture: self._load(network, item.picture) for item in chunk}
        usable = {name: picture for name, picture in loaded.items() if isinstance(picture, Picture)}
        found = dict(zip(usable, self._measure(network, list(usable.values())), strict=True)) if usable else {}
        return [
            {"image": item.name, "picture": item.picture, "network": network, "half": self.half[item.picture]}
            | found.get(item.picture, {"broken": loaded[item.picture]})
            | self.settings
            for item in chunk
        ]

    def _load(self, network: str, name: str) -> Picture | str:
        try:
            picture = self.pictures[network].load(name)
        except ImageError as error:
            return str(error)
        lacks = self.study.masks and (picture.mask is None or not picture.mask.any())
        return "nobody says where its object is" if lacks else picture

    def _measure(self, network: str, pictures: Sequence[Picture]) -> list[Record]:
        model = self._model(network)
        images = torch.cat([picture.image for picture in pictures]).to(model.mean.device)
        with torch.no_grad():
            top = model(images).argmax(1).tolist()
        labels = [best if one.label is None else one.label for one, best in zip(pictures, top, strict=True)]
        masks = [one.mask for one in pictures if one.mask is not None]
        case = Case(
            model,
            images,
            torch.tensor(labels, device=images.device),
            torch.cat(masks).to(images.device) if len(masks) == len(pictures) else None,
            self._model(SECOND[network]) if self.study.second else None,
        )
        value, null = self.study.of(case)
        if not (value.isfinite().all() and null.isfinite().all()):
            raise SaliencyError(f"{self.study.name} gives no finite number for one of {', '.join(map(str, labels))}")
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
            if one["network"] in self.pictures
            and one["picture"] in self.half
            and isinstance(self._load(one["network"], one["picture"]), Picture)
        }

    def summarize(self, results: Sequence[Record]) -> dict[str, Any]:
        """What came of it, network by network and half by half."""
        return summary_of(self.study, results)


def run_study(
    name: str,
    out: Path,
    *,
    folder: str = PHOTOS,
    models: Sequence[str] | None = None,
    count: int | None = None,
) -> dict[str, Any] | None:
    """Try one study; returns what came of it, in the first process only.

    `folder` holds photos, or ILSVRC in its layout; or it is "photos", the sample photos. `models` are the networks,
    by default the study's own; `count` is the number of pictures of each half, by default the study's own. Results are
    appended to `out`, one JSON line a picture and network, and those that it has are not done again. Raises
    `SaliencyError` for names that do not exist, and as `compare` does.
    """

    def prepare() -> StudyRun:
        study = find_study(name)
        networks = tuple(models or study.networks)
        if study.second and not set(networks) <= set(SECOND):
            raise SaliencyError(f"{name} needs a second network: ask {', '.join(SECOND)}")
        limit = study.count if count is None else integer("the number of pictures", count, 1)
        pictures = {one: find_pictures(folder, load_model(one)) for one in networks}
        if study.masks and not pictures[networks[0]].known:
            raise SaliencyError(f"{name} needs to know where the objects are, and for {folder} nobody says so")
        half = halves(pictures[networks[0]].names, limit)
        return StudyRun(study, networks, pictures, half, f"{name} on {len(half)} pictures")

    return execute(prepare, Path(out), None, lambda file: [Path(folder) / file])
