"""Per-frame columns: time, label, whether a face was found and how surely, one entry for each frame of a video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FrameColumns:
    """What is known of each of the T frames of a video, position by position.

    Args:
        pts_seconds: ``(T,)`` float64, when the frame is shown; finite, not negative, never decreasing.
        frame_label: ``(T,)`` int64, its number in the corpus; not negative, increasing, gaps allowed.
        face_found: ``(T,)`` bool; without a face, the image is not to be used and the feature means nothing.
        face_confidence: ``(T,)`` float32, 0 to 1.
    """

    pts_seconds: NDArray[np.float64]
    frame_label: NDArray[np.int64]
    face_found: NDArray[np.bool_]
    face_confidence: NDArray[np.float32]

    def __len__(self) -> int:
        """Return T, the number of frames."""
        return len(self.pts_seconds)


def describe_fault(columns: FrameColumns) -> str | None:
    """Return what is wrong with the columns of a video, naming the first such frame, or None."""
    expected: dict[str, Any] = {
        "pts_seconds": np.float64, "frame_label": np.int64, "face_found": np.bool_, "face_confidence": np.float32,
    }  # fmt: skip
    if len(columns) == 0:
        return "there is no frame, expected at least one"
    for name, data_type in expected.items():
        column = getattr(columns, name)
        if column.shape != (len(columns),) or column.dtype != data_type:
            wanted = f"({len(columns)},) of {np.dtype(data_type)}"
            return f"{name} has shape {column.shape} of {column.dtype}, expected {wanted}"
    seconds, label, confidence = columns.pts_seconds, columns.frame_label, columns.face_confidence
    faults = {
        "pts_seconds is not finite or negative": ~(np.isfinite(seconds) & (seconds >= 0)),
        "pts_seconds is less than that of the frame before": np.append(False, seconds[1:] < seconds[:-1]),
        "frame_label is negative": label < 0,
        "frame_label is not greater than that of the frame before": np.append(False, label[1:] <= label[:-1]),
        "face_confidence is not between 0 and 1": ~((confidence >= 0) & (confidence <= 1)),
    }
    for fault, where in faults.items():
        if where.any():
            return f"{fault} at position {int(where.argmax())}"
    return None
