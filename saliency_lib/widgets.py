"""Figures that one can turn: live controls where a kernel runs, a player of ready-made frames where none does.

    sl.widgets.slider(draw, values, name="radius", alt="...")    # draw(value) -> a PIL image or a Plot

In a live notebook (Jupyter, Colab) this is an ipywidgets slider that calls `draw`. When the book is built the variable
SALIENCY_STATIC is set, and it is a `FramePlayer`: all frames drawn beforehand, in one piece of HTML that needs no
kernel and no network.
"""

import base64
import hashlib
import html
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import Tensor, nn

from saliency_lib.errors import SaliencyError
from saliency_lib.images import to_image, to_tensor
from saliency_lib.methods.gradients import top_class_maps
from saliency_lib.plots import Plot, colorize

Frame = Image.Image | Plot


@dataclass(frozen=True)
class FramePlayer:
    """Frames with a slider and a play button, shown by any browser; see `frame_player`."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


def frame_player(
    frames: Sequence[Frame], labels: Sequence[str], *, name: str, alt: str, width: int = 480, quality: int = 70
) -> FramePlayer:
    """A player for ready-made frames of one size: a slider called `name` that shows the label of each frame.

    `alt` describes the frames for those who cannot see them. `width` is the largest width on the page, in CSS pixels.
    Twelve photos of 480 x 320 pixels weigh 250 kB (WebP of that `quality`). Works with the keyboard, and without
    JavaScript shows the first frame. Raises `SaliencyError` if there are no frames, or not as many labels.
    """
    if not frames or len(frames) != len(labels):
        raise SaliencyError(
            f"a player takes as many labels as frames, at least one: got {len(labels)} for {len(frames)}"
        )
    pictures = [_data_uri(frame, quality) for frame in frames]
    player = "frames-" + hashlib.sha256("".join((*pictures, *labels)).encode()).hexdigest()[:12]
    images = "".join(
        f'<img src="{uri}" alt="{html.escape(f"{alt} ({name}: {label})")}"{" hidden" if i else ""}>'
        for i, (uri, label) in enumerate(zip(pictures, labels, strict=True))
    )
    spoken = html.escape("|".join(label.replace("|", "/") for label in labels))
    return FramePlayer(_PLAYER.format(
        player=player, images=images, labels=spoken, first=html.escape(labels[0]), name=html.escape(name),
        last=len(frames) - 1, width=width,
    ))  # fmt: skip


# Handlers as attributes, not a script: they also run where a notebook inserts HTML without running scripts.
_PLAYER = """<div class="frame-player" id="{player}" data-labels="{labels}" style="max-width:{width}px;margin:auto">
<div class="frames" style="line-height:0">{images}</div>
<div style="display:flex;gap:.6em;align-items:center;padding-top:.4em">
<button type="button" aria-label="play" title="play all" style="min-width:2.4em;font:inherit" onclick="
const p=this.closest('.frame-player'),s=p.querySelector('input');
if(p.timer){{clearInterval(p.timer);p.timer=0;this.textContent='\u25b6'}}
else{{this.textContent='\u275a\u275a';p.timer=setInterval(()=>{{s.value=(+s.value+1)%(+s.max+1);s.oninput()}},700)}}
">\u25b6</button>
<label style="flex:1;display:flex;gap:.6em;align-items:center;margin:0">{name}
<input type="range" min="0" max="{last}" value="0" style="flex:1;min-width:4em" aria-valuetext="{first}" oninput="
const p=this.closest('.frame-player'),l=p.dataset.labels.split('|')[+this.value];
p.querySelectorAll('img').forEach((f,i)=>f.hidden=i!=+this.value);
p.querySelector('output').textContent=l;this.setAttribute('aria-valuetext',l)">
<output style="min-width:5.5em">{first}</output></label></div></div>"""


def _data_uri(frame: Frame, quality: int) -> str:
    buffer = io.BytesIO()
    _picture(frame).save(buffer, "WEBP", quality=quality, method=6)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _picture(frame: Frame) -> Image.Image:
    return frame.to_image() if isinstance(frame, Plot) else frame


def is_static() -> bool:
    """Whether figures should be drawn for a page without a kernel: SALIENCY_STATIC is set and not empty."""
    return bool(os.environ.get("SALIENCY_STATIC"))


def slider(
    draw: Callable[[Any], Frame], values: Sequence[Any] | Mapping[str, Any], *, name: str, alt: str, width: int = 480
) -> Any:
    """One control over what `draw(value)` shows, for each of the values (a mapping names them).

    Returns an ipywidgets control in a live notebook and a `FramePlayer` when static; see this module's first lines.
    """
    named = dict(values) if isinstance(values, Mapping) else {_label(value): value for value in values}
    if is_static():
        return frame_player([draw(value) for value in named.values()], list(named), name=name, alt=alt, width=width)
    import ipywidgets

    control = ipywidgets.SelectionSlider(options=list(named.items()), description=name, continuous_update=False)
    return _live(ipywidgets, draw, {"value": control}, width)


def _label(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _live(ipywidgets: Any, draw: Callable[..., Frame], controls: Mapping[str, Any], width: int) -> Any:
    """Controls above a picture that `draw` makes anew whenever one of them moves."""
    picture = ipywidgets.Image(format="png", layout={"max_width": f"{width}px"})

    def update(*_: Any) -> None:
        buffer = io.BytesIO()
        _picture(draw(*(control.value for control in controls.values()))).save(buffer, "PNG")
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
        images = to_tensor(photo, getattr(model, "size", 224))
        for rule in rules:
            for prediction, saliency in zip(*top_class_maps(model, images, k, rule=rule), strict=True):
                label = f"{title}: {prediction.name}" + (f", {rule}" if len(rules) > 1 else "")
                found[label] = images, saliency

    def draw(label: str) -> Image.Image:
        images, saliency = found[label]
        return beside(to_image(images), colorize(saliency))

    alt = "A photo, and beside it the saliency map of one of its most probable classes"
    if is_static():
        return slider(draw, list(found), name="map", alt=alt, width=width)
    import ipywidgets

    menu = ipywidgets.Dropdown(options=list(found), description="show")
    return _live(ipywidgets, draw, {"map": menu}, width)


def beside(*pictures: Image.Image) -> Image.Image:
    """Pictures of one height in a row, a narrow white gap between them."""
    gap = 6
    row = Image.new("RGB", (sum(p.width for p in pictures) + gap * (len(pictures) - 1), pictures[0].height), "white")
    x = 0
    for picture in pictures:
        row.paste(picture, (x, 0))
        x += picture.width + gap
    return row
