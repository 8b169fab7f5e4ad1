"""Which frames of a video show how it was aligned: an even sample, the least confident, the largest changes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]


def evenly(count: int, most: int) -> Positions:
    """Return the middles of ``most`` equal parts of ``count`` frames, each position once, in order."""
    return ((np.arange(most) + 0.5) * count / most).astype(np.int64) if most < count else np.arange(count)


def every(seconds: npt.NDArray[np.float64], step: float) -> Positions:
    """Return the first frame, and of each ``step`` seconds after it the first one, each position once, in order.

    Args:
        seconds: ``(T,)``, never decreasing.
        step: above 0.
    """
    parts = np.floor((seconds - seconds[0]) / step)
    return np.flatnonzero(np.append(True, parts[1:] > parts[:-1]))


def strongest(strength: npt.NDArray[np.floating], apart: int, most: int) -> Positions:
    """Return the positions of the highest values, highest first, no two of them within ``apart`` of each other.

    Args:
        strength: ``(T,)``; NaN is never taken.
    """
    chosen: list[int] = []
    known = np.flatnonzero(~np.isnan(strength))
    for position in known[np.argsort(-strength[known], kind="stable")].tolist():
        if len(chosen) == most:
            break
        if all(abs(position - other) > apart for other in chosen):
            chosen.append(position)
    return np.array(chosen, np.int64)


def changes(images: Iterable[npt.NDArray[np.uint8] | None]) -> npt.NDArray[np.float32]:
    """Return how much each image differs from the one before it: the mean over its pixels, ``(T,)``, 0 to 255.

    Args:
        images: small and grey, all of one size; None where there is no face.

    Returns:
        NaN for the first, and where either of the two is None.
    """
    found: list[float] = []
    before: npt.NDArray[np.int16] | None = None
    for image in images:
        after = None if image is None else image.astype(np.int16)
        found.append(float("nan") if after is None or before is None else float(np.abs(after - before).mean()))
        before = after
    return np.array(found, np.float32)


def runs(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the half-open intervals in which a mask is true, ``(N, 2)``, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return edges.reshape(-1, 2)
