"""Differences of two folders of shards by their manifests: which videos, which fields of the key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError
from cache.shards import features
from cache.shards.features import FeatureShard
from cache.shards.manifest import Manifest
from cache.shards.shard_entry import ShardEntry
from cache.sharing import key_fields


@dataclass(frozen=True)
class Differences:
    """How two folders differ.

    Attributes:
        fields: the fields of the key that both state and that differ, with both values.
        unknown: the fields that only one of them states.
        only_first: videos that only the first has; likewise `only_second`.
        same: videos whose shards are the same bytes.
        changed: videos whose shards differ, with what their keys tell of the reason.
    """

    fields: Mapping[str, tuple[object, object]]
    unknown: list[str]
    only_first: list[str]
    only_second: list[str]
    same: list[str]
    changed: Mapping[str, str]

    def __bool__(self) -> bool:
        """Return whether there is any difference."""
        return bool(self.fields or self.only_first or self.only_second or self.changed)


def find(first: Manifest, second: Manifest) -> Differences:
    """Return how two folders of one kind differ, by what their manifests state.

    Raises:
        InputError: one holds frames, the other features.
    """
    if first.kind != second.kind:
        raise InputError(f"one folder holds {first.kind}, the other {second.kind}. Compare two of one kind.")
    ours, theirs = key_fields.stated(first), key_fields.stated(second)
    fields, unknown = key_fields.differing(ours, theirs), key_fields.unknown(ours, theirs)
    both = sorted(set(first.shards) & set(second.shards))
    changed = {video: first.shards[video].sha256 != second.shards[video].sha256 for video in both}
    return Differences(
        fields=fields,
        unknown=unknown,
        only_first=sorted(set(first.shards) - set(second.shards)),
        only_second=sorted(set(second.shards) - set(first.shards)),
        same=[video for video in both if not changed[video]],
        changed={video: _reason(first, second, video, fields, unknown) for video in both if changed[video]},
    )


def _reason(first: Manifest, second: Manifest, video: str, fields: Mapping[str, object], unknown: list[str]) -> str:
    if first.shards[video].key == second.shards[video].key:
        return "same key: rounding of another machine or version"
    if fields:
        return f"key: {', '.join(fields)}"
    told = ", ".join(unknown)
    return f"key: {key_fields.FROM_THE_VIDEO}" + (f", or {told}, which only one manifest states" if told else "")


def features_of_both(
    first: tuple[Path, Manifest], second: tuple[Path, Manifest], video: str
) -> tuple[NDArray[np.float16], NDArray[np.float16], int] | None:
    """Return the ``(N, C)`` features of the frames in which both found a face, and how many found it in one alone.

    Args:
        first: a folder of features, and its manifest.

    Returns:
        None where lengths or widths differ, so that rows do not belong together.

    Raises:
        InputError, ShardError: a shard cannot be read, or is not what its manifest states.
    """
    one, other = (_read(folder, held.shards[video]) for folder, held in (first, second))
    if one.features.shape != other.features.shape:
        return None
    found = one.columns.face_found & other.columns.face_found
    alone = int(np.count_nonzero(one.columns.face_found ^ other.columns.face_found))
    return one.features[found], other.features[found], alone


def _read(folder: Path, entry: ShardEntry) -> FeatureShard:
    return features.read(folder / entry.file, entry.key, entry.sha256, entry.bytes)
