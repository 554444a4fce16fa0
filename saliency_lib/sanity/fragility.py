"""A photo changed by next to nothing, so that the network says the same and its saliency map says something else.

    changed = fragile(model, images, reach=4 / 255)

The change e, at most `reach` in every entry, lowers the share of the map that lies on its own brightest tenth, step by
step along the sign of the derivative. That is a derivative of a derivative, and a ReLU has none: it is computed with
softplus(z) = log(1 + exp(beta z)) / beta in the place of each ReLU, which comes near to it. The maps to compare are
those of the network itself.

Source: Ghorbani et al. (2019), section 3, the top-k attack; the softplus is theirs, too.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from saliency_lib.errors import ModelError
from saliency_lib.methods.gradients import saliency_map
from saliency_lib.models.forward import differentiating

BRIGHTEST = 0.1
SHARPNESS = 10.0


class _Softened(TorchFunctionMode):
    """A context in which every ReLU is a softplus, and a ReLU6 the difference of two."""

    met = 0

    def __torch_function__(
        self, func: Callable, types: Iterable[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in ("relu", "relu_"):
            self.met += 1
            return F.softplus(args[0], SHARPNESS)
        if name in ("relu6", "hardtanh", "hardtanh_"):
            self.met += 1
            return F.softplus(args[0], SHARPNESS) - F.softplus(args[0] - 6, SHARPNESS)
        return func(*args, **(kwargs or {}))


def fragile(model: nn.Module, images: Tensor, *, reach: float = 4 / 255, steps: int = 30) -> Tensor:
    """Images (N, C, H, W) within `reach` of these: of the same top class, and with as different a map as was found.

    Of the steps whose top class is that of the image the last is kept. Pixels stay in [0, 1]. Raises `ModelError` if
    the network calls no ReLU, and what `saliency_map` raises. Ghorbani et al. (2019), section 3. Chapter 9 teaches it.
    """
    with torch.no_grad():
        classes = model(images).argmax(1)
    before = saliency_map(model, images, classes)
    least = before.flatten(1).quantile(1 - BRIGHTEST, 1)
    bright = (before >= least.view(-1, 1, 1)).float()
    e, kept = torch.zeros_like(images), images.clone()
    for _ in range(steps):
        step = _derivative(model, (images + e).clamp(0, 1), classes, bright).sign()
        e = (e - reach / 10 * step).clamp(-reach, reach)
        moved = (images + e).clamp(0, 1)
        with torch.no_grad():
            same = model(moved).argmax(1) == classes
        kept[same] = moved[same]
    return kept


def _derivative(model: nn.Module, images: Tensor, classes: Tensor, bright: Tensor) -> Tensor:
    """Of the share of each map on its brightest tenth, with the class's posterior held up, (N, C, H, W)."""
    with differentiating(model):
        x = images.clone().requires_grad_()
        with _Softened() as soft:
            S = model(x)
        if not soft.met:
            raise ModelError("the network calls no ReLU: this attack softens ReLUs")
        rows = torch.arange(len(x))
        (w,) = torch.autograd.grad(S[rows, classes].sum(), x, create_graph=True)
        M = w.abs().sum(1)
        share = (M * bright).sum((1, 2)) / M.sum((1, 2)).clamp(min=1e-30)
        loss = share.sum() - 0.02 * F.log_softmax(S, 1)[rows, classes].sum()
        return torch.autograd.grad(loss, x)[0]
