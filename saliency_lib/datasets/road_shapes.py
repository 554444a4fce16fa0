"""What stands beside the roads of `roads`, or drives on them: flat things, upright, each a list of polygons.

As in `creature_shapes`, a part is an outline (K, 2) and a color, from back to front; here the coordinates are meters,
x to the right of the thing's middle and y up from the ground.
"""

import numpy as np

from saliency_lib.datasets.creature_shapes import BLACK, WHITE, Part, color, ellipse, stroke

Parts = list[Part]


def _block(left: float, right: float, low: float, high: float) -> np.ndarray:
    return np.array([(left, low), (right, low), (right, high), (left, high)], float)


def tree(rng: np.random.Generator) -> Parts:
    """A fir or a round tree, 3 to 7 m tall."""
    tall, leaves = rng.uniform(3, 7), color(rng.normal(0.3, 0.05), rng.uniform(0.35, 0.8), rng.uniform(0.2, 0.5))
    trunk = (_block(-0.15, 0.15, 0, 0.4 * tall), color(0.08, 0.5, rng.uniform(0.2, 0.4)))
    wide = tall * rng.uniform(0.2, 0.32)
    if rng.random() < 0.5:
        tiers = [(0.15, 0.6, 1.0), (0.4, 0.8, 0.75), (0.62, 1.0, 0.5)]
        crowns = [np.array([(-wide * w, low * tall), (wide * w, low * tall), (0, top * tall)]) for low, top, w in tiers]
        return [trunk, *((crown, leaves) for crown in crowns)]
    lit = np.clip(leaves * 1.25, 0, 1)
    return [
        trunk,
        (ellipse(0, 0.66 * tall, wide, 0.34 * tall), leaves),
        (ellipse(-0.3 * wide, 0.74 * tall, 0.5 * wide, 0.18 * tall), lit),
    ]


def sign(rng: np.random.Generator) -> Parts:
    """A round, three-cornered or square road sign on its post, 2 to 3 m tall."""
    high, size, shape = rng.uniform(1.7, 2.5), rng.uniform(0.45, 0.65), rng.integers(3)
    rim, face = (color(0.99, 0.85, 0.8), WHITE) if shape < 2 else (WHITE, color(0.6, 0.85, rng.uniform(0.5, 0.8)))

    def board(scale: float) -> np.ndarray:
        r = size * scale
        if shape == 0:
            return ellipse(0, high, r, r)
        corners = (
            np.array([(-1, -0.7), (1, -0.7), (0, 1.0)])
            if shape == 1
            else np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
        )
        return corners * r + (0, high)

    mark = stroke([(0, high - 0.3 * size), (0, high + 0.2 * size)], 0.2 * size)
    return [(_block(-0.06, 0.06, 0, high), color(0, 0, 0.55)), (board(1), rim), (board(0.7), face), (mark, BLACK)]


def car(rng: np.random.Generator) -> Parts:
    """A car from behind, 1.8 m wide and 1.45 m tall."""
    paint = color(rng.random(), rng.uniform(0.3, 0.95), rng.uniform(0.35, 0.95))
    glass, lamp = color(0.58, 0.35, 0.25), color(0.0, 0.9, 0.95)
    body = [
        (-0.88, 0.3),
        (0.88, 0.3),
        (0.9, 0.85),
        (0.68, 0.95),
        (0.56, 1.45),
        (-0.56, 1.45),
        (-0.68, 0.95),
        (-0.9, 0.85),
    ]
    parts = [(_block(side - 0.13, side + 0.13, 0, 0.45), BLACK) for side in (-0.7, 0.7)]
    parts += [(np.array(body), paint), (np.array([(-0.57, 0.97), (0.57, 0.97), (0.47, 1.37), (-0.47, 1.37)]), glass)]
    parts += [(_block(side - 0.14, side + 0.14, 0.66, 0.82), lamp) for side in (-0.7, 0.7)]
    return [*parts, (_block(-0.88, 0.88, 0.3, 0.42), paint * 0.5), (_block(-0.25, 0.25, 0.5, 0.62), WHITE)]
