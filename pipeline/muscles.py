"""How the muscles of the face move its skin: one displacement and one relief of folds per action unit and side."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SIZE = 224
MARGIN = 12
CANVAS = SIZE + 2 * MARGIN
MIDDLE = 112.0
# Action units of the Facial Action Coding System, in the order of every `(..., ACTION_UNITS, 2)` array.
ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 18, 20, 23, 24, 25, 26, 43)
INDEX = {unit: position for position, unit in enumerate(ACTION_UNITS)}

# Per action unit: Gaussians (sideways from the middle, down, sigma sideways, sigma down, pull outward, pull down),
# in pixels of the crop at full strength. The skin at the centre moves by the pull, its surroundings along with it.
PULLS: dict[int, tuple[tuple[float, float, float, float, float, float], ...]] = {
    1: ((19, 34, 15, 13, -1.0, -9.5), (18, 10, 20, 16, 0.0, -6.0)),
    2: ((58, 32, 19, 14, 0.5, -8.5), (54, 8, 22, 16, 0.0, -5.0)),
    4: ((19, 40, 14, 11, -5.0, 6.0), (42, 38, 18, 12, -3.0, 5.0)),
    5: ((46, 46, 16, 5, 0.0, -1.5),),
    6: ((52, 96, 24, 17, -1.5, -8.0), (66, 66, 10, 9, -2.0, 2.0), (60, 42, 16, 9, 0.0, 1.8)),
    7: ((46, 74, 20, 6, 0.0, -2.5),),
    9: ((16, 107, 10, 11, 1.5, -6.5), (16, 44, 13, 10, -3.0, 5.0), (30, 88, 14, 14, -2.0, -6.5)),
    10: ((22, 131, 13, 11, 2.0, -7.0), (40, 122, 15, 17, 2.0, -5.5)),
    12: ((42, 149, 17, 17, 9.5, -9.0), (56, 121, 21, 19, 4.0, -8.5), (40, 176, 18, 16, 4.0, -3.5)),
    14: ((42, 154, 11, 12, 4.0, 0.0),),
    15: ((38, 162, 13, 14, 0.0, 8.0), (44, 148, 14, 14, 0.0, 3.0)),
    16: ((16, 173, 15, 9, 0.0, 4.0),),
    17: ((12, 188, 18, 12, 0.0, -7.5),),
    18: ((34, 155, 15, 18, -9.0, 0.0),),
    20: ((44, 160, 19, 19, 10.0, 2.5), (30, 184, 22, 14, 4.0, 2.0)),
    23: ((30, 155, 13, 14, -3.0, 0.0),),
    24: ((14, 140, 18, 8, 0.0, 2.5), (14, 170, 18, 8, 0.0, -3.0)),
}
# Per action unit: folds (height, sigma, points sideways and down); negative heights are creases.
FOLDS: dict[int, tuple[tuple[float, float, tuple[tuple[float, float], ...]], ...]] = {
    1: ((-1.3, 1.6, ((2, 2), (22, -1), (38, 4))), (-1.3, 1.6, ((2, 12), (20, 9), (36, 15))), (1.2, 3.5, ((4, 7), (30, 4)))),
    2: ((-1.0, 1.6, ((34, 4), (58, -1), (76, 8))), (-1.0, 1.6, ((34, 14), (56, 9), (74, 18)))),
    4: ((-2.6, 1.5, ((6.5, 30), (6, 44), (7.5, 50))), (1.8, 3.5, ((14, 38), (24, 40))), (-1.0, 1.8, ((1, 51), (9, 52)))),
    6: (
        (-1.3, 1.3, ((72, 58), (84, 51))),
        (-1.3, 1.3, ((73, 63), (87, 63))),
        (-1.0, 1.3, ((71, 68), (84, 74))),
        (-1.4, 1.8, ((26, 72), (44, 79), (64, 74))),
        (3.0, 11.0, ((40, 94), (64, 92))),
    ),
    7: ((-1.3, 1.6, ((28, 69), (46, 75), (64, 70))), (1.2, 2.2, ((32, 71), (46, 72.5), (60, 69)))),
    9: (
        (-2.0, 1.3, ((1, 57), (9, 55))),
        (-1.8, 1.3, ((1, 63), (10, 62))),
        (-1.5, 1.3, ((10, 66), (17, 78))),
        (-1.5, 1.3, ((14, 63), (24, 74))),
        (-2.4, 2.0, ((20, 99), (27, 110), (34, 122))),
        (2.0, 6.0, ((28, 94), (38, 104))),
    ),
    10: ((-2.6, 2.0, ((20, 102), (29, 114), (39, 130), (44, 144))), (1.8, 6.0, ((34, 106), (48, 128)))),
    12: ((-3.2, 2.3, ((19, 106), (32, 120), (46, 140), (49, 154))), (4.2, 11.0, ((48, 106), (62, 122)))),
    14: ((-2.6, 1.8, ((44, 148), (46, 154), (44, 162))),),
    15: ((-2.2, 2.0, ((38, 163), (43, 172), (43, 182))), (1.6, 5.0, ((48, 166), (50, 180)))),
    17: ((-2.4, 2.2, ((0, 178), (14, 179), (24, 184))), (2.4, 7.0, ((0, 190), (12, 190))), (-1.0, 1.4, ((4, 188), (10, 193)))),
    20: ((-1.8, 2.2, ((50, 146), (54, 160), (52, 174))), (-1.0, 1.8, ((20, 178), (38, 176)))),
    23: ((-1.2, 1.6, ((38, 150), (41, 156), (38, 162))),),
    24: ((-1.4, 1.8, ((38, 150), (42, 156), (38, 163))), (1.3, 4.0, ((0, 143), (20, 146))), (-1.6, 2.2, ((0, 173), (18, 173)))),
}
JAW_DROP = 19.0


def coordinates(step: int = 1) -> tuple[Floats, Floats]:
    """Return x and y of every `step`-th pixel of the canvas, each ``(n, n)``, in pixels of the crop."""
    axis = np.arange(CANVAS // step, dtype=np.float32) * step + np.float32((step - 1) / 2 - MARGIN)
    x, y = np.meshgrid(axis, axis)
    return x, y


def smoothstep(values: Floats) -> Floats:
    """Return a smooth rise from 0 at 0 to 1 at 1, flat outside."""
    clipped = np.clip(values, 0, 1)
    return np.asarray(clipped * clipped * (3 - 2 * clipped), dtype=np.float32)


def distance_to_line(x: Floats, y: Floats, points: tuple[tuple[float, float], ...]) -> tuple[Floats, Floats]:
    """Return how far each pixel lies from a polyline, and where along it (0 to 1) its nearest point is."""
    nearest = np.full_like(x, np.inf)
    along = np.zeros_like(x)
    for position, ((ax, ay), (bx, by)) in enumerate(zip(points[:-1], points[1:], strict=True)):
        dx, dy = bx - ax, by - ay
        share = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy), 0, 1)
        distance = np.hypot(x - ax - share * dx, y - ay - share * dy)
        closer = distance < nearest
        nearest = np.where(closer, distance, nearest)
        along = np.where(closer, (position + share) / (len(points) - 1), along)
    return nearest.astype(np.float32), along.astype(np.float32)


def fold(x: Floats, y: Floats, height: float, sigma: float, points: tuple[tuple[float, float], ...]) -> Floats:
    """Return the relief of one fold, fading out at both of its ends."""
    distance, along = distance_to_line(x, y, points)
    fade = 0.35 + 0.65 * np.sin(np.pi * np.clip(along, 0.02, 0.98))
    return np.asarray(height * fade * np.exp(-0.5 * np.square(distance / sigma)), dtype=np.float32)


def _jaw(x: Floats, y: Floats) -> Floats:
    """Return the displacement of a fully dropped jaw, ``(n, n, 2)``: the chin sinks, the cheeks narrow a little."""
    sideways = np.abs(x - MIDDLE)
    down = smoothstep((y - 138 - 0.25 * sideways) / 42) * np.exp(-0.5 * np.square(sideways / 74))
    narrow = np.exp(-0.5 * (np.square((sideways - 72) / 26) + np.square((y - 158) / 32)))
    return np.stack([-4.0 * np.sign(x - MIDDLE) * narrow, JAW_DROP * down], axis=-1).astype(np.float32)


def displacements(step: int) -> Floats:
    """Return how each action unit moves the skin at full strength.

    Returns:
        ``(A, 2, n, n, 2)`` in pixels (x, y), for the subject's right side (left in the picture) and left side,
        on a canvas of every `step`-th pixel.
    """
    x, y = coordinates(step)
    fields = np.zeros((len(ACTION_UNITS), 2, *x.shape, 2), dtype=np.float32)
    for side, sign in enumerate((-1.0, 1.0)):
        half = smoothstep((sign * (x - MIDDLE) + 10) / 20)  # the sides share the middle
        for unit, pulls in PULLS.items():
            for sideways, down, wide, high, outward, downward in pulls:
                off_x, off_y = (x - MIDDLE - sign * sideways) / wide, (y - down) / high
                weight = np.exp(-0.5 * (off_x * off_x + off_y * off_y))
                if sideways < 15:
                    weight = np.exp(-0.5 * (np.square((x - MIDDLE) / (wide + 4)) + off_y * off_y)) * half
                fields[INDEX[unit], side, ..., 0] += sign * outward * weight
                fields[INDEX[unit], side, ..., 1] += downward * weight
        fields[INDEX[26], side] = _jaw(x, y) * half[..., None]
    return fields


def reliefs(step: int) -> Floats:
    """Return the folds and bulges of each action unit at full strength, ``(A, 2, n, n)`` in pixels of height."""
    x, y = coordinates(step)
    fields = np.zeros((len(ACTION_UNITS), 2, *x.shape), dtype=np.float32)
    for side, sign in enumerate((-1.0, 1.0)):
        for unit, folds in FOLDS.items():
            for height, sigma, points in folds:
                placed = tuple((MIDDLE + sign * sideways, down) for sideways, down in points)
                fields[INDEX[unit], side] += fold(x, y, height, sigma, placed)
    return fields


def enlarge(field: Floats) -> Floats:
    """Return a coarse field, ``(n, n)`` or ``(n, n, 2)``, on the full canvas."""
    return np.asarray(cv2.resize(field, (CANVAS, CANVAS), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
