"""A network is run as it is: nothing of the caller's changes, and what it returns is checked."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from saliency_lib.errors import ModelError, SaliencyError


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """`model` without dropout and batch statistics; what was training goes back to it afterwards, on errors too."""
    training = [module for module in model.modules() if module.training] if isinstance(model, nn.Module) else []
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def differentiating(model: nn.Module) -> Iterator[None]:
    """`model` in evaluation mode and gradients on, whatever the caller has switched off."""
    with evaluation_mode(model), torch.inference_mode(False), torch.enable_grad():
        yield


def class_scores(model: nn.Module, images: Tensor) -> Tensor:
    """The unnormalized scores S_c(I) of shape (N, K) that `model` gives to `images`.

    Raises `ModelError` if the output is not a floating-point tensor of that shape.
    """
    try:
        scores = model(images)
    except SaliencyError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        raise ModelError(
            f"the model cannot run on images of shape {tuple(images.shape)}: {_first_line(error)}"
        ) from error
    if not isinstance(scores, Tensor):
        raise ModelError(f"the model returns {type(scores).__name__}, not a tensor of scores: wrap it so that it does")
    if scores.ndim != 2 or len(scores) != len(images):
        raise ModelError(f"expected scores of shape ({len(images)}, K) from the model, and got {tuple(scores.shape)}")
    if not scores.is_floating_point():
        raise ModelError(f"the model returns {scores.dtype}, which has no gradient: return scores, not class indices")
    return scores


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
