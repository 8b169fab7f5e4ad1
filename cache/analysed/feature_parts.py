"""The features of one face of a recording in parts: a shard for each part in which it was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache.analysed import parts
from cache.analysed.parts import RECORDING, Part, Stated
from cache.errors import InputError
from cache.shards import features, frames, manifest
from cache.shards.frames import Frames
from cache.shards.manifest import CORPUS, Manifest
from cache.shards.shard_entry import ShardEntry

Encode = Callable[[Frames], NDArray[np.float16]]
KeyOf = Callable[[str], str]


def missing(folder: Path, stated: Stated, face: int, key_of: KeyOf) -> list[Part]:
    """Return the parts in which a face was seen and has no features of these frames; ShardError for a damaged manifest.

    Args:
        key_of: gives the fingerprint of what is made of frames, by their digest.
    """
    held = _held(folder)

    def is_current(name: str) -> bool:
        digest = stated.entries[name].digest
        return name in held and digest is not None and held[name].key == key_of(digest)

    return [part for part in stated.parts if face in part.faces and not is_current(parts.name_of(part.start, face))]


def make(
    folder: Path,
    frames_folder: Path,
    stated: Stated,
    face: int,
    *,
    encode: Encode,
    key_of: KeyOf,
    layer: str,
    run: Mapping[str, Any],
) -> None:
    """Make the features that are missing of a face, each part stated as soon as it is whole.

    Args:
        encode: gives the ``(T, C)`` features of a part.
        key_of: as in `missing`.
        run: the facts of who encodes.

    Raises:
        ShardError: frames are damaged.
        InputError: the disk refuses; what is finished stays.
    """
    todo = missing(folder, stated, face, key_of)
    if not todo:
        return
    facts = {**run, CORPUS: RECORDING}
    manifest.write(folder, Manifest(features.LAYOUT.kind, _held(folder), facts))
    for part in todo:
        name = parts.name_of(part.start, face)
        path = manifest.shard_path(folder, name, 1)
        with frames.open_stated(frames_folder, stated.entries[name]) as opened:
            found = encode(opened)
            found[~opened.columns.face_found] = 0
            key = key_of(opened.digest)
            features.write(path, found, opened.columns, key, layer)
        manifest.add(folder, name, manifest.describe(folder, path, part.stop - part.start, key))
    manifest.write(folder, Manifest(features.LAYOUT.kind, _held(folder), facts))


def pieces(folder: Path, stated: Stated, face: int, width: int) -> Iterator[NDArray[np.float16]]:
    """Yield the features of a face, a part at a time ``(n, width)``, 0 where it was not seen.

    Raises:
        ShardError: a shard is missing, damaged or not what the manifest states.
    """
    held = _held(folder)
    for part in stated.parts:
        if face in part.faces:
            entry = held[parts.name_of(part.start, face)]
            yield features.read(folder / entry.file, entry.key, entry.sha256, entry.bytes).features
        else:
            yield np.zeros((part.stop - part.start, width), np.float16)


def _held(folder: Path) -> Mapping[str, ShardEntry]:
    try:
        return manifest.read(folder).shards
    except InputError:
        return {}
