"""Detections of a corpus -> rows of `found.csv`: numbers of frames, seconds, the threshold, the expression found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cache.columns import FrameColumns
from cache.errors import ShardError
from cache.shards import features, manifest
from cache.tables import intervals
from cache.tables.found import Found
from cache.tables.intervals import NO_LABEL, Detection, Expression, Interval
from cache.tables.videos import Video
from pipeline.diagnosis.outcomes import CORRECT, KINDS, outcomes_of
from pipeline.intervals import rowwise_iou
from pipeline.scoring.matching import match_rows
from pipeline.scoring.results import VideoResult
from stages.results.diagnosis import judged
from stages.results.video_results import by_video


def columns_of(folder: Path, table: Sequence[Video]) -> dict[str, FrameColumns]:
    """Return number and time of every frame of each video, by video, from the shards of its features.

    Raises:
        InputError: the folder is no folder of shards.
        ShardError: a video has no shard, or one of another length.
    """
    held = manifest.read(folder).shards
    columns = {}
    for video in table:
        entry = held.get(video.video)
        if entry is None:
            raise ShardError(f"{folder} has no features of {video.video}. Run: dvc repro, or facespan extract")
        columns[video.video] = features.read_columns(folder / entry.file, entry.key)
        if len(columns[video.video]) != video.frame_count:
            raise ShardError(
                f"{folder / entry.file} has {len(columns[video.video])} frames, its video {video.frame_count}. "
                "Run: dvc repro, which aligns and extracts what changed"
            )
    return columns


def rows_of(
    results: Sequence[VideoResult],
    known: Sequence[Expression],
    found: Sequence[Detection],
    thresholds: Mapping[str, float],
    columns: Mapping[str, FrameColumns],
    classes: Sequence[str],
) -> list[Found]:
    """Return a row for each detection, accepted or not, by video and onset.

    Args:
        results: of the same expressions and detections, each video's in the order of the rows.
        thresholds: by subject.
        columns: of each video's frames.
        classes: names of the emotions.
    """
    rows, of_known, of_found = [], by_video(known), by_video(found)
    for result, judged_result in zip(results, judged(results, classes), strict=True):
        own, truths = of_found[result.video], of_known[result.video]
        matched, frames = match_rows(result), columns[result.video]
        kinds = outcomes_of(judged_result, frames.face_found).kind
        told = [
            _row(row, truths[match] if match >= 0 else None, thresholds[row.subject], frames, KINDS[kind])
            for row, match, kind in zip(own, matched.tolist(), kinds.tolist(), strict=True)
        ]
        rows += sorted(told, key=lambda row: (row.onset, row.offset, row.emotion))
    return rows


def numbers_of(row: Interval, frames: FrameColumns) -> tuple[int, int]:
    """Return the corpus' own numbers of the first and the last frame, inclusive; an expression's as annotated.

    A frame that was not taken, or is missing in the corpus, has no number here: a detection is named by its first and
    its last frame that the detector saw.
    """
    onset, offset = (row.onset, row.offset) if isinstance(row, Expression) else (NO_LABEL, NO_LABEL)
    return (
        int(frames.frame_label[row.start]) if onset == NO_LABEL else onset,
        int(frames.frame_label[row.stop - 1]) if offset == NO_LABEL else offset,
    )


def _row(row: Detection, truth: Expression | None, threshold: float, frames: FrameColumns, kind: str) -> Found:
    onset, offset = numbers_of(row, frames)
    return Found(
        subject=row.subject,
        video=row.video,
        onset=onset,
        offset=offset,
        onset_seconds=float(frames.pts_seconds[row.start]),
        offset_seconds=float(frames.pts_seconds[row.stop - 1]),
        emotion=row.emotion,
        confidence=float(np.float32(row.confidence)),
        threshold=threshold,
        error=None if kind == KINDS[CORRECT] else kind,
        **({} if truth is None else _told(truth, row, frames)),
    )


def _told(truth: Expression, row: Detection, frames: FrameColumns) -> dict[str, Any]:
    onset, offset = numbers_of(truth, frames)
    return {
        "truth_onset": onset,
        "truth_offset": offset,
        "truth_emotion": truth.emotion,
        "iou": float(rowwise_iou(intervals.of([row]), intervals.of([truth]))[0]),
    }
