"""The table of a corpus' videos: who is in them, where they lie, how many frames they really have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa

from cache.errors import InputError
from cache.files import VideoIds
from cache.tables import schema

SOURCES = ("video", "images", "openface")

SCHEMA = schema.schema(
    video=pa.string(),
    subject=pa.string(),
    path=pa.string(),
    source=pa.string(),
    frame_count=pa.int64(),
    frame_rate=pa.float64(),
    first_label=pa.int64(),
    width=pa.int64(),
    height=pa.int64(),
    source_digest=pa.string(),
    frame_step=pa.int64(),
)


@dataclass(frozen=True)
class Video:
    """One long recording of one subject.

    Attributes:
        path: relative to the corpus folder, with forward slashes: a video file, a folder of images, or OpenFace's CSV.
        source: one of `SOURCES`.
        frame_count: of the frames taken, by decoding, never from a header.
        frame_rate: mean frames a second, of the frames taken.
        first_label: the number the corpus gives to the first frame.
        source_digest: sha256 of the video file, or over the sorted names and sha256 of the images.
        frame_step: every how many frames of the source one is taken, beginning with the first.
    """

    video: str
    subject: str
    path: str
    source: str
    frame_count: int
    frame_rate: float
    first_label: int
    width: int
    height: int
    source_digest: str
    frame_step: int = 1


def write(path: Path, videos: Sequence[Video]) -> None:
    """Write the table, in the order given.

    Raises:
        InputError: a row or an id that `read` would refuse.
    """
    schema.write(path, SCHEMA, videos, _fault_or_double(path))


def read(path: Path) -> list[Video]:
    """Return the videos in the table's order.

    Raises:
        InputError: not this table, an impossible row, or two videos with one id (upper and lower case are one).
    """
    return schema.read(path, SCHEMA, Video, _fault_or_double(path))


def _fault_or_double(path: Path) -> schema.Fault[Video]:
    """Return what looks at one row after the other, and so stops at the first id that stands twice."""
    seen = VideoIds()

    def fault(video: Video) -> str | None:
        try:
            seen.add(video.video)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        return _fault(video)

    return fault


def _fault(video: Video) -> str | None:
    place = PurePosixPath(video.path)
    if not video.path or place.is_absolute() or ".." in place.parts or "\\" in video.path:
        return f"path '{video.path}' of {video.video} is not inside the corpus folder"
    if video.source not in SOURCES:
        return f"source '{video.source}' of {video.video} is none of {', '.join(SOURCES)}"
    if not video.subject:
        return f"{video.video} has no subject"
    if min(video.frame_count, video.width, video.height) < 1 or video.first_label < 0:
        return (
            f"{video.video} has {video.frame_count} frames of {video.width} x {video.height} from label "
            f"{video.first_label}; expected positive numbers, and a label from 0"
        )
    if video.frame_step < 1:
        return f"{video.video} has frame step {video.frame_step}; expected 1 or more"
    if not (math.isfinite(video.frame_rate) and video.frame_rate > 0):
        return f"{video.video} has frame rate {video.frame_rate}; expected a positive number"
    return None
