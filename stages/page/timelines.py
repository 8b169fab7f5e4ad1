"""Timelines: what the drawing that all videos share is filled with for one of them, as plain JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.page.document import Case, Timeline
from stages.page.kinds import kind_of

MOST_BINS = 1500


def binned(curve: npt.NDArray[np.float16], most: int = MOST_BINS) -> tuple[int, list[str]]:
    """Return how many frames a bin holds, and per class the greatest score of each bin as base64 of uint8.

    Args:
        curve: ``(T, K)`` scores between 0 and 1.

    Returns:
        Frames a bin, and K strings of at most `most` values (255 is a score of 1); none where T is 0.
    """
    frames = len(curve)
    if not frames:
        return 1, []
    width = -(-frames // most)
    scores = np.nan_to_num(curve.astype(np.float32))
    greatest = np.maximum.reduceat(scores, np.arange(0, frames, width), axis=0)
    levels = np.rint(np.clip(greatest, 0, 1) * 255).astype(np.uint8)
    return width, [base64.b64encode(levels[:, column].tobytes()).decode() for column in range(levels.shape[1])]


def filling(
    videos: Sequence[Timeline | None],
    classes: Mapping[str, int],
    columns: Sequence[Sequence[int]],
    bins: int = MOST_BINS,
) -> dict[str, Any]:
    """Return what fills the timeline of one video, as plain JSON.

    Args:
        videos: the video in each run; None where a run has no such video, though one has.
        classes: the emotions' numbers on the page.
        columns: of each run, the number on the page of each column of its curves.
        bins: at most so many points a curve.
    """
    first = next(video for video in videos if video is not None)
    truths = [[row.start, row.stop, classes.get(row.emotion, -1)] for row in first.expressions]
    return {
        "video": first.video,
        "subject": first.subject,
        "frames": first.frame_count,
        "pace": first.seconds_per_frame if first.seconds_per_frame > 0 else 1.0,
        "first": first.first_label,
        "step": first.labels_per_frame,
        "truths": truths,
        "faceless": [list(span) for span in first.faceless],
        "runs": [_of_run(video, classes, places, bins) for video, places in zip(videos, columns, strict=True)],
    }


def _of_run(
    video: Timeline | None, classes: Mapping[str, int], columns: Sequence[int], bins: int
) -> dict[str, Any] | None:
    if video is None:
        return None
    width, curves = binned(video.curve, bins)
    return {
        "threshold": _number(video.threshold),
        "bin": width,
        "curves": curves,
        "columns": list(columns),
        "cases": [_of_case(case, video, classes) for case in video.cases],
    }


def _of_case(case: Case, video: Timeline, classes: Mapping[str, int]) -> dict[str, Any]:
    expression = None if case.truth is None else video.expressions[case.truth]
    return {
        "kind": kind_of(case).key,
        "span": [case.start, case.stop],
        "labels": [case.onset, case.offset],
        "seconds": [round(case.onset_seconds, 3), round(case.offset_seconds, 3)],
        "emotion": None if case.emotion is None else classes.get(case.emotion, -1),
        "of": case.truth,
        "truth": None if expression is None else classes.get(expression.emotion, -1),
        "length": None if expression is None else expression.stop - expression.start,
        "strength": None if expression is None else expression.kind,
        "cut": case.cut_by_window,
        "iou": _number(case.iou),
        "confidence": _number(case.confidence),
        "scores": [_number(score) for score in case.scores],
    }


def _number(value: float | None) -> float | None:
    """Return a value rounded for a page; None where it is none, or is not finite, which JSON cannot say."""
    return None if value is None or not np.isfinite(value) else round(float(value), 4)


def numbered(names: Sequence[Sequence[str]]) -> dict[str, int]:
    """Return a number for each emotion of one or several runs, those of the first run in its order."""
    return {name: index for index, name in enumerate(dict.fromkeys(name for run in names for name in run))}
