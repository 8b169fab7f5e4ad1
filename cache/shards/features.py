"""The features of one video: T times C numbers in one HDF5 shard, read in one go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from cache.checked import Checked
from cache.columns import FrameColumns, describe_fault
from cache.errors import InputError, ShardError
from cache.shards import layout, manifest
from cache.shards.layout import COLUMN_DATASETS, Layout
from cache.shards.shard_entry import ShardEntry, is_known
from cache.shards.untrusted import MAXIMUM_LOADED_BYTES, UntrustedShard

# Averages of what a rectifier lets through.
NOT_NEGATIVE_LAYERS = frozenset({"avgpool"})

LAYOUT = Layout(
    kind="features",
    datasets=MappingProxyType(
        {
            "pts_seconds": COLUMN_DATASETS["pts_seconds"],
            "frame_label": COLUMN_DATASETS["frame_label"],
            "face_confidence": COLUMN_DATASETS["face_confidence"],
            "features": ("<f2", 2),
            "face_found": COLUMN_DATASETS["face_found"],
        }
    ),
    attributes=MappingProxyType({"layer": str}),
    remedy="dvc repro --single-item --force extract@CORPUS, or facespan cache pull CORPUS --force",
)


@dataclass(frozen=True)
class FeatureShard:
    """The features of a video, in memory.

    Args:
        features: ``(T, C)`` float16, finite; not negative for the layer ``avgpool``.
        columns: what is known of each frame.
        key: the fingerprint of what they were made from, see `feature_key`.
        layer: the layer of the encoder that gave them.
    """

    features: NDArray[np.float16]
    columns: FrameColumns
    key: str
    layer: str


def write(path: Path, features: NDArray[np.float16], columns: FrameColumns, key: str, layer: str) -> None:
    """Write the features of a video.

    Args:
        features: ``(T, C)``, T and C at least 1; finite, and not negative for the layer ``avgpool``.
        columns: of the same T frames.
        key: see `feature_key`.
        layer: the layer of the encoder that gave them.

    Raises:
        InputError: features or columns are not so, or the disk refuses. Nothing is left at ``path`` that was not there.
    """
    fault = describe_fault(columns) or _describe_fault(features, layer)
    if fault is None and len(features) != len(columns):
        fault = f"there are {len(features)} features for {len(columns)} frames"
    if fault is None and features.nbytes > MAXIMUM_LOADED_BYTES:
        fault = f"the features take {features.nbytes} bytes, expected at most {MAXIMUM_LOADED_BYTES}"
    if fault is not None:
        raise InputError(f"{path} cannot hold these features: {fault}. Look at the aligned frames and the encoder.")
    found = {**layout.contents_of(columns), "features": layout.content_of(features, "<f2")}
    contents = {name: found[name] for name in LAYOUT.datasets}
    layout.write(path, LAYOUT, {"key": key, "layer": layer}, contents)


def read(
    path: Path,
    key: str | None = None,
    sha256: str | None = None,
    size: int | None = None,
    known: Checked | None = None,
) -> FeatureShard:
    """Return all features of a video.

    Args:
        key: what they have to be made from; None accepts anything.
        sha256: the digest of the file that the manifest states; None checks none.
        size: the bytes of the file that it states, likewise.
        known: what was checked before: a file that did not change since is not checked again; what is read is noted.

    Raises:
        InputError: there is no such file.
        StaleShardError: they were made from something else than ``key``.
        ShardError: it is no such shard, or damaged.
    """
    with UntrustedShard(path, LAYOUT, sha256, size, whole=True, known=known) as shard:
        shard.check_key(key)
        frame_counts = {place.shape[0] for place in shard.places.values()}
        if len(frame_counts) > 1:
            raise shard.refuse(f"datasets of {sorted(frame_counts)} frames", "one number of frames")
        columns, features = shard.load_columns(), shard.load("features")
        layer = str(shard.attributes["layer"])
        fault = None if shard.is_known else _describe_fault(features, layer)
        if fault is not None:
            raise shard.refuse(fault, "features as docs/shard-format.md says")
        if known is not None and sha256 is not None:
            known.note(path, shard.identity, sha256, str(shard.attributes["key"]))
        return FeatureShard(features, columns, str(shard.attributes["key"]), layer)


def read_columns(path: Path, key: str | None = None) -> FrameColumns:
    """Return what is known of each frame, without reading any feature; arguments and errors as in `read`."""
    with UntrustedShard(path, LAYOUT, None) as shard:
        shard.check_key(key)
        return shard.load_columns()


def of_video(folder: Path | str, video: str) -> FeatureShard:
    """Return the features of a video of a folder, after digest, key and every value were checked.

    Raises:
        InputError: the folder has no manifest, or none of this video.
        ShardError: the manifest or the shard is damaged, or it is a folder of frames.
    """
    entry = manifest.read(Path(folder)).shards.get(video)
    if entry is None:
        raise InputError(f"{folder} states no features of {video}. Look: facespan cache info {folder} --videos")
    return read(Path(folder) / entry.file, entry.key, entry.sha256, entry.bytes)


def is_current(path: Path, key: str, entry: ShardEntry | None, known: Checked | None = None) -> bool:
    """Return whether a shard can be kept: it is in the manifest, has that digest and this key, and opens.

    Args:
        known: what was checked before: of a file that did not change since nothing is read.
    """
    if is_known(path, key, entry, known):
        return True
    if entry is None or entry.key != key:
        return False
    try:
        read(path, key, entry.sha256, entry.bytes, known)
    except (InputError, ShardError):
        return False
    return True


def feature_key(
    frames_digest: str,
    encoder_digest: str,
    layer: str,
    image_size: int,
    normalisation: str,
    storage_dtype: str,
    precision: str,
    code_version: int,
) -> str:
    """Return the key of features: SHA-256, in hexadecimal, over all they depend on. Each field changes it.

    Args:
        frames_digest: `frames.Frames.digest` of the aligned frames.
        encoder_digest: SHA-256 of the encoder's weights.
        image_size: side of the image the encoder sees, in pixels.
        code_version: raised when the code gives other features from the same fields.
    """
    return layout.fingerprint(
        {
            "frames_digest": frames_digest,
            "encoder_digest": encoder_digest,
            "layer": layer,
            "image_size": image_size,
            "normalisation": normalisation,
            "storage_dtype": storage_dtype,
            "precision": precision,
            "code_version": code_version,
        }
    )


def _describe_fault(features: NDArray[np.float16], layer: str) -> str | None:
    """Return what is wrong with features, naming the first such frame, or None."""
    if features.dtype != np.float16 or features.ndim != 2 or 0 in features.shape:
        return f"features have shape {features.shape} of {features.dtype}, expected (T, C) of float16, none empty"
    # 7C00 is infinity; the sign is the highest bit. Integers compare many times faster than float16 do.
    if features.view(np.uint16).max() < 0x7C00:
        return None
    allowed = np.isfinite(features)
    expected = "finite"
    if layer in NOT_NEGATIVE_LAYERS:
        allowed &= features >= 0
        expected = f"finite and not negative (layer {layer})"
    if allowed.all():
        return None
    frame, channel = (int(axis[0]) for axis in np.nonzero(~allowed))
    return f"the feature at position {frame}, channel {channel} is {features[frame, channel]}, expected {expected}"
