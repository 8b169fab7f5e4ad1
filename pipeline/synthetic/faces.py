"""Face renderer of the synthetic corpus: identity, action units, gaze and pose -> one picture, in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.synthetic import action_units, complexion, eyes_and_mouth, hair
from pipeline.synthetic.action_units import Floats
from pipeline.synthetic.complexion import MARGIN, MIDDLE, SCALE, SIDE, Identity

Frame = npt.NDArray[np.uint8]
IMAGE_SIDE = 224
COARSE = 80  # the skin moves smoothly: its displacements are kept on a coarser grid
NOISES = 8
DRAWING = 1  # raised when the same parameters would give other pictures


@dataclass(frozen=True)
class Look:
    """What one frame shows; everything but the identity. Lengths in pixels of the 224 px crop.

    `units` are intensities as in `action_units.UNITS`; `asymmetry` makes the right of the picture stronger when above
    0. `gaze` is the shift of the irises, `pose` how far near parts of the face shift against far ones (yaw, pitch),
    `roll` radians, `shift` and `zoom` what the alignment left over, `light` a factor of brightness.
    `hand` is where an occluding hand is, or None.
    """

    units: Floats
    asymmetry: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)
    pose: tuple[float, float] = (0.0, 0.0)
    roll: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    light: float = 1.0
    hand: tuple[float, float] | None = None
    noise: int = 0


@dataclass(frozen=True)
class Face:
    """One person in one recording's light, with all that does not change from frame to frame."""

    who: Identity
    skin: Frame
    fields: Floats  # (A, COARSE, COARSE, 2)
    folds: Floats  # (F, SIDE, SIDE)
    here: Floats  # (SIDE, SIDE, 2) canvas places
    depth: Floats  # (224, 224), around 0
    target: Floats  # (224, 224, 2) places in the crop
    lamp: Floats  # (224, 224, 3) factors of brightness
    noises: tuple[Floats, ...]
    hand: Floats  # (96, 128, 4) RGB and opacity


def build(who: Identity, recording: np.random.Generator) -> Face:
    """Return a person ready to be rendered, in the light and with the camera of one recording."""
    painter = np.random.default_rng(who.texture_seed)
    bare, z = complexion.paint(who, painter)
    skin = hair.grow(who, bare, painter)
    x, y = complexion.grid()
    coarse_x, coarse_y = complexion.grid(COARSE)
    fields = action_units.displacements(coarse_x, coarse_y, MIDDLE) * SCALE
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    target_y, target_x = np.mgrid[:IMAGE_SIDE, :IMAGE_SIDE].astype(np.float32)
    inner = cv2.remap(z, (target_x + MARGIN) * SCALE, (target_y + MARGIN) * SCALE, cv2.INTER_LINEAR)
    depth = cv2.GaussianBlur(inner, (0, 0), 3)
    level = float(recording.uniform(0.9, 1.07))
    slope = recording.uniform(-0.16, 0.16, 2)
    lamp = level * (1 + slope[0] * (target_x / 112 - 1) + slope[1] * (target_y / 112 - 1))
    tint = 1 + recording.normal(0, 0.025, 3)
    strength = float(recording.uniform(1.8, 3.6))
    return Face(
        who=who,
        skin=skin.astype(np.uint8),
        fields=fields,
        folds=_fold_shading(who, x, y),
        here=np.stack([columns, rows], axis=-1),
        depth=np.asarray((depth - 70) / 45, np.float32),
        target=np.stack([target_x, target_y], axis=-1),
        lamp=np.asarray(lamp[..., None] * tint, np.float32),
        noises=tuple(_camera_noise(recording, strength) for _ in range(NOISES)),
        hand=_hand(who, recording),
    )


def render(face: Face, look: Look) -> Frame:
    """Return the ``(224, 224, 3)`` RGB picture of one moment."""
    canvas = _move_skin(face, look)
    eyes_and_mouth.draw_mouth(canvas, face.who, look.units, look.asymmetry)
    for side in (-1, 1):
        eyes_and_mouth.draw_eye(canvas, face.who, look.units, look.asymmetry, look.gaze, side)
    return _photograph(face, look, canvas)


def _move_skin(face: Face, look: Look) -> Floats:
    """Return the canvas with the skin displaced and folded, as ``(320, 320, 3)`` RGB 0 to 255."""
    moved = _weighted(look.units, face.fields)
    lean = 1 + look.asymmetry * np.tanh((np.arange(COARSE, dtype=np.float32) - COARSE / 2) / 6)
    fine = cv2.resize(moved * lean[None, :, None], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    skin = _sample(face.skin, cv2.subtract(face.here, fine))
    shade = _weighted(action_units.folding(look.units), face.folds)
    factors = cv2.merge([cv2.add(shade, np.ones_like(shade))] * 3)
    return np.asarray(cv2.multiply(skin, factors, dtype=cv2.CV_32F), np.float32)


def _sample(picture: npt.NDArray[Any], places: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the colours at ``(H, W, 2)`` places of a picture; beyond its edge, those of the edge."""
    # OpenCV's stubs do not know that one map may hold both coordinates.
    return cv2.remap(picture, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload, no-any-return]


def _weighted(weights: Floats, fields: Floats) -> Floats:
    """Return the sum of ``(K, ...)`` fields by their weights; 0 when no weight is above 0."""
    # Not a matrix product: its last digits depend on the number of threads, and the videos' bytes must not.
    total: Floats = np.zeros_like(fields[0])
    for k in np.flatnonzero(weights > 0):
        cv2.scaleAdd(fields[k], float(weights[k]), total, total)
    return total


def _photograph(face: Face, look: Look, canvas: Floats) -> Frame:
    """Return the picture that the camera takes: pose and alignment, an occluding hand, light, blur and noise."""
    c, s = np.cos(look.roll) / look.zoom, np.sin(look.roll) / look.zoom
    turn = np.array(
        [
            [c, s, MIDDLE - c * (MIDDLE + look.shift[0]) - s * (110 + look.shift[1])],
            [-s, c, 110 + s * (MIDDLE + look.shift[0]) - c * (110 + look.shift[1])],
        ]
    )
    turn[:, 2] += MARGIN
    places: Floats = np.asarray(cv2.transform(face.target, (turn * SCALE).astype(np.float32)), np.float32)
    for axis in (0, 1):
        if look.pose[axis]:
            places[..., axis] -= (look.pose[axis] * SCALE) * face.depth
    picture = np.asarray(_sample(canvas, places), np.float32)
    if look.hand is not None:
        _hold_hand(picture, face.hand, look.hand)
    lit = cv2.multiply(picture, face.lamp, scale=look.light)
    noise = face.noises[look.noise % NOISES]
    top, left = (look.noise * 7) % 32, (look.noise * 13) % 32
    grained = cv2.add(lit, noise[top : top + IMAGE_SIDE, left : left + IMAGE_SIDE])
    return np.asarray(np.clip(grained, 0, 255), np.uint8)


def _camera_noise(recording: np.random.Generator, strength: float) -> Floats:
    grain = recording.standard_normal((IMAGE_SIDE + 32, IMAGE_SIDE + 32, 3)).astype(np.float32)
    grain = 0.6 * grain + 0.9 * grain[..., :1]
    return np.asarray(cv2.GaussianBlur(grain, (0, 0), 0.7) * strength * 1.7, np.float32)


def _fold_shading(who: Identity, x: Floats, y: Floats) -> Floats:
    """Return the change of brightness of each fold at full depth: ``(F, SIDE, SIDE)``, dark below 0."""
    b, p = complexion.bump, complexion.pair
    deep = 0.75 + 0.5 * who.age
    forehead = np.zeros_like(x)
    for level in (-4, 6, 16):
        bent = level - 0.0012 * (x - MIDDLE) ** 2 + 1.5 * np.sin(x / 9 + level)
        forehead += _crease(x, y, np.asarray(bent, np.float32), 1.5, (MIDDLE, 8), (46, 60))
    glabella = sum(
        _bright_edge(b(x, y, (MIDDLE + side * 7.5, 39), (1.5, 9), side * 0.16)) for side in (-1, 1)
    ) - 0.25 * b(x, y, (MIDDLE, 42), (12, 10))
    crows = sum(p(x, y, 76, level, (8, 1.1), tilt) for level, tilt in ((54, -0.35), (60, 0.0), (66, 0.35)))
    crease = _nasolabial(who, x, y)
    root = p(x, y, 9, 72, (6, 1.3), 0.6) + p(x, y, 9, 80, (6, 1.3), 0.6) + 0.8 * b(x, y, (MIDDLE, 56), (9, 1.3))
    dimples = sum(
        b(x, y, (MIDDLE + dx, who.chin_level - dy), (2.6, 2.2))
        for dx, dy in ((-10, 20), (-3, 16), (5, 21), (11, 17), (-6, 25), (2, 27), (-13, 13), (8, 12))
    )
    pout = b(x, y, (MIDDLE, who.mouth_level + 19), (20, 3.2))
    bag = p(x, y, 45, 73.5, (16, 1.6), 0.06) - 0.5 * p(x, y, 45, 69.5, (15, 1.7), 0.06)
    marionette = p(x, y, who.mouth_width + 6, who.mouth_level + 11, (2.0, 9), -0.3)
    apple = p(x, y, 56, 102, (17, 11))
    maps = [
        -0.20 * deep * forehead, 0.28 * deep * glabella, -0.20 * deep * crows, 0.24 * deep * crease,
        -0.30 * root, -0.20 * dimples - 0.22 * pout, -0.22 * bag, -0.26 * marionette, 0.09 * apple,
    ]  # fmt: skip
    return np.stack([np.asarray(field, np.float32) for field in maps])


def _crease(
    x: Floats, y: Floats, level: Floats, width: float, at: tuple[float, float], size: tuple[float, float]
) -> Floats:
    """Return a line across, dark with a bright lower edge, that fades away from a place."""
    off = (y - level) / width
    return np.asarray(
        (np.exp(-off * off / 2) - 0.5 * np.exp(-((off - 2.2) ** 2) / 2)) * complexion.bump(x, y, at, size), np.float32
    )


def _bright_edge(line: Floats) -> Floats:
    """Return a dark line with lighter skin beside it, as a fold in light has."""
    return np.asarray(0.35 * cv2.GaussianBlur(line, (0, 0), 4) - line, np.float32)


def _nasolabial(who: Identity, x: Floats, y: Floats) -> Floats:
    """Return the furrows from the wings of the nose around the corners of the mouth."""
    top, bottom = who.nose_level - 4, who.mouth_level + 6
    t = np.clip((y - top) / (bottom - top), 0, 1)
    out = who.nose_width + 6 + (who.mouth_width + 7 - who.nose_width) * t**1.25 + 5 * np.sin(np.pi * t**0.8)
    off = (np.abs(x - MIDDLE) - out) / (2.0 + 1.0 * t)
    ends = complexion.bump(0 * x, y, (0, (top + bottom) / 2 - 1), (1, 13))
    bulge = np.exp(-((off - 4.5) ** 2) / 14)
    return np.asarray((0.35 * bulge - np.exp(-off * off / 2) - 0.3 * np.exp(-((off + 2) ** 2) / 8)) * ends, np.float32)


def _hand(who: Identity, recording: np.random.Generator) -> Floats:
    """Return four shaded fingers on a transparent ground: ``(96, 128, 4)``, opacity between 0 and 1."""
    rows, columns = np.mgrid[:96, :128].astype(np.float32)
    rgba = np.zeros((96, 128, 4), np.float32)
    tone = np.array(who.skin, np.float32) * recording.uniform(0.86, 0.98)
    for finger, (level, tip, thick) in enumerate(((20, 30, 10.5), (40, 14, 11), (60, 10, 11), (79, 24, 9.5))):
        axis = level + (columns - 64) * (0.03 * (finger - 1.5))
        off = (rows - axis) / thick
        cap = np.clip((tip + thick - columns) / thick, 0, None)
        r2 = off * off + cap * cap
        inside = np.clip((1 - r2) * 5, 0, 1)
        nail = np.exp(-((((columns - tip - 6) / 6) ** 2 + ((rows - axis + 1) / 5) ** 2) ** 2))
        knuckle = sum(np.exp(-(((columns - tip - k) / 1.6) ** 2)) for k in (38, 42, 78))
        shade = (0.55 + 0.5 * np.sqrt(np.clip(1 - r2, 0, 1)) - 0.12 * off) * (1 - 0.12 * knuckle)
        colour = tone * shade[..., None] + nail[..., None] * np.array([14, 6, 8], np.float32)
        rgba[..., :3] += inside[..., None] * (colour - rgba[..., :3])
        rgba[..., 3] = np.maximum(rgba[..., 3], inside)
    return np.asarray(cv2.GaussianBlur(rgba, (0, 0), 0.8), np.float32)


def _hold_hand(picture: Floats, hand: Floats, at: tuple[float, float]) -> None:
    """Lay the hand over the picture with its fingertips' corner at a place; what falls outside is cut off."""
    left, top = round(at[0]), round(at[1])
    x0, x1 = max(left, 0), min(left + hand.shape[1], IMAGE_SIDE)
    y0, y1 = max(top, 0), min(top + hand.shape[0], IMAGE_SIDE)
    if x0 >= x1 or y0 >= y1:
        return
    patch = hand[y0 - top : y1 - top, x0 - left : x1 - left]
    under = picture[y0:y1, x0:x1]
    under += patch[..., 3:] * (patch[..., :3] - under)
