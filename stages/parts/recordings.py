"""Loading of recordings: the tables and feature shards of a corpus -> one `Recording` per video."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cache import checked
from cache.checked import Checked
from cache.errors import InputError, ShardError
from cache.shards import features, manifest
from cache.shards.shard_entry import ShardEntry
from cache.tables import intervals, videos
from cache.tables.intervals import Expression
from cache.tables.videos import Video
from pipeline.windows.recordings import Recording
from stages.parts import shard_folders
from stages.shell import places


@dataclass(frozen=True)
class Inputs:
    """Where a corpus lies: its tables and its folder of feature shards; without expressions nothing is known."""

    videos: Path
    features: Path
    expressions: Path | None
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """What tables and manifest tell of a corpus, checked against each other; no shard has been opened.

    Args:
        videos: of the table, in its order.
        entries: the manifest's, of each video.
        expressions: of each video, also of those without any.
        known: the shards that were checked before, on this disk.
    """

    inputs: Inputs
    videos: tuple[Video, ...]
    entries: Mapping[str, ShardEntry]
    expressions: Mapping[str, list[Expression]]
    known: Checked

    @property
    def frame_count(self) -> int:
        """Frames of all videos."""
        return sum(video.frame_count for video in self.videos)


def look(inputs: Inputs) -> Listing:
    """Return what a corpus holds.

    Raises:
        ShardError: a video of the table has no shard, or one of another length.
        InputError: an expression of an unknown class, in no video of the table, or beyond its video's end.
    """
    table = videos.read(inputs.videos)
    held = manifest.read(inputs.features).shards
    annotated = intervals.read(inputs.expressions, Expression) if inputs.expressions else []
    check(annotated, table, inputs)
    for video in table:
        if video.video not in held:
            raise ShardError(f"{inputs.features} has no features of {video.video}. Run: dvc repro, or facespan extract")
        _check_length(video, inputs.features / held[video.video].file, held[video.video].frames)
    own: dict[str, list[Expression]] = {video.video: [] for video in table}
    for row in annotated:
        own[row.video].append(row)
    known = checked.read(places.checked_file(inputs.features), inputs.features)
    return Listing(inputs, tuple(table), held, own, known)


def each(listing: Listing) -> Iterator[Recording]:
    """Yield the recording of every video, in the order of the table; a shard is opened when its turn comes.

    Raises:
        ShardError: a shard is missing, corrupt, of another length than its video, or of another width than others.
    """
    first = ""
    expected = 0
    for video in listing.videos:
        recording = _recording(video, listing)
        width = recording.features.shape[1]
        first, expected = first or video.video, expected or width
        if width != expected:
            raise ShardError(
                f"{_path(video, listing)} has features {width} wide, those of {first} are {expected}. "
                "Extract all with one encoder: dvc repro, or facespan extract --force"
            )
        yield recording
    shard_folders.remember(listing.known)


def load(inputs: Inputs) -> list[Recording]:
    """Return the recordings of every video, in the order of the table; errors as in `look` and `each`."""
    return list(each(look(inputs)))


def encoder_of(folder: Path) -> dict[str, Any]:
    """Return what the manifest of a feature folder says of the encoder: features of two are not comparable."""
    told = manifest.read(folder).run.get("encoder")
    if not isinstance(told, dict):
        raise ShardError(f"{folder / manifest.NAME} does not say which encoder made these features. Run: dvc repro")
    return told


def check(known: Sequence[Expression], table: Sequence[Video], inputs: Inputs) -> None:
    """Raise InputError for an expression that cannot be learned from, naming where it stands in the label file."""
    frame_counts = {video.video: video.frame_count for video in table}
    for row in known:
        where = f"{inputs.expressions}: the expression of row {row.row} in {row.video}"
        if row.emotion not in inputs.classes:
            raise InputError(
                f"{where} is {row.emotion!r}, none of the classes {', '.join(inputs.classes)}. Index again"
            )
        if row.stop > frame_counts.get(row.video, 0):
            raise InputError(
                f"{where} ends at frame {row.stop}, its video has {frame_counts.get(row.video, 0)}. Index again"
            )


def digest_of(video: Video, listing: Listing) -> str:
    """Return a hash over all that a video teaches: its features by the manifest's word, and its expressions."""
    classes = listing.inputs.classes
    told = [[row.start, row.stop, classes.index(row.emotion)] for row in listing.expressions[video.video]]
    parts = [video.video, video.subject, listing.entries[video.video].sha256, told]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _recording(video: Video, listing: Listing) -> Recording:
    entry, own = listing.entries[video.video], listing.expressions[video.video]
    path = _path(video, listing)
    shard = features.read(path, key=entry.key, sha256=entry.sha256, size=entry.bytes, known=listing.known)
    _check_length(video, path, len(shard.features))
    return Recording(
        video=video.video,
        subject=video.subject,
        features=shard.features,
        face_found=shard.columns.face_found,
        intervals=intervals.of(own),
        emotions=np.array([listing.inputs.classes.index(row.emotion) for row in own], dtype=np.int64),
    )


def _path(video: Video, listing: Listing) -> Path:
    return listing.inputs.features / listing.entries[video.video].file


def _check_length(video: Video, path: Path, frames: int) -> None:
    if frames != video.frame_count:
        raise ShardError(
            f"{path} has {frames} frames, its video {video.frame_count}. "
            "Run: dvc repro, which aligns and extracts what changed"
        )
