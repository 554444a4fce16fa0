"""What raises a number, and what lowers it.

    found = sl.balance(model, images, reference=without_markings)
    found.signed, found.increase, found.decrease      # (N, H, W) each, in the unit of the number

The gradient w alone cannot tell these apart as places: where w_ij is positive, brightening pixel ij raises f and
darkening it lowers f, so the pixels by which f can be raised are those by which it can be lowered. To say what *is*
raising f, one must say in comparison with what. Let R be an image that lacks what is asked about. Along the straight
line from R to I,

    f(I) - f(R) = sum_ijk c_ijk,     c_ijk = (I - R)_ijk * mean over t in [0, 1] of df/dI_ijk at R + t (I - R)

(the fundamental theorem of calculus; the c are the integrated gradients of Sundararajan et al., 2017). What raises f
has c_ij = sum_k c_ijk > 0, what lowers it c_ij < 0, and f(I) = f(R) + P - Q with P and Q the sums of both sides.

Add up over a thing before reading anything into a pixel: a signed sum is the same in whatever blocks one asks. P and Q
are not, and neither is what cancels of them, min(P, Q): on the book's roads it is 26 degrees by single pixels and 3 by
blocks of ten, and taking a side away moves the angle by 3. So nothing here says what *maintains* a number.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from saliency_lib.checks import Images, check_images, check_inputs
from saliency_lib.errors import ImageError
from saliency_lib.images import with_part
from saliency_lib.methods.integrated_gradients import integrated_gradients
from saliency_lib.models.model import form_of
from saliency_lib.targets import Target


@dataclass(frozen=True)
class Balance:
    """Contributions c (N, C, H, W) to f(I) - f(R), in the unit of f, and the maps (N, H, W) made of them.

    Chapter 8 teaches it.
    """

    contributions: Tensor

    @property
    def signed(self) -> Tensor:
        """c_ij = sum_k c_ijk: above 0 where the image raises f, compared with the reference."""
        return with_part(self.contributions.sum(1), self.contributions)

    @property
    def increase(self) -> Tensor:
        """max(0, c_ij): what raises f. Its sum is P."""
        return with_part(self.signed.clamp(min=0), self.contributions)

    @property
    def decrease(self) -> Tensor:
        """max(0, -c_ij): what lowers f. Its sum is Q."""
        return with_part((-self.signed).clamp(min=0), self.contributions)


def balance(model: nn.Module, images: Images, target: Target = None, *, reference: Tensor, steps: int = 16) -> Balance:
    """What in the images raises the number f that `target` means, and what lowers it.

    f(I) - f(R) = sum c (see the module), the integral by the midpoint rule with `steps` gradients. `images` is
    (N, C, H, W) in [0, 1], and so is the `reference` R, or (1, C, H, W): the same image without what is asked about,
    or blurred. `target` is as in `input_gradient`; None means the top class of the images, not of the reference.

    Raises `ImageError` if the reference does not fit, `SaliencyError` for a bad number of steps, and what
    `input_gradient` raises. Source: Sundararajan et al. (2017), section 3, for the c; the maps are this book's.
    Chapter 8 teaches it.
    """
    I, *held = check_inputs(images, form_of(model))
    R = check_images(reference, form_of(model)).detach()
    if R.shape[1:] != I.shape[1:] or len(R) not in (1, len(I)):
        raise ImageError(f"the reference of images {tuple(I.shape)} has their shape, not {tuple(R.shape)}")
    found = integrated_gradients(
        model,
        (I.detach(), *held),
        target,
        baseline=R,
        steps=steps,
        quadrature="midpoint",
        rule="backprop",
        progress=False,
    )
    return Balance(with_part(found, images))
