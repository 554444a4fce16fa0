"""What maps are compared on: the sample photos, drawings with exact masks, a folder of photos, ILSVRC.

Each is a list of names and a way to load one: the image as the network takes it, the class to explain, and where its
pixels are, if anybody knows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from saliency_lib.comparison import sets
from saliency_lib.datasets.ilsvrc import Ilsvrc
from saliency_lib.errors import ImageError, SaliencyError
from saliency_lib.images import load_image, sides
from saliency_lib.localization.boxes import Box
from saliency_lib.models.load import EMBEDDED
from saliency_lib.models.model import Model
from saliency_lib.registry import declared, find
from saliency_lib.runs.records import Record

CREATURES, PHOTOS = "creatures", "photos"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")


class Picture(NamedTuple):
    """One image (1, C, H, W), the class to explain or None for the top one, and its mask (1, H, W) or None."""

    image: Tensor
    label: int | None
    mask: Tensor | None


class Batch(NamedTuple):
    """Some pictures on the network's device: images (N, C, H, W), classes (N,), masks (N, H, W) if all have one."""

    images: Tensor
    labels: Tensor
    masks: Tensor | None


class Item(NamedTuple):
    """Something to be found out of one picture."""

    what: str
    picture: str

    @property
    def name(self) -> str:
        """How the two are called in the results."""
        return f"{self.what} {self.picture}"


@dataclass(frozen=True)
class Pictures:
    """Some pictures by name. `load` raises `ImageError` for one that cannot be used."""

    title: str
    names: Sequence[str]
    load: Callable[[str], Picture]
    known: bool
    """Whether they have masks."""


def batch(model: Model, pictures: Sequence[Picture]) -> Batch:
    """The pictures together; the network's top class stands in where nobody said which."""
    images = torch.cat([picture.image for picture in pictures]).to(model.mean.device)
    with torch.no_grad():
        top = model(images).argmax(1).tolist() if any(one.label is None for one in pictures) else [0] * len(pictures)
    labels = [best if one.label is None else one.label for one, best in zip(pictures, top, strict=True)]
    masks = [one.mask for one in pictures if one.mask is not None]
    whole = torch.cat(masks).to(images.device) if len(masks) == len(pictures) else None
    return Batch(images, torch.tensor(labels, device=images.device), whole)


def loaded(load: Callable[[str], Picture], name: str) -> Picture | str:
    """A picture, or why it cannot be used."""
    try:
        return load(name)
    except ImageError as error:
        return str(error)


def examined(
    names: Sequence[str],
    load: Callable[[str], Picture | str],
    measure: Callable[[Mapping[str, Picture]], Sequence[Record]],
) -> list[Record]:
    """What is measured of each picture, or, of those that cannot be used, why."""
    found = {name: load(name) for name in names}
    usable = {name: picture for name, picture in found.items() if isinstance(picture, Picture)}
    measured = dict(zip(usable, measure(usable), strict=True)) if usable else {}
    return [measured.get(name, {"broken": found[name]}) for name in names]


class PictureSet:
    """Pictures that have a name; a subclass in the folder `sets` is found by it."""

    name: ClassVar[str]
    network: ClassVar[str] = EMBEDDED
    """The network that is asked if nobody says which."""

    def pictures(self, model: Model, count: int | None) -> Pictures:
        """The first `count` of them. Raises `SaliencyError` if the network is not made for them."""
        raise NotImplementedError


def network_for(data: str) -> str:
    """The network that is asked if nobody says which."""
    return find(sets, "data set", data).network if data in declared(sets) else EMBEDDED


def find_pictures(data: str, model: Model, count: int | None = None) -> Pictures:
    """The pictures that `data` names, a set or a folder; the first `count` of them.

    Raises `SaliencyError` if there are none, or the network is not made for them.
    """
    if data in declared(sets):
        return find(sets, "data set", data)().pictures(model, count)
    folder = Path(data)
    if not folder.is_dir():
        raise SaliencyError(f"there is no folder {data}: give one, or {' or '.join(map(repr, declared(sets)))}")
    laid_out = (folder / "LOC_synset_mapping.txt").exists()
    return _ilsvrc(folder, model, count) if laid_out else _folder(folder, model, count)


def _ilsvrc(folder: Path, model: Model, count: int | None) -> Pictures:
    data = Ilsvrc(folder, count, model.categories.synsets if model.categories else ())
    samples = {sample.name: sample for sample in data.samples}

    def load(name: str) -> Picture:
        truth, photo = data.truth(samples[name]), _photo(samples[name].image)
        return Picture(model.to_tensor(photo, crop=False), truth.label, box_mask(model, photo.size, truth.boxes))

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


def box_mask(model: Model, size: tuple[int, int], boxes: Sequence[Box]) -> Tensor:
    """The pixels of the squeezed photo whose centers lie in one of the boxes, (1, H, W)."""
    H, W = sides(model.size)
    y, x = (torch.arange(H) + 0.5) * size[1] / H, (torch.arange(W) + 0.5) * size[0] / W
    inside = [((y0 <= y) & (y < y1))[:, None] & ((x0 <= x) & (x < x1)) for x0, y0, x1, y1 in boxes]
    return torch.stack(inside).any(0)[None]
