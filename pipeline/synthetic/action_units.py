"""Facial action units (FACS): emotion prototypes, and how each unit displaces and folds the skin."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 15, 17, 20, 23, 24, 25, 26, 45)
COLUMN = {unit: column for column, unit in enumerate(UNITS)}

# Ekman and Friesen's prototypes; in brackets in the manual, and so at times absent here: OPTIONAL.
PROTOTYPES: dict[str, dict[int, float]] = {
    "happiness": {6: 0.9, 12: 1.0, 25: 0.8, 26: 0.15},
    "surprise": {1: 1.0, 2: 1.0, 5: 0.9, 25: 0.6, 26: 0.9},
    "disgust": {9: 1.0, 10: 0.9, 17: 0.6, 4: 0.5, 7: 0.5},
    "anger": {4: 1.0, 5: 0.5, 7: 0.8, 23: 0.9, 24: 0.7, 17: 0.2},
    "fear": {1: 0.9, 2: 0.6, 4: 0.7, 5: 1.0, 20: 1.0, 25: 0.7, 26: 0.2},
    "sadness": {1: 0.9, 4: 0.6, 15: 1.0, 17: 0.8, 7: 0.25},
}
OPTIONAL: dict[str, tuple[int, ...]] = {
    "happiness": (26,),
    "surprise": (5,),
    "disgust": (4, 17),
    "anger": (24, 5),
    "fear": (2, 26),
    "sadness": (17, 7),
}

# Per unit: (sideways distance from the middle, y, width, height, outward, downward), in pixels of a 224 px crop.
# A distance of 0 stands for one bump in the middle, any other for a pair.
MOVES: dict[int, tuple[tuple[float, float, float, float, float, float], ...]] = {
    1: ((24, 36, 15, 17, 0, -10), (20, 14, 20, 14, 0, -4)),
    2: ((60, 37, 19, 17, 0, -9), (55, 14, 22, 14, 0, -3)),
    4: ((24, 39, 17, 14, -6, 6), (0, 40, 12, 13, 0, 4), (55, 40, 18, 12, -2, 4)),
    5: ((46, 48, 18, 6, 0, -2),),
    6: ((58, 92, 25, 20, 0, -7), (70, 70, 16, 14, -2, -3)),
    7: ((46, 72, 20, 9, 0, -2),),
    9: ((13, 92, 13, 20, 0, -6), (18, 120, 11, 10, 2, -5), (20, 44, 15, 12, -2, 5)),
    10: ((22, 138, 16, 14, 2, -7), (34, 125, 14, 16, 3, -4)),
    12: ((40, 151, 20, 17, 9, -9), (56, 116, 22, 20, 4, -7)),
    15: ((37, 166, 17, 15, 1, 8),),
    17: ((0, 190, 26, 13, 0, -8), (0, 172, 18, 8, 0, -4)),
    20: ((44, 158, 22, 20, 10, 2),),
    23: ((34, 157, 20, 15, -4, 0),),
    24: ((0, 148, 24, 8, 0, 2), (0, 168, 24, 9, 0, -3)),
}
JAW_DROP = 17.0

FOLDS = ("forehead", "glabella", "crows_feet", "nasolabial", "nose_root", "chin", "lower_lid", "marionette", "cheek")


def intensities(units: dict[int, float]) -> Floats:
    """Return the ``(A,)`` row that holds the named units' intensities, between 0 and 1, and 0 elsewhere."""
    row = np.zeros(len(UNITS), np.float32)
    for unit, value in units.items():
        row[COLUMN[unit]] = value
    return row


def displacements(x: Floats, y: Floats, middle: float) -> Floats:
    """Return how far each unit at full intensity moves the skin at every point.

    Args:
        x, y: ``(H, W)`` places, in pixels of a 224 px crop.
        middle: where the face's axis of symmetry lies.

    Returns:
        ``(A, H, W, 2)`` pixels to the right and downwards.
    """
    fields = np.zeros((len(UNITS), *x.shape, 2), np.float32)
    for unit, moves in MOVES.items():
        for distance, level, width, height, outward, downward in moves:
            for side in (-1, 1) if distance else (0,):
                bump = np.exp(-(((x - middle - side * distance) / width) ** 2 + ((y - level) / height) ** 2) / 2)
                fields[COLUMN[unit], ..., 0] += side * outward * bump
                fields[COLUMN[unit], ..., 1] += downward * bump
    jaw = np.clip((y - 150) / 45, 0, 1)
    fields[COLUMN[26], ..., 1] = JAW_DROP * jaw * jaw * (3 - 2 * jaw)
    return fields


def folding(row: Floats) -> Floats:
    """Return how deep each of FOLDS is at these intensities: ``(A,)`` -> ``(F,)``, between 0 and about 1."""
    u = {unit: float(row[column]) for unit, column in COLUMN.items()}
    return np.array(
        [
            0.5 * (u[1] + u[2]),
            min(1.0, u[4] + 0.5 * u[9]),
            u[6],
            min(1.0, 0.9 * u[12] + 0.8 * u[9] + 0.8 * u[10] + 0.2 * u[20]),
            u[9],
            u[17],
            min(1.0, 0.8 * u[6] + 0.6 * u[7] + 0.3 * u[9]),
            min(1.0, u[15] + 0.4 * u[17] + 0.3 * u[20]),
            min(1.0, 0.7 * u[12] + 0.5 * u[6]),
        ],
        np.float32,
    )
