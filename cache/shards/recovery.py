"""Recovery of a damaged manifest: shards that are whole are stated anew, not made again.

A shard is taken for ours when its SHA-256 still stands in the damaged text. Half of the digits do: a changed bit spoils
one half alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cache import files
from cache.errors import InputError, ShardError
from cache.shards import manifest, shard_entry
from cache.shards.manifest import CORPUS, STALE, Manifest
from cache.shards.ownership import ShardFolder
from cache.shards.shard_entry import ShardEntry
from cache.shards.untrusted import UntrustedShard

DIGITS = 32


def recover(folder: ShardFolder, keys: Mapping[str, str], count: int) -> Manifest | None:
    """Return a manifest of the shards that a damaged one names; None where it names none, or is not damaged.

    Where the text still names this corpus, its other shards, as those of videos that left, are stated as stale: what
    nobody states would stay for ever. Of the facts of the run none is taken over: nobody can tell which changed.

    Args:
        keys: from video to the fingerprint of what its shard has to be made from.
        count: of the videos of the corpus, by which shards have their places.
    """
    text = manifest.damaged_text(folder.path)
    if text is None:
        return None
    current: dict[str, ShardEntry] = {}
    stale: dict[str, ShardEntry] = {}
    for path in manifest.list_shards(folder.path):
        video, entry = path.stem, _restate(folder, path, text)
        if entry is not None:
            is_asked = keys.get(video) == entry.key and path == manifest.shard_path(folder.path, video, count)
            (current if is_asked else stale)[video] = entry
    run: dict[str, Any] = {CORPUS: folder.corpus}
    # What is stale is removed in the end, so it must not be the shards of somebody else's corpus.
    if json.dumps(run, ensure_ascii=True)[1:-1].encode("ascii") not in text:
        stale = {}
    if not current and not stale:
        return None
    if stale:
        run[STALE] = {video: shard_entry.state(entry) for video, entry in stale.items()}
    return Manifest(folder.layout.kind, current, run)


def _restate(folder: ShardFolder, path: Path, text: bytes) -> ShardEntry | None:
    """Return the entry of a shard that the text names, under the key that it states of itself; None of any other."""
    try:
        video, sha256 = files.check_video_id(path.stem), _sha256(path)
        if not any(half.encode("ascii") in text for half in (sha256[:DIGITS], sha256[DIGITS:])):
            return None
        with UntrustedShard(path, folder.layout, sha256) as shard:
            frames, digest = shard.places["face_found"].shape[0], shard.attributes.get("digest")
            key = str(shard.attributes["key"])
        entry = manifest.describe(folder.path, path, frames, key, None if digest is None else str(digest))
        return shard_entry.parse(video, shard_entry.state(entry))
    except (InputError, ShardError, ValueError):
        return None


def _sha256(path: Path) -> str:
    descriptor = files.open_regular(path, follow_links=False)
    try:
        if (hollow := files.describe_hollow(descriptor)) is not None:
            raise ShardError(f"{path} has {hollow}, expected a whole file")
        return files.sha256_of_descriptor(descriptor)
    finally:
        os.close(descriptor)
