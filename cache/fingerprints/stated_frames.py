"""Summary of the aligned frames (counts, digests): a small file that git tracks, so that later stages need no frames.

Frames take a hundred times the room of features, and show faces: who is given features is not given them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cache import own_digest, strict_json
from cache.errors import InputError
from cache.fingerprints import tracked
from cache.shards import manifest
from cache.shards.shard_entry import ShardEntry

FORMAT = 1
MAXIMUM_BYTES = 1 << 16


@dataclass(frozen=True)
class Stated:
    """What is said of aligned frames, without a name.

    Attributes:
        videos: how many.
        frames: of all of them.
        digest: over the digests of the files that the manifest states, so over every byte of every shard.
        keys: over what the shards were made from.
        known: over the part of that which everybody has, where the rest lies in the corpus or in a program; it decides
            nothing but whether the others still hold.
    """

    videos: int
    frames: int
    digest: str
    keys: str
    known: str | None = field(default=None, compare=False)


def state(shards: Mapping[str, ShardEntry], known: Mapping[str, str] | None = None) -> Stated:
    """Return what is to be said of the shards that a manifest states.

    Args:
        known: of each video what everybody knows of what its shard was made from.
    """
    entries = [[video, entry.sha256, entry.frames, entry.key] for video, entry in sorted(shards.items())]
    keys = keys_digest({video: entry.key for video, entry in shards.items()})
    known_digest = None if known is None else keys_digest(known)
    return Stated(len(entries), sum(entry.frames for entry in shards.values()), _digest(entries), keys, known_digest)


def keys_digest(keys: Mapping[str, str]) -> str:
    """Return the digest over what the shards of videos are made from."""
    return _digest(sorted(keys.items()))


def present(folder: Path) -> dict[str, ShardEntry]:
    """Return what a folder's manifest states and lies there in its size; nothing where there is no manifest.

    Raises:
        ShardError: the manifest is damaged.
    """
    if not os.path.lexists(folder / manifest.NAME):
        return {}
    return {video: entry for video, entry in manifest.read(folder).shards.items() if _lies(folder / entry.file, entry)}


def write(path: Path, stated: Stated) -> bool:
    """Write the file and return True, or leave it alone where it says the same."""
    values = {name: value for name, value in asdict(stated).items() if value is not None}
    return tracked.write(path, {"format": FORMAT, **values})


def read(path: Path) -> Stated:
    """Return what is said of frames, by anybody.

    Raises:
        InputError: there is no such file, or it is damaged.
    """
    try:
        return _parse(tracked.read(path, MAXIMUM_BYTES))
    except FileNotFoundError as problem:
        raise InputError(f"{path} does not exist: no frames were aligned. Run: dvc repro") from problem
    except ValueError as problem:
        raise InputError(
            f"{path} does not say what the frames of a corpus are: {problem}. Take it from git again "
            f"(git restore {path}), or, where the corpus is, remove it and run dvc repro."
        ) from problem


def _parse(stored: object) -> Stated:
    names = {"format", "videos", "frames", "digest", "keys"}
    if not isinstance(stored, dict) or set(stored) - {own_digest.KEY, "known"} != names:
        raise ValueError("expected exactly format, videos, frames, digest, keys and its own digest")
    counts = [stored["videos"], stored["frames"]]
    digests = [stored["digest"], stored["keys"], *([stored["known"]] if "known" in stored else [])]
    are_counts = all(type(count) is int and count >= 0 for count in counts)
    if not strict_json.is_format(stored["format"], FORMAT) or not are_counts:
        raise ValueError(f"expected format {FORMAT} and whole numbers of videos and frames")
    if not all(isinstance(one, str) and re.fullmatch("[0-9a-f]{64}", one) for one in digests):
        raise ValueError("digest, keys and known are to be SHA-256 in hexadecimal")
    return Stated(*counts, *digests)


def _lies(path: Path, entry: ShardEntry) -> bool:
    try:
        return path.stat().st_size == entry.bytes
    except OSError:
        return False


def _digest(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode("ascii")).hexdigest()
