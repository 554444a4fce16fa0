"""Figures that one can turn: live controls where a kernel runs, a player of ready-made frames where none does.

    sl.widgets.slider(draw, values, name="radius", alt="...")    # draw(value) -> a PIL image or a Plot

In a live notebook (Jupyter, Colab) this is an ipywidgets slider that calls `draw`. When the book is built the variable
SALIENCY_STATIC is set, and it is a `FramePlayer`: all frames drawn beforehand, in one piece of HTML that needs no
kernel and no network.
"""

import io
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PIL import Image
from torch import Tensor, nn

from saliency_lib.checks import check_tensor, integer
from saliency_lib.errors import SaliencyError
from saliency_lib.images import to_image, to_tensor
from saliency_lib.methods.gradients import top_class_maps
from saliency_lib.models.model import Model
from saliency_lib.players import Frame, FramePlayer, frame_player, opening_frame, picture_of
from saliency_lib.plots import colorize

__all__ = ["FramePlayer", "beside", "explore", "frame_player", "is_static", "slider", "volume"]


def is_static() -> bool:
    """Whether figures should be drawn for a page without a kernel: SALIENCY_STATIC is set and not empty."""
    return bool(os.environ.get("SALIENCY_STATIC"))


def slider(
    draw: Callable[[Any], Frame],
    values: Sequence[Any] | Mapping[str, Any],
    *,
    name: str,
    alt: str,
    start: int | None = None,
    width: int = 480,
) -> Any:
    """One control over what `draw(value)` shows, for each of the values (a mapping names them).

    Opens at the value of index `start`, else at the one in the middle. Returns an ipywidgets control in a live
    notebook and a `FramePlayer` when static; see this module's first lines. Raises as `frame_player` does.
    """
    width = integer("width", width, 1, 10_000)
    named = dict(values) if isinstance(values, Mapping) else {_label(value): value for value in values}
    if len(named) < len(values):
        raise SaliencyError(f"some of the values of {name} look alike ({', '.join(named)}): give them names, a mapping")
    if is_static():
        frames = [draw(value) for value in named.values()]
        return frame_player(frames, list(named), name=name, alt=alt, start=start, width=width)
    import ipywidgets

    control = ipywidgets.SelectionSlider(
        options=list(named.items()),
        index=opening_frame(len(named), start),
        description=name,
        continuous_update=False,
    )
    return _live(ipywidgets, draw, {"value": control}, width)


def _label(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _live(ipywidgets: Any, draw: Callable[..., Frame], controls: Mapping[str, Any], width: int) -> Any:
    """Controls above a picture that `draw` makes anew whenever one of them moves."""
    picture = ipywidgets.Image(format="png", layout={"max_width": f"{width}px"})

    def update(*_: Any) -> None:
        buffer = io.BytesIO()
        picture_of(draw(*(control.value for control in controls.values()))).save(buffer, "PNG")
        picture.value = buffer.getvalue()

    for control in controls.values():
        control.observe(update, "value")
    update()
    return ipywidgets.VBox([*controls.values(), picture])


def explore(
    model: nn.Module,
    photos: Mapping[str, Image.Image],
    *,
    k: int = 3,
    rules: Sequence[str] = ("backprop",),
    width: int = 480,
) -> Any:
    """Choose a photo, one of the model's k best classes for it and a ReLU rule; see the photo beside the saliency map.

    A menu of all combinations in a live notebook, a slider over them when static. Errors as in `top_class_maps`.
    """
    found: dict[str, tuple[Tensor, Tensor]] = {}
    for title, photo in photos.items():
        images = model.to_tensor(photo) if isinstance(model, Model) else to_tensor(photo)
        for rule in rules:
            for prediction, saliency in zip(*top_class_maps(model, images, k, rule=rule), strict=True):
                label = f"{title}: {prediction.name}" + (f", {rule}" if len(rules) > 1 else "")
                found[label] = images, saliency

    def draw(label: str) -> Image.Image:
        images, saliency = found[label]
        return beside(to_image(images), colorize(saliency))

    alt = "A photo, and beside it the saliency map of one of its most probable classes"
    if is_static():
        return slider(draw, list(found), name="map", alt=alt, start=0, width=width)
    import ipywidgets

    menu = ipywidgets.Dropdown(options=list(found), description="show")
    return _live(ipywidgets, draw, {"map": menu}, width)


def volume(values: Tensor, saliency: Tensor, *, axis: int = 0, name: str = "slice", alt: str, width: int = 480) -> Any:
    """A volume (D, H, W) in gray beside its map, slice by slice along an axis, under a `slider`; one scale for all."""
    gray, colors = (check_tensor("a volume", one).detach().float().cpu().squeeze() for one in (values, saliency))
    if gray.ndim != 3 or gray.shape != colors.shape:
        raise SaliencyError(
            f"a volume and its map have one shape (D, H, W): not {(*values.shape,)}, {(*saliency.shape,)}"
        )
    axis = integer("axis", axis, 0, 2)
    low, high, top = gray.min(), gray.max(), float(colors.quantile(0.995)) if colors.numel() < 10**7 else None
    gray = (gray - low) / (high - low).clamp(min=1e-12)

    def draw(at: int) -> Image.Image:
        slices = to_image(gray.select(axis, at)[None]), colorize(colors.select(axis, at), top=top)
        return beside(*(one.resize((240, max(1, round(240 * one.height / one.width)))) for one in slices))

    return slider(draw, range(gray.shape[axis]), name=name, alt=alt, width=width)


def beside(*pictures: Image.Image) -> Image.Image:
    """Pictures of one height in a row, a narrow white gap between them."""
    gap = 6
    row = Image.new("RGB", (sum(p.width for p in pictures) + gap * (len(pictures) - 1), pictures[0].height), "white")
    x = 0
    for picture in pictures:
        row.paste(picture, (x, 0))
        x += picture.width + gap
    return row
