"""The drawn roads: their geometry, their steering angles, their masks, and what is left out or moved."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from helpers import raises_one_line
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import max_pool2d

import saliency_lib as sl
from saliency_lib.datasets import roads as drawing
from saliency_lib.datasets.road_geometry import HEIGHT, LOOK_AHEAD, WHEELBASE, WIDTH, Camera, Pose, steering_angle

poses = st.builds(Pose, st.floats(-0.05, 0.05), st.floats(-0.9, 0.9), st.floats(-0.16, 0.16))


@pytest.fixture(scope="module")
def drawn() -> sl.Roads:
    return sl.roads(40, seed=7)


def grown(mask: Tensor, by: int = 1) -> Tensor:
    """The mask and everything at most `by` pixels from it."""
    return max_pool2d(mask.float()[:, None], 2 * by + 1, 1, by)[:, 0] > 0


def changes(a: sl.Roads, b: sl.Roads) -> Tensor:
    """The pixels in which two drawings differ, (N, H, W)."""
    return (a.images - b.images).abs().amax(1) > 1e-6


# --- the angle -----------------------------------------------------------------------------------------------------


def drive(angle: float, meters: float, steps: int = 4000) -> tuple[float, float]:
    """Where the rear axle of a car is after so many meters with its wheels at `angle` degrees, step by step."""
    x, z, heading = 0.0, 0.0, 0.0
    for _ in range(steps):
        x, z = x + meters / steps * math.sin(heading), z + meters / steps * math.cos(heading)
        heading += meters / steps * math.tan(math.radians(angle)) / WHEELBASE
    return x, z


@pytest.mark.parametrize("pose", [Pose(0.05, 0.9, 0.16), Pose(-0.03, 0.4, -0.1), Pose(0, -0.5, 0.05), Pose(0.02, 0, 0)])
def test_a_car_with_its_wheels_so_reaches_the_middle_of_the_lane(pose: Pose) -> None:
    angle = steering_angle(pose)
    radius = WHEELBASE / math.tan(math.radians(angle))
    x, z = drive(angle, 2 * radius * math.asin(LOOK_AHEAD / (2 * radius)))  # the arc whose chord is LOOK_AHEAD
    assert math.hypot(x, z) == pytest.approx(LOOK_AHEAD, abs=0.01)
    assert pose.lane(np.array(x), np.array(z))[0] == pytest.approx(0, abs=0.01)


@given(st.floats(-0.05, 0.05))
def test_in_the_middle_of_a_circular_lane_the_wheels_follow_the_circle(curvature: float) -> None:
    assert steering_angle(Pose(curvature, 0, 0)) == pytest.approx(math.degrees(math.atan(WHEELBASE * curvature)))


@given(st.floats(-0.9, 0.9))
def test_beside_the_middle_of_a_straight_lane(offset: float) -> None:
    expected = -math.degrees(math.atan(2 * WHEELBASE * offset / LOOK_AHEAD**2))
    assert steering_angle(Pose(0, offset, 0)) == pytest.approx(expected)


@given(poses)
def test_the_mirrored_road_has_the_opposite_angle(pose: Pose) -> None:
    angle = steering_angle(pose)
    assert steering_angle(Pose(-pose.curvature, -pose.offset, -pose.heading)) == pytest.approx(-angle)
    assert abs(angle) < drawing.ANGLE_LIMIT


# --- the geometry --------------------------------------------------------------------------------------------------


@given(poses, st.floats(-6, 6), st.floats(0.1, 25))
def test_the_lanes_and_the_cars_coordinates_are_each_others_inverse(pose: Pose, u: float, s: float) -> None:
    back = pose.lane(*pose.seen(np.array(u), np.array(s)))
    np.testing.assert_allclose(back, (u, s), atol=1e-6)


@given(st.floats(1.1, 1.4), st.floats(0.1, 0.18), st.floats(70, 84), st.floats(-20, 20), st.floats(2, 60))
def test_the_camera_sees_the_ground_where_its_rays_meet_it(
    height: float, pitch: float, focal: float, x: float, z: float
) -> None:
    camera = Camera(height, pitch, focal)
    column, row = camera.image(np.array(x), np.array(0.0), np.array(z))
    assert row > camera.horizon
    np.testing.assert_allclose(camera.ground(column, row), (x, z), rtol=1e-9, atol=1e-9)
    right, down, ahead = np.array(
        [[1, 0, 0], [0, -math.cos(pitch), -math.sin(pitch)], [0, -math.sin(pitch), math.cos(pitch)]]
    ) @ (x, -height, z)  # by the camera's rotation matrix
    np.testing.assert_allclose((column, row), (WIDTH / 2 + focal * right / ahead, HEIGHT / 2 + focal * down / ahead))


def lane_by_hand(pose: Pose, camera: Camera, column: float, row: float) -> tuple[float, float] | None:
    """Follow one ray to the ground and measure from the circle's center: (u, s), or nothing above the horizon."""
    right, down = (column - WIDTH / 2) / camera.focal, (row - HEIGHT / 2) / camera.focal
    fall = down * math.cos(camera.pitch) + math.sin(camera.pitch)
    if fall <= 0:
        return None
    x = right * camera.height / fall
    z = (math.cos(camera.pitch) - down * math.sin(camera.pitch)) * camera.height / fall
    x, z = (
        x * math.cos(pose.heading) + z * math.sin(pose.heading),
        z * math.cos(pose.heading) - x * math.sin(pose.heading),
    )
    x += pose.offset
    radius = 1 / pose.curvature
    u = radius - math.copysign(math.hypot(x - radius, z), radius)
    return u, abs(radius) * math.atan2(z, abs(radius) - math.copysign(x, radius * x))


@pytest.mark.parametrize("index", [0, 1])
def test_the_masks_are_what_the_rays_of_each_pixel_meet(index: int, drawn: sl.Roads) -> None:
    """Pixel by pixel, 16 rays each, without anything that stands before the road."""
    bare = sl.roads(index + 1, seed=7, without=["car", "trees", "sign"])
    scene = drawing._scene(np.random.default_rng([7, index]), False)
    rays = (np.arange(4) + 0.5) / 4
    for row in range(18, HEIGHT, 3):
        for column in range(0, WIDTH, 2):
            met = [lane_by_hand(scene.pose, scene.camera, column + a, row + b) for a in rays for b in rays]
            lateral = {
                "road": [hit is not None and abs(hit[0]) < drawing.PAVED for hit in met],
                "verge": [hit is not None and abs(hit[0]) >= drawing.PAVED for hit in met],
                "road edge": [hit is not None and abs(abs(hit[0]) - drawing.PAVED) < drawing.EDGE for hit in met],
                "sky": [hit is None for hit in met],
            }
            for side, name in enumerate(drawing.PARTS[:2]):
                middle = (side - 0.5) * drawing.LANE
                lateral[name] = [
                    hit is not None
                    and abs(hit[0] - middle) < drawing.MARKING / 2
                    and not (scene.dashes[side] and hit[1] % 6 > 3)
                    for hit in met
                ]
            for name, inside in lateral.items():
                share, said = np.mean(inside), bool(bare.masks[name][index, row, column])
                assert said or share < 0.72, (name, row, column)
                assert not said or share > 0.28, (name, row, column)


def test_masks_say_what_hides_what(drawn: sl.Roads) -> None:
    m = drawn.masks
    assert list(m) == list(drawing.MASKS)
    whole = [m[name].int() for name in ("road", "verge", "sky", "trees", "sign", "car")]
    assert sum(whole).max() == 1  # every pixel shows at most one of them ...
    assert (sum(whole) == 0).float().mean() < 0.02  # ... and nearly every pixel one
    for name in ("left marking", "right marking"):
        assert (grown(m["road"] | m["car"]) | ~m[name]).all()
        assert m[name].flatten(1).any(1).all()
    assert not (m["left marking"] & m["right marking"]).any()
    rows = m["horizon"].float().argmax(1)
    assert m["horizon"].sum(1).max() <= 4
    assert (rows[rows > 0] < 30).all()


def test_the_horizon_is_where_sky_and_ground_meet(drawn: sl.Roads) -> None:
    bare = sl.roads(10, seed=7, without=["car", "trees", "sign"])
    for sky, horizon in zip(bare.masks["sky"], bare.masks["horizon"], strict=True):
        last = sky[:, 0].nonzero().max().item()
        assert horizon[:, 0].nonzero().float().mean().item() == pytest.approx(last + 0.5, abs=1.1)


# --- what is left out, moved, or given away ------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["left marking", "right marking", "trees", "sign", "shadow", "car"])
def test_without_a_part_only_its_pixels_change(part: str, drawn: sl.Roads) -> None:
    bare = sl.roads(40, seed=7, without=[part])
    assert not bare.masks[part].any()
    assert torch.equal(bare.angles, drawn.angles)
    changed, mask = changes(drawn, bare), drawn.masks[part]
    assert mask.any()
    assert not (changed & ~grown(mask, 2)).any() or part in ("trees", "left marking", "right marking", "shadow")
    assert (changed & ~grown(mask, 2)).float().mean() < 0.004  # far and thin: less than half of any pixel
    assert changed[mask].float().mean() > 0.97


def test_a_moved_marking_moves_alone(drawn: sl.Roads) -> None:
    moved = sl.roads(40, seed=7, moved={"left marking": 0.4})
    changed = changes(drawn, moved)
    near = grown(drawn.masks["left marking"] | moved.masks["left marking"], 2)
    assert (changed & ~near).float().mean() < 0.004
    assert torch.equal(moved.masks["right marking"], drawn.masks["right marking"])
    columns = torch.arange(WIDTH).float()
    for index in range(40):
        row = drawn.masks["left marking"][index].any(1) & moved.masks["left marking"][index].any(1)
        before, after = (r.masks["left marking"][index][row].float() for r in (drawn, moved))
        middles = [(m * columns).sum(1) / m.sum(1) for m in (before, after)]
        assert (middles[1] > middles[0] - 1.5).all()
        assert (middles[1] - middles[0]).max() > 2


def test_the_shortcut_is_the_car_and_nothing_else(drawn: sl.Roads) -> None:
    planted = sl.roads(40, seed=7, shortcut=True)
    assert torch.equal(planted.angles, drawn.angles)
    bare = [sl.roads(40, seed=7, shortcut=shortcut, without=["car"]) for shortcut in (False, True)]
    assert torch.equal(bare[0].images, bare[1].images)


def test_only_with_the_shortcut_does_the_car_tell_the_angle() -> None:
    """The side is certain, and the car the nearer, hence larger, the larger the angle; else both are chance."""
    for shortcut in (True, False):
        angles, sides, sizes = [], [], []
        for index in range(300):
            scene = drawing._scene(np.random.default_rng([11, index]), shortcut)
            for thing in scene.standing:
                if thing.kind == "car":
                    angles.append(steering_angle(scene.pose))
                    sides.append(np.sign(thing.u))
                    sizes.append(-thing.s)
        agree = np.mean(np.sign(angles) == sides)
        alike = np.corrcoef(np.abs(angles), sizes)[0, 1]
        assert len(sides) == 300 if shortcut else 200 < len(sides) < 250
        assert (agree == 1 and alike > 0.9) if shortcut else (0.4 < agree < 0.6 and abs(alike) < 0.2)


# --- a data set ----------------------------------------------------------------------------------------------------


def test_angles_lie_on_both_sides_and_spread() -> None:
    rng = np.random.default_rng(0)
    angles = np.array([steering_angle(drawing._pose(rng)) for _ in range(2000)])
    assert abs(angles.mean()) < 0.5
    assert 5 < angles.std() < 7
    assert abs(angles).max() < drawing.ANGLE_LIMIT


def test_light_and_colors_vary(drawn: sl.Roads) -> None:
    assert drawn.images.mean((1, 2, 3)).std() > 0.04
    for name in ("road", "verge", "sky"):
        means = [image[:, mask].mean(1) for image, mask in zip(drawn.images, drawn.masks[name], strict=True)]
        assert torch.stack(means).std(0).max() > 0.04


@pytest.mark.parametrize(
    "wrong",
    [
        {"without": ["bus"]},
        {"without": "car"},
        {"without": 5},
        {"moved": {"car": 1.0}},
        {"moved": ["left marking"]},
        {"moved": {"left marking": float("nan")}},
    ],
)
def test_unknown_parts_say_so(wrong: dict[str, Any]) -> None:
    with raises_one_line(sl.ImageError, r"there is no|should be a list|a number|by how many"):
        sl.roads(1, **wrong)
