"""A corpus of invented shards by the real writers: frames, features that belong to them, and the tables."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from cache.columns import FrameColumns
from cache.shards import features, frames, layout, manifest
from cache.shards.frames import Frame
from cache.shards.manifest import Manifest
from cache.shards.shard_entry import ShardEntry
from cache.tables import intervals, videos
from cache.tables.intervals import NO_APEX, Expression
from cache.tables.videos import Video

PEOPLE = {"anneliese-1": "anneliese", "anneliese-2": "anneliese", "bartholomew-1": "bartholomew"}
FRAMES, WIDTH = 6, 8
FIELDS: dict[str, Any] = {
    "encoder_digest": "e" * 64, "layer": "avgpool", "image_size": 96, "normalisation": "grey",
    "storage_dtype": "float16", "precision": "float32", "code_version": 1,
}  # fmt: skip


def columns() -> FrameColumns:
    """Return six frames at 30 a second, the third without a face."""
    label = np.arange(FRAMES)
    return FrameColumns(label / 30, label + 1, label != 2, np.full(FRAMES, 0.5, np.float32))


def write_corpus(
    root: Path, people: Iterable[str] = PEOPLE, *, corpus: str = "demo", changed: dict[str, Any] | None = None
) -> Path:
    """Write tables, frames and features below a folder; return that of the features.

    Args:
        changed: fields of the key that are other than usual.
    """
    fields = FIELDS | (changed or {})
    names = list(people)
    made, aligned = root / "features" / "ferplus", root / "frames"
    digests = {name: write_frames(aligned, name) for name in names}
    images = {name: manifest.describe(aligned, aligned / f"{name}.h5", FRAMES, "aligned") for name in names}
    manifest.write(aligned, Manifest("frames", images, {"corpus": corpus}))
    held = {name: write_features(made, name, digests[name], fields) for name in names}
    encoder = {"name": "ferplus", "digest": fields["encoder_digest"], "image_size": 96, "has_learned": True}
    run = {"corpus": corpus, "encoder": encoder, "precision": fields["precision"], "key_fields": fields}
    manifest.write(made, Manifest("features", held, run))
    write_tables(root, names)
    return made


def write_frames(folder: Path, name: str) -> str:
    """Write the frames of a video, and return their digest."""
    noise = np.random.default_rng(len(name) + ord(name[-1])).integers(0, 256, (FRAMES, 4, 4, 3), dtype=np.uint8)
    told = columns()
    images = (
        Frame(frames.encode_image(noise[i], None), told.pts_seconds[i], i + 1, bool(told.face_found[i]), 0.5)
        for i in range(FRAMES)
    )
    frames.write(folder / f"{name}.h5", images, "aligned", "builtin")
    with frames.open(folder / f"{name}.h5") as opened:
        return opened.digest


def write_features(folder: Path, name: str, frames_digest: str, fields: dict[str, Any]) -> ShardEntry:
    """Write the features of a video, and return its entry."""
    values = np.random.default_rng(len(name)).random((FRAMES, WIDTH)).astype(np.float16)
    values[2] = 0
    key = layout.fingerprint({**fields, "frames_digest": frames_digest})
    features.write(folder / f"{name}.h5", values, columns(), key, fields["layer"])
    return manifest.describe(folder, folder / f"{name}.h5", FRAMES, key)


def write_tables(root: Path, names: Iterable[str]) -> None:
    """Write the tables: an expression a video."""
    rows = [
        Video(name, name.split("-")[0], f"raw/{name}.avi", "video", FRAMES, 30.0, 1, 4, 4, "5" * 64) for name in names
    ]
    known = [
        Expression(row.video, row.subject, 1, 4, NO_APEX, "macro", "happiness", 10 + number)
        for number, row in enumerate(rows)
    ]
    videos.write(root / "videos.parquet", rows)
    intervals.write(root / "expressions.parquet", Expression, known)


def restate(folder: Path, name: str, **changed: Any) -> None:
    """Make the manifest state what lies there of a video now, as somebody would who wants it to be taken."""
    held = manifest.read(folder)
    entry = held.shards[name]
    now = manifest.describe(folder, folder / entry.file, changed.get("frames", entry.frames), entry.key)
    manifest.write(folder, Manifest(held.kind, {**held.shards, name: now}, held.run))


def flip(path: Path, position: int = -1) -> None:
    """Flip a bit of a file, its times kept: for DVC nothing has changed."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[position] ^= 1
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
