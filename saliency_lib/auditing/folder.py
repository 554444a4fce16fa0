"""An audit of a folder: photos, and beside each its regions as pictures in black and white; through any interruption.

DIR/owl.jpg               a photo
DIR/owl.object.png        white where the object is, black elsewhere; as large as the photo
DIR/owl.shortcut.png      white where the suspected shortcut is
DIR/owl.NAME.png          any other region, if you like
groups.csv                wherever it is: a line owl.jpg,GROUP for each photo, if groups are to be told apart

What is found in a photo is kept in a file of its own, in a folder beside the report, and written in one step: a kill
costs one photo at most. What is there is not done again, unless the photo or one of its regions has changed.
"""

import csv
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from saliency_lib import files
from saliency_lib.auditing.audit import THRESHOLD, Audit, check_threshold
from saliency_lib.auditing.examination import BOTH, OBJECT, REST, SHORTCUT, Record, examine
from saliency_lib.auditing.report import page, strip
from saliency_lib.auditing.summary import summarize
from saliency_lib.errors import ImageError, SaliencyError
from saliency_lib.images import load_image
from saliency_lib.methods.method import find_method
from saliency_lib.models.load import EMBEDDED, load_model
from saliency_lib.models.model import Model

PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class Photo:
    """A photo of the folder and its regions, as files."""

    path: Path
    regions: Mapping[str, Path]

    @property
    def digest(self) -> str:
        """A fingerprint of all that is in these files."""
        parts = [self.path, *self.regions.values()]
        content = b"".join(os.fsencode(file.name) + _content(file) for file in parts)
        return hashlib.sha256(content).hexdigest()[:16]

    def load(self, model: Model) -> tuple[Tensor, dict[str, Tensor]]:
        """The image (1, C, H, W) and the masks (1, H, W) as the network sees them.

        Raises `ImageError`, in one sentence, if the photo or one of its masks cannot be used.
        """
        for name in (OBJECT, SHORTCUT):
            if name not in self.regions:
                raise ImageError(f"there is no {self.path.stem}.{name}.png beside it")
        picture = load_image(self.path)
        masks = {name: _mask(path, picture.size, model) for name, path in self.regions.items()}
        rest = ~torch.stack([*masks.values()]).any(0)
        return model.to_tensor(picture), masks | ({REST: rest} if rest.any() else {})


def _content(file: Path) -> bytes:
    """What is in a file; nothing for one that cannot be read, which is said when it is needed."""
    try:
        return files.read(file)
    except OSError:
        return b""


def _mask(path: Path, size: tuple[int, int], model: Model) -> Tensor:
    """Where a picture in black and white is white, in what the network sees of a photo of this size."""
    mask = load_image(path)
    if mask.size != size:
        raise ImageError(f"{path.name} has {mask.width} x {mask.height} pixels, and its photo {size[0]} x {size[1]}")
    white = Image.fromarray(np.asarray(mask.convert("L")) > 127).convert("RGB")
    found = model.to_tensor(white).mean(1) > 0.5
    if not found.any():
        raise ImageError(f"{path.name} is empty: nothing is white in it where the network looks")
    return found


def photos(folder: Path) -> list[Photo]:
    """The photos of a folder, by name, with their regions. Raises `SaliencyError` if there is none."""
    if not folder.is_dir():
        raise SaliencyError(f"there is no folder {folder}")
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTOS)
    regions: dict[str, dict[str, Path]] = {path.stem: {} for path in pictures}
    for path in pictures:
        stem, _, name = path.stem.rpartition(".")
        if path.suffix == ".png" and stem in regions:
            regions[stem][name] = path
    masks = {path for beside in regions.values() for path in beside.values()}
    found = [Photo(path, regions[path.stem]) for path in pictures if path not in masks]
    if not found:
        raise SaliencyError(f"there are no photos in {folder}")
    return found


def audit_folder(
    folder: Path,
    out: Path,
    *,
    model: str = EMBEDDED,
    target: str | None = None,
    method: str = "gradient",
    threshold: float = THRESHOLD,
    groups: Path | None = None,
) -> Audit:
    """Audit the photos of a folder, and write the report `out`, one HTML file that needs no other and no network.

    What is done is kept beside it, in the folder `kept`, and the same call goes on after an interruption. A photo that
    cannot be used is named in the report with the reason, and the others count. `groups` is a file with a line
    `photo,group` for each photo: of each group the report says the same, if two of its photos can be used.

    Raises `SaliencyError` if the folder has no photo, fewer than two can be used, or what is kept was found with
    other settings. Chapter 11 teaches it.
    """
    check_threshold(threshold)
    if out.suffix != ".html":
        raise SaliencyError(f"the report {out} should end in .html")
    files.check_output(out)
    find_method(method)
    found, network = photos(folder), load_model(model)
    belongs = read_groups(groups, found) if groups is not None else None
    settings = {"model": model, "class": target or "each photo's top class", "method": method}
    if target is not None:
        network.index(target)
    chosen = []
    hidden = True if os.environ.get("TQDM_DISABLE") else None  # None: hidden unless on a terminal
    for photo in tqdm(found, desc="audit", unit="photo", disable=hidden):
        file, digest = kept(out) / f"{photo.path.name}.json", photo.digest
        record = _known(file, digest, settings)
        if record is None:
            record = {"image": photo.path.name, "digest": digest, "settings": settings}
            record |= _examine(photo, network, target, method)
            _write(file, json.dumps(record))
        chosen.append(record)
    usable = [record for record in chosen if "broken" not in record]
    if len(usable) < 2:
        reasons = "; ".join(f"{record['image']}: {record['broken']}" for record in chosen if "broken" in record)
        raise SaliencyError(f"an audit needs two photos that can be used, and {folder} has {len(usable)}. {reasons}")
    own = None if belongs is None else [belongs[record["image"]] for record in usable]
    result = summarize(usable, threshold=threshold, groups=own)
    _write(out, page(result, chosen, settings, network.head.unit))
    return result


def read_groups(file: Path, found: Sequence[Photo]) -> dict[str, str]:
    """The group of each photo, by the photo's name. Raises `SaliencyError` if the file lacks one or cannot be read."""
    try:
        lines = files.read(file).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SaliencyError(f"{file} cannot be read as text: {error}") from None
    known = {row[0].strip(): row[1].strip() for row in csv.reader(lines) if len(row) == 2}
    missing = [photo.path.name for photo in found if photo.path.name not in known]
    if missing:
        raise SaliencyError(f"{file} has no line {missing[0]},GROUP")
    return known


def kept(out: Path) -> Path:
    """The folder in which what is found in each photo is kept."""
    return out.with_suffix(".audit")


def _examine(photo: Photo, model: Model, target: str | None, method: str) -> Record:
    """The record of one photo; of one that cannot be used, why."""
    try:
        images, masks = photo.load(model)
    except ImageError as error:
        return {"broken": str(error).replace(str(photo.path), photo.path.name)}
    (found,) = examine(model, images, target, masks, method)
    return found | {"picture": strip(images, masks, find_method(method)(model, images).maps(target))}


def _known(file: Path, digest: str, settings: Mapping[str, str]) -> Record | None:
    """What was found before, if it was found in these very files. Raises `SaliencyError` if it was another question."""
    try:
        record = json.loads(files.read(file))
        before = record["settings"]
        same = record["digest"] == digest and ("broken" in record or BOTH in record["regions"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if before != settings:
        raise SaliencyError(f"{file.parent} holds the answers to another question, {before}: delete that folder")
    return record if same else None


def _write(file: Path, text: str) -> None:
    """Write a file in one step, in a folder that there need not be yet."""
    try:
        file.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise SaliencyError(f"{file} cannot be written ({error.strerror}); what was done before is kept") from None
    files.write(file, text.encode())
