"""The commands that draw a picture: of a map, of a box, of a class image."""

import argparse
import sys
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from saliency_lib.class_images.ascent import class_image
from saliency_lib.class_images.recipes import PAPER, RECOMMENDED
from saliency_lib.cli.arguments import check_output, photo_of, save, table, target_of, unit_of
from saliency_lib.errors import SaliencyError
from saliency_lib.images import to_image
from saliency_lib.localization.localizers import LOCALIZERS
from saliency_lib.methods.maps import reduce_channels
from saliency_lib.methods.method import Method, find_method
from saliency_lib.models.load import load_model
from saliency_lib.models.model import Model, Prediction


class _Seen(NamedTuple):
    """A photo, the network, what it is given, and its best classes."""

    photo: Image.Image
    model: Model
    images: Tensor
    best: list[Prediction]


def _look(options: argparse.Namespace, *, crop: bool) -> _Seen:
    """What `saliency` and `localize` begin with."""
    check_output(options.out, [options.photo])
    photo = photo_of(options.photo)
    model = load_model(options.model)
    images = model.to_tensor(photo, crop=crop)
    return _Seen(photo, model, images, model.top(images)[0])


def saliency(options: argparse.Namespace) -> None:
    """The photo, its map by any method, and both together."""
    _, model, images, best = _look(options, crop=True)
    target, title = target_of(options, model, best)
    method = find_method(options.method)
    found = method(model, images, **_settings(method, options))
    maps = reduce_channels(found.attribution(target), options.channels) if method.per_pixel() else found.maps(target)
    whole = F.interpolate(maps[None].float().cpu(), images.shape[2:], mode="bilinear")[0, 0]
    print(table(best, model.head.unit))

    from saliency_lib import plots  # here, because matplotlib takes a second to import

    pictures: dict[str, plots.Picture] = {
        "what the network is given": to_image(images),
        f"{options.method} of\n{title}" if options.method != "gradient" else f"saliency of\n{title}": whole,
        "the photo in that light": plots.overlay(to_image(images), whole),
    }
    save(plots.grid(pictures, size=3), options.out)


def _settings(method: type[Method], options: argparse.Namespace) -> dict[str, Any]:
    """The options that were given, as the method takes them. Raises `SaliencyError` for one that it does not have."""
    known = method.settings()
    given = {"rule": options.rule, "layer": options.layer}
    given = {name: value for name, value in given.items() if value is not None}
    if "layers" in known and "layer" in given:
        given["layers"] = [given.pop("layer")]
    for name in given:
        if name not in known:
            raise SaliencyError(f"the method {method.name} has no option --{name}")
    return given


def localize(options: argparse.Namespace) -> None:
    """The photo with a box, and the map that led to it."""
    photo, model, images, best = _look(options, crop=False)
    wanted = best[0].class_index if options.target is None else model.index(options.target)
    view = LOCALIZERS[options.method].look(model, images)
    (found,) = view.find([photo], torch.tensor([wanted]))
    maps = view.maps(torch.tensor([wanted]))
    assert found is not None
    print(f"{table(best)}\n\n{model.name(wanted)}: {found.box} of {photo.width} x {photo.height} pixels")

    from saliency_lib import plots  # here, because matplotlib takes a second to import

    title = f"{model.name(wanted)}, by {options.method}"
    pictures: dict[str, plots.Picture] = {title: photo}
    if maps is not None:
        whole = F.interpolate(maps[None], (photo.height, photo.width), mode="bilinear")[0, 0]
        pictures["its map, over the photo"] = plots.overlay(photo, whole)
    save(plots.grid(pictures, boxes=dict.fromkeys(pictures, found.box), size=3.5), options.out)


def class_images(options: argparse.Namespace) -> None:
    """The image that each class asks for, and what the network sees in it."""
    check_output(options.out)
    model = load_model(options.model)
    wanted: list[Any] = [model.index(name) for name in options.classes]
    titles = [model.name(index) for index in wanted] + options.unit
    wanted += [unit_of(text) for text in options.unit]
    recipe, priors = (PAPER, ()) if options.recipe == "paper" else (RECOMMENDED, "recommended")
    steps = recipe.steps if options.steps is None else options.steps
    found = class_image(model, wanted, steps=steps, size=options.size, seed=options.seed, priors=priors)
    if not found.complete:
        print(f"interrupted after {len(found.history.score)} of {steps} steps", file=sys.stderr)
    for i, (one, best) in enumerate(zip(found.classes, found.top, strict=True)):
        print(f"{titles[i]}, as the network sees it:\n{table(best)}\n")
        if isinstance(one, int) and best[0].class_index != one:
            titles[i] += f", taken for\n{best[0].name}"

    from saliency_lib import plots  # here, because matplotlib takes a second to import

    save(plots.grid(list(zip(titles, found.image.split(1), strict=True)), size=3), options.out)
