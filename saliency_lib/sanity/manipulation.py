"""A network with the same answers and a saliency map of one's choice.

    other = manipulate(model, images, where)        # where: (H, W), true where the maps of `other` should be

Its weights are moved on from those of `model` to lower

    mean (S' - S)^2 / var S  +  weight * (1 - share of the map in `where`),

the first for the same answers, the second for the map. Source: Heo et al. (2019), section 3, location fooling; their
first term is the training loss, and this one needs no labels.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saliency_lib.errors import SaliencyError
from saliency_lib.models.forward import evaluation_mode


def manipulate(
    model: nn.Module,
    images: Tensor,
    where: Tensor,
    *,
    steps: int = 80,
    batch: int = 25,
    rate: float = 2e-3,
    weight: float = 1.0,
    seed: int = 0,
) -> nn.Module:
    """A copy of the network that scores `images` (N, C, H, W) as before, and whose saliency maps lie in `where` (H, W).

    The maps are those of the top class. `steps` batches of images are seen, by Adam. The model itself
    and the caller's random state are not changed. Raises `SaliencyError` if `where` does not fit, or has nothing in it.
    Heo et al. (2019), section 3. Chapter 9 teaches it.
    """
    if where.shape != images.shape[2:] or not where.any():
        raise SaliencyError(f"say where the maps should be: something in {tuple(images.shape[2:])} pixels")
    random = torch.Generator().manual_seed(seed)
    other = copy.deepcopy(model).requires_grad_(True)
    with torch.no_grad(), evaluation_mode(model):
        wanted = model(images)
    optimizer = torch.optim.Adam(other.parameters(), lr=rate)
    for _ in range(steps):
        chosen = torch.randperm(len(images), generator=random)[:batch]
        x, S = images[chosen].clone().requires_grad_(), wanted[chosen]
        answered = other(x)
        top = answered.gather(1, S.argmax(1, keepdim=True)).sum()
        (w,) = torch.autograd.grad(top, x, create_graph=True)
        M = w.abs().amax(1)
        share = (M * where).sum((1, 2)) / M.sum((1, 2)).clamp(min=1e-30)
        loss = F.mse_loss(answered, S) / wanted.var() + weight * (1 - share.mean())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return other.requires_grad_(False)
