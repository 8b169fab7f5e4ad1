"""Recovery of a damaged manifest: shards that are whole are stated anew, not made again.

A shard is taken for ours when its SHA-256 still stands in the damaged text and its key is the one asked for. Half of
the digits do: a changed bit spoils one half alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cache import files
from cache.errors import InputError, ShardError
from cache.shards import manifest
from cache.shards.manifest import CORPUS, Manifest
from cache.shards.ownership import ShardFolder
from cache.shards.shard_entry import ShardEntry
from cache.shards.untrusted import UntrustedShard

DIGITS = 32


def recover(folder: ShardFolder, keys: Mapping[str, str], count: int) -> Manifest | None:
    """Return a manifest of the current shards that a damaged one names; None where it names none, or is not damaged.

    Of the facts of the run none is taken over: nobody can tell which changed.

    Args:
        keys: from video to the fingerprint of what its shard has to be made from.
        count: of the videos of the corpus, by which shards have their places.
    """
    text = manifest.damaged_text(folder.path)
    if text is None:
        return None
    found = {}
    for video, key in keys.items():
        entry = _restate(folder, manifest.shard_path(folder.path, video, count), key, text)
        if entry is not None:
            found[video] = entry
    return Manifest(folder.layout.kind, found, {CORPUS: folder.corpus}) if found else None


def _restate(folder: ShardFolder, path: Path, key: str, text: bytes) -> ShardEntry | None:
    """Return the entry of a shard that the text names and that has this key; None of any other."""
    try:
        sha256 = _sha256(path)
        if not any(half.encode("ascii") in text for half in (sha256[:DIGITS], sha256[DIGITS:])):
            return None
        with UntrustedShard(path, folder.layout, sha256) as shard:
            shard.check_key(key)
            frames, digest = shard.places["face_found"].shape[0], shard.attributes.get("digest")
    except (InputError, ShardError):
        return None
    return manifest.describe(folder.path, path, frames, key, None if digest is None else str(digest))


def _sha256(path: Path) -> str:
    descriptor = files.open_regular(path, follow_links=False)
    try:
        if (hollow := files.describe_hollow(descriptor)) is not None:
            raise ShardError(f"{path} has {hollow}, expected a whole file")
        return files.sha256_of_descriptor(descriptor)
    finally:
        os.close(descriptor)
