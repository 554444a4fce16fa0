"""The validation set of ILSVRC CLS-LOC in its official layout.

DIR/Data/CLS-LOC/val/*.JPEG          the images
DIR/Annotations/CLS-LOC/val/*.xml    one file an image: the class and a box for every instance of it
DIR/LOC_synset_mapping.txt           one line a class, in the order of the scores: synset id, names
"""

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from saliency_lib import files
from saliency_lib.errors import ImageError, SaliencyError

Box = tuple[int, int, int, int]
"""`(x0, y0, x1, y1)` in pixels, x1 and y1 exclusive."""


class BrokenImage(ImageError):
    """One image of a data set that cannot be used; an evaluation names it and goes on."""


@dataclass(frozen=True)
class Sample:
    """One image of the data set: where it lies, and where its annotation does."""

    name: str
    image: Path
    annotation: Path


@dataclass(frozen=True)
class Truth:
    """What a person marked in one image: the class, and the boxes `(x0, y0, x1, y1)` in pixels of all its instances.

    `size` is (width, height) of the image on which they were marked, where the annotation says it.
    """

    label: int
    boxes: tuple[Box, ...]
    size: tuple[int, int] | None = None


class Ilsvrc:
    """The samples of a folder in the official layout, ordered by name; the first `limit` of them.

    A class is numbered by its place among the `synsets` of a network's scores; without these, by its line in the
    mapping.

    Raises `SaliencyError` if the folder is not laid out so.
    """

    def __init__(self, folder: Path, limit: int | None = None, synsets: Sequence[str] = ()) -> None:
        images, annotations = (folder / kind / "CLS-LOC" / "val" for kind in ("Data", "Annotations"))
        mapping = folder / "LOC_synset_mapping.txt"
        for path in (images, annotations, mapping):
            if not path.exists():
                missing = path.relative_to(folder)
                raise SaliencyError(f"{folder} is not laid out as ILSVRC CLS-LOC: there is no {missing} in it")
        self.classes = _read_classes(mapping)
        if synsets:
            known = {synset: index for index, synset in enumerate(synsets)}
            self.classes = {synset: known[synset] for synset in self.classes if synset in known}
        paths = sorted(images.glob("*.JPEG"))[:limit]
        if not paths:
            raise SaliencyError(f"there are no .JPEG files in {images}")
        self.samples = [Sample(_printable(path.stem), path, annotations / f"{path.stem}.xml") for path in paths]

    def __len__(self) -> int:
        return len(self.samples)

    def truth(self, sample: Sample) -> Truth:
        """What is in an image. Raises `BrokenImage` if nobody says, or by no known class, or without a box."""
        try:
            root = ElementTree.fromstring(files.read(sample.annotation))
        except (OSError, ElementTree.ParseError, LookupError, ValueError) as error:  # the last two: odd encodings
            raise BrokenImage(f"its annotation cannot be read ({_reason(error)})") from None
        try:
            found = [(item.findtext("name", ""), _read_box(item)) for item in root.findall("object")]
        except ValueError:
            raise BrokenImage("its annotation has a box that is not made of four ordered numbers") from None
        if not found:
            raise BrokenImage("its annotation has no box")
        synset = found[0][0]
        if synset not in self.classes:
            raise BrokenImage(f"its class {synset!r} is not in LOC_synset_mapping.txt")
        boxes = tuple(box for name, box in found if name == synset)
        return Truth(self.classes[synset], boxes, _read_size(root))


def _read_classes(mapping: Path) -> dict[str, int]:
    try:
        text = files.read(mapping).decode("utf-8")
        synsets = [line.split(maxsplit=1)[0] for line in text.splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SaliencyError(f"{mapping} cannot be read ({_reason(error)})") from None
    if len(set(synsets)) != len(synsets):
        raise SaliencyError(f"{mapping} lists a class twice")
    return {synset: index for index, synset in enumerate(synsets)}


def _read_box(item: ElementTree.Element) -> Box:
    x0, y0, x1, y1 = (int(item.findtext(f"bndbox/{side}", "")) for side in ("xmin", "ymin", "xmax", "ymax"))
    if x0 > x1 or y0 > y1:
        raise ValueError("a corner is on the wrong side")
    return x0, y0, x1, y1


def _read_size(root: ElementTree.Element) -> tuple[int, int] | None:
    """Width and height of the image that was annotated, if they are there and make sense."""
    try:
        width, height = (int(root.findtext(f"size/{side}", "")) for side in ("width", "height"))
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None


def _printable(name: str) -> str:
    """The name of a file as text that can be written; bytes that are no UTF-8 are spelled out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
