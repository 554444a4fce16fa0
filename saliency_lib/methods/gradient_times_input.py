"""Gradient times input: what does each pixel contribute, if the score were linear in it?

    A = sl.gradient_times_input(model, images, "Egyptian cat")      # A_ijk = I_ijk dS_c / dI_ijk,  (N, C, H, W)

The gradient w asks what a small change would do; w I asks how much of the score a pixel accounts for, by the straight
line through black. For S = w I + b this is exact: the entries add up to S(I) - S(0). For a network of ReLUs without
biases they add up to the score. Source: Shrikumar et al. (2016); Ancona et al. (2018), section 2.

Cost: one forward and one backward pass. It fails where the network is saturated: S = min(2 I, 1) at I = 1 has no
gradient, and so a pixel that made the whole score counts for nothing. A black pixel counts for nothing either, even
where its being black is what the network sees: black is the baseline, and the formula does not say so.
"""

from torch import Tensor

from saliency_lib.images import with_part
from saliency_lib.methods.gradients import Gradient
from saliency_lib.methods.method import function
from saliency_lib.targets import Target


class GradientTimesInput(Gradient):
    """The share I dS_c / dI that each entry of the image has in the score, to first order: (N, C, H, W), signed.

    Shrikumar et al. (2016). Its unit is that of the score. Pixel values are those one sees, in [0, 1], so
    black is the reference. `sl.reduce_channels` makes maps (N, H, W) of it. Arguments and errors as in
    `input_gradient`. Reference: `saliency_lib/methods/gradient_times_input.py` says when it fails.
    """

    name, title, derivative = "gradient-times-input", "gradient times input", False

    def attribution(self, target: Target = None) -> Tensor:
        """I * dS / dI, (N, C, H, W)."""
        w = super().attribution(target)
        return with_part(w * self.recording.I.detach(), self.images)


gradient_times_input = function(GradientTimesInput)
