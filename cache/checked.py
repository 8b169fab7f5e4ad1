"""Digests checked before on this disk: of each file its size, times and inode as they were, so it is not read again.

It stays here, ignored by git: without it everything is read again. A file changed in place has another time of change
(ctime), which nobody can set back.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from cache import files

FORMAT = 1
MAXIMUM_BYTES = 1 << 28
# Longer than any system's clock for the times of files stands still: what changes later has another time.
TICK_NANOSECONDS = 20_000_000

# Inode, size, time of the content and time of change.
Identity = tuple[int, int, int, int]


@dataclass
class Checked:
    """What was checked in one folder.

    Attributes:
        place: the file of it; None remembers nothing.
        folder: whose files these are.
        files: by path in the folder, the identity of a shard, and the SHA-256 and the key that it then had.
        sound: SHA-256 of files whose content agrees with what it says of itself.
    """

    place: Path | None
    folder: Path
    files: dict[str, tuple[Identity, str, str]] = field(default_factory=dict)
    sound: set[str] = field(default_factory=set)
    is_changed: bool = False

    def knows(self, path: Path, found: Identity, sha256: str, key: str | None = None) -> bool:
        """Return whether a shard did not change since it was checked to have this digest and, where told, this key."""
        identity, digest, made_from = self.files.get(self._name(path), (None, "", ""))
        return (identity, digest) == (found, sha256) and key in (None, made_from)

    def note(self, path: Path, identity: Identity, sha256: str, key: str) -> None:
        """Remember that a shard was read whole and is what these say."""
        record = identity, sha256, key
        self.is_changed |= self.files.get(self._name(path)) != record
        self.files[self._name(path)] = record

    def note_sound(self, sha256: str) -> None:
        """Remember that the content of this digest agrees with what it says of itself: it does so wherever it lies."""
        self.is_changed |= sha256 not in self.sound
        self.sound.add(sha256)

    def save(self) -> None:
        """Write what is new, where the disk takes it; of files that are gone nothing is kept."""
        if self.place is None or not self.is_changed:
            return
        there = {name: record for name, record in self.files.items() if os.path.lexists(self.folder / name)}
        told = {"format": FORMAT, "folder": str(self.folder.resolve()), "files": there, "sound": sorted(self.sound)}
        files.sweep_temporaries(self.place.parent)
        with files.write_atomically(self.place) as temporary:
            temporary.write_text(json.dumps(told), encoding="utf-8")
        self.is_changed = False

    def _name(self, path: Path) -> str:
        return os.path.relpath(path, self.folder)


def read(place: Path | None, folder: Path) -> Checked:
    """Return what was checked in a folder; of one that moved, or in a damaged file, nothing."""
    empty = Checked(place, folder)
    if place is None or not place.is_file() or place.stat().st_size > MAXIMUM_BYTES:
        return empty
    try:
        stored = json.loads(place.read_text(encoding="utf-8"))
        if stored["format"] != FORMAT or stored["folder"] != str(folder.resolve()):
            return empty
        known = {
            str(name): (_as_identity(numbers), str(sha256), str(key))
            for name, (numbers, sha256, key) in stored["files"].items()
        }
        return Checked(place, folder, known, set(map(str, stored["sound"])))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return empty


def settled(descriptor: int) -> Identity:
    """Return what changes whenever an open file does; of one changed just now, after the clock has moved on."""
    age = time.time_ns() - os.fstat(descriptor).st_ctime_ns
    if 0 <= age < TICK_NANOSECONDS:
        time.sleep(TICK_NANOSECONDS / 1e9)
    return identity_of(os.fstat(descriptor))


def identity_of(found: os.stat_result) -> Identity:
    """Return what changes whenever a file does, unless it changed a moment before."""
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _as_identity(numbers: list[int]) -> Identity:
    inode, size, modified, changed = map(int, numbers)
    return inode, size, modified, changed
