"""Encodes some frames again: whether stored features are those that the encoder named in the manifest gives."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cache import files
from cache.errors import InputError, ShardError
from cache.shards import features, frames, manifest
from cache.shards.features import FeatureShard
from cache.shards.frames import Frames
from cache.shards.manifest import Manifest
from cache.shards.shard_entry import ShardEntry
from cache.sharing import inventory
from pipeline.encoder import comparison
from pipeline.encoder.comparison import Agreement
from pipeline.encoder.preparation import IMAGE_SIZES
from pipeline.encoder.resnet import Encoder, ExtractParameters
from stages.parts.feature_sources import Encoded
from stages.shell import devices, params

BATCH = 64


@dataclass(frozen=True)
class Sampled:
    """What was found.

    Attributes:
        agreement: of stored features and those made now.
        encoder: its name.
        stale: videos among them whose features were made from other frames, weights or settings, by their key.
    """

    agreement: Agreement
    encoder: str
    stale: list[str]


def sample(folder: Path, frames_folder: Path, encoder_folder: Path, device: torch.device, count: int) -> Sampled:
    """Encode frames with a face again, chosen at random but always the same, and compare.

    Args:
        count: how many frames of the whole folder; fewer where it has fewer.

    Raises:
        InputError: the encoder is not here, is another one, or none made these features.
        ShardError: a shard is damaged.
    """
    held, aligned = manifest.read(folder), manifest.read(frames_folder)
    source = _encoder_of(held, folder, encoder_folder, device)
    source.begin()
    stale, stored, found = [], [], []
    for video, positions in _choose(folder, held, count).items():
        if video not in aligned.shards:
            raise InputError(f"{frames_folder} has no frames of {video}. Run: facespan align, or dvc repro")
        entry, image = held.shards[video], aligned.shards[video]
        with frames.open_stated(frames_folder, image) as opened:
            if source.key(video, opened.digest) != entry.key:
                stale.append(video)
            else:
                found.append(_encode(source.network, opened, positions))
                stored.append(_read(folder, entry).features[positions])
    if not stored:
        return Sampled(Agreement(0, 0.0, 0.0, 1.0, 1.0), source.name, stale)
    agreement = comparison.compare(np.concatenate(stored), np.concatenate(found))
    return Sampled(agreement, source.name, stale)


def report(
    folder: Path, frames_folder: Path | None, encoder_folder: Path, device: str, count: int, tolerance: float
) -> dict[str, Any]:
    """Return what encoding again found, JSON-ready, and whether it is within the tolerance.

    Raises:
        InputError, ShardError: as `sample`; or the frames are not there.
    """
    if frames_folder is None:
        raise InputError(
            f"the frames that {folder} was made from are not beside it, so none can be encoded again. Give --frames."
        )
    chosen = devices.choose(device)
    found = sample(folder, frames_folder, encoder_folder, chosen, count)
    within = found.agreement.is_within(tolerance) and not found.stale
    return {**asdict(found), "device": str(chosen), "tolerance": tolerance, "within": within}


def _encoder_of(held: Manifest, folder: Path, encoder_folder: Path, device: torch.device) -> Encoded:
    told = held.run.get("encoder")
    if held.kind != features.LAYOUT.kind or not isinstance(told, dict) or not isinstance(told.get("name"), str):
        raise InputError(f"{folder / manifest.NAME} names no encoder, so no frame can be encoded again.")
    name, size = files.check_video_id(told["name"]), told.get("image_size")
    if type(size) is not int or not IMAGE_SIZES[0] <= size <= IMAGE_SIZES[1]:
        raise InputError(f"the features in {folder} were made elsewhere: no encoder here gives them again.")
    usual = params.read(params.PARAMS, "extract", ExtractParameters)
    parameters = replace(usual, weights=name, random_image_size=size, imported=None)
    source = Encoded(parameters, encoder_folder, device, BATCH)
    if source.digest != told.get("digest"):
        raise InputError(
            f"the encoder {name} in {encoder_folder} has other weights (SHA-256 {source.digest[:12]}...) than the one "
            f"that {folder / manifest.NAME} names ({inventory.told(told.get('digest'))[:12]}...). Fetch that one, or "
            "extract again."
        )
    return source


def _choose(folder: Path, held: Manifest, count: int) -> dict[str, list[int]]:
    """Return positions of frames with a face, by video, in order."""
    names, starts = list(held.shards), np.cumsum([0, *(entry.frames for entry in held.shards.values())])
    faces: dict[str, NDArray[np.bool_]] = {}
    chosen: dict[str, list[int]] = {}
    for number in np.random.default_rng(0).permutation(int(starts[-1])):
        if count == 0:
            break
        index = int(np.searchsorted(starts, number, side="right")) - 1
        video, position = names[index], int(number - starts[index])
        if video not in faces:
            faces[video] = _read(folder, held.shards[video]).columns.face_found
        if faces[video][position]:
            chosen.setdefault(video, []).append(position)
            count -= 1
    return {video: sorted(chosen[video]) for video in sorted(chosen)}


def _read(folder: Path, entry: ShardEntry) -> FeatureShard:
    shard = features.read(folder / entry.file, entry.key, entry.sha256, entry.bytes)
    if len(shard.columns) != entry.frames:
        raise ShardError(f"{folder / entry.file} holds {len(shard.columns)} frames, the manifest says {entry.frames}.")
    return shard


def _encode(network: Encoder, opened: Frames, positions: list[int]) -> NDArray[np.float32]:
    """Return the ``(N, C)`` features of single frames."""
    found = []
    count = opened.at_once(BATCH)
    for start in range(0, len(positions), count):
        images = [opened.decode(position, position + 1) for position in positions[start : start + count]]
        found.append(network(torch.from_numpy(np.concatenate(images))).cpu().numpy())
    return np.concatenate(found)
