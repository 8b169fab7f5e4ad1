"""Verification of a folder of shards: digests, keys, lengths, timestamps, values; each fault names its video."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache.checked import Checked
from cache.columns import FrameColumns
from cache.errors import InputError, ShardError, StaleShardError
from cache.printing import printable
from cache.shards import features, frames, layout, manifest
from cache.shards.features import FeatureShard
from cache.shards.frames import Frames
from cache.shards.manifest import KEY_FIELDS, Manifest
from cache.shards.shard_entry import ShardEntry
from cache.tables import videos

COLUMNS = ("pts_seconds", "frame_label", "face_found", "face_confidence")
Advance = Callable[[int], None]


@dataclass(frozen=True)
class ShardFault:
    """One thing that is wrong with a folder of shards.

    Attributes:
        video: empty where it is about none.
        problem: `missing`, `damaged`, `key`, `length`, `columns`, `dead`, `orphan` or `unstated`.
        detail: what was found and what was expected.
    """

    video: str
    problem: str
    detail: str

    def __str__(self) -> str:
        """Return one line for a person."""
        return f"{self.video or '-'}: {self.problem}: {self.detail}"


@dataclass(frozen=True)
class Beside:
    """What a folder is compared with, where it is there.

    Attributes:
        frame_counts: T of each video by the table of videos.
        frames: the folder that features were made from, and what its manifest states.
    """

    frame_counts: Mapping[str, int] | None = None
    frames: tuple[Path, Manifest] | None = None

    @property
    def named(self) -> list[str]:
        """What there is, in words."""
        told = {"the table of videos": self.frame_counts, "the frames": self.frames}
        return [name for name, there in told.items() if there is not None]


def beside(frames_folder: Path | None, table: Path | None) -> Beside:
    """Return what a folder of shards can be compared with.

    Args:
        frames_folder: None where it is not there, or where it is itself what is looked at.

    Raises:
        InputError, ShardError: the table or the manifest of the frames cannot be read.
    """
    counts = {video.video: video.frame_count for video in videos.read(table)} if table else None
    return Beside(counts, None if frames_folder is None else (frames_folder, manifest.read(frames_folder)))


def verify(
    folder: Path, compared: Beside, advance: Advance, threads: int = 0, known: Checked | None = None
) -> list[ShardFault]:
    """Return every fault of a folder, in the order of the videos; the digest of every shard is taken.

    Args:
        advance: called with the bytes of a shard when it is done.
        threads: shards read at once; 0 takes one a core.
        known: frames of which digest the images were held against what the shard says of them; that holds wherever they
            lie, and is not done again. What is new is noted.

    Raises:
        InputError: there is no manifest.
        ShardError: the manifest is damaged.
    """
    held = manifest.read(folder)

    def check(video: str) -> list[ShardFault]:
        return [ShardFault(video, *fault) for fault in _check(folder, held, video, compared, known)]

    found: list[ShardFault] = []
    with ThreadPoolExecutor(threads or len(os.sched_getaffinity(0))) as pool:  # hashing lets go of the interpreter
        for video, faults in zip(held.shards, pool.map(check, held.shards), strict=True):
            found += faults
            advance(held.shards[video].bytes)
    return [*found, *_absent(held, compared.frame_counts), *_unstated(folder, held)]


def describe_dead(values: NDArray[np.float16], face_found: NDArray[np.bool_]) -> str | None:
    """Return in what way ``(T, C)`` features say nothing of the frames with a face, or None."""
    rows = values[np.flatnonzero(face_found)[[0, -1]]] if face_found.any() else values[:0]
    if len(rows) == 0 or (rows[0] != rows[1]).any():
        return None  # the usual case, told by two rows
    seen = values[face_found]
    if not seen.any():
        return f"the features of all {len(seen)} frames with a face are zero"
    if len(seen) > 1 and (seen == seen[0]).all():
        return f"the features of all {len(seen)} frames with a face are the same"
    return None


def _check(
    folder: Path, held: Manifest, video: str, compared: Beside, known: Checked | None
) -> Iterator[tuple[str, str]]:
    """Yield the problems of one shard, each with its detail; after one that makes the rest meaningless, no more."""
    entry = held.shards[video]
    path = folder / entry.file
    problem = _size_fault(path, entry)
    if problem is not None:
        yield problem
        return
    counts = compared.frame_counts
    if counts is not None and video in counts and counts[video] != entry.frames:
        yield "length", f"{entry.frames} frames, its video has {counts[video]}"
    try:
        if held.kind == frames.LAYOUT.kind:
            is_sound = known is not None and entry.sha256 in known.sound
            with frames.open(path, key=entry.key, sha256=entry.sha256, size=entry.bytes, verify=not is_sound) as opened:
                yield from _length_faults(entry, opened.columns)
            if known is not None:
                known.note_sound(entry.sha256)
        else:
            shard = features.read(path, entry.key, entry.sha256, entry.bytes)
            yield from _length_faults(entry, shard.columns)
            yield from _feature_faults(held, video, shard, compared)
    except StaleShardError:
        yield "key", "the shard's key is not the one that the manifest states"
    except (InputError, ShardError) as refusal:
        yield "damaged", _without_remedy(refusal)


def _size_fault(path: Path, entry: ShardEntry) -> tuple[str, str] | None:
    """Return what is wrong with a file at first sight: nothing is hashed that has another size."""
    try:
        found = path.lstat()
    except OSError:
        return "missing", f"{path} does not exist"
    if not stat.S_ISREG(found.st_mode):
        return "damaged", f"{path} is a link, folder or pipe, expected a regular file"
    if found.st_size != entry.bytes:
        return "damaged", f"{path} has {found.st_size} bytes, expected {entry.bytes}"
    return None


def _length_faults(entry: ShardEntry, columns: FrameColumns) -> Iterator[tuple[str, str]]:
    if len(columns) != entry.frames:
        yield "length", f"the shard holds {len(columns)} frames, the manifest states {entry.frames}"


def _feature_faults(held: Manifest, video: str, shard: FeatureShard, compared: Beside) -> Iterator[tuple[str, str]]:
    dead = describe_dead(shard.features, shard.columns.face_found)
    if dead is not None:
        yield "dead", dead
    if compared.frames is None:
        return
    folder, aligned = compared.frames
    if video not in aligned.shards:
        yield "missing", f"{folder} states no frames of it"
        return
    with suppress(InputError, ShardError), frames.open(folder / aligned.shards[video].file) as opened:
        # What is wrong with the frames themselves is told where they are verified.
        yield from _faults_beside(held, shard, opened)


def _faults_beside(held: Manifest, shard: FeatureShard, opened: Frames) -> Iterator[tuple[str, str]]:
    if len(shard.columns) != len(opened):
        yield "length", f"{len(shard.columns)} features, there are {len(opened)} aligned frames"
        return
    for name in COLUMNS:
        one, other = getattr(shard.columns, name), getattr(opened.columns, name)
        if not np.array_equal(one, other):
            yield "columns", f"{name} is not that of the frames at position {int((one != other).argmax())}"
    expected = _expected_key(held.run, opened.digest)
    if expected is not None and shard.key != expected:
        yield "key", f"made from other frames than those in place, or otherwise than {KEY_FIELDS} in the manifest says"


def _expected_key(run: Mapping[str, Any], frames_digest: str) -> str | None:
    """Return the key that features of these frames have; None where the manifest does not state all of its fields."""
    fields = run.get(KEY_FIELDS)
    if not isinstance(fields, dict) or "encoder_digest" not in fields:
        return None
    return layout.fingerprint({**fields, "frames_digest": frames_digest})


def _absent(held: Manifest, expected: Collection[str] | None) -> Iterator[ShardFault]:
    """Yield the videos of the corpus that have no shard."""
    named = set(manifest.missing(held)) | set(expected or ())
    for video in sorted(named - set(held.shards)):
        yield ShardFault(video, "missing", "a video of the corpus without a shard")
    for video in sorted(set(held.shards) - named if expected else ()):
        yield ShardFault(video, "orphan", "the table of videos does not name it")


def _unstated(folder: Path, held: Manifest) -> Iterator[ShardFault]:
    """Yield what lies where shards would, and is neither stated nor known as an earlier one."""
    stated = {entry.file for entry in (*held.shards.values(), *manifest.stale(held).values())}
    for path in manifest.list_shards(folder):
        if path.relative_to(folder).as_posix() not in stated:
            yield ShardFault("", "unstated", f"{path} is not in {manifest.NAME}")


def _without_remedy(problem: Exception) -> str:
    """Return what was found; what a damaged shard needs is told once, for all, by whoever prints it."""
    return printable(str(problem).partition(" Run: ")[0].removesuffix("."))
