"""The report of an audit: one HTML file with its pictures inside, for screens of any width, that asks no network.

Every picture has a text that says the same; the bars are also a table.
"""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from saliency_lib.auditing.audit import NOT_SHOWN, PARTLY, RELIES, Audit, Interval
from saliency_lib.auditing.examination import BOTH, CONTROL, OBJECT, REST, SHORTCUT
from saliency_lib.auditing.removal import removed
from saliency_lib.images import to_image

HEIGHT = 180
"""Pixels of the pictures in a strip."""

SHOWN = 12
"""So many photos are shown, the first by name; all count."""

OUTLINES = {OBJECT: (0, 200, 255), SHORTCUT: (255, 122, 0)}

STYLE = """
:root { color-scheme: light dark; --ink: #23272e; --paper: #fff; --faint: #d5d9de; --bar: #3b6fb6 }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --paper: #16181c; --faint: #454b54; --bar: #7aa7e6 } }
body { font: 17px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 52rem; margin: 0 auto; padding: 1rem }
table { border-collapse: collapse }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--faint); text-align: left }
.wide { overflow-x: auto } figure { margin: 1.5rem 0 } img, svg { max-width: 100%; height: auto }
.verdict { font-size: 1.3rem; border-left: .4rem solid var(--bar); padding-left: .8rem }
svg text { fill: var(--ink); font: 21px system-ui, sans-serif }
"""


def strip(images: Tensor, masks: Mapping[str, Tensor], maps: Tensor) -> str:
    """One photo as the report shows it, as a data URI: with outlines, its map, without the object and the shortcut."""
    import matplotlib

    photo = np.asarray(to_image(images)).copy()
    for name, color in OUTLINES.items():
        photo[_edge(masks[name][0])] = color
    whole = F.interpolate(maps[None].float().cpu(), images.shape[2:], mode="bilinear")[0, 0].numpy()
    top = np.percentile(whole, 99.5) or 1.0
    colored = (matplotlib.colormaps["inferno"](whole / top)[..., :3] * 255).astype(np.uint8)
    without = [np.asarray(to_image(removed(images, masks[name], "inpainting"))) for name in (OBJECT, SHORTCUT)]
    picture = Image.fromarray(np.concatenate([photo, colored, *without], 1))
    picture = picture.resize((round(picture.width * HEIGHT / picture.height), HEIGHT), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    picture.save(buffer, "webp", quality=75)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _edge(mask: Tensor) -> np.ndarray:
    """The pixels of a mask (H, W) that touch others."""
    inner = -F.max_pool2d(-F.pad(mask.float(), (1, 1, 1, 1))[None], 3, 1)[0] > 0.5
    return (mask & ~inner).numpy()


def page(found: Audit, records: Sequence[Mapping[str, Any]], settings: Mapping[str, str], unit: str) -> str:
    """The report as HTML."""
    usable = [record for record in records if "broken" not in record]
    broken = [record for record in records if "broken" in record]
    parts = [
        "<h1>Is it looking at the right thing?</h1>",
        f'<p class="verdict">{html.escape(sentence(found))}</p>',
        "<p>" + html.escape(", ".join(f"{key}: {value}" for key, value in settings.items())) + ".</p>",
        _bars({"measured": found.reliance, "by the map": found.opinion}, found.threshold),
        "<h2>Effects</h2>",
        _table(found.effects()),
        f"<p>How much the score loses{_in(unit)} without each, with 95 % intervals over photos: the middle of three "
        "ways. The control is another place of the shortcut's shape. An interaction below 0 says that object or "
        "shortcut alone would do, above 0 that neither does much without the other. Reliance compares shortcut and "
        f"object.{_by_group(found)}</p>",
        "<h2>Region by region</h2>",
        _table(found.table()),
        f"<p>Shares of the image and of the saliency, and the mean change of the score{_in(unit)} when the region is "
        "replaced by the mean color, by a blur, by inpainting. The last column, where there are classes, is the share "
        "of photos in which another class then comes out on top. Rank correlation of saliency and size of the change: "
        f"{found.agreement:.2f}.</p>",
        "<h2>Photos</h2>",
        f"<p>The first {min(SHOWN, len(usable))} of {len(usable)}, by name.</p>",
        *(_figure(record) for record in usable[:SHOWN]),
    ]
    if broken:
        items = "".join(
            f"<li>{html.escape(record['image'])}: {html.escape(record['broken'])}</li>" for record in broken
        )
        parts.append(f"<h2>Could not be used</h2><ul>{items}</ul>")
    parts.append(
        "<h2>What this does not say</h2><p>It says nothing about photos unlike these, about regions that nobody "
        "suspected, or about whether the network is right; and an effect that is not shown may be there all the same. "
        "What is put in place of a region is itself unlike anything the network has seen; therefore three ways.</p>"
    )
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    body = "\n".join(parts)
    head += f"<title>Audit</title><style>{STYLE}</style>"
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def sentence(found: Audit) -> str:
    """The decision and what it rests on, in words."""
    verdict = {
        RELIES: "The network relies on the suspected shortcut",
        PARTLY: "The network relies on the suspected shortcut partly",
        NOT_SHOWN: "An effect of the suspected shortcut is not shown",
    }[found.verdict]
    beside = f", without its shape elsewhere {found.control}" if found.control else ""
    room = f" There may be an effect of up to {found.beyond.high:.2f}." if found.verdict == NOT_SHOWN else ""
    return (
        f"{verdict}: without it the score loses {found.shortcut}{beside}, without the object {found.object}; "
        f"reliance {found.reliance}, threshold {found.threshold}, {found.images} photos.{room}"
    )


def _by_group(found: Audit) -> str:
    return " The p of the groups is adjusted for their number (Holm)." if found.groups else ""


def _in(unit: str) -> str:
    return f", in {html.escape(unit)}," if unit else ""


def _bars(intervals: Mapping[str, Interval], threshold: float) -> str:
    """Reliance from 0 to 1 as bars with their intervals, and the threshold as a line."""
    rows, words = [], []
    for index, (name, value) in enumerate(intervals.items()):
        y = 20 + 44 * index
        low, high = (130 + 440 * end for end in value[1:])
        rows.append(
            f'<text x="0" y="{y + 20}">{name}</text>'
            f'<rect x="130" y="{y}" width="{440 * value.mean:.1f}" height="28" fill="var(--bar)"/>'
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y + 14}" y2="{y + 14}" stroke="var(--ink)" stroke-width="3"/>'
        )
        words.append(f"{name} {value}")
    at = 130 + 440 * threshold
    rows.append(f'<line x1="{at}" x2="{at}" y1="8" y2="108" stroke="#d1495b" stroke-width="2" stroke-dasharray="6 4"/>')
    alt = f"Reliance on the shortcut from 0 to 1: {', '.join(words)}; the threshold is {threshold}."
    drawing = f'<svg role="img" aria-label="{alt}" viewBox="0 0 580 116" width="580">{"".join(rows)}</svg>'
    return f"<figure>{drawing}<figcaption>{alt} In parentheses the 95 % intervals.</figcaption></figure>"


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    columns = list(rows[0])
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(row.get(column, ''))}</td>" for column in columns) + "</tr>" for row in rows
    )
    return f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _figure(record: Mapping[str, Any]) -> str:
    told = []
    for name, region in record["regions"].items():
        if name not in (REST, CONTROL, BOTH):
            change = float(np.median([*region["changes"].values()]))
            told.append(
                f"{name}: {region['area']:.0%} of the area, {region['saliency']:.0%} of the saliency, score "
                f"{change:+.2f} without it"
            )
    words = html.escape("; ".join(told))
    name = html.escape(record["image"])
    alt = f"{name}: the photo with outlines of object and shortcut, its map, without the object, without the shortcut"
    legend = "Outlines of object (blue) and shortcut (orange); map; without object; without shortcut"
    picture = f'<img src="{record["picture"]}" alt="{alt}. {words}" loading="lazy">'
    return f"<figure>{picture}<figcaption>{name}. {legend}. {words}.</figcaption></figure>"
