"""Linear interpolation of features in time: rows that describe several frames -> one feature for every frame."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError


def to_frames(rows: NDArray[np.float32], frame_count: int, first: float, stride: int) -> NDArray[np.float32]:
    """Return ``(T, C)``, what stands between two rows interpolated, what stands outside of all the nearest row.

    Args:
        rows: ``(R, C)``; row r describes the frames about frame ``first + r * stride``.
        frame_count: T.
        first: the middle of what the first row saw, in frames from 0: 7.5 for 16 frames.
        stride: frames between two rows.

    Raises:
        DataError: there are not as many rows as such a video has.
    """
    wanted = (frame_count - 1 - 2 * first) / stride + 1
    if not math.floor(wanted) <= len(rows) <= math.ceil(wanted):
        raise DataError(
            f"{len(rows)} rows for {frame_count} frames, expected {math.floor(wanted)} to {math.ceil(wanted)} when the "
            f"first describes frame {first:g} and the next ones follow every {stride}: see extract.imported_first "
            "and extract.imported_stride"
        )
    places = (np.arange(frame_count) - first) / stride
    below = np.clip(np.floor(places), 0, len(rows) - 1).astype(np.int64)
    above = np.minimum(below + 1, len(rows) - 1)
    share = np.clip(places - below, 0, 1).astype(np.float32)[:, None]
    return rows[below] * (1 - share) + rows[above] * share
