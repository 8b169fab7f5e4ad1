"""A trained detector on recordings that were handed over: which one, what its card says, and what it finds.

PyTorch is imported where it is used: the card comes without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cache.errors import InputError, ShardError
from cache.tables.intervals import Detection
from cache.weights import detector_card
from cache.weights.detector_card import DetectorCard
from stages.parts import stored_detectors
from stages.shell import corpora, params


def choose(folder: Path, corpus: str, unseen: str | None) -> tuple[Path, DetectorCard]:
    """Return a detector of a run: the one that left a subject out, or without one that for new people.

    A network that learns nothing left nobody out, and is both.

    Raises:
        InputError: there is none.
    """
    cards = detector_card.read_folder(folder)
    stored_detectors.say_undigested("detector", cards)
    left_out = () if unseen is None else (unseen,)
    for path, card in cards.items():
        if card.corpus == corpus and (card.held_out == left_out or not card.train_subjects):
            return path, card
    known = sorted({card.held_out[0] for card in cards.values() if len(card.held_out) == 1})
    wanted = "for new people" if unseen is None else f"that left out {unseen!r} alone"
    raise InputError(f"{folder} has no detector {wanted}. It has some that left out {', '.join(known) or 'nobody'}")


def facts_of(path: Path, card: DetectorCard) -> dict[str, Any]:
    """Return what people ask of a detector, by name."""
    names = ("corpus", "fold", "train_subjects", "held_out", "emotions", "encoder", "network", "input_width")
    return {"path": str(path)} | {name: getattr(card, name) for name in names}


def search(path: Path, recordings: list[dict[str, Any]], device: str) -> list[Detection]:
    """Return what a detector finds, by video and position, as the stage `detect` does with the parameters of now.

    Args:
        recordings: by name `video`, `subject`, `features` ``(T, C)`` and `face_found` ``(T,)``; of one of a corpus also
            `corpus` and `encoder`, else None: nothing then tells whether it may be searched.

    Raises:
        InputError: it learned from a subject.
        ShardError: the features are of another encoder, or the detector is damaged.
        DataError: the features are no ``(T, C)`` finite numbers, or of another width.
    """
    from pipeline.detectors import decoding
    from pipeline.detectors.decoding import DetectParameters
    from pipeline.windows.recordings import Recording
    from stages.parts import detectors
    from stages.shell import devices

    card, chosen = detector_card.read(path), devices.choose(device)
    for one in recordings:
        _check(path, card, one)
    parameters = params.read(params.PARAMS, "detect", DetectParameters, corpora.path_of(card.corpus))
    network = detectors.load(path, card).to(chosen)
    nowhere, nothing = np.zeros((0, 2), np.int64), np.zeros(0, np.int64)
    own = [
        Recording(one["video"], one["subject"], one["features"], one["face_found"], nowhere, nothing)
        for one in recordings
    ]
    found = decoding.detect(network, own, detectors.normalisation_of(path, card), parameters, chosen)
    rows = [
        Detection(one.video, one.subject, int(start), int(stop), card.emotions[emotion], float(confidence), card.fold)
        for one, told in zip(own, found, strict=True)
        for (start, stop), emotion, confidence in zip(*told, strict=True)
    ]
    return sorted(rows, key=lambda row: (row.video, row.start, row.stop, row.emotion))


def _check(path: Path, card: DetectorCard, one: dict[str, Any]) -> None:
    """Refuse what the detector learned from, and features of another encoder; of unknown ones the width is checked."""
    if one["corpus"] is not None and card.saw(one["corpus"], one["subject"]):
        raise InputError(
            f"{path} learned from {one['subject']} of {one['corpus']}: what it finds there means nothing. Take "
            f"facespan.detector({one['corpus']!r}, unseen={one['subject']!r})"
        )
    if one["encoder"] is not None and one["encoder"] != card.encoder:
        raise ShardError(
            f"{path} was trained on features of {card.encoder}, those of {one['video']} are of {one['encoder']}. "
            "Extract with the same encoder, or train again"
        )
