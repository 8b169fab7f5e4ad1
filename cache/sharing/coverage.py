"""What shards hold: frame rates, alignment and the share of frames without a face, from their per-frame columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cache.columns import FrameColumns
from cache.errors import InputError, ShardError
from cache.printing import printable
from cache.shards import features, frames, manifest
from cache.shards.manifest import Manifest
from cache.shards.untrusted import UntrustedShard
from cache.sharing import inventory, key_fields
from cache.sharing.inventory import Summary

LAYOUTS = {layout.kind: layout for layout in (features.LAYOUT, frames.LAYOUT)}


@dataclass(frozen=True)
class Coverage:
    """What the columns of one shard say; nothing else of it is read.

    Attributes:
        rate: mean frames a second; None where a single time is all there is.
        without_face: how many of the frames.
        source: of frames, the method that aligned them; of features, the layer.
    """

    frames: int
    bytes: int
    rate: float | None
    without_face: int
    source: str


@dataclass(frozen=True)
class FolderFacts:
    """What a folder of shards holds.

    Attributes:
        alignment: how many videos by each aligning method; empty where the frames are not there.
        layers: likewise, of features, by the layer of the encoder.
        key_fields: what all shards were made with, as far as the manifest states it.
        without_face: how many of the frames.
        videos: the coverage of each.
        unread: why a shard cannot be read.
    """

    summary: Summary
    encoder: Mapping[str, Any]
    key_fields: Mapping[str, Any]
    alignment: Mapping[str, int]
    layers: Mapping[str, int]
    without_face: int
    videos: Mapping[str, Coverage]
    unread: Mapping[str, str]


def examine(folder: Path) -> FolderFacts:
    """Return what a folder holds; every shard is opened, none is read whole.

    Raises:
        InputError, ShardError: there is no manifest, or a damaged one.
    """
    held = manifest.read(folder)
    found, unread = measure(folder, held)
    sources = dict(Counter(inventory.told(one.source) for one in found.values()))
    is_features = held.kind == features.LAYOUT.kind
    aligned = inventory.frames_beside(folder) if is_features else None
    beside = measure(aligned, manifest.read(aligned))[0] if aligned else {}
    alignment = dict(Counter(inventory.told(beside[video].source) for video in found if video in beside))
    encoder = held.run.get("encoder")
    return FolderFacts(
        summary=inventory.summarise(folder),
        encoder=encoder if isinstance(encoder, dict) else {},
        key_fields=key_fields.stated(held),
        alignment=alignment if is_features else sources,
        layers=sources if is_features else {},
        without_face=sum(one.without_face for one in found.values()),
        videos=found,
        unread=unread,
    )


def measure(folder: Path, held: Manifest) -> tuple[dict[str, Coverage], dict[str, str]]:
    """Return the coverage of every video, and of those whose shard cannot be read, why; no digest is taken."""
    found: dict[str, Coverage] = {}
    unread: dict[str, str] = {}
    for video, entry in held.shards.items():
        try:
            with UntrustedShard(folder / entry.file, LAYOUTS[held.kind], None) as shard:
                source = shard.attributes["source" if held.kind == frames.LAYOUT.kind else "layer"]
                found[video] = _of(shard.load_columns(), entry.bytes, str(source))
        except (InputError, ShardError) as problem:
            unread[video] = printable(str(problem))
    return found, unread


def _of(columns: FrameColumns, size: int, source: str) -> Coverage:
    seconds = float(columns.pts_seconds[-1] - columns.pts_seconds[0])
    rate = (len(columns) - 1) / seconds if seconds > 0 else None
    return Coverage(len(columns), size, rate, int(np.count_nonzero(~columns.face_found)), source)
