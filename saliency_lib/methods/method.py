"""What all methods have in common: a batch is prepared once, and then asked for maps target by target.

    found = sl.find_method("grad-cam")(model, images)     # one forward pass
    found.maps("Egyptian cat")                            # (N, h, w)
    found.maps("tiger cat")                               # one more backward pass, no more

A new method is a file in this folder with a subclass of `Method` in it: it is found by its `name`.
"""

import importlib
import pkgutil
from functools import cache
from typing import Any, ClassVar

from torch import Tensor, nn

from saliency_lib.checks import one_of
from saliency_lib.errors import SaliencyError
from saliency_lib.images import covering
from saliency_lib.methods.maps import reduce_channels
from saliency_lib.targets import Answer, Target


class Method:
    """A batch of images that a network has looked at, ready to be asked where.

    A subclass has a `name` and a `title`, prepares in its constructor `(model, images, **settings)`, keeps the
    network's `answer`, and replaces `attribution` or, where it makes no tensor shaped like the images, `_maps`.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    model: nn.Module
    images: Tensor
    answer: Answer

    def __init__(self, model: nn.Module, images: Tensor, **settings: Any) -> None:
        self.model, self.images = model, images

    def attribution(self, target: Target = None) -> Tensor:
        """One number for each entry of the images, (N, C, H, W), for the numbers that `target` means."""
        raise SaliencyError(f"{self.name} makes maps, and no numbers for single channels: use maps()")

    def maps(self, target: Target = None) -> Tensor:
        """One number for each place, (N, h, w), covering the same part of the photos as the images do."""
        return covering(self._maps(target), self.images)

    def _maps(self, target: Target) -> Tensor:
        return reduce_channels(self.attribution(target))


@cache
def methods() -> dict[str, type[Method]]:
    """Every method of this folder by its name."""
    from saliency_lib import methods as room

    for file in pkgutil.iter_modules(room.__path__):
        importlib.import_module(f"{room.__name__}.{file.name}")
    return dict(sorted((kind.name, kind) for kind in _subclasses(Method)))


def find_method(name: str) -> type[Method]:
    """A method by its name. Raises `SaliencyError` if there is none, naming all."""
    return methods()[one_of("method", name, methods())]


def _subclasses(kind: type[Method]) -> list[Any]:
    found = [*kind.__subclasses__()]
    return [k for k in found if "name" in vars(k)] + [k for sub in found for k in _subclasses(sub)]
