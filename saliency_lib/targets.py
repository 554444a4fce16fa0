"""What to explain: from a class index, a name or a function to one number S(I) per image.

A target is one of

    None                    the class of highest score, for each image its own
    285, "Egyptian cat"     one class for all images (names as in `Categories.index`)
    [285, "tench"]          one class per image; a tensor or an array of N indices likewise
    sl.posterior(285)       any function from the scores (N, K) to (N,) numbers
"""

from collections.abc import Callable, Sequence
from typing import SupportsIndex

import numpy as np
import torch
from torch import Tensor, nn

from saliency_lib.categories import Categories, numbered_categories
from saliency_lib.errors import TargetError

Target = None | SupportsIndex | str | Sequence[SupportsIndex | str] | Tensor | Callable[[Tensor], Tensor]


def select(scores: Tensor, target: Target, categories: Categories | None = None) -> Tensor:
    """The (N,) numbers to be explained: S_c(I) for the class c that `target` means for each image.

    Raises `TargetError` if the target names no class of these, does not fit the batch, or, being a function, does not
    return one number per image.
    """
    if callable(target) and not isinstance(target, Tensor):
        return _check_numbers(target(scores), len(scores))
    classes = class_indices(scores, target, categories)
    return scores.gather(1, classes[:, None])[:, 0]


def class_indices(scores: Tensor, target: Target, categories: Categories | None = None) -> Tensor:
    """The (N,) class indices that `target` means for a batch with these scores (N, K); not for functions."""
    count, known = scores.shape
    categories = categories or numbered_categories(known)
    if target is None:
        return scores.argmax(1)
    if isinstance(target, np.ndarray):
        target = target.tolist()
    if isinstance(target, Tensor):
        target = _tensor_to_list(target)
    if isinstance(target, str | SupportsIndex):
        target = [target] * count
    if not isinstance(target, Sequence):
        raise TargetError(f"a target is a class, one class per image, or a function, not {type(target).__name__}")
    if len(target) != count:
        raise TargetError(f"got {len(target)} targets for {count} image{'s' * (count != 1)}")
    indices = [_class_index(item, categories) for item in target]
    for index in indices:
        if index >= known:
            raise TargetError(f"there is no class {index}: the model scores {known} classes")
    return torch.tensor(indices, device=scores.device)


def _class_index(item: object, categories: Categories) -> int:
    if isinstance(item, bool) or not (isinstance(item, str) or hasattr(item, "__index__")):
        raise TargetError(f"a class is an index or a name, not {item!r}")
    return categories.index(item if isinstance(item, str) else item.__index__())


def _tensor_to_list(target: Tensor) -> int | list[int]:
    if target.is_floating_point() or target.is_complex() or target.dtype == torch.bool or target.ndim > 1:
        raise TargetError(
            f"a target tensor holds one integer per image, not {target.dtype} of shape {tuple(target.shape)}"
        )
    return target.tolist()


def _check_numbers(selected: object, count: int) -> Tensor:
    if not isinstance(selected, Tensor) or selected.shape != (count,):
        got = tuple(selected.shape) if isinstance(selected, Tensor) else type(selected).__name__
        raise TargetError(f"the target function must return one number per image, shape ({count},), and returned {got}")
    return selected


def posterior(target: Target = None) -> Callable[[Tensor], Tensor]:
    """A target: the softmax probability P_c = exp(S_c) / sum_k exp(S_k), instead of the score S_c.

    The paper advises against it (section 2): the posterior also rises when the other scores fall, and its gradient
    P_c (grad S_c - sum_k P_k grad S_k) vanishes where the network is sure. Chapter 3 shows both. Class names work for
    networks of ImageNet's 1000 classes.
    """

    def probability(scores: Tensor) -> Tensor:
        return select(scores.softmax(1), target, _categories_of_count(scores.shape[1]))

    return probability


def _categories_of_count(count: int) -> Categories | None:
    from saliency_lib.categories import imagenet_categories

    return imagenet_categories() if count == 1000 else None


def categories_of(model: nn.Module) -> Categories | None:
    """The class names that a model carries, if it carries any."""
    found = getattr(model, "categories", None)
    return found if isinstance(found, Categories) else None
