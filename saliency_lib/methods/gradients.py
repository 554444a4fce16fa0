"""The derivative of a class score with respect to the image: all of the paper's section 3 stands on it.

    w = sl.input_gradient(model, images, "Egyptian cat")    # w = dS_c / dI at I_0,      (N, 3, H, W)
    M = sl.saliency_map(model, images, "Egyptian cat")      # M_ij = max_k |w_ijk|,      (N, H, W)

Nothing of yours changes: not the model's mode, gradients or flags, not the images, not the random state.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from saliency_lib.checks import check_images, check_tensor
from saliency_lib.errors import ImageError, ModelError
from saliency_lib.images import covering
from saliency_lib.methods.maps import reduce_channels
from saliency_lib.methods.method import Method
from saliency_lib.methods.recording import Recording
from saliency_lib.methods.relu_rules import AnyRule, following
from saliency_lib.models.model import Prediction, channels_of, predictions
from saliency_lib.models.running import ask, derivatives, differentiating
from saliency_lib.targets import Target, layers_of, select


def input_gradient(model: nn.Module, images: Tensor, target: Target = None, *, rule: AnyRule = None) -> Tensor:
    """The derivative of the class score with respect to the image, w = dS_c / dI at I_0.

    Equation (4) of the paper, by one backward pass. `images` is (N, C, H, W) in [0, 1], and so is the result's shape;
    its unit is score per unit of pixel value. `target` says which S to explain (see `targets`), by default each
    image's top class. `rule` says how a ReLU goes backward: by default as the open `relu_rule` says, and without one
    as the derivative does; under any rule but `"backprop"` the result is no derivative.

    Raises `ImageError`, `TargetError` or `ModelError` if one of the three cannot be used. Chapters 2 and 3 teach it.
    """
    with _differentiable(model, images) as I:
        with following(rule):
            answer = ask(model, I, layers_of(target))
        S = select(answer, target)
        return covering(gradient(S.sum(), I), images)  # an image's S depends on that image alone: the gradient of each


def saliency_map(model: nn.Module, images: Tensor, target: Target = None, *, rule: AnyRule = None) -> Tensor:
    """The image-specific class saliency M_ij = max_k |w_ijk| (section 3.1): (N, H, W), values >= 0.

    Arguments and errors as in `input_gradient`. Chapter 3 teaches it.
    """
    return reduce_channels(input_gradient(model, images, target, rule=rule))


class Gradient(Method):
    """`input_gradient` and `saliency_map` for one target after another: one forward pass, one backward pass each."""

    name, title, derivative = "gradient", "gradient at the pixels", True

    rule: AnyRule = None

    def __post_init__(self) -> None:
        self.recording = Recording(self.model, self.images, rule=self.rule)
        self.answer = self.recording.answer

    def attribution(self, target: Target = None) -> Tensor:
        """w = dS / dI, (N, C, H, W)."""
        if not self.recording.watches(target):
            self.recording = Recording(self.model, self.images, rule=self.rule, watch=layers_of(target))
        return self.recording.gradients(target)[0].gradient


def top_class_maps(
    model: nn.Module, image: Tensor, k: int = 5, *, rule: AnyRule = None
) -> tuple[list[Prediction], Tensor]:
    """What the network sees in one image, and where: its k best classes, and the saliency map (k, H, W) of each.

    One forward pass is shared by k backward passes; the maps equal `saliency_map` with each class as the target. Of a
    network that gives plain numbers these are the first k.

    `image` is (1, C, H, W); errors as in `input_gradient`. Chapter 3 teaches it.
    """
    if len(check_images(image)) != 1:
        raise ImageError(f"expected one image, and got a batch of {len(image)}")
    with _differentiable(model, image) as I:
        with following(rule):
            answer = ask(model, I)
        best = predictions(answer.scores.detach(), k, answer.head)[0]
        gradients = [gradient(answer.scores[0, one.class_index], I, retain_graph=True) for one in best]
        return best, covering(reduce_channels(torch.cat(gradients)), image)


@dataclass(frozen=True)
class LinearApproximation:
    """The plane that touches the class score at I_0: S_c(I) ~ w^T I + b (equation 3).

    `weights` w is (N, C, H, W), `bias` b is (N,). Calling it on images (N, C, H, W), or (1, C, H, W), gives (N,)
    approximate scores in float64: the sum runs over C H W products and should not add rounding of its own. Pixels may
    leave [0, 1]. Raises `ImageError` for any other shape.
    """

    weights: Tensor
    bias: Tensor

    def __call__(self, images: Tensor) -> Tensor:
        count = len(self.weights)
        check_tensor("images", images, ImageError)
        if images.shape[1:] != self.weights.shape[1:] or len(images) not in (1, count):
            raise ImageError(f"expected images of shape {tuple(self.weights.shape)}, and got {tuple(images.shape)}")
        return _dot(self.weights, images) + self.bias


def linear_approximation(model: nn.Module, images: Tensor, target: Target = None) -> LinearApproximation:
    """The first-order Taylor expansion of the class score at each image I_0, as w and b = S_c(I_0) - w^T I_0.

    Equation (3) of the paper. It is the derivative, whatever `relu_rule` is open. Arguments and errors as in
    `input_gradient`. Chapter 2 teaches it.
    """
    with _differentiable(model, images) as I:
        with following("backprop"):
            S = select(ask(model, I, layers_of(target)), target)
        w = gradient(S.sum(), I)
        return LinearApproximation(w, S.detach().cpu().double() - _dot(w, I))


def _dot(w: Tensor, I: Tensor) -> Tensor:
    return (w.cpu().double() * I.detach().cpu().double()).flatten(1).sum(1)


@contextmanager
def _differentiable(model: nn.Module, images: Tensor) -> Iterator[Tensor]:
    """The images, checked, as a leaf to differentiate by, while `model` is in evaluation mode and gradients are on."""
    with differentiating(model):
        yield check_images(images, channels_of(model)).detach().clone().requires_grad_()


def gradient(S: Tensor, I: Tensor, retain_graph: bool = False) -> Tensor:
    """dS/dI alone: asking for nothing else, no weight's gradient is ever computed.

    `retain_graph` keeps what another derivative of the same scores needs. Raises `ModelError` if there is none.
    """
    if not S.requires_grad:
        raise ModelError(
            "the score has no gradient: the model computes under no_grad or inference_mode, detaches, or rounds"
        )
    (w,) = derivatives(S, [I], keep=retain_graph)
    if w is None:
        raise ModelError("the score has no gradient: it does not depend on the image, or the model detaches that")
    return w
