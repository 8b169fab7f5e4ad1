"""The landmarks that OpenFace wrote of one video: 68 points for every frame in which it found the face."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache.columns import FrameColumns
from cache.errors import InputError
from cache.openface import rows as openface_rows
from cache.openface import tracks as openface_tracks


@dataclass(frozen=True)
class Landmarks:
    """One face in the ``T`` frames of a video.

    Attributes:
        points: ``(T, 68, 2)`` x and y in pixels of the frame; without meaning where `columns.face_found` is false,
            because OpenFace goes on with stale ones.
        columns: whether there is a face and its confidence; times and labels as OpenFace counts them.
        warnings: what the user should know.
    """

    points: NDArray[np.float64]
    columns: FrameColumns
    warnings: tuple[str, ...]


def find(folder: Path, video: str, stem: str) -> Path:
    """Return where the CSV of a video lies: named by its id or, as OpenFace does it, by its file.

    Raises:
        InputError: there is none.
    """
    names = list(dict.fromkeys((f"{video}.csv", f"{stem}.csv")))
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        f"{folder} has no {' or '.join(names)}, the landmarks of {video}. Run FeatureExtraction -f <video> -2Dfp: it "
        "exits with 0 even when it wrote nothing."
    )


def read(path: Path, face: int | None, frame_rate: float, frame_count: int) -> Landmarks:
    """Return the landmarks of one face, checked against the video; arguments as for `tracks.follow`.

    Raises:
        InputError: the CSV is missing, damaged, without landmarks, or of another number of frames than the video.
    """
    rows, points_of_rows = openface_rows.read_landmarks(path)
    track = openface_tracks.follow(path, rows, face, frame_rate, frame_count)
    points = np.zeros((frame_count, *points_of_rows.shape[1:]))
    is_taken = rows.face == track.face
    points[rows.frame[is_taken] - 1] = points_of_rows[is_taken]
    return Landmarks(points, track.columns, track.warnings)
