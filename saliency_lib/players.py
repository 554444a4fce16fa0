"""A player of ready-made frames: one piece of HTML with a slider, which needs no kernel and no network."""

import base64
import hashlib
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from string import Template

from PIL import Image

from saliency_lib.checks import check_photo, integer, listed, short_repr
from saliency_lib.errors import SaliencyError
from saliency_lib.plots import Plot

Frame = Image.Image | Plot


@dataclass(frozen=True)
class FramePlayer:
    """Frames with a slider and a play button, shown by any browser; see `frame_player`."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


def frame_player(
    frames: Sequence[Frame],
    labels: Sequence[str],
    *,
    name: str,
    alt: str,
    start: int | None = None,
    width: int = 480,
    quality: int = 70,
) -> FramePlayer:
    """A player for ready-made frames of one size: a slider called `name` that shows the label of each frame.

    `alt` describes the frames for those who cannot see them. It opens at frame `start`, else at the one in the middle:
    the ends of a range are seldom what it is about. Pictures are shown at their own size, plots at most `width` CSS
    pixels wide. Twelve photos of 480 x 320 pixels weigh 250 kB (WebP of that `quality`). Works with the keyboard;
    shows the opening frame without JavaScript, and the first, opening and last frame on paper. Raises `SaliencyError`
    if there are no frames, not as many labels, or no frame `start`.
    """
    width, quality = integer("width", width, 1, 10_000), integer("quality", quality, 1, 100)
    frames, labels = listed("frames", frames), listed("labels", labels)
    if not frames or len(frames) != len(labels):
        raise SaliencyError(
            f"a player takes as many labels as frames, at least one: got {len(labels)} for {len(frames)}"
        )
    if not all(isinstance(label, str) for label in labels):
        raise SaliencyError(f"labels are texts, and not {short_repr(labels)}")
    opening = opening_frame(len(frames), start)
    pictures = [picture_of(frame) for frame in frames]
    uris = [_data_uri(picture, quality) for picture in pictures]
    drawn = {
        i: _FRAME.substitute(
            label=html.escape(label),
            kind="frame key" if i in (0, opening, len(frames) - 1) else "frame",
            hidden="" if i == opening else " hidden",
            source=uri,
            alt=html.escape(f"{alt} ({name}: {label})"),
            width=picture.width,
            height=picture.height,
        )
        for i, (picture, uri, label) in enumerate(zip(pictures, uris, labels, strict=True))
    }
    widest = pictures[0].width
    return FramePlayer(
        _PLAYER.substitute(
            player="frames-" + hashlib.sha256("".join((*uris, *labels)).encode()).hexdigest()[:12],
            style=" ".join(_STYLE.split()),
            frames="".join(drawn.values()),
            name=html.escape(name),
            label=html.escape(labels[opening]),
            opening=opening,
            last=len(frames) - 1,
            width=min(width, widest) if isinstance(frames[0], Plot) else widest,
        )
    )


def opening_frame(count: int, start: int | None) -> int:
    """Which of `count` frames is shown first."""
    opening = (count - 1) // 2 if start is None else integer("start", start, 0)
    if not 0 <= opening < count:
        raise SaliencyError(f"a player of {count} frames opens at one of them: got start={start}")
    return opening


_FRAME = Template(
    '<span class="$kind" data-label="$label"$hidden>'
    '<img src="$source" alt="$alt" width="$width" height="$height"></span>'
)

# Carried by each player, because a notebook has no style sheet of ours; colors are those of the page around it.
_STYLE = """
.frame-player { margin: auto }
.frame-player .frame { display: block; line-height: 0 }
.frame-player .frame[hidden] { display: none }
.frame-player .frame img { display: block; max-width: 100%; height: auto; margin: 0 auto }
.frame-player .controls { display: flex; flex-wrap: wrap; gap: .3em .8em; align-items: center; padding-top: .5em }
.frame-player button { font: inherit; min-width: 4.4em; padding: .1em .5em; color: inherit; background: none;
  border: 1px solid; border-radius: .4em; cursor: pointer }
.frame-player label { flex: 1; display: flex; gap: .6em; align-items: center; margin: 0 }
.frame-player input { flex: 1; min-width: 5em; accent-color: var(--pst-color-primary, currentcolor) }
.frame-player .label { min-width: 5.5em }
@media print {
  .frame-player { max-width: 100% !important }
  .frame-player .controls, .frame-player .frame:not(.key) { display: none }
  .frame-player .frames { display: flex; gap: 1em; justify-content: center; break-inside: avoid }
  .frame-player .key, .frame-player .key[hidden] { display: block; flex: 0 1 auto }
  .frame-player .key::after { content: attr(data-label); display: block; line-height: 1.6; text-align: center }
}
"""

# Handlers as attributes, not a script: they also run where a notebook inserts HTML without running scripts. Play shows
# every frame once and stops where it began; where the reader's system asks for less motion, it shows the next one.
# What the slider shows is spoken when the reader moves it (aria-valuetext), and not while it plays.
_PLAYER = Template("""<div class="frame-player" id="$player" role="group" aria-label="$name"
style="max-width:max(${width}px,20em)"><style>$style</style><div class="frames">$frames</div>
<div class="controls"><button type="button" title="Show every frame once" onclick="
const b=this,p=b.closest('.frame-player'),s=p.querySelector('input'),n=+s.max+1,
next=()=>{s.value=(+s.value+1)%n;s.oninput()},stop=()=>{clearInterval(p.timer);p.timer=0;b.textContent='Play'};
let left=n;
if(p.timer)stop();
else if(matchMedia('(prefers-reduced-motion: reduce)').matches)next();
else{b.textContent='Pause';p.timer=setInterval(()=>{next();if(!--left||!p.isConnected)stop()},700)}
">Play</button>
<label>$name
<input type="range" min="0" max="$last" value="$opening" aria-valuetext="$label" autocomplete="off" oninput="
const p=this.closest('.frame-player'),all=p.querySelectorAll('.frame'),l=all[+this.value].dataset.label;
if(event&amp;&amp;p.timer)p.querySelector('button').click();
all.forEach((f,i)=>f.hidden=i!=+this.value);
p.querySelector('.label').textContent=l;this.setAttribute('aria-valuetext',l)"></label>
<span class="label">$label</span></div></div>""")


def _data_uri(picture: Image.Image, quality: int) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=quality, method=6)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def picture_of(frame: Frame) -> Image.Image:
    return frame.to_image() if isinstance(frame, Plot) else check_photo(frame)
