"""Class model images: the image that a class asks for, found by gradient ascent (the paper's section 2).

found = sl.class_image(model, ["goose", "ostrich"])                           # the paper's recipe, nothing else
found = sl.class_image(model, ["goose", "ostrich"], priors="recommended")     # what chapter 6 makes of it
found.image                                                                   # (2, 3, 224, 224) in [0, 1]
sl.class_image(model, sl.unit("blocks.2.0", 7), priors="recommended")         # what one filter asks for
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from saliency_lib.checks import (
    MANY,
    SHAPES,
    Form,
    Size,
    check_images,
    check_room,
    check_size,
    check_tensor,
    function,
    integer,
    seed_of,
    short_repr,
)
from saliency_lib.class_images.parameterizations import Parameterization
from saliency_lib.class_images.priors import Prior
from saliency_lib.class_images.recipes import OPTIMIZERS, recipe_of
from saliency_lib.errors import ImageError, ModelError, SaliencyError, TargetError
from saliency_lib.images import sides
from saliency_lib.methods.gradients import gradient
from saliency_lib.models.forward import ask, differentiating, head_of
from saliency_lib.models.model import Prediction, form_of, predictions
from saliency_lib.progress import progress_bar
from saliency_lib.targets import Answer, Objective, Target, class_index, is_class, layers_of, select, selected


@dataclass(frozen=True)
class History:
    """What each step started from, each (steps, N): S, the penalties, and the objective, which is S less these.

    With a transform among the priors, S is the score of the transformed image, and jumps as it does.
    """

    score: Tensor
    penalty: Tensor

    @property
    def objective(self) -> Tensor:
        """What the ascent raises."""
        return self.score - self.penalty


@dataclass(frozen=True)
class ClassImage:
    """The images that N classes ask for, as `class_image` finds them; all tensors are on the CPU.

    `raw` is the optimum I*, (N, 3, H, W). `image` is I* with the mean added, clipped to [0, 1] to be shown. `history`
    says how it was reached. `top` holds the five best classes of each `image`, by the model that made it (empty where
    the model gives no scores). `classes` are the N classes that were asked for, as indices; in the place of a class
    there may be a function or an objective. `seed` is what the random numbers came from. `complete` is false if the
    ascent was interrupted.
    """

    image: Tensor
    raw: Tensor
    history: History
    top: list[list[Prediction]]
    classes: list[Any]
    seed: int
    complete: bool


def class_image(
    model: nn.Module,
    target: Target,
    *,
    steps: int | None = None,
    step_size: float | None = None,
    l2: float | None = None,
    start: str | Tensor | None = None,
    priors: str | Sequence[Prior] = (),
    optimizer: str | None = None,
    size: Size | None = None,
    seed: int = 0,
    progress: bool | None = None,
    callback: Callable[[int, Tensor], None] | None = None,
) -> ClassImage:
    r"""The image $I^* = \arg\max_I S_c(I) - \lambda \lVert I \rVert_2^2$ of a target, or one for each of several.

    Section 2 of the paper, by gradient ascent. I is an image less the mean that the model subtracts (0.5 if it names
    none), in pixel values; $\lambda$ is `l2`. I starts at zero, and each of `steps` steps (160 by default) adds
    `step_size` times the gradient of the objective. Nothing is clipped. All images climb in one batch, and none
    depends on another.

    `target` is a class, a function of the network's output, `sl.unit(...)`, `sl.weighted(...)` or `sl.posterior(...)`
    (which the paper advises against), or a list of such: one image each.

    `priors` are objects of `class_images/priors.py` and `class_images/parameterizations.py`.
    `"recommended"` is the set of chapter 6, which brings its own optimizer, step size, `l2`, start, and 320 steps,
    where you give none. Its noise fades over all the steps: fewer of them are another ascent, not the beginning of
    this one.

    `optimizer` is `"gradient"` or `"adam"`, the default where there is a parameterization. `start` is `"zeros"`, the
    default, `"noise"` (coordinates of standard deviation 0.01) or images in [0, 1]. `size` is the side of the images in
    pixels, or (H, W), by default what the model was trained on; in smaller ones (160 for 224) things come out larger,
    and sooner. All images are climbed in one batch: memory grows with their number. One `seed` gives one result on one
    device. `progress` shows a bar; by default where there is somebody to see it. `callback(step, images)` gets the
    images before each step, unclipped. An interruption returns what there is.

    Raises `TargetError` for unknown classes, `ModelError` for a network that cannot be differentiated, `ImageError`
    for a bad start, `SaliencyError` for other bad values and as soon as the objective is not finite. Chapter 6 teaches
    it.
    """
    recipe = recipe_of(priors, optimizer, step_size, l2)
    random = torch.Generator().manual_seed(seed_of(seed))
    callback = None if callback is None else function("callback", callback)
    with differentiating(model):
        wanted = sides(check_size(getattr(model, "size", 224) if size is None else size, SaliencyError, None))
        mean = _mean(model, len(wanted))
        shape, form = (mean.shape[1], *wanted), form_of(model)
        targets = _targets(model, target, mean.expand(1, *shape))
        z = _start(recipe.start if start is None else start, (len(targets), *shape), mean, recipe.priors, random, form)
        ascent = OPTIMIZERS[recipe.optimizer](z, recipe.step_size)
        count = integer("steps", recipe.steps if steps is None else steps, 1, MANY)
        scores, penalties, bar = [], [], progress_bar(range(count), count, "step", progress)
        try:
            for step in bar:
                I = _image(z, recipe.priors, mean)
                x = (I + mean).detach().requires_grad_()
                if callback:
                    callback(step, x.detach().clone())
                S = _values(ask(model, _seen(x, recipe.priors, random, step / count), _layers(targets)), targets)
                penalty = recipe.l2 * (x - mean).square().flatten(1).sum(1)
                penalty = penalty + sum(_penalty(prior, x) for prior in recipe.priors)
                _check_finite(S - penalty, step, recipe.step_size)
                uphill = gradient(S.sum(), x) - gradient(penalty.sum(), x)  # w - 2 l2 I, for each image its own
                ascent.climb(uphill if I is z else gradient((I * uphill).sum(), z))  # the chain rule
                _project(z, recipe.priors, mean)
                scores.append(S.detach().cpu())
                penalties.append(penalty.detach().cpu())
                bar.set_postfix_str(f"score {S.mean().item():.3g}", refresh=False)
        except KeyboardInterrupt:
            if not scores:
                raise
        raw = _image(z, recipe.priors, mean).detach()
        _check_finite(raw, len(scores), recipe.step_size)
        image = (raw + mean).clamp(form.low, form.high)
        top = _top(ask(model, image))
    history = History(torch.stack(scores), torch.stack(penalties))
    return ClassImage(image.cpu(), raw.cpu(), history, top, targets, seed, len(scores) == count)


def _image(z: Tensor, priors: Sequence[Prior], mean: Tensor) -> Tensor:
    """The image I that has the coordinates z: z itself, unless a prior parameterizes."""
    for prior in priors:
        if isinstance(prior, Parameterization):
            z = prior.image(z, mean)
    return z


def _seen(images: Tensor, priors: Sequence[Prior], random: Generator, done: float) -> Tensor:
    """What the network gets to see."""
    for prior in priors:
        seen = prior.transform(images, random, done)
        if not isinstance(seen, Tensor) or seen.shape[:2] != images.shape[:2] or seen.ndim != images.ndim:
            raise _wrong(prior, "transform", "as many images as it is given", seen)
        images = seen
    return images


def _penalty(prior: Prior, images: Tensor) -> Tensor | float:
    found = prior.penalty(images)
    if not isinstance(found, int | float) and not (isinstance(found, Tensor) and found.shape in ((), (len(images),))):
        raise _wrong(prior, "penalty", "one number, or one for each image", found)
    return found


def _wrong(prior: Prior, method: str, wanted: str, found: object) -> SaliencyError:
    got = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
    return SaliencyError(f"the {method} of {type(prior).__name__} should return {wanted}, and returns {got}")


def _values(answer: Answer, targets: Sequence[Any]) -> Tensor:
    """The (N,) numbers to raise: image i has the target i."""
    if all(isinstance(target, int) for target in targets):
        classes = torch.tensor(targets, device=answer.scores.device)
        return answer.scores.gather(1, classes[:, None])[:, 0]
    return torch.stack([selected(answer, target)[i] for i, target in enumerate(targets)])


def _layers(targets: Sequence[Any]) -> list[Any]:
    """The layers that the targets look at, each once."""
    return list(dict.fromkeys(layer for target in targets for layer in layers_of(target)))


def _top(answer: Answer) -> list[list[Prediction]]:
    """The five best classes of each image, where there are scores to rank."""
    return predictions(answer.scores.detach(), 5, answer.head) if _is_ranked(answer) else []


def _is_ranked(answer: Answer) -> bool:
    return isinstance(answer.output, Tensor) and answer.output.ndim <= 2


@torch.no_grad()
def _project(z: Tensor, priors: Sequence[Prior], mean: Tensor) -> None:
    """Back to the images that are allowed; `recipe_of` has seen to it that z is I where a prior projects."""
    for prior in priors:
        if type(prior).project is not Prior.project:
            allowed = prior.project(z + mean)
            if not isinstance(allowed, Tensor) or allowed.shape != z.shape:
                raise _wrong(prior, "project", "images shaped like those it is given", allowed)
            z.copy_(allowed - mean)


def _check_finite(values: Tensor, step: int, step_size: float) -> None:
    if not values.isfinite().all():
        if step == 0:
            raise SaliencyError(
                "the score of the image to start from is not a finite number: look at the model's weights"
            )
        raise SaliencyError(
            f"after {step} steps the ascent has left the finite numbers: try a step_size below {step_size:g}"
        )


def _mean(model: nn.Module, axes: int) -> Tensor:
    """The mean image, (1, C, 1, 1) or of so many axes, with the type and the device of the model's numbers."""
    if not isinstance(model, nn.Module):
        raise ModelError(f"expected a torch.nn.Module, and got {type(model).__name__}")
    mean = getattr(model, "mean", None)
    if isinstance(mean, Tensor) and mean.ndim > 2 and mean.numel() == mean.shape[1]:
        if mean.ndim - 2 != axes:
            raise ModelError(f"the model takes {SHAPES[mean.ndim - 2]}, and a size of {axes} sides was asked for")
        return mean.detach()
    like = next((p for p in [*model.parameters(), *model.buffers()] if p.is_floating_point()), torch.zeros(()))
    return torch.full((1, 3, *[1] * axes), 0.5, dtype=like.dtype, device=like.device)


def _targets(model: nn.Module, target: Target, image: Tensor) -> list[Any]:
    """What each image is to raise: class indices, functions and objectives; `image` is one for the model to score."""
    if isinstance(target, Tensor):
        target = check_tensor("a target", target, TargetError)
    if isinstance(target, Tensor | np.ndarray):
        target = target.tolist()
    if isinstance(target, Mapping):
        raise TargetError("weights of classes make one target of them: sl.weighted({...})")
    if isinstance(target, bytes | bytearray | memoryview):
        raise TargetError(f"a class is an index or a name, not {short_repr(target)}")
    alone = isinstance(target, str | Objective) or not isinstance(target, Iterable)
    wanted: list[Any] = [] if target is None else [target] if alone else list(target)  # type: ignore[arg-type]
    if not wanted:
        raise TargetError("there is no class to make an image of: name one, or several")
    check_room(f"an ascent of {len(wanted)} images", len(wanted) * image.numel() * 40)
    try:
        answer = ask(model, image, _layers(wanted))
    except ModelError as error:
        if isinstance(getattr(model, "mean", None), Tensor):
            raise
        raise ModelError(f"{error}; for other images than of three colors say as_model(network, mean=[...])") from error
    if _is_ranked(answer):
        answer.head.categories_for(answer.scores.shape[1])  # says now whether names are missing
    functions = [one for one in wanted if not is_class(one)]
    for one in functions:
        select(answer, one)  # says now what is wrong with it
    if len(functions) == len(wanted):
        return wanted
    known, head = answer.scores.shape[1], head_of(model)
    return [one if not is_class(one) else class_index(one, head, known) for one in wanted]


def _start(
    start: str | Tensor,
    shape: tuple[int, ...],
    mean: Tensor,
    priors: Sequence[Prior],
    random: Generator,
    form: Form,
) -> Tensor:
    """The coordinates to start from, ready to be differentiated by."""
    maps = [prior for prior in priors if isinstance(prior, Parameterization)]
    if isinstance(start, Tensor):
        if maps:
            raise SaliencyError(f"{type(maps[0]).__name__} can start from zeros or noise only, not from images")
        if check_images(start, form._replace(axes=len(shape) - 2)).shape[2:] != shape[2:] or len(start) not in (
            1,
            shape[0],
        ):
            raise ImageError(f"expected a start of shape {shape}, and got {tuple(start.shape)}")
        return (start.detach().to(mean) - mean).expand(shape).clone().requires_grad_()
    if not isinstance(start, str) or start not in ("zeros", "noise"):
        raise SaliencyError(f'start is "zeros", "noise" or images, and not {short_repr(start)}')
    for prior in maps:
        shape = prior.shape(shape)
    noise = 0.01 * torch.randn(shape[1:], generator=random, dtype=mean.dtype)  # one for all: none depends on another
    z = noise if start == "noise" else torch.zeros_like(noise)
    return z.to(mean.device).expand(shape).clone().requires_grad_()
