"""Pictures of pictures: every function takes images or maps and returns a figure, and does nothing else.

A *picture* is a photo (PIL image, or tensor of shape (3, H, W), (1, 3, H, W) or, in gray, (1, 1, H, W), in [0, 1]) or a
*map*, (H, W) or (1, H, W). Maps are drawn from 0 (black) to their 99.5th percentile (bright), because a few extreme
pixels would leave the rest dark; pass `top` to draw several on one scale.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from PIL import Image, ImageDraw, ImageOps
from torch import Tensor

from saliency_lib.checks import FARTHEST, check_box, check_tensor, integer, listed, number, short_repr
from saliency_lib.errors import SaliencyError
from saliency_lib.images import to_image
from saliency_lib.localization.boxes import box_iou
from saliency_lib.localization.localize import Localization
from saliency_lib.models.model import Prediction

Picture = Image.Image | Tensor
Box = tuple[float, float, float, float]

MAP_COLORS = "inferno"
SIGNAL_COLORS = "viridis_r"  # on white: pale where the map is 0
MOST_CURVES = 32
SIGNED_COLORS = "RdBu_r"
COLORS = ("#3b6fb6", "#d1495b", "#2e8b57", "#c98a1b", "#7a5195", "#5c6670")
RULE_COLORS = {
    **dict.fromkeys(("gradient", "backprop"), "#3b6fb6"),
    **dict.fromkeys(("DeconvNet", "deconvnet"), "#c98a1b"),
    **dict.fromkeys(("guided", "guided backpropagation"), "#d1495b"),
}
"""The colors of the three ways back through a ReLU, in every figure of the book: a line of such a name has its own."""
DOTS = ("#39d98a", "#5aa9ff", "#f2c14e")  # bright enough to be seen on a photo
TRUE_COLOR, FOUND_COLOR = "#00c8ff", "#ff7a00"
LONGEST = 300  # letters of a title
INK, FADED, FAINT = "#23272e", "#6b7480", "#d5d9de"
MARKERS = "osD^vP"
TALLEST = 4.0  # a strip of 1 x 100 pixels would make a figure of gigabytes
STYLE: Any = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "lines.linewidth": 2,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


class Plot(Figure):
    """A figure that shows itself in a notebook, once, without pyplot; photos as JPEG, which weighs a tenth of PNG."""

    def __init__(self, width: float, height: float, *, photographic: bool = False) -> None:
        super().__init__(figsize=(width, height), dpi=150, layout="constrained", facecolor="white")
        FigureCanvasAgg(self)
        self.photographic = photographic

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        form = "jpeg" if self.photographic else "png"
        return {f"image/{form}": base64.b64encode(self.encode(form)).decode()}

    def encode(self, form: str) -> bytes:
        """The figure as the bytes of a file of format `form`: png, jpeg or webp."""
        buffer = io.BytesIO()
        options: dict[str, Any] = {"quality": 85} if form != "png" else {"optimize": True}
        try:
            with matplotlib.rc_context(STYLE):
                self.savefig(buffer, format=form, pil_kwargs=options)
        except (ValueError, RuntimeError) as error:  # broken TeX or half a letter in a title, more pixels than can be
            raise SaliencyError(f"the figure cannot be drawn: {error}") from None
        return buffer.getvalue()

    def to_image(self) -> Image.Image:
        """The figure as a PIL image."""
        return Image.open(io.BytesIO(self.encode("png"))).convert("RGB")


def axes(
    rows: int, columns: int, width: float, height: float, *, photographic: bool = False
) -> tuple[Plot, list[Axes]]:
    """An empty figure of the book's style and its axes, row by row; sizes in inches for the whole."""
    with matplotlib.rc_context(STYLE):
        figure = Plot(width, height, photographic=photographic)
        return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def grid(
    pictures: Mapping[str, Picture] | Sequence[tuple[str, Picture]],
    *,
    columns: int | None = None,
    top: float | None = None,
    boxes: Mapping[str, Box] | None = None,
    points: Mapping[str, Sequence[Tensor]] | None = None,
    size: float = 2.1,
) -> Plot:
    """Pictures side by side, each under its title; photos as they are, maps by brightness.

    `pictures` maps titles to pictures, or is pairs (title, picture), whose titles may repeat. `boxes` draws a rectangle
    `(x0, y0, x1, y1)`, in pixels of the picture, on those named; `points` dots, one color for each set of (n, 2) pairs
    (row, column). `size` is the width of one picture in inches; what is more than `TALLEST` times as tall is drawn
    narrower. Raises `SaliencyError` if there is nothing to show.
    """
    named = list(pictures.items()) if isinstance(pictures, Mapping) else listed("pictures", pictures)
    if not named:
        raise SaliencyError("there is no picture to show")
    if not all(isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], str) for one in named):
        raise SaliencyError(f"pictures are pairs of a title and a picture, and not {short_repr(pictures)}")
    columns = min(len(named), 4) if columns is None else integer("columns", columns, 1, 100)
    top = None if top is None else number("top", top, 0)
    size = number("size", size, 0.1, 50)
    rows = -(-len(named) // columns)
    shapes = [picture_array(picture).shape for _, picture in named]
    tall = min(TALLEST, max(shape[0] / shape[1] for shape in shapes))
    lines = max(readable(title).count("\n") + 1 for title, _ in named)
    figure, places = axes(rows, columns, size * columns, (size * tall + 0.2 * lines + 0.08) * rows, photographic=True)
    for place in places:
        place.set_axis_off()
    for place, (title, picture) in zip(places, named, strict=False):
        draw(place, picture, title, top=top)
        if boxes and title in boxes:
            draw_box(place, boxes[title])
        for color, pairs in zip(DOTS, (points or {}).get(title, ()), strict=False):
            place.scatter(pairs[:, 1], pairs[:, 0], s=9, color=color, linewidths=0)
    return figure


def draw(place: Axes, picture: Picture, title: str = "", *, top: float | None = None) -> None:
    """Draw one picture into axes, without ticks: a photo as it is, a map by brightness."""
    values = picture_array(picture)
    if values.ndim == 3:
        place.imshow(values)
    else:
        place.imshow(values, cmap=MAP_COLORS, vmin=0, vmax=_top(values, top))
    _entitle(place, title)


def draw_signed(place: Axes, values: Tensor, title: str = "", *, top: float | None = None) -> AxesImage:
    """Draw numbers (H, W) with a sign into axes: red above 0, blue below, white at 0; returns it for a color bar."""
    array = values.detach().float().cpu().numpy()
    top = _top(np.abs(array), top)
    drawn = place.imshow(array, cmap=SIGNED_COLORS, vmin=-top, vmax=top)
    _entitle(place, title)
    return drawn


def _entitle(place: Axes, title: str) -> None:
    place.set_title(readable(title), color=INK)
    place.set_axis_off()


def readable(text: str) -> str:
    """Text for a figure, cut where nobody reads on: a megabyte would take a minute to set."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def draw_box(place: Axes, box: Box, color: str = "#39d98a", label: str = "") -> None:
    """Draw the outline of a box `(x0, y0, x1, y1)` in pixels of the picture."""
    x0, y0, x1, y1 = check_box(box)
    corners = [x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0]
    place.plot(*(np.array(c) - 0.5 for c in corners), color=color, linewidth=2, label=label)


def picture_array(picture: Picture) -> np.ndarray:
    """A picture as an array: (H, W, 3) of bytes for a photo, (H, W) of floats for a map."""
    if isinstance(picture, Image.Image):
        return np.asarray(picture.convert("RGB"))
    if check_tensor("a picture", picture).numel() == 0 or picture.is_complex():
        raise SaliencyError(f"a picture is a photo (3, H, W) or a map (H, W), not {tuple(picture.shape)}")
    if picture.ndim == 4 or (picture.ndim == 3 and picture.shape[0] == 3):
        return np.asarray(to_image(picture))
    values = picture.detach().float().cpu().numpy()
    values = values[0] if values.ndim == 3 and len(values) == 1 else values
    if values.ndim != 2:
        raise SaliencyError(f"a picture is a photo (3, H, W) or a map (H, W), not {tuple(picture.shape)}")
    return values


def colorize(saliency: Tensor, *, top: float | None = None) -> Image.Image:
    """A map (H, W) as an RGB picture of the same size, black at 0 and bright at `top` (its 99.5th percentile)."""
    values = picture_array(saliency)
    if values.ndim != 2:
        raise SaliencyError("a photo is no map: colors are for one number a pixel")
    return Image.fromarray(
        (matplotlib.colormaps[MAP_COLORS](values / _top(values, top))[..., :3] * 255).astype(np.uint8)
    )


def overlay(image: Picture, saliency: Tensor, *, top: float | None = None) -> Image.Image:
    """The photo, dark where the map (H, W) is low and untouched where it is high; both of one size."""
    photo, values = picture_array(image), picture_array(saliency)
    if photo.shape[:2] != values.shape:
        raise SaliencyError(f"the photo has {photo.shape[:2]} pixels and the map {values.shape}")
    light = np.clip(values / _top(values, top), 0, 1) ** 0.5
    return Image.fromarray((photo * (0.15 + 0.85 * light[..., None])).astype(np.uint8))


def signal(
    values: Tensor, saliency: Tensor, *, rate: float = 1.0, top: float | None = None, width: float = 7.0
) -> Plot:
    """A signal (C, L) as curves, one below another, each in the colors of its map (L,); `rate` is samples a second."""
    lines = check_tensor("a signal (C, L)", values).detach().float().cpu()
    lines, colors = lines.reshape(-1, lines.shape[-1]), saliency.detach().float().cpu().reshape(-1).numpy()
    if lines.shape[1] != len(colors) or len(lines) > MOST_CURVES:
        raise SaliencyError(f"a signal (C, L) has a map (L,), not {tuple(values.shape)} and {tuple(saliency.shape)}")
    figure, places = axes(len(lines), 1, width, 1.0 + 0.9 * len(lines))
    time = np.arange(len(colors)) / number("rate", rate, 1e-9)
    for place, line in zip(places, lines.numpy(), strict=True):
        points = np.stack([time, line], 1)
        pieces = LineCollection([*np.stack([points[:-1], points[1:]], 1)], cmap=SIGNAL_COLORS, array=colors[:-1])
        pieces.set_clim(0, _top(colors, top))
        place.add_collection(pieces)
        place.autoscale_view()
    places[-1].set_xlabel("sample" if rate == 1 else "seconds")
    return figure


def _top(values: np.ndarray, top: float | None) -> float:
    top = float(np.percentile(values, 99.5)) if top is None else top
    if isinstance(top, bool) or not isinstance(top, Real) or not 0 <= top <= FARTHEST:
        raise SaliencyError(f"a map is drawn from 0 to a finite top, and that is {short_repr(top)}")
    return top or 1.0


def signed(gradient: Tensor, *, size: float = 2.6, titles: Sequence[str] = ("red", "green", "blue")) -> Plot:
    """One gradient (3, H, W) channel by channel: red raises the score, blue lowers it, white does nothing."""
    check_tensor("a gradient (3, H, W)", gradient)
    channels = gradient[0] if gradient.ndim == 4 and len(gradient) == 1 else gradient
    if channels.ndim != 3 or not channels.is_floating_point() or not 0 < len(channels) <= len(titles):
        raise SaliencyError(f"expected one gradient (C, H, W), C up to {len(titles)}, not {tuple(gradient.shape)}")
    figure, places = axes(1, len(channels), size * len(channels), size + 0.3, photographic=True)
    top = _top(picture_array(channels.abs().flatten(1)), None)
    for place, channel, title in zip(places, channels, titles, strict=True):
        draw_signed(place, channel, title, top=top)
    return figure


def scores(predictions: Sequence[Prediction], *, width: float = 7.0, unit: str = "") -> Plot:
    """The best classes of one image as bars: scores before the softmax, and probabilities after it where there are any.

    Of a network that gives plain numbers these are the numbers, in their `unit`.
    """
    names = [readable(prediction.name) for prediction in predictions]
    rows = range(len(names))
    probabilities = [p.probability for p in predictions if p.probability is not None]
    figure, places = axes(1, 2 if probabilities else 1, width, 0.34 * len(names) + 0.75)
    label = "score $S_c$" if probabilities else unit or "output"
    bars = [([p.score for p in predictions], label, "{:.1f}"), (probabilities, "probability $P_c$", "{:.2f}")]
    for place, (values, label, form) in zip(places, bars, strict=False):
        drawn = place.barh(
            rows, values, tick_label=names, color=[COLORS[0]] + ["#9fb6d6"] * (len(names) - 1), height=0.66
        )
        place.bar_label(drawn, labels=[form.format(value) for value in values], padding=3)
        place.invert_yaxis()
        place.set_xlabel(label)
        place.margins(x=0.16)
        place.tick_params(left=False)
    for place in places[1:]:
        place.set_yticklabels([])
    return figure


def curves(
    x: Sequence[float] | Mapping[str, Sequence[float]],
    lines: Mapping[str, Sequence[float]],
    *,
    xlabel: str,
    ylabel: str,
    log: str = "",
    width: float = 6.0,
    height: float = 3.4,
) -> Plot:
    """Lines over a common x, each labelled in the legend; `log` is "", "x", "y" or "xy" for logarithmic axes."""
    figure, (place,) = axes(1, 1, width, height)
    draw_lines(place, x, lines, xlabel=xlabel, ylabel=ylabel, log=log)
    return figure


def draw_lines(
    place: Axes,
    x: Sequence[float] | Mapping[str, Sequence[float]],
    lines: Mapping[str, Sequence[float]],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    log: str = "",
    colors: Sequence[str] = COLORS,
    marker: str = "o",
) -> None:
    """Draw lines into axes as `curves` does: dots joined by lines on a faint grid, a legend if there are several.

    With `marker=""` there are no dots, for lines of many points. A line of a name in `RULE_COLORS` has that color, and
    the lines beside it have none of these.
    """
    kept = RULE_COLORS.values() if any(label in RULE_COLORS for label in lines) else ()
    free = [color for color in colors if color not in kept]
    others = iter([(color, dashes) for dashes in ("-", "--", ":") for color in free] * len(lines))
    for label, y in lines.items():
        color, dashes = (RULE_COLORS[label], "-") if label in RULE_COLORS else next(others)
        look: Any = {"color": color, "linestyle": dashes}
        place.plot(x[label] if isinstance(x, Mapping) else x, y, marker=marker, markersize=4, label=label, **look)
    if "x" in log:
        place.set_xscale("log")
    if "y" in log:
        place.set_yscale("log")
    place.set_title(readable(title), color=INK)
    place.set_xlabel(readable(xlabel))
    place.set_ylabel(readable(ylabel))
    place.grid(color=FAINT, linewidth=0.6)
    if len(lines) > 1:
        place.legend(frameon=False)


def intervals(
    found: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    xlabel: str,
    nulls: Sequence[str] = (),
    line: float | None = None,
    width: float = 7.0,
) -> Plot:
    """Means as dots with their intervals, a row each: row -> series -> (mean, low, high).

    Series named in `nulls` are hollow and gray: what a row must differ from. `line` stands upright, the null of all.
    """
    series = list(dict.fromkeys(name for row in found.values() for name in row))
    height = 0.9 + len(found) * max(0.34, 0.15 * len(series))
    figure, (place,) = axes(1, 1, width, height)
    colors = iter(COLORS * len(series))
    for k, name in enumerate(series):
        null = name in nulls
        color = FADED if null else next(colors)
        rows = [
            (i + 0.7 * ((k + 0.5) / len(series) - 0.5), row[name])
            for i, row in enumerate(found.values())
            if name in row
        ]
        y, (mean, low, high) = [at for at, _ in rows], zip(*(values for _, values in rows), strict=True)
        place.hlines(y, low, high, color=color, linewidth=1.6)
        look: Any = {"marker": MARKERS[k % len(MARKERS)], "color": color, "facecolors": "white" if null else color}
        place.scatter(mean, y, s=26, zorder=3, label=name, **look)
    if line is not None:
        place.axvline(line, color=FADED, linewidth=1, linestyle=":")
    place.set_yticks(range(len(found)), list(found))
    place.set_ylim(len(found) - 0.5, -0.5)
    place.set_xlabel(xlabel)
    place.grid(axis="x", color=FAINT, linewidth=0.6)
    if len(series) > 1:
        place.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def tables(
    titled: Mapping[str, Sequence[Sequence[str]]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    blank: str = "0",
    width: float = 7.2,
    height: float = 2.9,
) -> Plot:
    """Small tables side by side, one a title, their entries as text on squares: gray where it is `blank`, else yellow.

    All have the same `rows`, from above, and `columns`.
    """
    figure, places = axes(1, len(titled), width, height)
    for place, (title, table) in zip(places, titled.items(), strict=True):
        for y, line in enumerate(table):
            for x, text in enumerate(line):
                color = "#eceff2" if text == blank else "#f2c14e"
                place.add_patch(Rectangle((x, y), 1, 1, facecolor=color, edgecolor="white", linewidth=3))
                place.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=15)
        place.set_xticks(np.arange(len(columns)) + 0.5, columns)
        place.set_yticks(np.arange(len(rows)) + 0.5, rows)
        place.set(xlim=(0, len(columns)), ylim=(len(rows), 0), aspect="equal")
        place.set_title(title)
        place.tick_params(length=0)
        place.spines[:].set_visible(False)
    return figure


def boxed(
    photo: Image.Image, truth: Box | None = None, found: Box | None = None, size: tuple[int, int] = (450, 300)
) -> Image.Image:
    """A photo with two boxes `(x0, y0, x1, y1)` in its pixels, the true one blue, the found one orange.

    It is fitted into `size` (width, height), white beside it.
    """
    picture = photo.convert("RGB")
    for box, color in ((truth, TRUE_COLOR), (found, FOUND_COLOR)):
        if box is not None:
            ImageDraw.Draw(picture).rectangle([round(side) for side in box], outline=color, width=picture.width // 90)
    return ImageOps.pad(picture, size, color="white")


def seeds(photo: Image.Image, where: Localization, size: tuple[int, int] = (450, 300)) -> Image.Image:
    """GraphCut's seeds on a darkened photo: orange for the object, blue for the background. Fitted into `size`."""
    if where.foreground is None or where.background is None:
        raise SaliencyError("this localization was made without seeds: use sl.localize")
    height, width = where.foreground.shape
    picture = np.array(photo.convert("RGB").resize((width, height))) // 3
    picture[where.background.numpy()] = (0, 60, 140)
    picture[where.foreground.numpy()] = (255, 122, 0)
    return ImageOps.pad(Image.fromarray(picture), size, color="white", method=Image.Resampling.NEAREST)


def localization(
    photo: Image.Image, saliency: Tensor, where: Localization, truth: Box | None = None, *, size: float = 1.9
) -> Plot:
    """From a map to a box in four pictures: the map, its seeds, the largest piece, the box (orange) with the true one.

    `saliency` (h, w) is the map of the whole photo that `where`, by `sl.localize`, was made of.
    """
    shape = 450, 300
    kept = np.array(photo.convert("RGB")) * where.mask.numpy()[..., None]
    flat = colorize(saliency).resize(photo.size, Image.Resampling.NEAREST)
    overlap = f", IoU {box_iou(where.box, truth) if where.box else 0:.2f}" if truth else ""
    return grid(
        {
            "map": ImageOps.pad(flat, shape, color="white"),
            "seeds": seeds(photo, where, shape),
            "largest piece": ImageOps.pad(Image.fromarray(kept), shape, color="white"),
            f"box{overlap}": boxed(photo, truth, where.box, shape),
        },
        size=size,
    )
