"""The pictures and numbers of the book's first screen: the drawing lab as it begins, and four surprises.

    python -m tools.first_screen

Rules: the drawing is the lab's first of its fifth class. The eyes are covered by two disks that were laid over them by
eye, before any score was seen; the missile is asked for in the second of the package's photos; weights are shuffled
with the seed 0; the owl is the first of the data set's. Nothing is picked by its result.
"""

import copy
import json
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import saliency_lib as sl
from saliency_lib.methods.maps import rank_correlation
from tools.lab.creatures import WEIGHTED, drawings
from tools.landing import FOLDER

DRAWING = 4
EYES = ((72, 86, 25), (181, 102, 25))
"""Middle (x, y) and radius of what covers each eye of the first photo, in pixels of the network's 224."""

SHUFFLED = (2, 3, 4)
"""Which of the five weighted layers lose what they learned: the last three."""

SIDE = 176


def covered(images: Tensor) -> Tensor:
    """The photo with both eyes gray."""
    y, x = torch.meshgrid(torch.arange(images.shape[-2]), torch.arange(images.shape[-1]), indexing="ij")
    for column, row, radius in EYES:
        images = torch.where((x - column) ** 2 + (y - row) ** 2 <= radius**2, 0.5, images)
    return images


def shuffled(model: sl.Model) -> sl.Model:
    """The small network, the weights of its last layers in another order."""
    other, random = copy.deepcopy(model), torch.Generator().manual_seed(0)
    for at in SHUFFLED:
        weight = other.network.get_submodule(WEIGHTED[at]).get_parameter("weight")
        order = torch.randperm(weight.numel(), generator=random)
        weight.data = weight.data.flatten()[order].view_as(weight)
    return other


def drawing() -> tuple[dict[str, Image.Image], dict[str, Any]]:
    """The drawing lab as it begins: sheet, map, and the three best names with score and chance."""
    model, images = sl.load_model("creature_convnet").to("cpu"), drawings()[DRAWING : DRAWING + 1]
    found = sl.saliency_map(model, images)[0]
    said = [[p.name, round(p.score, 1), round(100 * (p.probability or 0))] for p in model.top(images, 3)[0]]
    return {"sheet": sl.to_image(images), "map": sl.plots.colorize(found)}, {"drawing": said}


def eyes() -> tuple[Image.Image, dict[str, Any]]:
    """The cat without eyes, and the scores of its two best names with them and without."""
    model, images = sl.load_model().to("cpu"), sl.to_tensor(sl.sample_photo("chelsea"))
    without = covered(images)
    two = model.top(images, 2)[0]
    with torch.no_grad():
        after = model(without)[0]
    scores = [[p.name, p.score, after[p.class_index].item()] for p in two]
    return sl.to_image(without), {"eyes": scores, "cover": ".".join(stroke(*eye) for eye in EYES)}


def stroke(x: int, y: int, radius: int) -> str:
    """A dab of the photo lab's brush as its links write it: width, column and row, two digits of base 36 each."""
    return "".join(np.base_repr(value, 36).lower().zfill(2) for value in (radius, x, y))


def missile() -> tuple[Image.Image, dict[str, Any]]:
    """The guided map of a missile in the espresso, and its rank correlation with that of the espresso."""
    model, images = sl.load_model().to("cpu"), sl.to_tensor(sl.sample_photo("coffee"))
    maps = [sl.saliency_map(model, images, name, rule="guided")[0] for name in ("missile", "espresso")]
    return sl.plots.colorize(maps[0]), {"missile": rank_correlation(*maps)}


def nothing() -> tuple[Image.Image, dict[str, Any]]:
    """The guided map of the shuffled network, and by rule how alike maps before and after are."""
    model, images = sl.load_model("creature_convnet").to("cpu"), drawings()[:1]
    networks = (model, shuffled(model))
    maps = {rule: [sl.saliency_map(n, images, 0, rule=rule)[0] for n in networks] for rule in ("guided", "backprop")}
    return sl.plots.colorize(maps["guided"][1]), {
        "shuffled": {rule: rank_correlation(*two) for rule, two in maps.items()}
    }


def tree() -> tuple[Image.Image, dict[str, Any]]:
    """An owl beside its tree, and by network the share of sixty owls that are called so without it."""
    owls = sl.companions(60, seed=21, kind="owl")
    alone = sl.companions(60, seed=21, kind="owl", without=["companion"])
    shares = {}
    for name in ("companion_convnet", "companion_convnet_shortcut"):
        with torch.no_grad():
            answers = sl.load_model(name).to("cpu")(alone.images).argmax(1)
        shares[name] = (answers == alone.labels).float().mean().item()
    return sl.to_image(owls.images[:1]), {"tree": shares}


def figures() -> tuple[dict[str, Image.Image], dict[str, Any]]:
    """All pictures by file name, and all that the first screen says of them."""
    pictures, said = drawing()
    for name, (picture, more) in {"eyes": eyes(), "missile": missile(), "shuffled": nothing(), "tree": tree()}.items():
        pictures[name], said = picture, said | more
    return pictures, said


def write() -> None:
    """Write the drawing's pictures pixel by pixel, the others small, and what is said of them."""
    folder = FOLDER.parent / "first"
    folder.mkdir(exist_ok=True)
    pictures, said = figures()
    for name, picture in pictures.items():
        if name in ("sheet", "map"):
            picture.save(folder / f"{name}.webp", "WEBP", lossless=True, quality=100, method=6)
            continue
        how = Image.Resampling.LANCZOS if picture.width > SIDE else Image.Resampling.NEAREST
        picture.convert("RGB").resize((SIDE, SIDE), how).save(folder / f"{name}.webp", quality=64, method=6)
    (folder / "said.json").write_text(json.dumps(said, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    write()
