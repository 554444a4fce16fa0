"""From a gradient shaped like the image to a map with one number per pixel."""

from collections.abc import Callable

from torch import Tensor

from saliency_lib.errors import SaliencyError

REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "max": lambda w: w.abs().amax(1),
    "l2": lambda w: w.square().sum(1).sqrt(),
    "sum": lambda w: w.abs().sum(1),
}


def reduce_channels(gradient: Tensor, how: str = "max") -> Tensor:
    """One number per pixel from the color channels: (N, 3, H, W) -> (N, H, W), values >= 0.

    `"max"` is the paper's M_ij = max_k |w_ijk| (section 3.1); `"l2"` is sqrt(sum_k w_ijk^2), `"sum"` is
    sum_k |w_ijk|. They differ by a factor of at most 3: max <= l2 <= sum <= 3 max. Chapter 3 compares them.

    Raises `SaliencyError` if `how` is none of these, or the gradient does not have four dimensions.
    """
    if not isinstance(how, str) or how not in REDUCTIONS:
        raise SaliencyError(f"there is no reduction {how!r}: use {', '.join(map(repr, REDUCTIONS))}")
    if not isinstance(gradient, Tensor) or gradient.ndim != 4:
        got = tuple(gradient.shape) if isinstance(gradient, Tensor) else type(gradient).__name__
        raise SaliencyError(f"expected a gradient of shape (N, 3, H, W), and got {got}")
    return REDUCTIONS[how](gradient)
