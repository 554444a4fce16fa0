"""What maps are compared on: the sample photos, drawings with exact masks, a folder of photos, ILSVRC.

Each is a list of names and a way to load one: the image as the network takes it, the class to explain, and where its
pixels are, if anybody knows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from saliency_lib.datasets.creatures import creatures
from saliency_lib.datasets.ilsvrc import Ilsvrc
from saliency_lib.errors import ImageError, SaliencyError
from saliency_lib.images import load_image, sample_photos, sides
from saliency_lib.localization.boxes import Box
from saliency_lib.models.load import EMBEDDED
from saliency_lib.models.model import Model

CREATURES, PHOTOS = "creatures", "photos"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")


class Picture(NamedTuple):
    """One image (1, C, H, W), the class to explain or None for the top one, and its mask (1, H, W) or None."""

    image: Tensor
    label: int | None
    mask: Tensor | None


@dataclass(frozen=True)
class Pictures:
    """Some pictures by name. `load` raises `ImageError` for one that cannot be used."""

    title: str
    names: Sequence[str]
    load: Callable[[str], Picture]
    known: bool
    """Whether they have masks."""


def network_for(data: str) -> str:
    """The network that is asked if nobody says which."""
    return "creature_convnet" if data == CREATURES else EMBEDDED


def find_pictures(data: str, model: Model, count: int | None = None) -> Pictures:
    """The pictures that `data` names: "photos", "creatures", or a folder; the first `count` of them.

    Raises `SaliencyError` if there are none, or the network is not made for them.
    """
    if data == CREATURES:
        return _drawings(model, 100 if count is None else count)
    if data == PHOTOS:
        return _samples(model, count)
    folder = Path(data)
    if not folder.is_dir():
        raise SaliencyError(f"there is no folder {data}: give one, or {PHOTOS!r} or {CREATURES!r}")
    laid_out = (folder / "LOC_synset_mapping.txt").exists()
    return _ilsvrc(folder, model, count) if laid_out else _folder(folder, model, count)


def _drawings(model: Model, count: int) -> Pictures:
    if model.categories is None or "owl" not in model.categories.names:
        raise SaliencyError("the creatures need a network that knows them: creature_convnet or creature_vit")
    drawn = creatures(count, seed=2013, size=min(sides(model.size)))
    names = [f"creature-{index:05d}" for index in range(count)]
    at = {name: slice(index, index + 1) for index, name in enumerate(names)}

    def load(name: str) -> Picture:
        return Picture(drawn.images[at[name]], int(drawn.labels[at[name]]), drawn.masks[at[name]])

    return Pictures(f"{count} creatures", names, load, known=True)


def _samples(model: Model, count: int | None) -> Pictures:
    photos = sample_photos()

    def load(name: str) -> Picture:
        photo = photos[name]
        image = photo.load()
        return Picture(
            model.to_tensor(image, crop=False), model.index(photo.label), _mask(model, image.size, [photo.box])
        )

    return Pictures("the sample photos", list(photos)[:count], load, known=True)


def _ilsvrc(folder: Path, model: Model, count: int | None) -> Pictures:
    data = Ilsvrc(folder, count, model.categories.synsets if model.categories else ())
    samples = {sample.name: sample for sample in data.samples}

    def load(name: str) -> Picture:
        truth, photo = data.truth(samples[name]), _photo(samples[name].image)
        return Picture(model.to_tensor(photo, crop=False), truth.label, _mask(model, photo.size, truth.boxes))

    return Pictures(f"ILSVRC, {len(data)} images", list(samples), load, known=True)


def _folder(folder: Path, model: Model, count: int | None) -> Pictures:
    files = {path.name: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}
    if not files:
        raise SaliencyError(f"there are no photos in {folder}")
    names = list(files)[:count]
    return Pictures(
        f"{len(names)} photos",
        names,
        lambda name: Picture(model.to_tensor(_photo(files[name])), None, None),
        known=False,
    )


def _photo(path: Path) -> Image.Image:
    try:
        return load_image(path)
    except ImageError as error:
        raise ImageError(str(error).replace(str(path), path.name)) from None


def _mask(model: Model, size: tuple[int, int], boxes: Sequence[Box]) -> Tensor:
    """The pixels of the squeezed photo whose centers lie in one of the boxes, (1, H, W)."""
    H, W = sides(model.size)
    y, x = (torch.arange(H) + 0.5) * size[1] / H, (torch.arange(W) + 0.5) * size[0] / W
    inside = [((y0 <= y) & (y < y1))[:, None] & ((x0 <= x) & (x < x1)) for x0, y0, x1, y1 in boxes]
    return torch.stack(inside).any(0)[None]
