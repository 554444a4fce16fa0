"""How a picture is drowned in noise: the time t runs from 0, the picture, to 1, noise alone.

    x_t = alpha(t) x_0 + sigma(t) eps,    alpha(t) = cos(pi t / 2),    sigma(t) = sin(pi t / 2)

Since alpha^2 + sigma^2 = 1, pictures of unit variance keep it (Nichol and Dhariwal, 2021). The network learns the
velocity v = alpha eps - sigma x_0 (Salimans and Ho, 2022): it is defined at both ends, and with x_t it gives all else,

    x_0 = alpha x_t - sigma v,    eps = sigma x_t + alpha v,    score = grad log p_t(x_t) = -eps / sigma.
"""

import math

import torch
from torch import Tensor


def signal(t: Tensor | float) -> Tensor:
    """alpha(t), how much of the picture is left."""
    return torch.cos(torch.as_tensor(t) * (math.pi / 2))


def noise(t: Tensor | float) -> Tensor:
    """sigma(t), how much noise there is."""
    return torch.sin(torch.as_tensor(t) * (math.pi / 2))


def mixed(clean: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """x_t, from pictures (N, C, H, W), noise of their shape, and times (N,)."""
    return signal(t).view(-1, 1, 1, 1) * clean + noise(t).view(-1, 1, 1, 1) * eps


def velocity(clean: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """v, from the same."""
    return signal(t).view(-1, 1, 1, 1) * eps - noise(t).view(-1, 1, 1, 1) * clean
