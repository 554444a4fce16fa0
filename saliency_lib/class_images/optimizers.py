"""How to climb: z follows the gradient itself, or Adam's idea of it.

`torch.optim` has both, and the first object of any of its classes imports PyTorch's compiler, which takes longer than
PyTorch itself. A test holds these two to its last bit.
"""

import torch
from torch import Tensor

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


class Gradient:
    """z <- z + step_size * gradient, in place."""

    def __init__(self, z: Tensor, step_size: float) -> None:
        self.z, self.step_size = z, step_size

    @torch.no_grad()
    def climb(self, gradient: Tensor) -> None:
        """One step."""
        self.z.add_(gradient, alpha=self.step_size)


class Adam:
    """Kingma and Ba (2015), algorithm 1, uphill and in place.

    m and v are running means of the gradient and of its square. Each coordinate of z moves by m / sqrt(v), both freed
    of their start at zero, times the step size.
    """

    def __init__(self, z: Tensor, step_size: float) -> None:
        self.z, self.step_size, self.steps = z, step_size, 0
        self.m, self.v = torch.zeros_like(z, requires_grad=False), torch.zeros_like(z, requires_grad=False)

    @torch.no_grad()
    def climb(self, gradient: Tensor) -> None:
        """One step."""
        self.steps += 1
        self.m.lerp_(gradient, 1 - BETA1)
        self.v.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        free1, free2 = 1 - BETA1**self.steps, 1 - BETA2**self.steps
        self.z.addcdiv_(self.m, (self.v.sqrt() / free2**0.5).add_(EPS), value=self.step_size / free1)
