"""Similarity alignment: a face turned, scaled and shifted as OpenFace's `-simalign` does it.

Rotation and scale come from the points that expressions hardly move, the position from all 68. After
OpenFace 2.2's `AlignFace`, with the centroid of the landmarks in place of its fitted translation.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError

Points = NDArray[np.floating]

SIZE = 224
LANDMARKS = 68
# Cheek bones, the bridge and the base of the nose, inner and outer corners and lower lids of the eyes.
RIGID = np.array([1, 2, 3, 4, 12, 13, 14, 15, 27, 28, 29, 31, 32, 33, 34, 35, 36, 39, 40, 41, 42, 45, 46, 47])
# OpenFace's own: 0.7 pixels a millimetre in an image of 112 pixels, and in proportion.
SCALE = 0.7 / 112
_LEAST_RADIUS = 1e-6


def place(landmarks: Points, mean_shape: Points, size: int = SIZE) -> NDArray[np.float64]:
    """Return the ``(2, 3)`` similarity that takes pixels of the frame to pixels of the aligned face.

    Args:
        landmarks: ``(68, 2)`` x and y in the frame, in pixels.
        mean_shape: ``(68, 2)`` or ``(68, 3)`` of the mean face, in millimetres from the middle of the aligned face;
            depth is not used.
        size: of the aligned face, in pixels.

    Raises:
        DataError: a number is not finite, or the points all fall on one.
        ValueError: another shape.
    """
    source = _checked("landmarks", landmarks)
    target = _checked("mean shape", mean_shape) * (SCALE * size)
    turned = _turn_and_scale(source[RIGID], target[RIGID])
    # The middle of OpenFace's mean shape is 0, so that of the landmarks goes to the middle of the image.
    shift = size // 2 + target.mean(axis=0) - turned @ source.mean(axis=0)
    return np.column_stack([turned, shift])


def warp(frame: NDArray[np.uint8], placement: NDArray[np.float64], size: int = SIZE) -> NDArray[np.uint8]:
    """Return the ``(size, size, 3)`` aligned face of a ``(H, W, 3)`` frame; black where the frame has ended."""
    face = cv2.warpAffine(frame, placement, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(face, dtype=np.uint8)


def _turn_and_scale(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ``(2, 2)`` rotation times scale, without reflection, that fits centred points best (Kabsch)."""
    source, target = source - source.mean(axis=0), target - target.mean(axis=0)
    radius, wanted = (float(np.sqrt((points**2).sum() / len(points))) for points in (source, target))
    if min(radius, wanted) < _LEAST_RADIUS:
        raise DataError("the rigid landmarks all lie on one point: there is no face to align")
    left, _, right = np.linalg.svd((source / radius).T @ (target / wanted))
    mirror = np.diag([1.0, np.sign(np.linalg.det(left @ right))])
    return np.asarray(wanted / radius * (left @ mirror @ right).T, dtype=np.float64)


def _checked(name: str, points: Points) -> NDArray[np.float64]:
    """Return the x and y of 68 points."""
    if points.shape not in ((LANDMARKS, 2), (LANDMARKS, 3)):
        raise ValueError(f"the {name} has shape {points.shape}, expected (68, 2) or (68, 3)")
    if not np.isfinite(points).all():
        raise DataError(f"the {name} holds a number that is not finite")
    return points[:, :2].astype(np.float64)
