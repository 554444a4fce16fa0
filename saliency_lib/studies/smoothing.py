"""What does noise do to a map, and how much of a smooth map is noise still?"""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from saliency_lib.methods.gradients import saliency_map
from saliency_lib.studies.classes import alike
from saliency_lib.studies.study import Case, Found, study


def noisy_gradients(at: Case, samples: int = 16, noise: float = 0.15) -> Tensor:
    """dS/dI at noisy copies of the images, (samples, N, C, H, W): what SmoothGrad takes the mean of."""
    return at.once(("noisy", samples, noise), lambda: _noisy_gradients(at, samples, noise))


def _noisy_gradients(at: Case, samples: int, noise: float) -> Tensor:
    random = Generator().manual_seed(0)
    spread = noise * (at.images.amax((1, 2, 3), keepdim=True) - at.images.amin((1, 2, 3), keepdim=True))
    found = []
    for _ in range(samples):
        e = spread * torch.randn(at.images.shape[1:], generator=random).to(at.images)
        at.model.requires_grad_(False)
        I = (at.images + e).requires_grad_()
        S = at.model(I).gather(1, at.labels.to(I.device)[:, None]).sum()
        found.append(torch.autograd.grad(S, I)[0])
    return torch.stack(found)


@study("more", count=24)
def smoothgrad_is_mostly_noise(at: Case) -> Found:
    """The usual 50 samples of SmoothGrad leave a standard error of more than half the length of what they estimate.

    From 12 samples: their variance over 50, and the squared length of the mean less what variance adds to it. Refuted
    if the error is one half or less on the mean photo. Where nothing is left of the mean, the ratio counts as 2.
    """
    G = noisy_gradients(at)[:12].flatten(2).double()
    error, length = G.var(0).sum(1), G.mean(0).square().sum(1)
    signal = (length - error / 12).clamp(min=1e-300)
    ratio = (error / 50 / signal).sqrt().clamp(max=2)
    return Found(ratio, torch.full_like(ratio, 0.5))


@study("more", count=24)
def smoothgrad_needs_many_samples(at: Case) -> Found:
    """Until the order of squares of 16 pixels stands (rank correlation 0.9 with another run), it takes over 50 samples.

    From two halves of 8 samples each, by Spearman and Brown: a correlation r of halves needs 8 * 9 (1 - r) / r.
    Refuted if 50 suffice on the mean photo. Counted as 1000 where the halves do not agree at all.
    """
    halves = [G.mean(0).abs().amax(1) for G in noisy_gradients(at).split(8)]
    r = alike(*(F.avg_pool2d(M, 16) for M in halves))
    needed = (8 * 9 * (1 - r) / r.clamp(min=1e-3)).clamp(max=1000)
    return Found(needed, torch.full_like(needed, 50.0))


@study("more", count=60)
def noise_changes_the_map(at: Case) -> Found:
    """Noise that nobody sees, two gray levels, changes the order of a saliency map: a rank correlation below 0.9.

    Refuted if the value, one minus the correlation, is 0.1 or less on the mean photo.
    """
    e = 2 / 255 * torch.randn(at.images.shape[1:], generator=Generator().manual_seed(0)).to(at.images)
    change = 1 - alike(at.map(), saliency_map(at.model, (at.images + e).clamp(0, 1), at.labels))
    return Found(change, torch.full_like(change, 0.1))
