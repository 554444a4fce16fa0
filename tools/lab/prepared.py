"""What a reader sees whose browser runs no lab: one picture of each, as it begins, drawn by the package."""

from collections.abc import Callable

import torch
from PIL import Image, ImageDraw
from torch import Tensor

import saliency_lib as sl
from saliency_lib.comparison.metric import order
from saliency_lib.diffusion.sampler import begin
from saliency_lib.methods.layers import spread
from tools.lab.creatures import drawings
from tools.lab.imagenet import FIRST, cell_shift
from tools.lab.suspect import NETWORKS, guilty, owls

SCALE = 4
GAP = 12
ASKED = ("espresso", "missile")
"""Of the photo: the first is in it, the second is not."""


def prepared() -> dict[str, Image.Image]:
    """The picture of each lab by its name."""
    model = sl.load_model("creature_convnet").to("cpu")
    images = drawings()
    make: dict[str, Callable[[], list[Image.Image]]] = {
        "photo": _photo_and_maps,
        "price": lambda: _drawing_and_map(model, images[6:7], 6),
        "cover": lambda: _covered(model, images[1:2]),
        "rules": lambda: _rules(model, images[:1]),
        "draw": lambda: _drawing_and_map(model, images[4:5], 4),
        "ascent": lambda: [
            sl.to_image(sl.class_image(model, 3, steps=100, step_size=2.5, l2=0.02, progress=False).image)
        ],
        "box": lambda: _boxed(model, images[2:3]),
        "rulepad": lambda: _two_classes(model, images[:1]),
        "race": lambda: _race(model, images[1:2]),
        "suspect": _first_card,
        "diffusion": _drawn,
    }
    return {name: _row(pictures()) for name, pictures in make.items()}


def _photo_and_maps() -> list[Image.Image]:
    model, image = sl.load_model(), sl.to_tensor(sl.sample_photo(FIRST))
    maps = (sl.grad_cam(model, image, name) for name in ASKED)
    fine = (spread(M, image.shape[-1], shift=cell_shift(), smoothing=0)[0] for M in maps)
    photo = sl.to_image(image)
    gray = photo.convert("L").convert("RGB")
    return [photo, *(Image.blend(gray, sl.plots.colorize(M), 0.7) for M in fine)]


def _drawing_and_map(model: sl.Model, image: Tensor, target: int) -> list[Image.Image]:
    return [sl.to_image(image), sl.plots.colorize(sl.saliency_map(model, image, target)[0])]


def _covered(model: sl.Model, image: Tensor) -> list[Image.Image]:
    drawing, saliency = _drawing_and_map(model, image, 1)
    ImageDraw.Draw(drawing).ellipse((27, 20, 41, 34), (128, 128, 128))
    return [drawing, saliency]


def _rules(model: sl.Model, image: Tensor) -> list[Image.Image]:
    rules = ("backprop", "deconvnet", "guided")
    maps = [sl.plots.colorize(sl.saliency_map(model, image, 0, rule=rule)[0]) for rule in rules]
    return [sl.to_image(image), *maps]


def _boxed(model: sl.Model, image: Tensor) -> list[Image.Image]:
    drawing, saliency = _drawing_and_map(model, image, 2)
    found = sl.threshold_box(drawing, sl.saliency_map(model, image, 2), part="whole")
    assert found.box
    x0, y0, x1, y1 = found.box
    ImageDraw.Draw(drawing).rectangle((x0, y0, x1 - 1, y1 - 1), outline=(255, 215, 106))
    return [drawing, saliency]


def _two_classes(model: sl.Model, image: Tensor) -> list[Image.Image]:
    maps = [sl.plots.colorize(sl.saliency_map(model, image, target, rule="guided")[0]) for target in (0, 6)]
    return [sl.to_image(image), *maps]


def _race(model: sl.Model, image: Tensor) -> list[Image.Image]:
    other = sl.saliency_map(model, image, 2, rule="guided")
    maps = torch.cat([sl.saliency_map(model, image, 1), other, torch.zeros_like(other)])
    gone = torch.zeros(len(maps), image[0, 0].numel(), dtype=torch.bool)
    gone.scatter_(1, order(maps)[:, : gone.shape[1] // 3], True)
    return [sl.to_image(torch.where(mask.view_as(image[0, 0]), 0.5, image)) for mask in gone]


def _first_card() -> list[Image.Image]:
    drawn, _ = owls()
    image, model = drawn.images[:1], sl.load_model(NETWORKS[guilty()[0]]).to("cpu")
    return [sl.to_image(image), sl.plots.colorize(sl.saliency_map(model, image, "owl")[0])]


def _drawn() -> list[Image.Image]:
    noise = ((begin(1, seed=4) + 1) / 2).clamp(0, 1)
    return [sl.to_image(noise), sl.to_image(sl.draw(sl.load_diffusion(), ["the owl"], steps=20, guidance=2, seed=4))]


def _row(pictures: list[Image.Image]) -> Image.Image:
    """Pictures side by side, each pixel of a drawing a square."""
    scale = max(1, SCALE * 64 // pictures[0].width)
    large = [p.resize((p.width * scale, p.height * scale), Image.Resampling.NEAREST) for p in pictures]
    width = sum(p.width for p in large) + GAP * (len(large) - 1)
    sheet = Image.new("RGBA", (width, large[0].height))
    for i, picture in enumerate(large):
        sheet.paste(picture, (i * (picture.width + GAP), 0))
    return sheet
