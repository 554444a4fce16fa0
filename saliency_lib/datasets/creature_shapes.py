"""What `creatures` draws: ten things, each a list of flat polygons from back to front.

A part is an outline (K, 2) and a color. The coordinates are the thing's own, x to the right and y down, most of it
between -1 and 1. The first part has the color that the background will avoid.
"""

import colorsys
from collections.abc import Callable, Sequence

import numpy as np

Points = np.ndarray
Color = np.ndarray
Part = tuple[Points, Color]

BLACK, WHITE = np.array([0.08, 0.07, 0.09]), np.array([0.96, 0.95, 0.92])


def ellipse(
    x: float, y: float, across: float, down: float, tilt: float = 0, arc: tuple[float, float] = (0, 360)
) -> Points:
    """An ellipse about (x, y) with these half axes, tilted clockwise by degrees; of an arc, what its chord cuts off."""
    t = np.radians(np.linspace(*arc, 41))
    a = np.radians(tilt)
    u, v = across * np.cos(t), down * np.sin(t)
    return np.stack([x + u * np.cos(a) - v * np.sin(a), y + u * np.sin(a) + v * np.cos(a)], 1)


def _polygon(*corners: tuple[float, float]) -> Points:
    return np.array(corners, float)


def stroke(line: Points | Sequence[Points] | Sequence[tuple[float, float]], width: float) -> Points:
    """The outline of a line through these points."""
    line = np.asarray(line, float)
    along = np.gradient(line, axis=0)
    across = along[:, ::-1] * (-1, 1) / np.linalg.norm(along, axis=1, keepdims=True) * width / 2
    return np.concatenate([line + across, (line - across)[::-1]])


def color(hue: float, saturation: float, value: float) -> Color:
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value))


def _near(rng: np.random.Generator, hue: float, saturation: float = 0.8, value: float = 0.85) -> Color:
    """A color like this one; every tenth time, of any hue."""
    hue = rng.random() if rng.random() < 0.1 else rng.normal(hue, 0.03)
    return color(hue, np.clip(rng.normal(saturation, 0.08), 0, 1), np.clip(rng.normal(value, 0.07), 0, 1))


def _both(points: Points) -> list[Points]:
    """A shape and its mirror image."""
    return [points, points * (-1, 1)]


# --- the things ------------------------------------------------------------------------------------------------------


def _fish(rng: np.random.Generator) -> list[Part]:
    """It swims to the left."""
    skin, fins, tall = _near(rng, 0.5, 0.85, 0.85), _near(rng, 0.12, 0.85, 0.95), rng.uniform(0.46, 0.56)
    return [
        (ellipse(-0.2, 0, 0.78, tall), skin),
        (_polygon((0.4, 0), (1, -0.6), (0.82, 0), (1, 0.6)), fins),
        (_polygon((-0.4, -0.7 * tall), (0.1, -tall - 0.2), (0.3, -0.5 * tall)), fins),
        (_polygon((-0.2, 0.8 * tall), (0.15, tall + 0.22), (0.22, 0.6 * tall)), fins),
        (ellipse(-0.2, 0, 0.78, tall), skin),
        (ellipse(-0.58, -0.1, 0.17, 0.17), WHITE),
        (ellipse(-0.6, -0.1, 0.09, 0.09), BLACK),
    ]


def _butterfly(rng: np.random.Generator) -> list[Part]:
    wing, spot, wide = _near(rng, 0.6, 0.85, 0.9), _near(rng, 0.13, 0.8, 0.98), rng.uniform(0.9, 1.1)
    parts = [(p, wing) for p in _both(ellipse(0.52 * wide, -0.35, 0.56 * wide, 0.36, -35))]
    parts += [(p, wing) for p in _both(ellipse(0.42 * wide, 0.4, 0.4 * wide, 0.3, 40))]
    parts += [(p, spot) for p in _both(ellipse(0.62 * wide, -0.42, 0.24, 0.16, -35))]
    parts += [(p, spot) for p in _both(ellipse(0.47 * wide, 0.44, 0.16, 0.12, 40))]
    parts += [(p, BLACK) for p in _both(stroke([(0.03, -0.5), (0.16, -0.75), (0.26, -0.95)], 0.06))]
    return [*parts, (ellipse(0, 0.05, 0.1, 0.62), BLACK)]


def _snail(rng: np.random.Generator) -> list[Part]:
    """It creeps to the left."""
    shell, body, turns = _near(rng, 0.03, 0.75, 0.75), _near(rng, 0.14, 0.5, 0.92), rng.uniform(2.0, 2.4)
    t = np.linspace(0.15, 1, 60)
    angle = t * turns * 2 * np.pi
    spiral = np.stack([0.25 - 0.56 * t * np.cos(angle), 0.02 + 0.56 * t * np.sin(angle)], 1)
    return [
        (ellipse(0.25, 0.02, 0.62, 0.62), shell),
        (_polygon((-0.75, 0.75), (1, 0.75), (0.7, 0.5), (-0.4, 0.45), (-0.55, -0.1), (-0.9, -0.1), (-0.95, 0.4)), body),
        (ellipse(-0.74, -0.1, 0.2, 0.17), body),
        (stroke([(-0.82, -0.15), (-0.92, -0.5)], 0.08), body),
        (stroke([(-0.66, -0.15), (-0.58, -0.5)], 0.08), body),
        (ellipse(-0.92, -0.52, 0.08, 0.08), BLACK),
        (ellipse(-0.58, -0.52, 0.08, 0.08), BLACK),
        (ellipse(0.25, 0.02, 0.6, 0.6), shell),
        (stroke(spiral, 0.09), BLACK),
    ]


def _owl(rng: np.random.Generator) -> list[Part]:
    feathers, belly, eye = _near(rng, 0.07, 0.75, 0.5), _near(rng, 0.1, 0.4, 0.85), rng.uniform(0.29, 0.33)
    parts = [(ellipse(0, 0.1, 0.68, 0.85), feathers)]
    parts += [(p, feathers) for p in _both(_polygon((0.2, -0.6), (0.62, -1), (0.62, -0.3)))]
    parts += [(ellipse(0, 0.45, 0.42, 0.45), belly)]
    parts += [(p, WHITE) for p in _both(ellipse(0.32, -0.28, eye, eye))]
    parts += [(p, BLACK) for p in _both(ellipse(0.29, -0.28, 0.16, 0.16))]
    beak = color(0.11, 0.9, 0.98)
    return [*parts, (_polygon((-0.13, -0.15), (0.13, -0.15), (0, 0.15)), beak)]


def _cat(rng: np.random.Generator) -> list[Part]:
    fur, iris, wide = _near(rng, 0.08, 0.8, 0.95), _near(rng, 0.3, 0.8, 0.9), rng.uniform(0.72, 0.82)
    parts = [(ellipse(0, 0.15, wide, 0.65), fur)]
    parts += [(p, fur) for p in _both(_polygon((0.15, -0.4), (0.68, -0.95), (0.78, 0.1)))]
    parts += [(p, color(0.96, 0.35, 0.95)) for p in _both(_polygon((0.36, -0.42), (0.6, -0.7), (0.66, -0.2)))]
    parts += [(p, iris) for p in _both(ellipse(0.34, 0, 0.19, 0.15))]
    parts += [(p, BLACK) for p in _both(ellipse(0.34, 0, 0.06, 0.14))]
    parts += [(p, WHITE) for p in _both(stroke([(0.25, 0.35), (0.95, 0.25)], 0.045))]
    parts += [(p, WHITE) for p in _both(stroke([(0.25, 0.45), (0.92, 0.5)], 0.045))]
    parts += [(p, BLACK) for p in _both(stroke([(0.0, 0.4), (0.08, 0.55), (0.22, 0.55)], 0.05))]
    return [*parts, (_polygon((-0.12, 0.24), (0.12, 0.24), (0, 0.42)), color(0.96, 0.6, 0.9))]


def _starfish(rng: np.random.Generator) -> list[Part]:
    skin, inner = _near(rng, 0.95, 0.7, 0.92), rng.uniform(0.36, 0.44)
    angles = np.pi / 2 + np.arange(10) * np.pi / 5
    radii = np.where(np.arange(10) % 2, inner, 0.97)
    star = np.stack([radii * np.cos(angles), -radii * np.sin(angles)], 1)
    dots = [r * np.array([np.cos(a), -np.sin(a)]) for a in angles[::2] for r in (0.32, 0.55)]
    return [(star, skin), (ellipse(0, 0, 0.1, 0.1), WHITE), *((ellipse(x, y, 0.075, 0.075), WHITE) for x, y in dots)]


def _ladybird(rng: np.random.Generator) -> list[Part]:
    """Seen from above."""
    wings, wide = _near(rng, 0.0, 0.92, 0.88), rng.uniform(0.68, 0.8)
    parts = [(ellipse(0, 0.15, wide, 0.8), wings)]
    for y in (-0.25, 0.2, 0.6):
        parts += [(p, BLACK) for p in _both(stroke([(0.5, y), (0.9, y + 0.35 * y)], 0.08))]
    parts += [(ellipse(0, 0.15, wide, 0.8), wings)]
    parts += [(ellipse(0, -0.6, 0.4, 0.3), BLACK), (stroke([(0, -0.5), (0, 0.95)], 0.08), BLACK)]
    parts += [(p, BLACK) for p in _both(stroke([(0.15, -0.8), (0.32, -1)], 0.06))]
    parts += [(p, WHITE) for p in _both(ellipse(0.24, -0.66, 0.08, 0.08))]
    for x, y in ((0.34, -0.14), (0.42, 0.3), (0.26, 0.66)):
        parts += [(p, BLACK) for p in _both(ellipse(x, y, 0.14, 0.14))]
    return parts


def _mushroom(rng: np.random.Generator) -> list[Part]:
    cap, high = _near(rng, 0.8, 0.65, 0.75), rng.uniform(0.75, 0.95)
    parts = [
        (ellipse(0, 0.1, 0.95, high, arc=(180, 360)), cap),
        (_polygon((-0.22, 0.05), (0.22, 0.05), (0.3, 0.95), (-0.3, 0.95)), color(0.11, 0.2, 0.93)),
        (ellipse(0, 0.1, 0.95, high, arc=(180, 360)), cap),
        (ellipse(0, 0.1, 0.95, 0.14), cap * 0.6),
    ]
    dots = ((0, -0.5, 0.14), (-0.45, -0.28, 0.13), (0.45, -0.28, 0.13), (-0.12, -0.12, 0.1), (0.72, -0.08, 0.1))
    return parts + [(ellipse(x, y, r, r * 0.85), WHITE) for x, y, r in (*dots, (-0.72, -0.08, 0.1))]


def _flower(rng: np.random.Generator) -> list[Part]:
    petal, leaf = _near(rng, 0.9, 0.15, 0.95), _near(rng, 0.34, 0.8, 0.55)
    parts = [(ellipse(0, -0.3, 0.2, 0.2), petal), (stroke([(0, -0.3), (0, 1)], 0.12), leaf)]
    parts += [(p, leaf) for p in _both(ellipse(0.3, 0.68, 0.3, 0.12, -35))]
    for angle in np.arange(8) * 45 + rng.uniform(-10, 10):
        a = np.radians(angle)
        parts.append((ellipse(0.42 * np.cos(a), -0.3 + 0.42 * np.sin(a), 0.28, 0.13, angle), petal))
    return [*parts, (ellipse(0, -0.3, 0.2, 0.2), color(0.13, 0.9, 0.98))]


def _tree(rng: np.random.Generator) -> list[Part]:
    needles, wide = _near(rng, 0.35, 0.85, 0.62), rng.uniform(0.65, 0.8)
    parts = [
        (_polygon((-wide, 0.7), (wide, 0.7), (0, -0.1)), needles),
        (_polygon((-0.13, 0.6), (0.13, 0.6), (0.13, 1), (-0.13, 1)), _near(rng, 0.07, 0.7, 0.4)),
    ]
    tiers = ((0.7, -0.15, 1.0), (0.25, -0.55, 0.8), (-0.2, -1.0, 0.58))
    return parts + [(_polygon((-wide * w, low), (wide * w, low), (0, top)), needles) for low, top, w in tiers]


DRAWERS: dict[str, Callable[[np.random.Generator], list[Part]]] = {
    "butterfly": _butterfly,
    "cat": _cat,
    "fish": _fish,
    "flower": _flower,
    "ladybird": _ladybird,
    "mushroom": _mushroom,
    "owl": _owl,
    "snail": _snail,
    "starfish": _starfish,
    "tree": _tree,
}
