"""The tables of a corpus -> one `VideoResult` a video: its expressions beside its detections."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from cache.errors import InputError
from cache.tables import intervals
from cache.tables.intervals import Detection, Expression
from cache.tables.videos import Video
from pipeline.scoring.results import VideoResult

Row = TypeVar("Row", Expression, Detection)


def names_in(classes: Sequence[str], found: Sequence[Detection]) -> tuple[str, ...]:
    """Return the corpus' classes, and after them the name that a detector which only spots gives to everything."""
    only_spotted = any(row.emotion == intervals.UNRECOGNISED for row in found)
    return (*classes, intervals.UNRECOGNISED) if only_spotted else tuple(classes)


def pair(
    table: Sequence[Video], known: Sequence[Expression], found: Sequence[Detection], classes: Sequence[str]
) -> list[VideoResult]:
    """Return each video's expressions beside its detections.

    Raises:
        InputError: a row of a video that is not in the table, beyond its end, or of an emotion that is none
            of the classes.
    """
    lengths = {video.video: video.frame_count for video in table}
    rows: list[Expression | Detection] = [*known, *found]
    for row in rows:
        if row.video not in lengths:
            raise InputError(f"{row} is of a video that is not in the table of videos. Run: dvc repro")
        if row.stop > lengths[row.video]:
            raise InputError(f"{row} ends after its video, which has {lengths[row.video]} frames. Run: dvc repro")
        if row.emotion not in classes:
            raise InputError(f"{row} has the emotion {row.emotion!r}, none of {', '.join(classes)}. Run: dvc repro")
    of_known, of_found = by_video(known), by_video(found)
    return [_result(video, of_known[video.video], of_found[video.video], classes) for video in table]


def by_video(rows: Sequence[Row]) -> defaultdict[str, list[Row]]:
    """Return the rows of each video, in their order; none of a video that has none."""
    grouped: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row.video].append(row)
    return grouped


def _result(
    video: Video, known: Sequence[Expression], found: Sequence[Detection], classes: Sequence[str]
) -> VideoResult:
    index = {name: position for position, name in enumerate(classes)}
    return VideoResult(
        video=video.video,
        subject=video.subject,
        frame_count=video.frame_count,
        truth_intervals=intervals.of(known),
        truth_classes=np.array([index[row.emotion] for row in known], dtype=np.int64),
        intervals=intervals.of(found),
        classes=np.array([index[row.emotion] for row in found], dtype=np.int64),
        confidence=np.array([row.confidence for row in found], dtype=np.float32),
    )
