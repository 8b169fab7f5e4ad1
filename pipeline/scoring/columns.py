"""A corpus in columns, one row an event of any video, and the same corpus video by video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.intervals import Floats
from pipeline.scoring.results import VideoResult


@dataclass(frozen=True, eq=False)
class Columns:
    """N events, in any order.

    Attributes:
        video: ``(N,)`` indices into the videos.
        start, stop: ``(N,)`` each, half-open, in frames.
        classes: ``(N,)`` indices into the class names.
        confidence: ``(N,)`` from 0 to 1; None for truths.
    """

    video: npt.NDArray[Any]
    start: npt.NDArray[Any]
    stop: npt.NDArray[Any]
    classes: npt.NDArray[Any]
    confidence: Floats | None = None


def by_video(
    names: Sequence[str], subjects: Sequence[str], frame_counts: Sequence[int], truths: Columns, found: Columns
) -> list[VideoResult]:
    """Return the truths and detections of each video; one that no row names is a video without either.

    Args:
        names: of V videos; ``subjects`` and ``frame_counts`` go with them.
    """
    truth_rows, found_rows = _sorted_by_video(truths), _sorted_by_video(found)
    edges = np.arange(len(names) + 1)
    truth_edges = np.searchsorted(truth_rows.video, edges)
    found_edges = np.searchsorted(found_rows.video, edges)
    results = []
    for index, (name, subject, count) in enumerate(zip(names, subjects, frame_counts, strict=True)):
        known = slice(truth_edges[index], truth_edges[index + 1])
        told = slice(found_edges[index], found_edges[index + 1])
        confidence = np.empty(0) if found_rows.confidence is None else found_rows.confidence[told]
        results.append(
            VideoResult(
                video=name,
                subject=subject,
                frame_count=count,
                truth_intervals=_intervals(truth_rows, known),
                truth_classes=truth_rows.classes[known],
                intervals=_intervals(found_rows, told),
                classes=found_rows.classes[told],
                confidence=confidence,
            )
        )
    return results


def _sorted_by_video(rows: Columns) -> Columns:
    if (rows.video[1:] >= rows.video[:-1]).all():
        return rows
    order = np.argsort(rows.video, kind="stable")
    confidence = None if rows.confidence is None else rows.confidence[order]
    return Columns(rows.video[order], rows.start[order], rows.stop[order], rows.classes[order], confidence)


def _intervals(rows: Columns, part: slice) -> npt.NDArray[Any]:
    return np.stack([rows.start[part], rows.stop[part]], axis=1)
