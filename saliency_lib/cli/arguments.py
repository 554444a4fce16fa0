"""What several commands take: a network, a target, a photo, a picture to write."""

import argparse
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from saliency_lib import files
from saliency_lib.errors import SaliencyError, TargetError
from saliency_lib.images import load_image, sample_photo, sample_photos
from saliency_lib.models.load import EMBEDDED
from saliency_lib.models.model import Model, Prediction
from saliency_lib.targets import Target, unit, weighted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".jpg", ".jpeg", ".webp", ".pdf", ".svg")


def add_photo(command: argparse.ArgumentParser) -> None:
    """PHOTO: a file, or the name of a sample photo."""
    command.add_argument(
        "photo", metavar="PHOTO", help="an image file, or a sample photo: " + ", ".join(sample_photos())
    )


def add_target(command: argparse.ArgumentParser) -> None:
    """What is asked: a class, the difference of two, or a channel of a layer."""
    command.add_argument(
        "--class", dest="target", metavar="NAME|INDEX", help="the class to explain (default: the top one)"
    )
    command.add_argument("--against", metavar="NAME|INDEX", help="explain its score less that of this class")
    command.add_argument(
        "--unit", metavar="LAYER:CHANNEL", help="explain one filter of the network instead: blocks.4.2:17"
    )


def add_model(command: argparse.ArgumentParser) -> None:
    """The network."""
    command.add_argument("--model", default=EMBEDDED, metavar="NAME", help=f"the network (default: {EMBEDDED})")


def add_picture(command: argparse.ArgumentParser) -> None:
    """Where the picture goes."""
    command.add_argument("--out", required=True, type=Path, metavar="FILE.png", help="where to write the picture")


def photo_of(name: str) -> Image.Image:
    """The file of this name or, where there is none, the sample photo."""
    return sample_photo(name) if name in sample_photos() and not Path(name).exists() else load_image(name)


def target_of(options: argparse.Namespace, model: Model, best: Sequence[Prediction]) -> tuple[Target, str]:
    """What is asked, and how to call it in a title. Raises `TargetError` if the options contradict each other."""
    if options.unit is not None:
        if options.target is not None or options.against is not None:
            raise TargetError("--unit asks for a filter, --class and --against for classes: give one or the other")
        return unit_of(options.unit), options.unit
    index = best[0].class_index if options.target is None else model.index(options.target)
    if options.against is None:
        return index, model.name(index)
    other = model.index(options.against)
    return weighted({index: 1, other: -1}), f"{model.name(index)} rather than {model.name(other)}"


def unit_of(text: str) -> unit:
    """A filter as it is typed, LAYER:CHANNEL. Raises `TargetError` if it is typed otherwise."""
    layer, colon, channel = text.rpartition(":")
    if not (layer and colon and channel.isdecimal()):
        raise TargetError(f"a filter is typed LAYER:CHANNEL, such as blocks.4.2:17, and not {text!r}")
    return unit(layer, int(channel))


def check_output(path: Path, inputs: Iterable[object] = ()) -> None:
    """Say what is wrong with the output before any work is done."""
    if path.suffix.lower() not in FORMATS:
        raise SaliencyError(f"{path} should end in one of {', '.join(FORMATS)}")
    known = [sample_photos()[name].path for name in inputs if name in sample_photos()]
    files.check_output(path, [*inputs, *known])


def save(figure: "Figure", path: Path) -> None:
    """Write a figure, and say so."""
    buffer = io.BytesIO()
    try:
        figure.savefig(buffer, format=path.suffix[1:].lower())
    except (ValueError, MemoryError) as error:
        raise SaliencyError(f"the picture cannot be drawn: {error}") from None
    files.write(path, buffer.getvalue())
    print(f"\nwrote {path}")


def table(best: Sequence[Prediction], unit: str = "") -> str:
    """Predictions as lines of text; plain numbers with their unit, and without probabilities."""
    if best and best[0].probability is None:
        return "\n".join(["   number  name", *(f"{p.score:9.4g}  {p.name} {unit}".rstrip() for p in best)])
    rows = [f"{p.score:7.2f}  {p.probability:11.3f}  {p.class_index:5d}  {p.name}" for p in best]
    return "\n".join(["  score  probability  class  name", *rows])
