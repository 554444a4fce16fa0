"""Where a lane lies before a car, where a camera sees it, and how the car has to steer.

The ground is flat. Three frames of coordinates, all in meters: the *lane's*, u to the right of its middle and s along
it; the *car's*, x to the right and z ahead of its rear axle, where the camera hangs, y up; and the *image's*, columns
and rows of pixels from its upper left corner.
"""

import math
from dataclasses import dataclass

import numpy as np

HEIGHT, WIDTH = 70, 180
"""Pixels of a view, as in the self-driving example of keras-vis."""

WHEELBASE = 2.6
"""Meters between the axles."""

LOOK_AHEAD = 8.0
"""Meters to the point of the lane's middle at which the car aims."""

Array = np.ndarray


@dataclass(frozen=True)
class Pose:
    """A lane of constant `curvature` (1/m, positive to the right), and how the car stands in it.

    `offset` is how far (m) the car is to the right of the lane's middle, `heading` by how much (radians) it points to
    the right of the lane's direction.
    """

    curvature: float
    offset: float
    heading: float

    def seen(self, u: Array, s: Array) -> tuple[Array, Array]:
        """The car's coordinates (x, z) of the points (u, s) of the lane."""
        turn = self.curvature * np.asarray(s, float)
        # sin(t)/t and (1 - cos t)/t, smooth through t = 0, where the lane is straight
        along = np.sinc(turn / np.pi) * s
        across = np.sinc(turn / 2 / np.pi) * np.sin(turn / 2) * s
        right, ahead = across + u * np.cos(turn) - self.offset, along - u * np.sin(turn)
        cos, sin = math.cos(self.heading), math.sin(self.heading)
        return right * cos - ahead * sin, right * sin + ahead * cos

    def lane(self, x: Array, z: Array) -> tuple[Array, Array]:
        """The lane's coordinates (u, s) of the points (x, z) before the car: the inverse of `seen`."""
        cos, sin = math.cos(self.heading), math.sin(self.heading)
        right, ahead = x * cos + z * sin + self.offset, z * cos - x * sin
        bent = 1 - self.curvature * right  # (bent, curvature * ahead) points from the circle's center, of radius 1
        square = right * right + ahead * ahead
        u = (2 * right - self.curvature * square) / (1 + np.sqrt(bent * bent + (self.curvature * ahead) ** 2))
        if abs(self.curvature) < 1e-9:
            return u, ahead
        return u, np.arctan2(self.curvature * ahead, bent) / self.curvature


def steering_angle(pose: Pose) -> float:
    """The angle of the front wheels, in degrees, positive to the right, that brings the car back to the lane's middle.

    Pure pursuit (Coulter, 1992): the car aims at the point of the lane's middle that is `LOOK_AHEAD` = d meters away.
    The circle through that point (x, z) that touches the car's axis has the curvature 2x / d^2, and a car of wheelbase
    L drives it with its wheels at

        angle = arctan(2 L x / d^2).

    Two special cases: in the middle of a circular lane of radius R, arctan(L / R); on a straight lane, parallel to it
    and e to the right of its middle, -arctan(2 L e / d^2).
    """
    k, e, d = pose.curvature, pose.offset, LOOK_AHEAD
    # Two circles meet: x^2 + z^2 = 2x / k is the lane's middle, (x - e)^2 + z^2 = d^2 is what is d away from the car.
    x = k * (d * d - e * e) / (2 * (1 - k * e)) - e
    z = math.sqrt(d * d - x * x)
    aim = x * math.cos(pose.heading) - z * math.sin(pose.heading)
    return math.degrees(math.atan(2 * WHEELBASE * aim / d**2))


@dataclass(frozen=True)
class Camera:
    """A pinhole `height` meters above the rear axle, looking ahead and `pitch` radians down; `focal` in pixels."""

    height: float
    pitch: float
    focal: float

    @property
    def horizon(self) -> float:
        """The row where the flat ground ends."""
        return HEIGHT / 2 - self.focal * math.tan(self.pitch)

    def image(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Columns and rows of points before the car."""
        cos, sin = math.cos(self.pitch), math.sin(self.pitch)
        depth, down = z * cos + (self.height - y) * sin, (self.height - y) * cos - z * sin
        return WIDTH / 2 + self.focal * x / depth, HEIGHT / 2 + self.focal * down / depth

    def ground(self, columns: Array, rows: Array) -> tuple[Array, Array]:
        """The points (x, z) of the ground that are seen at these columns and rows below the horizon."""
        down = (rows - HEIGHT / 2) / self.focal
        cos, sin = math.cos(self.pitch), math.sin(self.pitch)
        distance = self.height / (sin + down * cos)
        return (columns - WIDTH / 2) / self.focal * distance, (cos - down * sin) * distance
