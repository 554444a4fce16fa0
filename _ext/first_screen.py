"""Sphinx extension: the book's first screen, from `_static/first/` (written by `tools.first_screen`).

`first-lab` is the drawing lab as it begins, whose network comes at the first touch; `three-ways` leads into the book;
`surprises` are four cards, each of which leads to a lab that is set up for it.
"""

import html
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

SHEET_ALT = "The drawing of a red ladybird with black spots, on a blurred ground of many colors."
MAP_ALT = "The map of ladybird: bright at its spots, its eyes and along the edge of its wings."
# The controls that the live lab will have, without a use yet: they keep its room, so that nothing moves when it comes.
PAINTS = '<label><input type="radio"><span class="lab-paint">red</span></label>' * 8
CONTROLS = (
    f'<div class="lab-row"><fieldset class="lab-choice"><legend>Paint</legend>{PAINTS}</fieldset><label '
    'class="lab-slider"><span>Brush</span><input type="range"><output class="lab-value">7 pixels</output></label></div>'
    '<div class="lab-row"><button type="button">Clear</button><button type="button">Undo</button><label '
    'class="lab-menu">Drawing <select><option>mushroom</option></select></label><label class="lab-menu">Map of '
    "<select><option>what it sees</option></select></label></div>"
)
MISSING = "To draw, the page needs JavaScript and a browser of 2023 or later. What you see was computed beforehand."


class Screen(SphinxDirective):
    """A directive without content that knows the first screen's numbers."""

    @property
    def said(self) -> dict[str, Any]:
        """What `tools.first_screen` computed."""
        path = Path(self.env.srcdir) / "_static" / "first" / "said.json"
        self.env.note_dependency(str(path))
        return json.loads(path.read_text("utf-8"))

    def raw(self, text: str) -> list[nodes.Node]:
        """HTML as it is."""
        return [nodes.raw("", text, format="html")]


def number(value: float, digits: int = 1) -> str:
    """A number as people write it: a real minus, and none before 0."""
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def bar(name: str, score: float, chance: float, most: float) -> str:
    """A row as `lab/bars.js` makes it."""
    width = 50 * abs(score) / most
    left = 50 - width if score < 0 else 50
    return (
        f'<div class="lab-bar-row"><span>{name}</span><span class="lab-track">'
        f'<i class="lab-bar" style="width: {width:.1f}%; left: {left:.1f}%"></i></span>'
        f"<b>{number(score)} ({chance:.0f} %)</b></div>"
    )


def picture(name: str, alt: str, caption: str) -> str:
    """A drawing of 64 pixels, large, as on the lab's canvas."""
    return (
        f'<figure class="lab-picture"><img class="no-enlarge" src="_static/first/{name}.webp" alt="{alt}" '
        f'width="64" height="64"><figcaption>{caption}</figcaption></figure>'
    )


class FirstLab(Screen):
    """The drawing lab, which looks and stands as it will once the network is there."""

    def run(self) -> list[nodes.Node]:
        """A place whose `data-start` says that nothing is loaded before it is touched."""
        rows = self.said["drawing"]
        most = max(abs(score) for _, score, _ in rows)
        top = rows[0][0]
        return self.raw(
            '<link rel="stylesheet" href="lab/lab.css">'
            '<div class="lab first" id="lab-draw" data-lab="draw" data-start="touch" role="group" '
            'aria-label="Lab: draw while the network looks on"><div class="lab-prepared"><div class="lab-pictures">'
            f"{picture('sheet', SHEET_ALT, 'draw on it')}"
            f"{picture('map', MAP_ALT, f'the map of “{top}”: where it is bright, paint counts')}</div>"
            f'<div class="lab-bars">{"".join(bar(*row, most) for row in rows)}</div>'
            f'<div class="lab-soon"><div inert>{CONTROLS}</div><div><div class="lab-row">'
            '<button type="button" class="main">Draw</button></div><div class="lab-row">'
            '<span class="lab-note">Scores, and in brackets probabilities. '
            "The network comes at the first touch (1.3 MB).</span></div></div></div>"
            f"<noscript><p>{MISSING}</p></noscript></div></div>"
            '<script src="lab/view.js"></script>'
        )


class ThreeWays(Screen):
    """Three links that look like buttons."""

    def run(self) -> list[nodes.Node]:
        """The photo lab, the first chapter, the teacher's page."""
        return self.raw(
            '<p class="start"><a class="main" href="lab.html">Try it on your photo</a>'
            '<a href="chapters/01_what_does_a_convnet_see.html">Read the book</a>'
            '<a href="reference/for_the_teacher.html">Teach with it</a></p>'
        )


class Surprises(Screen):
    """Four cards."""

    def run(self) -> list[nodes.Node]:
        """Each with a picture, what it shows in numbers, and a link."""
        return self.raw(f'<div class="surprises">{"".join(card(*each) for each in surprises(self.said))}</div>')


def surprises(said: dict[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Picture, its alternative text, title, sentence and address of each card."""
    (cat, before, after), (second, second_before, second_after) = said["eyes"]
    strokes = {"photo": "chelsea", "class": cat, "cover": said["cover"]}
    missile = {"photo": "coffee", "class": "espresso", "rule": "guided", "beside": "missile,guided"}
    half = f"{said['tree']['companion_convnet_shortcut']:.0%}".replace("%", " %")
    return [
        (
            "eyes",
            "A cat's face, both eyes covered by gray disks.",
            "Cover both eyes",
            f"Will the score of “{cat}” fall? It <i>rises</i>, {number(before)} to {number(after)}, "
            f"and that of “{second}” rises more, {number(second_before)} to {number(second_after)}.",
            f"lab.html#{urlencode(strokes)}",
        ),
        (
            "missile",
            "A map that traces a cup, its saucer and its spoon in fine bright lines.",
            "Ask for the missile",
            f"in a cup of espresso. The tidiest method draws the same cup: rank correlation {said['missile']:.2f}.",
            f"lab.html#{urlencode(missile)}",
        ),
        (
            "shuffled",
            "A map that traces a butterfly's wings.",
            "Shuffle the network",
            "until its last three layers know nothing. One map hardly notices: "
            f"{said['shuffled']['guided']:.2f}. The gradient does: {said['shuffled']['backprop']:.2f}.",
            "lab.html#lab-rules&rule=guided&shuffle=2,3,4",
        ),
        (
            "tree",
            "A drawing of a small owl beside a large tree.",
            "Two networks, one answer",
            f"Both say owl. Without the tree one of them says it for {half} of the owls. Can you tell which?",
            "chapters/11_is_it_looking_at_the_right_thing.html#lab-suspect",
        ),
    ]


def card(name: str, alt: str, title: str, text: str, address: str) -> str:
    """A link with a picture, a title and a sentence."""
    return (
        f'<a class="surprise" href="{html.escape(address)}"><img src="_static/first/{name}.webp" alt="{alt}" '
        f'width="176" height="176" loading="lazy"><span><b>{title}</b> {text}</span></a>'
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("first-lab", FirstLab)
    app.add_directive("three-ways", ThreeWays)
    app.add_directive("surprises", Surprises)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
