"""What is found in single images: shares of area and saliency, and scores without each region.

    examine(model, images, target, regions)     # a record an image, numbers and names only, so that it can be kept

Beside the regions that somebody named, two more are taken away: object and shortcut *both*, without which an
interaction cannot be known, and a *control*, the shortcut's shape at another place.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_lib.auditing.control import elsewhere
from saliency_lib.auditing.removal import WAYS, check_masks, removed
from saliency_lib.checks import Form, check_images
from saliency_lib.errors import ImageError, SaliencyError
from saliency_lib.methods.method import find_method
from saliency_lib.models.forward import ask, evaluation_mode, head_of
from saliency_lib.models.model import form_of
from saliency_lib.targets import Target, class_indices, layers_of, select

OBJECT, SHORTCUT, REST, CONTROL, BOTH = "object", "shortcut", "rest", "control", "both"

Record = dict[str, Any]


def check_regions(images: Tensor, regions: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The regions, each a mask for each image and not empty, the rest of the image among them."""
    check_images(images, Form(axes=2))
    for name in (OBJECT, SHORTCUT):
        if name not in regions:
            raise SaliencyError(f"there is no region {name!r} among {', '.join(map(repr, regions)) or 'none'}")
    for name, masks in regions.items():
        empty = ~check_masks(masks, images, name).flatten(1).any(1)
        if name in (CONTROL, BOTH):
            raise SaliencyError(f"an audit has a region {name!r} of its own: give yours another name")
        if empty.any():
            raise ImageError(f"the region {name!r} of image {int(empty.int().argmax())} is empty")
    rest = ~torch.stack([*regions.values()]).any(0)
    known = {name: masks.cpu() for name, masks in regions.items() if name != REST}
    return known | ({REST: rest.cpu()} if rest.flatten(1).any(1).all() else {})


def examine(
    model: nn.Module, images: Tensor, target: Target, regions: Mapping[str, Tensor], method: str = "gradient"
) -> list[Record]:
    """What is found in each image: its score, and for each region shares of area and saliency, and the changes."""
    check_images(images, form_of(model))
    before, top, target = _look(model, images, target)
    maps = find_method(method)(model, images).maps(target).detach().float().cpu()
    maps = F.interpolate(maps[:, None], images.shape[2:], mode="bilinear")[:, 0].clamp_min(0)
    total = maps.flatten(1).sum(1).clamp_min(1e-30)
    plain = head_of(model).kind == "numbers"
    found: list[Record] = [{"score": score, "plain": plain, "regions": {}} for score in before.tolist()]
    both = regions[OBJECT] | regions[SHORTCUT]
    more = {BOTH: both, CONTROL: elsewhere(regions[SHORTCUT], both, images)}
    for name, masks in {**regions, **more}.items():
        area = masks.flatten(1).float().mean(1)
        share = (maps * masks).flatten(1).sum(1) / total
        changes, flips = {}, {}
        for way in WAYS if name != REST else ():
            after, other, _ = _look(model, removed(images, masks, way), target)
            changes[way] = (after - before).tolist()
            flips[way] = None if top is None or other is None else (top != other).tolist()
        for index, record in enumerate(found):
            if area[index] > 0:
                record["regions"][name] = {
                    "area": area[index].item(),
                    "saliency": share[index].item(),
                    "changes": {way: values[index] for way, values in changes.items()},
                    "flips": {way: values[index] for way, values in flips.items() if values is not None},
                }
    return found


@torch.no_grad()
def _look(model: nn.Module, images: Tensor, target: Target) -> tuple[Tensor, Tensor | None, Target]:
    """The numbers S (N,), the top classes where there are classes, and the target, fixed to these classes if open."""
    with evaluation_mode(model):
        answer = ask(model, images, layers_of(target))
        kind = head_of(model).kind
        top = answer.scores.argmax(1).cpu() if kind == "softmax" else None
        if target is None:
            target = class_indices(answer.scores, None, answer.head).cpu()
        return select(answer, target).detach().double().cpu(), top, target
