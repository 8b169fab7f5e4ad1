"""Entry of a shard in a manifest: its file, size, digest and key, and whether what lies there is that."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cache import checked, files
from cache.checked import Checked
from cache.errors import InputError

SUFFIX = ".h5"
# Beyond, a sparse file would be read for hours.
MAXIMUM_BYTES = 1 << 38


@dataclass(frozen=True)
class ShardEntry:
    """What the manifest states of one shard.

    Args:
        file: path relative to the folder, with ``/``.
        sha256: digest of the whole file, in hexadecimal.
        bytes: size of the file.
        frames: T.
        key: the fingerprint of what it was made from.
        digest: of frames, what `frames.Frames.digest` says of them, so that what is made of them is known to be current
            without reading them; None of features, and where an earlier version stated none.
    """

    file: str
    sha256: str
    bytes: int
    frames: int
    key: str
    digest: str | None = None


def state(entry: ShardEntry) -> dict[str, Any]:
    """Return an entry as JSON states it: without what is None."""
    return {name: value for name, value in asdict(entry).items() if value is not None}


def parse(video: str, stored: object) -> ShardEntry:
    """Return the entry that JSON states of a video; a ValueError says what is wrong with it."""
    if not isinstance(stored, dict) or set(stored) - {"digest"} != {"file", "sha256", "bytes", "frames", "key"}:
        raise ValueError(f"video {video}: expected exactly file, sha256, bytes, frames and key, and at most digest")
    allowed = {
        # Only the two places that `shard_path` gives: a manifest cannot point outside its folder.
        "file": stored["file"] in (f"{video}{SUFFIX}", f"{prefix(video)}/{video}{SUFFIX}"),
        "sha256": _is_sha256(stored["sha256"]),
        "bytes": type(stored["bytes"]) is int and 0 < stored["bytes"] <= MAXIMUM_BYTES,
        "frames": type(stored["frames"]) is int and stored["frames"] > 0,
        "key": isinstance(stored["key"], str) and stored["key"] != "",
        "digest": "digest" not in stored or _is_sha256(stored["digest"]),
    }
    for name, is_allowed in allowed.items():
        if not is_allowed:
            raise ValueError(f"video {video}: {name} is {repr(stored[name])[:80]}")
    if stored["frames"] > stored["bytes"]:
        raise ValueError(f"video {video}: {repr(stored['frames'])[:80]} frames in {stored['bytes']} bytes")
    return ShardEntry(**stored)


def is_whole(path: Path, key: str, entry: ShardEntry | None) -> bool:
    """Return whether the file is, to the last bit, what its entry states, and was made from what ``key`` says."""
    return entry is not None and entry.key == key and _is_as_stated(path, entry)


def is_known(path: Path, key: str, entry: ShardEntry | None, known: Checked | None) -> bool:
    """Return whether a shard did not change since it was checked to be what its entry states, with this key."""
    if known is None or entry is None or entry.key != key:
        return False
    try:
        return known.knows(path, checked.identity_of(path.lstat()), entry.sha256, key)
    except OSError:
        return False


def remove(folder: Path, entries: Iterable[ShardEntry]) -> tuple[list[Path], list[Path]]:
    """Remove the shards that entries of this folder's manifest name.

    Returns:
        The removed paths; and those left because what lies there is not what the entry states, so it is not ours.
    """
    removed: list[Path] = []
    left: list[Path] = []
    for path, entry in sorted((folder / entry.file, entry) for entry in entries):
        if not os.path.lexists(path):
            continue
        is_ours = not (path.parent != folder and path.parent.is_symlink()) and _is_as_stated(path, entry)
        if is_ours:
            path.unlink()
        (removed if is_ours else left).append(path)
    return removed, left


def prefix(video: str) -> str:
    """Return the name of the folder in which the shard of a video lies where there are many."""
    return hashlib.sha256(video.encode("ascii")).hexdigest()[:2]


def _is_as_stated(path: Path, entry: ShardEntry) -> bool:
    try:
        descriptor = files.open_regular(path, follow_links=False)
    except InputError:
        return False
    try:
        if os.fstat(descriptor).st_size != entry.bytes or files.describe_hollow(descriptor) is not None:
            return False
        return files.sha256_of_descriptor(descriptor) == entry.sha256
    finally:
        os.close(descriptor)


def _is_sha256(stored: object) -> bool:
    return isinstance(stored, str) and re.fullmatch("[0-9a-f]{64}", stored) is not None
