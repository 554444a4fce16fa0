"""A study: one question, asked of a network and a batch of images, with the null computed beside the answer.

    @study("more", masks=True)
    def saliency_on_object(at: Case) -> Found:
        \"\"\"A larger share of a saliency map lies on the object than of an empty map.

        Refuted if ...
        \"\"\"
        return Found(mass(at.map(), at.objects), region_null(at.objects))

A new study is a function like this in a file of this folder: it is found by its name. The first line of its
documentation is the claim, and the rest says what would refute it; both are written before it is run.
"""

import ast
import hashlib
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from torch import Tensor

from saliency_lib.checks import one_of
from saliency_lib.controls import CLASSES, other_classes
from saliency_lib.errors import SaliencyError
from saliency_lib.methods.gradients import Gradient
from saliency_lib.methods.maps import reduce_channels
from saliency_lib.models.model import Model
from saliency_lib.statistics import DIRECTIONS

PHOTOS = ("efficientnet_lite0", "efficientnet_lite1")
"""The networks that a study of photographs asks if nobody says which."""

PICTURES, CREATURES = "photographs", "creatures"
"""What studies speak of."""


@dataclass(frozen=True)
class Case:
    """What a study is given: images (N, C, H, W), their classes (N,), masks (N, H, W) and a second network if needed.

    The class is the one that a person gave, or the top one where nobody did. What several studies of the same images
    need is computed for the first of them.
    """

    model: Model
    images: Tensor
    labels: Tensor
    masks: Tensor | None = None
    second: Model | None = None
    _known: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    @property
    def objects(self) -> Tensor:
        """The masks, where there have to be some."""
        assert self.masks is not None
        return self.masks

    @property
    def other(self) -> Model:
        """The second network, where there has to be one."""
        assert self.second is not None
        return self.second

    def once(self, name: Hashable, compute: Callable[[], Any]) -> Any:
        """What is computed for the first study that needs it."""
        if name not in self._known:
            self._known[name] = compute()
        return self._known[name]

    @property
    def asked(self) -> Gradient:
        """The images as the network has seen them, to be differentiated class by class."""
        return self.once("asked", lambda: Gradient(self.model, self.images))

    @property
    def scores(self) -> Tensor:
        """All scores of the images, (N, classes)."""
        return self.asked.answer.scores.detach()

    @property
    def S(self) -> Tensor:
        """The score of each image's class, (N,)."""
        return self.scores.gather(1, self.labels[:, None])[:, 0]

    def others(self, count: int = CLASSES) -> Tensor:
        """Random other classes than the images', (count, N)."""
        return other_classes(self.labels, self.scores.shape[1], count)

    def gradient(self, labels: Tensor | None = None, *, rule: str = "backprop", second: bool = False) -> Tensor:
        """dS/dI for the images' classes, or others, (N, C, H, W); by a rule, or of the second network."""
        asked = self.labels if labels is None else labels

        def compute() -> Tensor:
            plain = rule == "backprop" and not second
            of = self.asked if plain else Gradient(self.other if second else self.model, self.images, rule=rule)
            return of.attribution(asked)

        return self.once((rule, second, tuple(asked.tolist())), compute)

    def map(self, labels: Tensor | None = None, *, rule: str = "backprop", second: bool = False) -> Tensor:
        """The saliency map max_k |dS/dI_k| of the same, (N, H, W)."""
        return reduce_channels(self.gradient(labels, rule=rule, second=second))


class Found(NamedTuple):
    """A number for each image (N,), and what it would have been by no merit, (N,)."""

    value: Tensor
    null: Tensor


@dataclass(frozen=True)
class Study:
    """A claim, and how it is tried: `value` is "more" or "less" than the null, or "equal" to within the `margin`.

    `masks` says whether objects have to be known; `second` which network is asked too, if any: one of another "seed",
    or a twin of another kind. `count` of the pictures of each half are looked at, `networks` are asked if nobody says
    which, and `on` says of what pictures it speaks.
    """

    name: str
    of: Callable[[Case], Found]
    direction: str
    margin: float
    masks: bool
    second: str
    count: int
    networks: tuple[str, ...]
    on: str = PICTURES

    @property
    def claim(self) -> str:
        """The sentence that is tried."""
        return (inspect.getdoc(self.of) or "").split("\n\n")[0].replace("\n", " ")

    @property
    def digest(self) -> str:
        """Eight digits of what the function does: results of another version of it are results of another study."""
        tree = ast.parse(textwrap.dedent(inspect.getsource(self.of)))
        (function,) = tree.body
        assert isinstance(function, ast.FunctionDef)
        text = f"{ast.dump(ast.Module(function.body[1:], []))} {self.direction} {self.margin}"
        return hashlib.sha256(text.encode()).hexdigest()[:8]


_known: dict[str, Study] = {}


def study(
    direction: str,
    *,
    margin: float = 0.0,
    masks: bool = False,
    second: str = "",
    count: int = 150,
    networks: tuple[str, ...] = PHOTOS,
    on: str = PICTURES,
) -> Callable[[Callable[[Case], Found]], Callable[[Case], Found]]:
    """Make a study of the function below it."""
    one_of("direction", direction, DIRECTIONS)

    def register(of: Callable[[Case], Found]) -> Callable[[Case], Found]:
        name = of.__name__.replace("_", "-")
        _known[name] = Study(name, of, direction, margin, masks, second, count, networks, on)
        return of

    return register


@cache
def studies() -> dict[str, Study]:
    """Every study of this folder by its name."""
    from saliency_lib import studies as room

    for file in pkgutil.iter_modules(room.__path__):
        importlib.import_module(f"{room.__name__}.{file.name}")
    return dict(sorted(_known.items()))


def find_study(name: str) -> Study:
    """A study by its name. Raises `SaliencyError` if there is none, naming all."""
    return studies()[one_of("study", name, studies(), SaliencyError)]
