"""The package from the command line.

python -m saliency_lib saliency photo.jpg --class "Egyptian cat" --out map.png
python -m saliency_lib localize photo.jpg --out box.png
python -m saliency_lib evaluate --ilsvrc DIR --out results.jsonl --summary summary.json
python -m saliency_lib class-image "flamingo" "monarch" --out sheet.png
python -m saliency_lib models
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from saliency_lib.class_images.ascent import class_image
from saliency_lib.class_images.recipes import PAPER, RECOMMENDED
from saliency_lib.errors import SaliencyError
from saliency_lib.evaluation.runner import evaluate, table
from saliency_lib.images import load_image, sample_photo, sample_photos, to_image, to_tensor
from saliency_lib.localization.localizers import DEFAULT, METHODS
from saliency_lib.methods.gradients import input_gradient
from saliency_lib.methods.maps import REDUCTIONS, reduce_channels
from saliency_lib.methods.relu_rules import RULES
from saliency_lib.models.load import EMBEDDED, available_models, load_model
from saliency_lib.models.model import Classifier, Prediction

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".jpg", ".jpeg", ".webp", ".pdf", ".svg")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, or 2 after one sentence on what was wrong."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except SaliencyError as error:
        print(f"saliency_lib: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `... models | head` is no mistake
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  so that Python does not try to flush the closed pipe
        return 0
    except KeyboardInterrupt:
        print("saliency_lib: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m saliency_lib", description="Ask a convolutional network what it sees, and where."
    )
    commands = parser.add_subparsers(title="commands", required=True)

    saliency = commands.add_parser("saliency", help="print the top five classes of a photo and draw a saliency map")
    saliency.add_argument(
        "photo", metavar="PHOTO", help="an image file, or a sample photo: " + ", ".join(sample_photos())
    )
    saliency.add_argument(
        "--class", dest="target", metavar="NAME|INDEX", help="the class to explain (default: the top one)"
    )
    _add_model(saliency)
    saliency.add_argument(
        "--rule", default="backprop", choices=RULES, help="how a ReLU goes backward (default: backprop)"
    )
    saliency.add_argument(
        "--channels", default="max", choices=REDUCTIONS, help="how colors become one number (default: max)"
    )
    _add_picture(saliency)
    saliency.set_defaults(run=_saliency)

    localize = commands.add_parser("localize", help="draw a box around the object of a class, and its mask")
    localize.add_argument("photo", metavar="PHOTO", help="an image file or a sample photo")
    localize.add_argument("--class", dest="target", metavar="NAME|INDEX", help="the class (default: the top one)")
    localize.add_argument("--method", default=DEFAULT, choices=METHODS, help=f"how to find it (default: {DEFAULT})")
    _add_model(localize)
    _add_picture(localize)
    localize.set_defaults(run=_localize)

    evaluate = commands.add_parser(
        "evaluate",
        help="measure localization on ILSVRC",
        description="Measure localization on a folder in the layout of ILSVRC CLS-LOC. The same command goes on after "
        "an interruption, and under torchrun shares the work among processes.",
    )
    evaluate.add_argument(
        "--ilsvrc", required=True, type=Path, metavar="DIR", help="holds Data, Annotations, LOC_synset_mapping.txt"
    )
    evaluate.add_argument("--method", default=DEFAULT, choices=METHODS, help=f"what is measured (default: {DEFAULT})")
    _add_model(evaluate)
    evaluate.add_argument("--limit", type=int, metavar="N", help="only the first N images")
    evaluate.add_argument("--batch-size", type=int, default=8, metavar="B", help="images at a time (default: 8)")
    evaluate.add_argument(
        "--out", required=True, type=Path, metavar="FILE.jsonl", help="one line an image; an existing file is continued"
    )
    evaluate.add_argument("--summary", type=Path, metavar="FILE.json", help="where to write the errors")
    evaluate.set_defaults(run=_evaluate)

    images = commands.add_parser(
        "class-image",
        help="draw the image that a class asks for",
        description="Draw the image that each class asks for, by gradient ascent on its score (chapter 6). Ctrl+C ends "
        "the ascent early and draws what there is.",
    )
    images.add_argument("classes", nargs="+", metavar="NAME|INDEX", help='one class or several: "flamingo" "monarch" 9')
    images.add_argument(
        "--recipe",
        default="recommended",
        choices=("recommended", "paper"),
        help="the book's priors, or the paper's penalty alone (default: recommended)",
    )
    steps = f"steps of the ascent (default: {RECOMMENDED.steps}, or {PAPER.steps} with the paper's recipe)"
    images.add_argument("--steps", type=int, metavar="N", help=steps)
    size = "side of the images (default: the network's own; in smaller ones things come out larger, and sooner)"
    images.add_argument("--size", type=int, metavar="PIXELS", help=size)
    images.add_argument("--seed", type=int, default=0, metavar="N", help="of the random numbers (default: 0)")
    _add_model(images)
    _add_picture(images)
    images.set_defaults(run=_class_image)

    models = commands.add_parser("models", help="list the networks that are available here and now")
    models.set_defaults(run=_models)
    return parser


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", default=EMBEDDED, metavar="NAME", help=f"the network (default: {EMBEDDED})")


def _add_picture(command: argparse.ArgumentParser) -> None:
    command.add_argument("--out", required=True, type=Path, metavar="FILE.png", help="where to write the picture")


class _Seen(NamedTuple):
    """A photo, the network, what it is given, its best classes, and the class that is asked about."""

    photo: Image.Image
    model: Classifier
    images: Tensor
    best: list[Prediction]
    wanted: int


def _look(options: argparse.Namespace, *, crop: bool) -> _Seen:
    """What `saliency` and `localize` begin with."""
    _check_output(options.out)
    photo = sample_photo(options.photo) if _is_sample(options.photo) else load_image(options.photo)
    model = load_model(options.model)
    images = to_tensor(photo, model.size, crop=crop)
    best = model.top(images)[0]
    wanted = best[0].class_index if options.target is None else model.index(options.target)
    return _Seen(photo, model, images, best, wanted)


def _saliency(options: argparse.Namespace) -> None:
    _, model, images, best, wanted = _look(options, crop=True)
    saliency = reduce_channels(input_gradient(model, images, wanted, rule=options.rule), options.channels)[0]
    print(_table(best))

    from saliency_lib import plots  # here, because matplotlib takes a second to import

    pictures: dict[str, plots.Picture] = {
        "what the network is given": to_image(images),
        f"saliency of {model.name(wanted)}": saliency,
    }
    _save(
        plots.grid(pictures | {"the photo in that light": plots.overlay(to_image(images), saliency)}, size=3),
        options.out,
    )


def _save(figure: "Figure", path: Path) -> None:
    try:
        figure.savefig(path)
    except OSError as error:
        raise SaliencyError(f"{path} cannot be written ({error.strerror})") from None
    print(f"\nwrote {path}")


def _localize(options: argparse.Namespace) -> None:
    photo, model, images, best, wanted = _look(options, crop=False)
    view = METHODS[options.method].look(model, images)
    (found,) = view.find([photo], torch.tensor([wanted]))
    maps = view.maps(torch.tensor([wanted]))
    assert found is not None
    print(f"{_table(best)}\n\n{model.name(wanted)}: {found.box} of {photo.width} x {photo.height} pixels")

    from saliency_lib import plots  # here, because matplotlib takes a second to import

    title = f"{model.name(wanted)}, by {options.method}"
    pictures: dict[str, plots.Picture] = {title: photo}
    if maps is not None:
        whole = F.interpolate(maps[None], (photo.height, photo.width), mode="bilinear")[0, 0]
        pictures["its map, over the photo"] = plots.overlay(photo, whole)
    figure = plots.grid(pictures, boxes=dict.fromkeys(pictures, found.box), size=3.5)
    _save(figure, options.out)


def _class_image(options: argparse.Namespace) -> None:
    _check_output(options.out)
    model = load_model(options.model)
    wanted = [model.index(name) for name in options.classes]
    recipe, priors = (PAPER, ()) if options.recipe == "paper" else (RECOMMENDED, "recommended")
    steps = recipe.steps if options.steps is None else options.steps
    found = class_image(model, wanted, steps=steps, size=options.size, seed=options.seed, priors=priors)
    if not found.complete:
        print(f"interrupted after {len(found.history.score)} of {steps} steps", file=sys.stderr)
    titles = []
    for index, best in zip(found.classes, found.top, strict=True):
        name, first = model.name(index), best[0]
        titles.append(name if first.class_index == index else f"{name}, taken for\n{first.name}")
        print(f"{name}, as the network sees it:\n{_table(best)}\n")

    from saliency_lib import plots  # here, because matplotlib takes a second to import

    _save(plots.grid(list(zip(titles, found.image, strict=True)), size=3), options.out)


def _evaluate(options: argparse.Namespace) -> None:
    result = evaluate(
        options.ilsvrc,
        options.out,
        method=options.method,
        model=options.model,
        limit=options.limit,
        batch_size=options.batch_size,
        summary=options.summary,
    )
    if result is not None:
        print(table(result))


def _is_sample(photo: str) -> bool:
    return photo in sample_photos() and not Path(photo).exists()


def _check_output(path: Path) -> None:
    """Say what is wrong with the output before any work is done."""
    if path.suffix.lower() not in FORMATS:
        raise SaliencyError(f"{path} should end in one of {', '.join(FORMATS)}")
    if not path.absolute().parent.is_dir():
        raise SaliencyError(f"there is no folder {path.absolute().parent} to write to")


def _table(best: Sequence[Prediction]) -> str:
    rows = [f"{p.score:7.2f}  {p.probability:11.3f}  {p.class_index:5d}  {p.name}" for p in best]
    return "\n".join(["  score  probability  class  name", *rows])


def _models(options: argparse.Namespace) -> None:
    models = available_models()
    width = max(map(len, models))
    for name, state in sorted(models.items(), key=lambda item: item[1] == "needs a download"):
        print(f"{name:{width}}  {state}")
