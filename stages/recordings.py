"""Introduces the tables and feature shards of a corpus to the science: one `Recording` per video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cache import expressions, features, manifest, videos
from cache.errors import InputError, ShardError
from cache.expressions import Expression
from cache.manifest import Manifest
from cache.videos import Video
from pipeline.recordings import Recording


@dataclass(frozen=True)
class Sources:
    """Where a corpus lies: its tables and its folder of feature shards; without expressions nothing is known."""

    videos: Path
    features: Path
    expressions: Path | None
    classes: tuple[str, ...]


def load(sources: Sources) -> list[Recording]:
    """Return the recordings of every video of the table, in its order.

    Raises:
        ShardError: a shard is missing, corrupt, of another length than its video, or of another width than others.
        InputError: an expression of an unknown class, in no video of the table, or beyond its video's end.
    """
    table = videos.read(sources.videos)
    held = manifest.read(sources.features)
    known = expressions.read(sources.expressions) if sources.expressions else []
    check(known, table, sources)
    found = [_recording(video, held, [e for e in known if e.video == video.video], sources) for video in table]
    for recording in found:
        width, expected = recording.features.shape[1], found[0].features.shape[1]
        if width != expected:
            raise ShardError(
                f"{sources.features / held.shards[recording.video].file} has features {width} wide, those of "
                f"{found[0].video} are {expected}. Extract all with one encoder: dvc repro, or facespan extract --force"
            )
    return found


def encoder_of(folder: Path) -> dict[str, Any]:
    """Return what the manifest of a feature folder says of the encoder: features of two are not comparable."""
    told = manifest.read(folder).run.get("encoder")
    if not isinstance(told, dict):
        raise ShardError(f"{folder / manifest.NAME} does not say which encoder made these features. Run: dvc repro")
    return told


def check(known: Sequence[Expression], table: Sequence[Video], sources: Sources) -> None:
    """Raise InputError for an expression that cannot be learned from, naming where it stands in the label file."""
    frame_counts = {video.video: video.frame_count for video in table}
    for row in known:
        where = f"{sources.expressions}: the expression of row {row.row} in {row.video}"
        if row.emotion not in sources.classes:
            raise InputError(
                f"{where} is {row.emotion!r}, none of the classes {', '.join(sources.classes)}. Index again"
            )
        if row.stop > frame_counts.get(row.video, 0):
            raise InputError(
                f"{where} ends at frame {row.stop}, its video has {frame_counts.get(row.video, 0)}. Index again"
            )


def _recording(video: Video, held: Manifest, own: Sequence[Expression], sources: Sources) -> Recording:
    if video.video not in held.shards:
        raise ShardError(f"{sources.features} has no features of {video.video}. Run: dvc repro, or facespan extract")
    entry = held.shards[video.video]
    path = sources.features / entry.file
    shard = features.read(path, key=entry.key, sha256=entry.sha256)
    if len(shard.features) != video.frame_count:
        raise ShardError(
            f"{path} has {len(shard.features)} frames, its video {video.frame_count}. "
            "Run: dvc repro, which aligns and extracts what changed"
        )
    return Recording(
        video=video.video,
        subject=video.subject,
        features=shard.features,
        face_found=shard.columns.face_found,
        intervals=expressions.intervals(own),
        emotions=np.array([sources.classes.index(row.emotion) for row in own], dtype=np.int64),
    )
