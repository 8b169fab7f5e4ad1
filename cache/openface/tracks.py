"""Face track from OpenFace's rows: one face, with one entry for every frame of the video."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache.columns import FrameColumns
from cache.errors import InputError
from cache.openface.rows import Rows

# Where nothing else says how long a video is: nine hours at 30 frames a second, and a face in one frame of a hundred.
FREE_FRAMES, FRAMES_A_ROW = 1_000_000, 100


@dataclass(frozen=True)
class Track:
    """One face in the ``T`` frames of a video.

    Attributes:
        face: its `face_id`.
        columns: times, labels from 1, success and confidence; both 0 where the face has no row.
        has_row: ``(T,)`` bool.
        frame_rate: mean frames a second.
        warnings: what the user should know.
    """

    face: int
    columns: FrameColumns
    has_row: NDArray[np.bool_]
    frame_rate: float
    warnings: tuple[str, ...]


def follow(path: Path, rows: Rows, face: int | None, frame_rate: float | None, frame_count: int | None) -> Track:
    """Return the track of one face; `path` is named in errors.

    Args:
        face: which face; None takes the one with the largest sum of size over the frames where it was found.
        frame_rate: for rows whose timestamps are useless, as those of an image folder are.
        frame_count: decoded frames of the video; None ends it with the last frame that has a row.

    Raises:
        InputError: no such face, rows that disagree with `frame_count`, or no usable times.
    """
    if frame_rate is not None and not (math.isfinite(frame_rate) and frame_rate > 0):
        raise InputError(f"frame_rate is {frame_rate}; expected frames a second, more than 0.")
    taken, about_faces = _choose(path, rows, face)
    total, about_rows = _count(path, rows, frame_count)
    seconds, rate, about_time = _times(path, rows, total, frame_rate)
    is_taken = rows.face == taken
    positions = rows.frame[is_taken] - 1
    has_row = np.zeros(total, dtype=bool)
    has_row[positions] = True
    success = np.zeros(total, dtype=bool)
    success[positions] = rows.success[is_taken]
    confidence = np.zeros(total, dtype=np.float32)
    confidence[positions] = rows.confidence[is_taken]
    columns = FrameColumns(seconds, np.arange(1, total + 1, dtype=np.int64), success, confidence)
    return Track(taken, columns, has_row, rate, (*about_faces, *about_rows, *about_time))


def _choose(path: Path, rows: Rows, face: int | None) -> tuple[int, list[str]]:
    faces, places = np.unique(rows.face, return_inverse=True)
    found = np.bincount(places, weights=rows.success)
    weights = np.bincount(places, weights=rows.success * np.maximum(rows.size, 0))
    counts = ", ".join(f"face {number} in {int(frames)} frames" for number, frames in zip(faces, found, strict=True))
    if face is not None:
        if face not in faces:
            raise InputError(f"{path} has no face {face}; found: {counts}.")
        return face, []
    taken = int(faces[weights.argmax()])
    if len(faces) == 1:
        return taken, []
    return taken, [f"{path.name} follows {len(faces)} faces ({counts}): took face {taken}, the largest over time."]


def _count(path: Path, rows: Rows, frame_count: int | None) -> tuple[int, list[str]]:
    """Return ``T``: FeatureExtraction writes a row per frame, FaceLandmarkVidMulti none where it sees no face."""
    last = int(rows.frame.max())
    named = len(np.unique(rows.frame))
    is_row_per_frame = named == last == len(rows)
    if frame_count is None and last > FREE_FRAMES + FRAMES_A_ROW * named:
        raise InputError(
            f"{path} names frame {last}, but has rows for {named} frames only: a number in it is damaged. Run "
            "FeatureExtraction again."
        )
    total = last if frame_count is None else frame_count
    if last > total or (is_row_per_frame and last < total):
        raise InputError(
            f"{path} has rows for {named} frames up to frame {last}, but the video decodes to {total} frames. "
            "OpenFace stopped early or read another file: run FeatureExtraction again on this video."
        )
    if named == total:
        return total, []
    return total, [f"{path.name} has no row for {total - named} of {total} frames: marked as frames without a face."]


def _times(
    path: Path, rows: Rows, total: int, frame_rate: float | None
) -> tuple[NDArray[np.float64], float, list[str]]:
    """Return strictly increasing ``(T,)`` seconds and the frame rate; frames without a row lie between the others."""
    frames, first_rows = np.unique(rows.frame, return_index=True)
    positions, seconds = frames - 1, rows.seconds[first_rows]
    is_usable = len(seconds) > 1 and seconds[0] >= 0 and bool((np.diff(seconds) > 0).all())
    if not is_usable:
        if frame_rate is None:
            found = "0 throughout (-fdir writes no others)" if not seconds.any() else "not increasing"
            raise InputError(f"{path}: the timestamps are {found}. Give frame_rate, the frames a second of the video.")
        warning = (
            f"{path.name} has no timestamps: time is position / {frame_rate}. -fdir takes images by name (1, 10, 2): "
            "make sure that their numbers have leading zeros."
        )
        return np.arange(total) / frame_rate, frame_rate, [warning]
    rate = _rate(positions, seconds)
    everywhere = np.interp(np.arange(total), positions, seconds)
    before, after = np.arange(positions[0]), np.arange(positions[-1] + 1, total)
    everywhere[before] = np.maximum(seconds[0] - (positions[0] - before) / rate, before * 1e-6)
    everywhere[after] = seconds[-1] + (after - positions[-1]) / rate
    return everywhere, frame_rate or rate, []


def _rate(positions: NDArray[np.int64], seconds: NDArray[np.float64]) -> float:
    duration_seconds = float(seconds[-1] - seconds[0])
    rate = float(positions[-1] - positions[0]) / duration_seconds
    # Timestamps have three decimals: within what they can tell, a whole number is meant.
    return float(round(rate)) if abs(rate - round(rate)) <= rate * 0.001 / duration_seconds else rate
