"""Where single parts of a report come from: score curves, attention, loss curves; empty where they were not kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch

from cache.errors import ShardError
from cache.shards import manifest
from cache.tables.intervals import Detection
from cache.tables.videos import Video
from pipeline.detectors import attention
from pipeline.windows.recordings import Recording
from stages.page.document import Attention
from stages.parts import detectors, recordings
from stages.reporting.material import Material

OTHER_ENCODER = (
    "The features here are of another encoder than the detectors learned from: what these looked at is not shown."
)


def classes_of(material: Material) -> tuple[str, ...]:
    """Return what the columns of a curve stand for: of a detector that only spots, one name."""
    return material.classes if material.curves is None else material.curves.classes


def curve_of(material: Material, video: Video) -> npt.NDArray[np.float16]:
    """Return the score of each class at each frame, ``(T, K)``; ``(0, K)`` where curves were not kept.

    Raises:
        ShardError: it has other frames than the video.
    """
    if material.curves is None:
        return np.empty((0, len(material.classes)), np.float16)
    curve = material.curves.curve(video.video)
    if len(curve) != video.frame_count:
        raise ShardError(
            f"{material.curves.path}: the curve of {video.video} has {len(curve)} frames, its video "
            f"{video.frame_count}. Run: dvc repro detect"
        )
    return curve


def attention_of(
    material: Material, accepted: Mapping[str, Sequence[Detection]], stride: int, device: torch.device
) -> dict[str, list[list[Attention]]]:
    """Return by video what the detector looked at for each accepted detection; empty where detectors are not here.

    Empty too, and told in the material's notes, where the features are of another encoder than detectors learned from.

    Args:
        accepted: by video.
        stride: frames of a window from one to the next, in detection.
    """
    if not material.cards or material.places.features is None:
        return {}
    encoder = manifest.read(material.places.features).run.get("encoder")
    if any(card.encoder != encoder for card in material.cards.values()):
        material.notes.append(OTHER_ENCODER)
        return {}
    by_key = {card.key: (path, card) for path, card in material.cards.items()}
    inputs = recordings.Inputs(material.places.videos, material.places.features, None, ())
    # The videos of a subject together: features may be normalised over them.
    groups: defaultdict[tuple[str, str], list[Recording]] = defaultdict(list)
    for recording in recordings.each(recordings.look(inputs)):
        groups[material.searched[recording.video], recording.subject].append(recording)
    told: dict[str, list[list[Attention]]] = {}
    for (key, _), own in groups.items():
        path, card = by_key[key]
        network = detectors.load(path, card).to(device)
        wanted = [
            np.array([(row.start, row.stop) for row in accepted[each.video]], np.int64).reshape(-1, 2) for each in own
        ]
        normalisation = detectors.normalisation_of(path, card)
        said = attention.attend(network, own, wanted, normalisation, stride, device)
        for recording, of_video in zip(own, said, strict=True):
            told[recording.video] = [
                [Attention(one.name, one.start, one.stop, one.weight, one.even) for one in of_detection]
                for of_detection in of_video
            ]
    return told


def losses_of(material: Material) -> dict[str, list[Mapping[str, float]]]:
    """Return the loss curve of each detector that searched a video, by the name of its fold."""
    return {card.fold: list(card.curve) for card in material.cards.values()}
