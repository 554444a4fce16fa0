"""From a gradient shaped like the image to a map with one number per pixel, and how alike two maps are."""

from collections.abc import Callable

from torch import Tensor

from saliency_lib.checks import check_tensor, one_of
from saliency_lib.errors import SaliencyError
from saliency_lib.images import with_part

REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "max": lambda w: w.abs().amax(1),
    "l2": lambda w: _norm(w),
    "sum": lambda w: w.abs().sum(1),
}


def _norm(w: Tensor) -> Tensor:
    """sqrt(sum_k w_ijk^2), by way of w / max_k |w_ijk|: the squares of small numbers would be 0."""
    largest = w.abs().amax(1, keepdim=True)
    return largest[:, 0] * (w / largest.where(largest > 0, 1)).square().sum(1).sqrt()


def reduce_channels(gradient: Tensor, how: str = "max") -> Tensor:
    """One number per pixel from the color channels: (N, C, H, W) -> (N, H, W), or another grid; values >= 0.

    `"max"` is the paper's M_ij = max_k |w_ijk| (section 3.1); `"l2"` is sqrt(sum_k w_ijk^2), `"sum"` is
    sum_k |w_ijk|. With C = 3 they differ by a factor of at most 3: max <= l2 <= sum <= 3 max. Chapter 3 compares them.

    Raises `SaliencyError` if `how` is none of these, or the gradient does not have three to five dimensions.
    """
    one_of("reduction", how, REDUCTIONS)
    if (
        check_tensor("a gradient of shape (N, 3, H, W)", gradient).ndim not in (3, 4, 5)
        or not gradient.is_floating_point()
    ):
        raise SaliencyError(f"expected a gradient of shape (N, 3, H, W), and got {tuple(gradient.shape)}")
    return with_part(REDUCTIONS[how](gradient), gradient)


def rank_correlation(a: Tensor, b: Tensor) -> float:
    """Spearman's rank correlation of two maps: 1 if both order the pixels alike, 0 if independently, -1 if inversely.

    Pearson's correlation of the ranks, where equal pixels share the mean of their ranks: between -1 and 1, and nan if
    one of the two is constant. It compares orders, not sizes: any increasing function of a map has a correlation of 1
    with it. `a` and `b` are maps, or any tensors, of one shape; computed in float64. Chapter 3 uses it throughout.

    Raises `SaliencyError` if the shapes differ, there are fewer than two entries, or one of them is not a number.
    """
    for one in (a, b):
        if check_tensor("a map", one).is_complex():
            raise SaliencyError("complex numbers have no order")
    if a.shape != b.shape or a.numel() < 2:
        raise SaliencyError(f"expected two maps of one shape, and got {tuple(a.shape)} and {tuple(b.shape)}")
    if a.isnan().any() or b.isnan().any():
        raise SaliencyError("a map with nan in it orders nothing")
    from scipy.stats import rankdata  # here, because it takes a second to import

    x, y = (rankdata(values.detach().cpu().double().numpy(), axis=None) for values in (a, b))
    x, y = x - x.mean(), y - y.mean()
    spread = float((x * x).sum() * (y * y).sum()) ** 0.5
    return float((x * y).sum()) / spread if spread else float("nan")
