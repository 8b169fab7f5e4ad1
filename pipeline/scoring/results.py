"""Ground truth and detections of one video, side by side: the input of every score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline import intervals as frame_intervals
from pipeline.errors import DataError
from pipeline.intervals import Booleans, Intervals

Integers = npt.NDArray[np.int64]
Confidences = npt.NDArray[np.float32] | npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class VideoResult:
    """One video's expressions and detections; the order of neither matters.

    Attributes:
        video: id, unique in the corpus.
        subject: who is seen; thresholds are chosen on the other subjects.
        frame_count: T, above 0; only random guessing needs it.
        truth_intervals: ``(M, 2)`` half-open, in frames. ``(0, 2)`` for a video without expressions.
        truth_classes: ``(M,)`` indices into the class names.
        intervals: ``(N, 2)`` half-open, in frames, after suppression and before any threshold.
        classes: ``(N,)`` indices into the class names.
        confidence: ``(N,)`` between 0 and 1.

    Raises:
        DataError: there is no frame, an interval does not last, a class is negative, or a confidence is NaN or outside
            [0, 1].
        ValueError: a shape or a kind of number is wrong.
    """

    video: str
    subject: str
    frame_count: int
    truth_intervals: Intervals
    truth_classes: Integers
    intervals: Intervals
    classes: Integers
    confidence: Confidences

    def __post_init__(self) -> None:
        """Refuse what cannot be scored, naming the video."""
        if self.frame_count < 1:
            raise DataError(f"{self.video}: frame_count is {self.frame_count}, expected at least 1")
        frame_intervals.check(self.truth_intervals, f"{self.video}: truth_intervals")
        frame_intervals.check(self.intervals, f"{self.video}: intervals")
        _check_classes(self.truth_classes, len(self.truth_intervals), f"{self.video}: truth_classes")
        _check_classes(self.classes, len(self.intervals), f"{self.video}: classes")
        _check_confidence(self.confidence, len(self.intervals), f"{self.video}: confidence")


def keep_confident(videos: Sequence[VideoResult], thresholds: Mapping[str, float]) -> list[VideoResult]:
    """Return the videos with the detections whose confidence is at least the threshold of their subject.

    Raises:
        DataError: a subject has no threshold.
    """
    # In double precision, as where thresholds are chosen: 0.7 is above float32's 0.7, and must be so everywhere.
    return [_keep(r, r.confidence.astype(np.float64) >= threshold_of(r.subject, thresholds)) for r in videos]


def threshold_of(subject: str, thresholds: Mapping[str, float]) -> float:
    """Return the subject's threshold; a subject without one is a DataError."""
    if subject not in thresholds:
        raise DataError(f"subject {subject} has no threshold; thresholds are given for {sorted(thresholds)}")
    return thresholds[subject]


def _keep(result: VideoResult, kept: Booleans) -> VideoResult:
    return replace(
        result, intervals=result.intervals[kept], classes=result.classes[kept], confidence=result.confidence[kept]
    )


def _check_classes(classes: Integers, count: int, name: str) -> None:
    if classes.shape != (count,) or classes.dtype.kind not in "iu":
        raise ValueError(
            f"{name} has shape {classes.shape} and dtype {classes.dtype}, expected ({count},) whole numbers, "
            "one for each interval"
        )
    if count and classes.min() < 0:
        raise DataError(f"{name} holds {classes.min()}, expected indices into the class names, from 0")


def _check_confidence(confidence: Confidences, count: int, name: str) -> None:
    if confidence.shape != (count,) or confidence.dtype.kind != "f":
        raise ValueError(
            f"{name} has shape {confidence.shape} and dtype {confidence.dtype}, expected ({count},) real numbers, "
            "one for each interval"
        )
    broken = ~((confidence >= 0) & (confidence <= 1))  # NaN compares false, so it is caught here too
    if broken.any():
        row = int(np.flatnonzero(broken)[0])
        raise DataError(f"{name}[{row}] is {confidence[row]}, expected 0 to 1; raw scores need a sigmoid first")
