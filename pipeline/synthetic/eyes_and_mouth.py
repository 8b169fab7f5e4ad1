"""Eyes and mouth of a synthetic face, drawn anew in every frame because they open."""

from __future__ import annotations

import numpy as np

from pipeline.synthetic.action_units import COLUMN, Floats
from pipeline.synthetic.complexion import LEFT_EYE, MARGIN, MIDDLE, RIGHT_EYE, SCALE, Identity, step

IRIS_RADIUS = 8.6
SCLERA = np.array((222, 214, 208), np.float32)
WATERLINE = np.array((206, 150, 140), np.float32)
GUMS = np.array((92, 30, 30), np.float32)
TEETH = np.array((226, 218, 202), np.float32)


def draw_eye(
    canvas: Floats, who: Identity, units: Floats, asymmetry: float, gaze: tuple[float, float], side: int
) -> None:
    """Draw the eye at the left (-1) or right (1) of the picture onto ``(320, 320, 3)`` skin, in place."""
    u = _stronger(units, asymmetry, side)
    centre = LEFT_EYE if side < 0 else RIGHT_EYE
    reach = 1.2 * who.eye_width
    view, x, y = _window(canvas, (centre[0] - reach, centre[0] + reach), (centre[1] - 21, centre[1] + 12))
    t = (x - centre[0]) / who.eye_width * side  # -1 at the inner corner, 1 at the outer
    arch = np.clip(1 - t * t, 0, None)
    closed = min(1.0, u(45))
    low = who.eye_height * (0.52 - 0.26 * u(7) - 0.20 * u(6) - 0.08 * u(9) + 0.05 * u(5))
    high = who.eye_height * (0.92 + 0.42 * u(5) - 0.20 * u(7) - 0.14 * u(6) - 0.12 * u(9) - 0.06 * u(4))
    high = high + closed * (-low * 0.9 - high)
    middle = centre[1] + who.eye_tilt * t
    upper = middle - high * arch**0.62 * (1 - 0.10 * t)
    lower = middle + low * arch**0.8 * (1 + 0.18 * t)
    within = step((1.03 - np.abs(t)) / 0.06)
    open_here = step((y - upper) / 1.1 + 0.5) * step((lower - y) / 1.1 + 0.5) * within
    ball = _eyeball(who, x, y, t, (centre[0] + gaze[0], centre[1] - 0.8 + gaze[1]))
    ball *= (0.42 + 0.58 * step((y - upper + 1.0) / 6.5))[..., None]
    rim = np.exp(-(((lower - y) / 1.3) ** 2)) * (arch > 0.02)
    ball += (0.75 * rim)[..., None] * (WATERLINE * _lit(who) - ball)
    view += open_here[..., None] * (ball - view)
    _lids(view, who, y, t, upper, lower, middle, closed, high, u)


def draw_mouth(canvas: Floats, who: Identity, units: Floats, asymmetry: float) -> None:
    """Draw lips, and teeth and tongue where they part, onto ``(320, 320, 3)`` skin, in place."""
    left, right = _stronger(units, asymmetry, -1), _stronger(units, asymmetry, 1)
    u = _stronger(units, 0.0, 1)
    corners = [_corner(who, left), _corner(who, right)]
    middle = MIDDLE + (corners[1][0] - corners[0][0]) / 2
    half = (corners[0][0] + corners[1][0]) / 2
    x = _line(middle - 1.08 * half, middle + 1.08 * half)[None, :]
    t = (x - middle) / half
    arch = np.clip(1 - t * t, 0, None)
    lift = 0.5 * (corners[0][1] * (1 - t) + corners[1][1] * (1 + t))
    level = who.mouth_level - 1.5 * u(17) * np.exp(-((t / 0.5) ** 2)) - 2.2 * u(10) * arch + 3.5 * u(12) * arch
    line = level + lift * np.clip(np.abs(t), 0, 1.2) ** 1.9 + 1.3 * np.exp(-((t / 0.22) ** 2)) * (1 - u(12) * 0.6)
    parted = (6.5 * u(25) + 22.0 * u(26) + 1.2 * u(10)) * (1 - 0.9 * max(u(23), u(24)))
    press = 1 - 0.42 * u(23) - 0.45 * u(24) - 0.22 * u(12) - 0.18 * u(20)
    thin = max(0.2, press) * who.lip_fullness
    bow = 1 - 0.16 * np.exp(-((t / 0.11) ** 2)) + 0.08 * np.exp(-(((np.abs(t) - 0.24) / 0.16) ** 2))
    top_edge = line - parted * 0.22 * arch**0.75
    bottom_edge = line + parted * 0.78 * arch**0.8
    top = top_edge - 8.0 * thin * (1 - 0.15 * u(10)) * arch**0.85 * bow - 0.4
    bottom = bottom_edge + 10.5 * thin * (1 + 0.25 * u(17)) * np.clip(1 - np.abs(t) ** 2.6, 0, None) + 0.4
    within = step((1.02 - np.abs(t)) / 0.05)
    view, x, y = _window(canvas, (middle - 1.08 * half, middle + 1.08 * half), (top.min() - 3, bottom.max() + 3))
    _inside_mouth(view, who, x, y, t, top_edge, bottom_edge, within, parted, u)
    _lip(view, who, x, y, top, top_edge, within, upper=True)
    _lip(view, who, x, y, bottom_edge, bottom, within, upper=False)
    seam = np.exp(-(((y - top_edge) / 1.1) ** 2)) * within * (0.62 if parted < 2 else 0.3)
    seam += 0.35 * np.exp(-(((np.abs(t) - 1.0) / 0.06) ** 2 + ((y - line) / 2.6) ** 2))
    view *= (1 - np.clip(seam, 0, 0.9))[..., None]


def _corner(who: Identity, u: _Unit) -> tuple[float, float]:
    """Return how far a corner of the mouth is from the middle, and how far below the mouth's level."""
    out = who.mouth_width + 7.5 * u(12) + 8.0 * u(20) - 3.6 * u(23) - 2.0 * u(24) - 9.0 * u(26) + 1.5 * u(15)
    return out, -10.5 * u(12) + 8.0 * u(15) + 2.5 * u(20) - 1.5 * u(10) + 2.0 * u(26)


def _inside_mouth(
    view: Floats, who: Identity, x: Floats, y: Floats, t: Floats, top: Floats, bottom: Floats, within: Floats,
    parted: float, u: _Unit,
) -> None:  # fmt: skip
    if parted < 0.4:
        return
    gap = step(y - top + 0.5) * step(bottom - y + 0.5) * within
    hollow: Floats = np.ones_like(view) * GUMS * np.float32(0.42)
    teeth_to: Floats = who.mouth_level + 5.5 + u(12) * (3.0 - 7.5 * t * t)
    teeth = step((teeth_to - y) / 1.6 + 0.5) * step((0.86 - np.abs(t)) / 0.1)
    ridge = 1 - 0.16 * np.exp(-(((((x - MIDDLE) / 7.2 + 0.5) % 1.0 - 0.5) / 0.09) ** 2))
    hollow += (teeth * ridge)[..., None] * (TEETH * (0.94 - 0.3 * t * t)[..., None] * _lit(who) - hollow)
    tongue = np.exp(-((t / 0.55) ** 2)) * step((y - (bottom - 7)) / 6)
    hollow += (0.8 * tongue)[..., None] * (np.array((168, 84, 82), np.float32) * 0.8 - hollow)
    hollow *= (0.5 + 0.5 * step((y - top) / 4))[..., None]
    view += gap[..., None] * (hollow - view)


def _lip(
    view: Floats, who: Identity, x: Floats, y: Floats, top: Floats, bottom: Floats, within: Floats, upper: bool
) -> None:
    height = np.maximum(bottom - top, 0.3)
    v = np.clip((y - top) / height, 0, 1)
    if upper:
        shade = 0.86 - 0.16 * v + 0.1 * np.exp(-((v / 0.18) ** 2))
        gloss = 0.0 * v
    else:
        shade = 0.98 + 0.10 * np.sin(np.pi * np.clip(v * 1.15, 0, 1)) - 0.34 * v**3
        gloss = 26 * np.exp(-(((v - 0.33) / 0.16) ** 2)) * np.exp(-(((x - MIDDLE - 18 * who.light[0]) / 11) ** 2))
    lines = 1 + 0.035 * np.sin(x * 2.3 + 0.6 * np.sin(y)) * np.sin(x * 0.9 + who.texture_seed % 7)
    colour = np.array(who.lips, np.float32) * (shade * lines)[..., None] * _lit(who) + gloss[..., None]
    soft = 1.5 if upper else 2.0
    cover = step((y - top) / (soft if upper else 1.0) + 0.5) * step((bottom - y) / (1.0 if upper else soft) + 0.5)
    cover = 0.88 * cover * within
    view += cover[..., None] * (colour - view)


class _Unit:
    """The intensity of a unit by its number, on one side of the face."""

    def __init__(self, units: Floats, factor: float) -> None:
        self.units, self.factor = units, factor

    def __call__(self, unit: int) -> float:
        value = float(self.units[COLUMN[unit]])
        return value if unit in (26, 25, 45) else value * self.factor


def _stronger(units: Floats, asymmetry: float, side: int) -> _Unit:
    return _Unit(units, 1 + side * asymmetry)


def _window(canvas: Floats, across: tuple[float, float], down: tuple[float, float]) -> tuple[Floats, Floats, Floats]:
    """Return a view of part of the canvas, with its columns' x ``(1, W)`` and its rows' y ``(H, 1)`` in the crop."""
    (left, right), (top, bottom) = _pixels(*across), _pixels(*down)
    return canvas[top:bottom, left:right], _line(*across)[None, :], _line(*down)[:, None]


def _pixels(start: float, stop: float) -> tuple[int, int]:
    return int((start + MARGIN) * SCALE), int((stop + MARGIN) * SCALE)


def _line(start: float, stop: float) -> Floats:
    """Return the places, in the crop, of the canvas' pixels from one place to another."""
    return np.arange(*_pixels(start, stop), dtype=np.float32) / np.float32(SCALE) - np.float32(MARGIN)


def _lit(who: Identity) -> float:
    """Return how bright soft parts are against their own colour, so that they sit in the skin's light."""
    return 0.93 + 0.08 * who.light[2]


def _eyeball(who: Identity, x: Floats, y: Floats, t: Floats, iris_at: tuple[float, float]) -> Floats:
    dx, dy = x - iris_at[0], y - iris_at[1]
    radius = np.sqrt(dx * dx + dy * dy)
    ball = np.ones((y.shape[0], x.shape[1], 3), np.float32) * SCLERA * 0.9
    ball *= (1 - 0.26 * np.clip(np.abs(t), 0, 1) ** 2.5)[..., None]
    corner = np.exp(-(((t + 1) / 0.16) ** 2)) + 0 * y
    ball += (0.8 * corner)[..., None] * (WATERLINE - ball)
    angle = np.arctan2(dy, dx)
    fibre = 0.82 + 0.14 * np.sin(angle * 23 + who.texture_seed % 11) + 0.10 * np.sin(angle * 9 + radius)
    glow = 0.75 + 0.55 * np.clip((dy / IRIS_RADIUS + 0.4), 0, 1)
    colour = np.array(who.iris, np.float32) * (fibre * glow)[..., None]
    colour *= (1 - 0.62 * step((radius - IRIS_RADIUS * 0.78) / (IRIS_RADIUS * 0.22)))[..., None]
    colour *= (1 - 0.9 * step((IRIS_RADIUS * 0.42 - radius) / 1.2 + 0.5))[..., None]
    ball += step((IRIS_RADIUS - radius) / 1.4 + 0.5)[..., None] * (colour - ball)
    at = (iris_at[0] + 3.2 * (1 if who.light[0] > 0 else -1), iris_at[1] - 3.0)
    spark = np.exp(-(((x - at[0]) / 1.3) ** 2 + ((y - at[1]) / 1.5) ** 2))
    ball += (0.92 * spark)[..., None] * (250 - ball)
    return ball


def _lids(
    view: Floats, who: Identity, y: Floats, t: Floats, upper: Floats, lower: Floats, middle: Floats, closed: float,
    high: float, u: _Unit,
) -> None:  # fmt: skip
    """Darken the lash lines, the crease above and the soft shadow beneath, in place."""
    reach = step((1.10 - np.abs(t - 0.04)) / 0.14)
    weight = 0.62 + 0.25 * np.clip(t, -1, 1) + (0.1 if who.long_hair else 0.0)
    dark = weight * np.exp(-(((y - upper + 0.6) / 1.25) ** 2)) * reach
    dark = dark + 0.22 * np.exp(-(((y - lower - 0.5) / 1.0) ** 2)) * reach * np.clip(0.6 + 0.5 * t, 0, 1)
    arch = np.clip(1 - (t / 1.18) ** 2, 0, None)
    level = middle - (who.eye_height * (1.42 + 0.28 * u(5) - 0.12 * u(4)) * arch**0.6) * (1 - 0.08 * t)
    crease = np.exp(-(((y - level) / 1.2) ** 2)) - 0.35 * np.exp(-(((y - level - 2.4) / 1.6) ** 2))
    dark = dark + 0.30 * (1 - 0.55 * closed) * crease * step((1.15 - np.abs(t)) / 0.3)
    view *= (1 - np.clip(dark, -0.2, 0.92))[..., None]
