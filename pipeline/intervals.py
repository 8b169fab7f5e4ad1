"""Interval arithmetic: duration, intersection and IoU of half-open frame intervals."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError

Intervals: TypeAlias = npt.NDArray[np.int64] | npt.NDArray[np.float32] | npt.NDArray[np.float64]
Floats: TypeAlias = npt.NDArray[np.float64]
Booleans: TypeAlias = npt.NDArray[np.bool_]


def check(intervals: npt.NDArray[Any], name: str) -> None:
    """Raise DataError unless these are intervals that each last; none at all is ``(0, 2)``.

    Raises:
        DataError: a bound is not finite, or an interval does not stop after it starts.
        ValueError: the shape is not ``(N, 2)``, or these are no numbers.
    """
    if intervals.ndim != 2 or intervals.shape[1] != 2:
        raise ValueError(f"{name} has shape {intervals.shape}, expected (N, 2); no intervals is np.empty((0, 2))")
    if intervals.dtype.kind not in "iuf":
        raise ValueError(f"{name} has dtype {intervals.dtype}, expected whole or real numbers of frames")
    broken = ~(np.isfinite(intervals).all(axis=1) & (intervals[:, 1] > intervals[:, 0]))
    if broken.any():
        row = int(np.flatnonzero(broken)[0])
        raise DataError(
            f"{name}[{row}] is {intervals[row].tolist()}, expected finite [start, stop) with start < stop "
            f"({int(broken.sum())} such of {len(intervals)}); stop is the offset + 1"
        )


def durations(intervals: Intervals) -> Floats:
    """Return how many frames each interval lasts, ``(N,)``."""
    return _length(intervals)


def pairwise_intersection(first: Intervals, second: Intervals) -> Floats:
    """Return how many frames every interval in one set shares with every interval in another.

    Args:
        first: ``(N, 2)`` half-open intervals ``[start, stop)``, in frames.
        second: ``(M, 2)``, likewise.

    Returns:
        ``(N, M)`` frames, 0 where two only touch; an empty set gives an empty side.
    """
    return _intersection(first[:, None], second[None])


def pairwise_iou(first: Intervals, second: Intervals) -> Floats:
    """Return the overlap of every interval in one set with every interval in another.

    Args:
        first: ``(N, 2)`` half-open intervals ``[start, stop)``, in frames.
        second: ``(M, 2)``, likewise.

    Returns:
        ``(N, M)`` values between 0 and 1. Touching intervals overlap by 0. Whole frames give the float nearest to the
        true ratio, so comparing with 0.5 or 55 / 100 is exact.
    """
    return _iou(first[:, None], second[None])


def rowwise_iou(first: Intervals, second: Intervals) -> Floats:
    """Return the overlap of each interval with the one in the same row of the other set, ``(N,)``."""
    return _iou(first, second)


def _length(intervals: Intervals) -> Floats:
    # Real numbers of double precision hold every whole number of frames exactly.
    lengths: Floats = np.subtract(intervals[..., 1], intervals[..., 0], dtype=np.float64)
    return lengths


def _intersection(first: Intervals, second: Intervals) -> Floats:
    stop = np.minimum(first[..., 1], second[..., 1], dtype=np.float64)
    start = np.maximum(first[..., 0], second[..., 0], dtype=np.float64)
    shared: Floats = np.maximum(stop - start, 0.0)
    return shared


def _iou(first: Intervals, second: Intervals) -> Floats:
    shared = _intersection(first, second)
    union = _length(first) + _length(second) - shared
    overlap: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlap
