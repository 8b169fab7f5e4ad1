"""The aligned frames of one recording in parts: of each part and face a shard, so hours fit and a killed run goes on.

The manifest is written anew after each part and states all that is needed to go on behind it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache import files
from cache.columns import FrameColumns
from cache.errors import InputError, ShardError
from cache.shards import frames, layout, manifest
from cache.shards.frames import Frame
from cache.shards.manifest import CORPUS, Manifest
from cache.shards.shard_entry import ShardEntry

# A minute at 30 frames a second: so much is done again after a kill. A multiple of a batch of the encoder.
PART_FRAMES = 1920
# What stands in the manifest in the place of a corpus.
RECORDING = "a recording in parts"
# Of a face that has no shard in a part, the times are those of this one.
FIRST_FACE = 0


@dataclass(frozen=True)
class Part:
    """The frames ``[start, stop)`` of a recording, and the faces that were seen in them; the first always counts."""

    start: int
    stop: int
    faces: tuple[int, ...]


@dataclass(frozen=True)
class Stated:
    """How far a recording is aligned.

    Attributes:
        parts: one after the other from frame 0.
        entries: of each shard, by name.
        seen: by face, in how many frames.
        state: of whoever follows the faces, plain values: what is needed to go on.
        facts: of the whole recording; None before its end was reached.
    """

    parts: tuple[Part, ...] = ()
    entries: Mapping[str, ShardEntry] = field(default_factory=dict)
    seen: Mapping[int, int] = field(default_factory=dict)
    state: Any = None
    facts: Mapping[str, Any] | None = None

    @property
    def frame_count(self) -> int:
        """Frames that are aligned."""
        return self.parts[-1].stop if self.parts else 0

    def entry(self, part: Part, face: int) -> ShardEntry | None:
        """Return what is stated of a face in a part; None where it was not seen."""
        return self.entries.get(name_of(part.start, face))


def name_of(start: int, face: int) -> str:
    """Return what the shard of a part and a face is called."""
    return f"{start:08d}.{face}"


def read(folder: Path) -> Stated:
    """Return how far a recording is aligned; nothing where there is no manifest.

    Raises:
        ShardError: the manifest is damaged, or another one's.
    """
    try:
        held = manifest.read(folder)
    except InputError:
        return Stated()
    try:
        if held.kind != frames.LAYOUT.kind or held.run[CORPUS] != RECORDING:
            raise ValueError("it is of something else")
        parts = tuple(Part(int(start), int(stop), tuple(map(int, faces))) for start, stop, faces in held.run["parts"])
        seen = {int(face): int(count) for face, count in held.run["seen"].items()}
        bounds = [0, *(part.stop for part in parts)]
        if [part.start for part in parts] != bounds[:-1] or any(part.stop <= part.start for part in parts):
            raise ValueError("its parts do not follow one another")
        if missing := [part for part in parts for face in part.faces if name_of(part.start, face) not in held.shards]:
            raise ValueError(f"it lacks shards of frame {missing[0].start}")
        return Stated(parts, held.shards, seen, held.run["state"], held.run["facts"])
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise ShardError(
            f"{folder / manifest.NAME} is none of a recording in parts ({problem}). Remove it."
        ) from problem


class Writer:
    """Takes one frame after the other with the faces in it, and writes a part when it is settled."""

    def __init__(self, folder: Path, key: str, source: str, black: bytes) -> None:
        """Go on where the folder's manifest ends.

        Args:
            key: the fingerprint of recording and alignment.
            source: what the frames come from, in words.
            black: the encoded image that stands where a face is not seen.
        """
        self.folder, self.stated = folder, read(folder)
        self._key, self._source, self._black = key, source, black
        self._seconds: list[float] = []
        self._faces: dict[int, dict[int, Frame]] = {}

    @property
    def is_full(self) -> bool:
        """Whether it is time to settle."""
        return len(self._seconds) >= PART_FRAMES

    def add(self, seconds: float, faces: Mapping[int, Frame]) -> None:
        """Take the next frame; `seconds` as its container tells, which may make no sense."""
        for face, frame in faces.items():
            self._faces.setdefault(face, {})[len(self._seconds)] = frame
        self._seconds.append(seconds)

    def settle(self, state: Any, facts: Mapping[str, Any] | None = None) -> None:
        """Write what was taken since the last time, if anything, and state it.

        Raises:
            InputError: the disk refuses; all earlier parts stay.
        """
        stated, start = self.stated, self.stated.frame_count
        entries, seen = dict(stated.entries), dict(stated.seen)
        parts = stated.parts
        if self._seconds:
            faces = tuple(sorted({FIRST_FACE, *self._faces}))
            times = _increasing(self._seconds)
            for face in faces:
                entries[name_of(start, face)] = self._write(start, face, times)
                found = sum(frame.face_found for frame in self._faces.get(face, {}).values())
                seen[face] = seen.get(face, 0) + found
            parts = (*parts, Part(start, start + len(times), faces))
        self.stated = Stated(parts, entries, seen, state, facts)
        self._seconds, self._faces = [], {}
        _state(self.folder, self.stated)

    def _write(self, start: int, face: int, times: NDArray[np.float64]) -> ShardEntry:
        own, name = self._faces.get(face, {}), name_of(start, face)
        lost = Frame(self._black, 0.0, 0, False, 0.0)
        taken = (
            own.get(place, lost)._replace(pts_seconds=seconds, label=start + place)
            for place, seconds in enumerate(times.tolist())
        )
        path = manifest.shard_path(self.folder, name, 1)
        key = layout.fingerprint({"alignment": self._key, "start": start, "face": face})
        count = frames.write(path, taken, key, self._source)
        with frames.open(path) as opened:
            return manifest.describe(self.folder, path, count, key, opened.digest)


def columns_of(folder: Path, stated: Stated, face: int) -> FrameColumns:
    """Return what is known of each frame of a face, with the times that make sense; errors as in `frames.open`."""
    told = [_columns_in(folder, stated, part, face) for part in stated.parts]
    whole = FrameColumns(*(np.concatenate([getattr(each, name) for each in told]) for name in COLUMNS))
    facts = stated.facts or {}
    if facts.get("has_timestamps", True):
        return whole
    return replace(whole, pts_seconds=np.arange(len(whole)) / float(facts["frame_rate"]))


COLUMNS = ("pts_seconds", "frame_label", "face_found", "face_confidence")


def _columns_in(folder: Path, stated: Stated, part: Part, face: int) -> FrameColumns:
    entry = stated.entry(part, face)
    if entry is not None:
        with frames.open(folder / entry.file, key=entry.key) as opened:
            return opened.columns
    other = _columns_in(folder, stated, part, FIRST_FACE)
    nowhere = np.zeros(len(other), np.bool_)
    return replace(other, face_found=nowhere, face_confidence=nowhere.astype(np.float32))


def _state(folder: Path, stated: Stated) -> None:
    run = {
        CORPUS: RECORDING,
        "parts": [[part.start, part.stop, list(part.faces)] for part in stated.parts],
        "seen": {str(face): count for face, count in stated.seen.items()},
        "state": stated.state,
        "facts": None if stated.facts is None else dict(stated.facts),
    }
    files.sweep_temporaries(folder)
    manifest.write(folder, Manifest(frames.LAYOUT.kind, stated.entries, run))


def _increasing(told: list[float]) -> NDArray[np.float64]:
    """Return times that a shard takes: where those told go back or are none, the one before again."""
    whole = [seconds if math.isfinite(seconds) and seconds > 0 else 0.0 for seconds in told]
    return np.maximum.accumulate(np.array(whole))
