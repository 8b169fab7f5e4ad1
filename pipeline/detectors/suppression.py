"""Non-maximum suppression of overlapping intervals: windows overlap, so one expression is found many times."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.intervals import pairwise_iou


def suppress(
    intervals: npt.NDArray[np.int64],
    confidence: npt.NDArray[np.float32],
    emotions: npt.NDArray[np.int64],
    overlap: float,
    keep: int,
    per_class: bool,
) -> npt.NDArray[np.int64]:
    """Return the positions of the detections that stay, the most confident first.

    A detection goes when its IoU with a more confident one that stays is greater than `overlap`. Equal confidence is
    settled by the earlier start, then the earlier stop, then the lower emotion, so the order of the input is of no
    consequence.

    Args:
        intervals: ``(N, 2)`` half-open, in frames; N may be 0.
        confidence: ``(N,)``.
        emotions: ``(N,)`` class indices.
        overlap: greatest IoU two detections that stay may have; 1 suppresses nothing but `keep`.
        keep: at most so many stay.
        per_class: only detections of one emotion suppress each other.

    Returns:
        ``(n,)`` int64, n at most `keep`.
    """
    waiting = np.lexsort((emotions, intervals[:, 1], intervals[:, 0], -confidence.astype(np.float64)))
    staying: list[int] = []
    while len(waiting) and len(staying) < keep:
        best, waiting = waiting[0], waiting[1:]
        staying.append(int(best))
        suppressed = pairwise_iou(intervals[best : best + 1], intervals[waiting])[0] > overlap
        if per_class:
            suppressed &= emotions[waiting] == emotions[best]
        waiting = waiting[~suppressed]
    return np.array(staying, np.int64)
