"""An evaluation of one way to find objects: what is measured of an image, from its pixels to one line of the results.

`loop` does so for all images, through any interruption.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from saliency_lib.checks import integer
from saliency_lib.datasets.ilsvrc import BrokenImage, Ilsvrc, Sample, Truth
from saliency_lib.errors import ImageError, SaliencyError
from saliency_lib.images import load_image, sides
from saliency_lib.localization.localizers import Found, Localizer, find_localizer
from saliency_lib.localization_benchmark.metrics import ERRORS, is_pointed, is_right, percentages
from saliency_lib.models.load import EMBEDDED, load_model
from saliency_lib.models.model import Model
from saliency_lib.runs.records import Record
from saliency_lib.runs.run import execute

GUESSES = 5


@dataclass(frozen=True)
class Evaluation:
    """What is measured on what, by which method."""

    data: Ilsvrc
    method: Localizer
    model: Model
    model_name: str
    batch_size: int
    unit = "image"

    @property
    def settings(self) -> dict[str, str]:
        digest = self.method.digest(self.model_name, self.model.size)
        return {"method": self.method.name, "model": self.model_name, "settings": digest}

    def settings_of(self, record: Record) -> dict[str, str]:
        return self.settings

    def complete(self, record: Record) -> bool:
        kinds = {"label": int, "top5": list, "top5_boxes": list} | dict.fromkeys(ERRORS.values(), bool)
        return all(isinstance(record.get(key), kind) for key, kind in kinds.items())

    @property
    def title(self) -> str:
        return self.method.name

    @property
    def names(self) -> list[str]:
        return [sample.name for sample in self.data.samples]

    @property
    def chunks(self) -> list[list[Sample]]:
        samples = self.data.samples
        return [samples[start : start + self.batch_size] for start in range(0, len(samples), self.batch_size)]

    def examine(self, chunk: Sequence[Sample]) -> list[Record]:
        # One forward pass; a backward pass for each of the five best classes, and the true ones where they are not
        # among these. Images that cannot be used get a record that says why.
        loaded = [self._load(sample) for sample in chunk]
        photos = [None if isinstance(item, str) else item[0] for item in loaded]
        model = self.model
        # Of one shape always, however many images there are: the shape can change last digits.
        images = torch.zeros(self.batch_size, model.channels, *sides(model.size))
        for slot, photo in zip(images, photos, strict=False):
            if photo is not None:
                slot.copy_(model.to_tensor(photo, crop=False)[0])
        view = self.method.look(model, images)
        best = view.scores.topk(GUESSES).indices.cpu()
        guesses = [view.find(photos, best[:, rank]) for rank in range(GUESSES)]
        labels = best[:, 0].clone()
        for slot, item in enumerate(loaded):
            if not isinstance(item, str):
                labels[slot] = item[1].label
        known = [row.tolist().index(label) if label in row else None for row, label in zip(best, labels, strict=True)]
        own = view.find(photos, labels) if None in known else []
        found = [own[slot] if rank is None else guesses[rank][slot] for slot, rank in enumerate(known[: len(chunk)])]
        return [
            {"image": sample.name, "broken": item} | self.settings
            if isinstance(item, str)
            else _record(sample, item[1], best[slot].tolist(), [guess[slot] for guess in guesses], found[slot])
            | self.settings
            | {"bytes": sizes(sample)}
            for slot, (sample, item) in enumerate(zip(chunk, loaded, strict=True))
        ]

    def again(self, done: Mapping[str, Record]) -> set[str]:
        """The images that were broken and can be used now. Raises `SaliencyError` if one is another than it was."""
        mended = set()
        for sample in self.data.samples:
            record = done.get(sample.name, {})
            if "broken" in record and not isinstance(self._load(sample), str):
                mended.add(sample.name)
            elif "bytes" in record and not _is_same(sample, record["bytes"]):
                raise SaliencyError(
                    f"the results hold one of another {sample.name} than the one that is in the folder now: "
                    "choose another file, or delete its line"
                )
        return mended

    def summarize(self, results: Sequence[Record]) -> dict[str, Any]:
        return summarize(results) | self.settings

    def _load(self, sample: Sample) -> tuple[Image.Image, Truth] | str:
        try:
            photo, truth = load_image(sample.image), self.data.truth(sample)
            if truth.size not in (None, photo.size):
                raise BrokenImage(f"its annotation is of an image of {truth.size} pixels, and it has {photo.size}")
        except ImageError as error:
            return str(error).replace(str(sample.image), sample.name)
        return photo, truth


def sizes(sample: Sample) -> list[int]:
    """The bytes of an image and of its annotation: another data set with the same names has others."""
    return [file.stat().st_size for file in (sample.image, sample.annotation)]


def _is_same(sample: Sample, size: object) -> bool:
    try:
        return sizes(sample) == size
    except OSError:
        return False


def _record(
    sample: Sample, truth: Truth, best: list[int], guesses: Sequence[Found | None], own: Found | None
) -> Record:
    assert own is not None
    boxes = [guess.box for guess in guesses if guess is not None]
    localized = [label == truth.label and is_right(box, truth.boxes) for label, box in zip(best, boxes, strict=True)]
    return {
        "image": sample.name,
        "label": truth.label,
        "top5": best,
        "box": own.box,
        "point": own.point,
        "top5_boxes": boxes,
        "top1_correct": best[0] == truth.label,
        "top5_correct": truth.label in best,
        "gt_known": is_right(own.box, truth.boxes),
        "top1_localized": localized[0],
        "top5_localized": any(localized),
        "pointed": is_pointed(own.point, truth.boxes),
    }


def evaluate(
    folder: Path,
    out: Path,
    *,
    method: str,
    model: str = EMBEDDED,
    limit: int | None = None,
    batch_size: int = 8,
    summary: Path | None = None,
) -> dict[str, Any] | None:
    """Measure a method on a folder in the layout of ILSVRC CLS-LOC; returns the summary, in the first process only.

    Results are appended to `out`, one JSON line an image; images that it already has are not done again. `summary` is
    written as JSON. Raises `SaliencyError` if something is wrong with the folder or the files, or if `out` was made
    with other settings, by another method, or is being written by another run.
    """
    folder, out, summary = Path(folder), Path(out), summary and Path(summary)

    def reads(name: str) -> list[Path]:
        inside = [folder / kind / "CLS-LOC" / "val" / name for kind in ("Data", "Annotations")]
        return [folder / "LOC_synset_mapping.txt", *inside]

    def prepare() -> Evaluation:
        return _prepare(folder, method, model, limit, batch_size)

    return execute(prepare, out, summary, reads)


def _prepare(folder: Path, method: str, model: str, limit: int | None, batch_size: int) -> Evaluation:
    batch_size = integer("the batch size", batch_size, 1, 4096)
    limit = limit if limit is None else integer("the limit", limit, 1)
    found, network = find_localizer(method), load_model(model)
    synsets = network.categories.synsets if network.categories else ()
    return Evaluation(Ilsvrc(folder, limit, synsets), found, network, model, batch_size)


def summarize(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The number of images, those that were broken, and the errors in percent."""
    whole = [record for record in results if "broken" not in record]
    broken = {record["image"]: record["broken"] for record in results if "broken" in record}
    return {"n": len(whole), "broken": len(broken), "broken_images": broken} | percentages(whole)


def table(result: Mapping[str, Any]) -> str:
    """A summary as text."""
    lines = [f"{result['method']} on {result['n']} images, {result['model']}", ""]
    lines += [f"{name.replace('_', ' '):26}{value:7.2f} %" for name, value in result.items() if name.endswith("_error")]
    if result["broken"]:
        lines += ["", f"{result['broken']} could not be used:"]
        lines += [f"  {image}: {reason}" for image, reason in result["broken_images"].items()]
    return "\n".join(lines)
