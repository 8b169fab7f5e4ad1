"""Where windows lie: the detector sees a long video through fixed runs of frames that overlap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError


def slide(frame_count: int, length: int, stride: int) -> npt.NDArray[np.int64]:
    """Return windows that together cover every frame of a video.

    Args:
        frame_count: frames of the video, at least 1.
        length: frames of a window.
        stride: frames from one window's start to the next one's.

    Returns:
        ``(W, 2)`` half-open windows in frames, by start. The last one ends with the video, so it may start less than
        a stride after the one before. A video shorter than a window gives ``[0, length)``, whose tail is padding.

    Raises:
        DataError: the stride is longer than a window and would skip frames.
        ValueError: one of the three is less than 1.
    """
    for name, value in (("frame_count", frame_count), ("length", length), ("stride", stride)):
        if value < 1:
            raise ValueError(f"{name} is {value}, expected at least 1")
    if stride > length:
        raise DataError(f"stride is {stride}, expected at most the window's {length} frames: it would skip frames")
    last = max(frame_count - length, 0)
    starts = np.append(np.arange(0, last, stride, dtype=np.int64), np.int64(last))
    return np.stack([starts, starts + length], axis=1)
