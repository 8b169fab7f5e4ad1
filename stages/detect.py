"""The stage `detect`: every video is searched by the detector that never saw its subject."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from cache import files
from cache.errors import InputError, ShardError
from cache.tables import curves, searches
from cache.tables.intervals import Detection
from cache.tables.searches import Search
from cache.weights import detector_card
from cache.weights.detector_card import DetectorCard
from pipeline.detectors import decoding
from pipeline.detectors.decoding import DetectParameters, Searched
from pipeline.windows.recordings import Recording
from stages.parts import detectors as stored
from stages.parts import recordings, shard_folders, stored_detectors
from stages.parts.pairs import complete_pairs, pairs_of
from stages.shell import command, console, corpora, devices, options, params, runs

Keep = Callable[[str, NDArray[np.float16], DetectorCard], None]


def main(
    corpus: options.CorpusName,
    videos: Annotated[Path, typer.Option(help="videos.parquet.")],
    features: Annotated[Path, typer.Option(help="The folder of feature shards.")],
    detectors: Annotated[Path, typer.Option(help="The folder of detectors.")],
    output: Annotated[Path, typer.Option(help="detections.parquet.")],
    nested: Annotated[
        Path | None,
        typer.Option(
            help="Detections on which nested thresholds are chosen; without it, nested.parquet beside --output."
        ),
    ] = None,
    curves_path: Annotated[
        Path | None,
        typer.Option(
            "--curves", help="The score of each class at every frame; without it, curves.parquet beside --output."
        ),
    ] = None,
    params_path: options.Params = params.PARAMS,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
) -> None:
    """Search every video; a subject of a training fold by the fold that left it out, anybody else by `all`."""
    run = runs.begin("detect", output)
    parameters = params.read(params_path, "detect", DetectParameters, corpora.path_of(corpus))
    found = recordings.load(recordings.Inputs(videos, features, None, ()))
    cards = detector_card.read_folder(detectors)
    stored_detectors.say_undigested("detect", cards)
    shard_folders.say_undigested("detect", features)
    chosen = choose(cards, corpus, sorted({recording.subject for recording in found}))
    pairs = (
        {} if set(chosen.values()) & set(pairs_of(corpus, cards).values()) else complete_pairs(corpus, chosen, cards)
    )
    encoder = recordings.encoder_of(features)
    rounds = [(path, (subject,)) for subject, path in chosen.items()]
    emotions = tuple(dict.fromkeys(name for path in chosen.values() for name in cards[path].emotions))
    told = Search(encoder, {recording.video: cards[chosen[recording.subject]].key for recording in found})
    beside, curves_path = (
        nested or output.with_name("nested.parquet"),
        curves_path or output.with_name("curves.parquet"),
    )
    for folder in {output.parent, beside.parent, curves_path.parent}:
        files.sweep_temporaries(folder)
    with (
        console.progress("detect", len(found) * (1 + bool(pairs) * (len(chosen) - 1)), "videos", quiet) as advance,
        curves.write(curves_path, emotions, told) as table,
    ):

        def search_all(rounds: Iterable[tuple[Path, tuple[str, ...]]], keep: Keep) -> list[Detection]:
            rows: list[Detection] = []
            for path, subjects in rounds:
                check_encoder(path, cards[path], encoder, found[0].features.shape[1], features)
                own = [recording for recording in found if recording.subject in subjects]
                for recording, searched in search(path, cards[path], own, parameters, devices.choose(device)):
                    rows += rows_of(recording, searched, cards[path])
                    keep(recording.video, searched.curve, cards[path])
                advance(len(own))
            return sorted(rows, key=lambda row: (row.video, row.start, row.stop, row.emotion))

        rows = search_all(rounds, lambda video, curve, card: table.add(video, in_columns(curve, card, emotions)))
        paired = search_all(((path, two) for two, path in pairs.items()), lambda *_: None)
    searches.write(output, rows, told)
    searches.write(beside, paired, Search(encoder, {cards[path].fold: cards[path].key for path in pairs.values()}))
    run.note(device=devices.name_of(devices.choose(device)))
    empty = [recording.video for recording in found if not recording.face_found.any()]
    if empty:
        console.say(f"detect: no face in any frame of {', '.join(empty)}: nothing can be detected there")
    more = f"; nested: {len(paired)} by {len(pairs)} detectors that left two subjects out" if pairs else ""
    console.result(
        f"detect: {len(found)} videos, {len(rows)} detections before the threshold, {len(chosen)} subjects{more}"
    )


def choose(cards: Mapping[Path, DetectorCard], corpus: str, subjects: Sequence[str]) -> dict[str, Path]:
    """Return for every subject a detector that never saw it: the fold that left it out, else one for new people.

    Raises:
        InputError: a subject was trained on by every detector there is, or may have been under another name.
    """
    detector_card.refuse_renamed(cards, corpus, subjects)
    chosen = {}
    for subject in subjects:
        unseen = {path: card for path, card in cards.items() if not card.saw(corpus, subject)}
        left_out = [path for path, card in unseen.items() if card.corpus == corpus and subject in card.held_out]
        left_out.sort(key=lambda path: len(cards[path].held_out))  # a nested run has some that left out others, too
        new_people = [path for path, card in unseen.items() if not card.held_out]
        if not left_out + new_people:
            raise InputError(
                f"no detector in {next(iter(cards)).parent} has never seen subject {subject!r} of {corpus}. "
                "A score on a subject that was learned from means nothing. Run: dvc repro, which trains the fold"
            )
        chosen[subject] = (left_out + new_people)[0]
    return chosen


def check_encoder(path: Path, card: DetectorCard, encoder: dict[str, Any], width: int, features: Path) -> None:
    """Raise ShardError when features and detector come from different encoders: their numbers mean different things."""
    if card.input_width != width:
        raise ShardError(
            f"{path} was trained on features {card.input_width} wide, those in {features} are {width}. "
            "Extract with the same encoder (extract.weights in configs/params.yaml) or train again"
        )
    if card.encoder != encoder:
        raise ShardError(
            f"{path} was trained on features of {card.encoder}, {features} holds features of {encoder}. "
            "Extract with the same encoder (extract.weights in configs/params.yaml) or train again"
        )


def search(
    path: Path, card: DetectorCard, own: Sequence[Recording], parameters: DetectParameters, device: torch.device
) -> list[tuple[Recording, Searched]]:
    """Return what one detector finds in one subject's videos."""
    detector, normalisation = stored.load(path, card).to(device), stored.normalisation_of(path, card)
    return list(zip(own, decoding.search(detector, own, normalisation, parameters, device), strict=True))


def rows_of(recording: Recording, searched: Searched, card: DetectorCard) -> list[Detection]:
    """Return the detections of one video as rows of their table."""
    return [
        Detection(
            recording.video,
            recording.subject,
            int(start),
            int(stop),
            card.emotions[emotion],
            float(confidence),
            card.fold,
        )
        for (start, stop), emotion, confidence in zip(*searched.detections, strict=True)
    ]


def in_columns(curve: NDArray[np.float16], card: DetectorCard, emotions: Sequence[str]) -> NDArray[np.float16]:
    """Return ``(T, len(emotions))``, a curve in the columns of all detectors' classes: 0 where this one tells none."""
    columns = np.zeros((len(curve), len(emotions)), curve.dtype)
    columns[:, [emotions.index(name) for name in card.emotions]] = curve
    return columns


if __name__ == "__main__":
    command.run(main)
