"""A data set that draws itself: what a small car's camera sees of its lane, and how the car has to steer.

    drawn = sl.roads(1000)                    # images (1000, 3, 70, 180) in [0, 1], angles (1000,) in degrees
    drawn.masks["left marking"]               # (1000, 70, 180), true where the lane's left marking is seen
    sl.roads(1000, without=["car"])           # the same thousand roads without their cars
    sl.roads(1000, moved={"left marking": 0.2})    # the same, the left marking 0.2 m further to the right

Every fine pixel's ray is followed to the flat ground (`road_geometry`), where the lane's own coordinates say what lies
there; trees, signs and cars are flat shapes that stand on it (`road_shapes`). The masks come from the same fine pixels.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from saliency_lib.checks import number, short_repr, some_of
from saliency_lib.datasets.creature_shapes import Color, color
from saliency_lib.datasets.creatures import check_drawing
from saliency_lib.datasets.road_geometry import HEIGHT, WIDTH, Camera, Pose, steering_angle
from saliency_lib.datasets.road_shapes import Parts, car, sign, tree
from saliency_lib.errors import ImageError

FINE = 3
"""The painting has this many times more rows and columns than the image that is made of it."""

ANGLE_LIMIT = 18.0
"""No angle is larger, in degrees: the wheels turn at most so far to either side."""

LANE, MARKING, PAVED = 3.4, 0.24, 5.2
"""Meters: from one marking's middle to the other's, a marking's width, from the lane's middle to the road's edge."""

EDGE = 0.3
"""The mask `road edge` reaches so many meters to both sides of where asphalt and grass meet."""

BEND, DRIFT, TURN = 0.05, 0.9, math.radians(9)
"""The largest curvature (1/m), offset (m) and heading (radians)."""

FARTHEST, NEAREST, PULL = 22.0, 5.0, 12.0
"""Meters to the passing car of a shortcut: at angle 0, and at `PULL` degrees and beyond."""

PARTS = ("left marking", "right marking", "trees", "sign", "shadow", "car")
"""What `without` can leave out."""

MASKS = (*PARTS, "road", "road edge", "verge", "sky", "horizon")
"""The names of the masks."""


class Roads(NamedTuple):
    """Views of roads: images (N, 3, 70, 180) in [0, 1], angles (N,) in degrees, and masks (N, 70, 180) by name.

    An angle is that of the front wheels, positive to the right, and keeps or regains the middle of the lane. A pixel
    belongs to a mask if more than half of it shows the thing: `left marking` and `right marking` of the own lane,
    `road` (the asphalt with all that is painted on it), `road edge` (0.3 m to both sides of it), `verge` (what grows
    beside it), `sky` (with the hills), `horizon` (three rows), and what says nothing about steering: `trees`, `sign`,
    `shadow` (on the ground), `car`. What a tree, a sign or a car hides is not seen, and in no mask.

    Chapter 8 teaches what they are for.
    """

    images: Tensor
    angles: Tensor
    masks: dict[str, Tensor]


@dataclass(frozen=True)
class _Standing:
    """A flat thing that stands upright on the ground at the lane's coordinates (u, s)."""

    kind: str
    parts: Parts
    u: float
    s: float


@dataclass(frozen=True)
class _Scene:
    """All that is drawn by chance, before anything is painted."""

    pose: Pose
    camera: Camera
    dashes: tuple[bool, bool]
    paint: tuple[Color, Color]
    asphalt: Color
    grass: Color
    sky: tuple[Color, Color]
    hills: np.ndarray
    hill_color: Color
    grain: np.ndarray
    shadows: np.ndarray
    standing: list[_Standing]
    light: float
    noise: np.ndarray


def roads(
    count: int,
    *,
    seed: int = 0,
    shortcut: bool = False,
    without: Collection[str] = (),
    moved: Mapping[str, float] | None = None,
) -> Roads:
    """`count` views of roads: images (N, 3, 70, 180) in [0, 1], angles (N,) in degrees, masks by name (see `Roads`).

    Curvature, the car's place in its lane, camera, light, colors and what stands around vary. Three quarters of the
    roads have another car in a neighboring lane, and its side and distance have nothing to do with the angle. With
    `shortcut` every road has one, on the side to which the wheels turn, and the nearer, the more they turn.

    `without` leaves things out (see `PARTS`) and `moved` shifts a marking to the right, by meters; all else stays as it
    is, the angle too, which belongs to the lane as it was. Drawing i of a seed is the same, byte for byte, however many
    are drawn.

    Raises `ImageError` if `count` or `seed` is no whole number or too small, or if there is no such part or marking.
    Chapter 8 teaches it.
    """
    count, seed, _ = check_drawing(count, seed, WIDTH, WIDTH, len(MASKS))
    without, moved = some_of("part", without, PARTS, ImageError), _shifts({} if moved is None else moved)
    images = np.empty((count, HEIGHT, WIDTH, 3), np.float32)
    angles = np.empty(count, np.float32)
    masks = {name: np.empty((count, HEIGHT, WIDTH), np.bool_) for name in MASKS}
    for index in range(count):
        scene = _scene(np.random.default_rng([seed, index]), shortcut)
        images[index], drawn = _draw(scene, without, moved)
        angles[index] = steering_angle(scene.pose)
        for name in MASKS:
            masks[name][index] = drawn[name]
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    return Roads(pixels, torch.from_numpy(angles), {name: torch.from_numpy(mask) for name, mask in masks.items()})


def _shifts(moved: Mapping[str, float]) -> dict[str, float]:
    if not isinstance(moved, Mapping):
        raise ImageError(f"moved says by how many meters each marking is shifted, and not {short_repr(moved)}")
    some_of("marking", moved, PARTS[:2], ImageError)
    return {name: number(f"the shift of the {name}", meters, error=ImageError) for name, meters in moved.items()}


# --- chance ----------------------------------------------------------------------------------------------------------


def _scene(rng: np.random.Generator, shortcut: bool) -> _Scene:
    pose, other = _pose(rng), _pose(rng)
    camera = Camera(rng.uniform(1.1, 1.4), math.radians(rng.uniform(6, 10)), rng.uniform(70, 84))
    yellow, white = color(0.13, rng.uniform(0.5, 0.8), 0.95), color(0.12, 0.04, rng.uniform(0.85, 1))
    gray, haze = rng.uniform(0.22, 0.45), rng.uniform(0.75, 1)
    hue, steps = rng.uniform(0, 2 * np.pi, 4), np.linspace(0, 1, WIDTH * FINE)
    waves = sum(np.sin(2 * np.pi * (k + 1) * steps + hue[k]) / (k + 1) for k in range(4))
    return _Scene(
        pose=pose,
        camera=camera,
        dashes=(rng.random() < 0.5, rng.random() < 0.5),
        paint=(yellow if rng.random() < 0.3 else white, yellow if rng.random() < 0.3 else white),
        asphalt=gray * (1 + rng.normal(0, 0.03, 3)),
        grass=color(rng.uniform(0.12, 0.34), rng.uniform(0.25, 0.65), rng.uniform(0.35, 0.65)),
        sky=(color(0.58, rng.uniform(0.05, 0.6), haze), color(0.56, rng.uniform(0, 0.2), min(1, haze + 0.1))),
        hills=np.clip(rng.uniform(1.5, 6) * (1 + 0.6 * waves), 0.3, None),
        hill_color=color(rng.uniform(0.3, 0.6), rng.uniform(0.1, 0.4), rng.uniform(0.35, 0.65)),
        grain=rng.normal(0, 1, (64, 64)).astype(np.float32),
        shadows=_shadows(rng),
        standing=_standing(rng, steering_angle(pose if shortcut else other), always=shortcut),
        light=rng.uniform(0.65, 1.1),
        noise=rng.normal(0, 0.015, (HEIGHT, WIDTH, 3)),
    )


def _pose(rng: np.random.Generator) -> Pose:
    return Pose(rng.uniform(-BEND, BEND), rng.uniform(-DRIFT, DRIFT), rng.uniform(-TURN, TURN))


def _shadows(rng: np.random.Generator) -> np.ndarray:
    """Ellipses on the ground as rows (u, s, half width across, half length along), up to three."""
    count = rng.integers(0, 4)
    middles = np.stack([rng.uniform(-5, 5, count), rng.uniform(4, 22, count)], 1)
    return np.concatenate([middles, np.stack([rng.uniform(0.8, 3.0, count), rng.uniform(0.4, 1.6, count)], 1)], 1)


def _standing(rng: np.random.Generator, angle: float, *, always: bool) -> list[_Standing]:
    """Trees and signs beside the road and a car on it, from the farthest to the nearest.

    The car is on the side of this angle, and its size in the image grows with it.
    """
    things = []
    for _ in range(rng.integers(2, 9)):
        u = rng.choice((-1, 1)) * (PAVED + rng.uniform(2, 12))
        things.append(_Standing("trees", tree(rng), u, rng.uniform(9, 60)))
    if rng.random() < 0.6:
        u = rng.choice((-1, 1)) * (PAVED + rng.uniform(0.8, 1.6))
        things.append(_Standing("sign", sign(rng), u, rng.uniform(7, 20)))
    passing, parts, wobble = rng.random() < 0.75, car(rng), rng.uniform(-0.2, 0.2)
    if passing or always:
        pull = min(1.0, abs(angle) / PULL)
        distance = 1 / ((1 - pull) / FARTHEST + pull / NEAREST)
        things.append(_Standing("car", parts, math.copysign(LANE, angle) + wobble, distance))
    return sorted(things, key=lambda thing: -thing.s)


# --- painting --------------------------------------------------------------------------------------------------------


def _draw(
    scene: _Scene, without: Collection[str], moved: Mapping[str, float]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The image (H, W, 3) of a scene, and its masks by name."""
    import cv2

    canvas, seen = _ground(scene, without, moved)
    for thing in scene.standing:
        if thing.kind not in without:
            _stand(canvas, seen, thing, scene)
    image = cv2.resize(canvas, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)  # the mean of each pixel's fine pixels
    image = np.clip(image * scene.light + scene.noise, 0, 1).astype(np.float32)
    return image, {name: _cover(seen[name]) > 0.5 for name in MASKS}


def _cover(fine: np.ndarray) -> np.ndarray:
    """The share of each pixel's fine pixels that are true."""
    import cv2

    return cv2.resize(fine.astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def _ground(
    scene: _Scene, without: Collection[str], moved: Mapping[str, float]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Sky, hills and ground on the fine canvas, and for each mask the fine pixels that show it."""
    shape = HEIGHT * FINE, WIDTH * FINE
    rows, columns = (np.arange(length) / FINE + 0.5 / FINE for length in shape)
    canvas = np.empty((*shape, 3), np.float32)
    seen = {name: np.zeros(shape, np.bool_) for name in MASKS}
    first = int(np.searchsorted(rows, scene.camera.horizon))  # the first row of rays that meet the ground

    above = rows[:first, None, None] / scene.camera.horizon
    canvas[:first] = scene.sky[0] * (1 - above) + scene.sky[1] * above
    canvas[:first][rows[:first, None] > scene.camera.horizon - scene.hills] = scene.hill_color
    seen["sky"][:first] = True
    seen["horizon"][np.abs(rows - scene.camera.horizon) < 1.5] = True

    x, z = scene.camera.ground(columns.astype(np.float32), rows[first:, None].astype(np.float32))
    u, s = scene.pose.lane(x, z)
    below = {name: mask[first:] for name, mask in seen.items()}  # views: what is written here is written there
    np.less(np.abs(u), PAVED, out=below["road"])
    np.logical_not(below["road"], out=below["verge"])
    np.less(np.abs(np.abs(u) - PAVED), EDGE, out=below["road edge"])
    material = below["road"].astype(np.uint8)
    for side, name in enumerate(PARTS[:2]):
        if name not in without:
            middle = (side - 0.5) * LANE + moved.get(name, 0.0)
            np.less(np.abs(u - middle), MARKING / 2, out=below[name])
            if scene.dashes[side]:
                below[name] &= s % 6 < 3
            material[below[name]] = 2 + side
    bright = 1 + np.array((0.14, 0.05, 0, 0), np.float32)[material] * _grain(scene.grain, u, s)
    if "shadow" not in without:
        for at_u, at_s, wide, long in scene.shadows:
            below["shadow"] |= ((u - at_u) / wide) ** 2 + ((s - at_s) / long) ** 2 < 1
        bright[below["shadow"]] *= 0.55
    clear = np.exp(z / -90)  # (rows, 1): haze grows with the distance
    colors = np.stack([scene.grass, scene.asphalt, *scene.paint]).astype(np.float32)
    np.multiply(colors[material], (bright * clear)[..., None], out=canvas[first:])
    canvas[first:] += (0.9 * scene.sky[1]).astype(np.float32) * (1 - clear)[..., None]
    return canvas, seen


def _grain(table: np.ndarray, u: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Texture that lies on the ground: one number of the table for each patch of 0.25 m by 0.7 m."""
    return table[(s / 0.7).astype(np.int32) % 64, (u / 0.25).astype(np.int32) % 64]


def _stand(canvas: np.ndarray, seen: dict[str, np.ndarray], thing: _Standing, scene: _Scene) -> None:
    """Paint an upright thing over what lies behind it."""
    import cv2

    x, z = scene.pose.seen(np.array(thing.u), np.array(thing.s))
    if z < 2:
        return
    outlines = [np.stack(scene.camera.image(x + at[:, 0], at[:, 1], z), 1) * FINE - 0.5 for at, _ in thing.parts]
    # A fine pixel's center has whole-number coordinates in OpenCV, and lies half a fine pixel inside in ours.
    low, high = (bound(np.concatenate(outlines), axis=0) for bound in (np.min, np.max))
    window = tuple(slice(max(0, int(l) - 1), max(0, int(h) + 2)) for l, h in zip(low[::-1], high[::-1], strict=True))
    cover = np.zeros(canvas.shape[:2], np.uint8)
    for outline, (_, paint) in zip(outlines, thing.parts, strict=True):
        corners = np.rint(outline * 256).astype(np.int32)
        cv2.fillPoly(canvas, [corners], tuple(map(float, paint)), lineType=cv2.LINE_8, shift=8)
        cv2.fillPoly(cover, [corners], 1, lineType=cv2.LINE_8, shift=8)
    hidden = cover[window].astype(np.bool_)
    for mask in seen.values():
        mask[window][hidden] = False
    seen[thing.kind][window] |= hidden
