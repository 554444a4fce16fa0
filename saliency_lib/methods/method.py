"""What all methods have in common: a batch is prepared once, and then asked for maps target by target.

    found = sl.find_method("grad-cam")(model, images)     # one forward pass
    found.maps("Egyptian cat")                            # (N, h, w)
    found.maps("tiger cat")                               # one more backward pass, no more

A new method is one file in this folder, with a subclass of `Method` and a last line that makes a function of it:

    class Fancy(Method):
        "What it returns: the docstring of the function."

        name, title, derivative = "fancy", "my fancy method", False
        samples: int = 50                                 # a setting, typed here and nowhere else

        def __post_init__(self) -> None: ...              # checks the settings, asks the network, keeps its `answer`
        def attribution(self, target: Target = None) -> Tensor: ...

    fancy = function(Fancy)

The command line, `compare`, the tests and the page of the package find it by its `name`.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Concatenate, ParamSpec, Protocol, dataclass_transform

from torch import Tensor, nn

from saliency_lib.checks import Images
from saliency_lib.errors import SaliencyError
from saliency_lib.images import with_part
from saliency_lib.methods.maps import reduce_channels
from saliency_lib.models.model import layers_known
from saliency_lib.registry import declared, find
from saliency_lib.targets import Answer, Target

Settings = ParamSpec("Settings")


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
class _Declared:
    """Every subclass is a dataclass whose fields are its settings, to be named when they are given."""

    def __init_subclass__(cls) -> None:
        dataclass(kw_only=True, eq=False, repr=False)(cls)


class Method(_Declared):
    """A batch of images that a network has looked at, ready to be asked where.

    A subclass says what it is by its class variables, declares its settings as fields, prepares in `__post_init__`,
    keeps the network's `answer`, and replaces `attribution` or, where it makes no tensor shaped like the images,
    `_maps`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    derivative: ClassVar[bool] = False
    """Whether the attribution is a derivative, which becomes a share of the score times image - baseline."""
    needs_layers: ClassVar[bool] = False
    """Whether it looks at layers of the network, which are given or known to the `Model`."""
    resizes: ClassVar[bool] = False
    """Whether it shows the network images of other sizes than those given."""
    quick: ClassVar[Mapping[str, Any]] = {}
    """Settings by which many images are done in bearable time, where they are not the usual ones."""

    model: nn.Module = field(kw_only=False)
    images: Images = field(kw_only=False)
    """A tensor (N, C, *grid), or `(images, table, ...)` for a network that takes more."""

    answer: Answer = field(init=False)

    @classmethod
    def settings(cls) -> dict[str, inspect.Parameter]:
        """What can be set beside model and images, each with its type and its usual value."""
        taken = inspect.signature(cls).parameters
        order = [name for kind in cls.__mro__ for name in vars(kind).get("__annotations__", ())]
        return {name: taken[name] for name in dict.fromkeys([*order, *taken]) if name in [*taken][2:]}

    @classmethod
    def fits(cls, model: nn.Module) -> bool:
        """Whether it can ask this network without being told where to look."""
        known = layers_known(model)
        return bool(known.localization or not cls.needs_layers) and (known.any_size or not cls.resizes)

    @classmethod
    def per_pixel(cls) -> bool:
        """Whether there is an attribution, shaped like the images, and not only maps."""
        return cls.attribution is not Method.attribution

    def attribution(self, target: Target = None) -> Tensor:
        """One number for each entry of the images, (N, C, *grid), for the numbers that `target` means."""
        raise SaliencyError(f"{self.name} makes maps, and no numbers for single channels: use maps()")

    def maps(self, target: Target = None) -> Tensor:
        """One number for each place, (N, *cells), covering the same part of the photos as the images do."""
        return with_part(self._maps(target), self.images)

    def _maps(self, target: Target) -> Tensor:
        return reduce_channels(self.attribution(target))


class Function(Protocol[Settings]):
    """A method as a function."""

    def __call__(
        self, model: nn.Module, images: Images, target: Target = None, /, *args: Settings.args, **more: Settings.kwargs
    ) -> Tensor: ...


def function(method: Callable[Concatenate[nn.Module, Images, Settings], Method]) -> Function[Settings]:
    """The method as a function of model, images, target and settings: its attribution or, where it has none, its map.

    Signature and docstring are those of the class.
    """
    kind: Any = method

    def asked(model: nn.Module, images: Images, target: Target = None, **settings: Any) -> Tensor:
        prepared = kind(model, images, **settings)
        return prepared.attribution(target) if kind.per_pixel() else prepared.maps(target)

    own = list(inspect.signature(asked).parameters.values())[:3]
    asked.__signature__ = inspect.Signature([*own, *kind.settings().values()], return_annotation=Tensor)  # type: ignore[attr-defined]
    asked.__doc__, asked.__module__ = kind.__doc__, kind.__module__
    asked.__name__ = asked.__qualname__ = kind.name.replace("-", "_")
    return asked  # type: ignore[return-value]


def methods() -> dict[str, type[Method]]:
    """Every method of this folder by its name."""
    return {name: find_method(name) for name in method_names()}


def method_names() -> list[str]:
    """The names of all methods, none of which is imported for it."""
    from saliency_lib import methods as folder

    return list(declared(folder))


def find_method(name: str) -> type[Method]:
    """A method by its name. Raises `SaliencyError` if there is none, naming all."""
    from saliency_lib import methods as folder

    return find(folder, "method", name)
