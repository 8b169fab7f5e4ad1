"""Compares two folders of shards: their manifests, and the features of the videos that both have differently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cache.errors import InputError, ShardError
from cache.shards import features, manifest
from cache.shards.manifest import Manifest
from cache.sharing import differences
from pipeline.encoder import comparison


def report(first: Path, second: Path) -> dict[str, Any]:
    """Return in what two folders differ, JSON-ready; a shard that cannot be read is a difference of its video.

    Raises:
        InputError, ShardError: a manifest is missing or damaged, or one holds frames, the other features.
    """
    ours, theirs = manifest.read(first), manifest.read(second)
    found = differences.find(ours, theirs)
    videos = {video: {"reason": reason} for video, reason in found.changed.items()}
    if ours.kind == features.LAYOUT.kind:
        for video, told in videos.items():
            told |= _apart((first, ours), (second, theirs), video)
    return {
        "first": str(first),
        "second": str(second),
        "differ": bool(found),
        "key_fields": found.fields,
        "key_fields_of_one": found.unknown,
        "only_first": found.only_first,
        "only_second": found.only_second,
        "same": len(found.same),
        "videos": videos,
    }


def _apart(first: tuple[Path, Manifest], second: tuple[Path, Manifest], video: str) -> Mapping[str, Any]:
    """Return how far the features of a video are apart, or why that cannot be told."""
    try:
        both = differences.features_of_both(first, second, video)
    except (InputError, ShardError) as problem:
        return {"unread": str(problem)}
    if both is None:
        lengths = [held.shards[video].frames for _, held in (first, second)]
        return {"unlike": f"of other shapes: {lengths[0]} and {lengths[1]} frames, or other widths"}
    one, other, alone = both
    return {**asdict(comparison.compare(one, other)), "face_in_one_alone": alone}
