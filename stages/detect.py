"""The stage `detect`: every video is searched by the detector that never saw its subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from cache import files
from cache.errors import InputError, ShardError
from cache.tables import detections
from cache.tables.detections import Detection
from cache.weights import tensors as weights
from pipeline.detectors import decoding
from pipeline.detectors.decoding import DetectParameters
from pipeline.detectors.fedn.network import Detector, DetectorParameters
from pipeline.windows.recordings import Recording
from stages.parts import recordings
from stages.shell import command, console, corpora, devices, options, params

# What a detector's card says of it; `stages.train` writes it.
FACTS = ("corpus", "fold", "classes", "emotions", "input_width", "encoder", "parameters")


@dataclass(frozen=True)
class Held:
    """A detector's file with what its card says of whom it saw."""

    path: Path
    card: dict[str, Any]

    @property
    def name(self) -> str:
        """The fold's name."""
        return str(self.card["fold"]["name"])

    @property
    def held_out(self) -> tuple[str, ...]:
        """The subjects it may be scored on; none of the one trained on everyone."""
        return tuple(self.card["fold"]["held_out"])

    def saw(self, corpus: str, subject: str) -> bool:
        """Return whether this detector was trained on a subject of a corpus."""
        return self.card["corpus"] == corpus and subject in self.card["fold"]["train_subjects"]


def main(
    corpus: options.CorpusName,
    videos: Annotated[Path, typer.Option(help="videos.parquet.")],
    features: Annotated[Path, typer.Option(help="The folder of feature shards.")],
    detectors: Annotated[Path, typer.Option(help="The folder of detectors.")],
    output: Annotated[Path, typer.Option(help="detections.parquet.")],
    params_path: options.Params = params.PARAMS,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
) -> None:
    """Search every video; a subject of a training fold by the fold that left it out, anybody else by `all`."""
    parameters = params.read(params_path, "detect", DetectParameters, corpora.path_of(corpus))
    found = recordings.load(recordings.Inputs(videos, features, None, ()))
    chosen = choose(read_cards(detectors), corpus, sorted({recording.subject for recording in found}))
    encoder = recordings.encoder_of(features)
    rows: list[Detection] = []
    with console.progress("detect", len(found), "videos", quiet) as advance:
        for subject, held in chosen.items():
            check_encoder(held, encoder, found[0].features.shape[1], features)
            own = [recording for recording in found if recording.subject == subject]
            rows += search(held, own, parameters, devices.choose(device))
            advance(len(own))
    rows.sort(key=lambda row: (row.video, row.start, row.stop, row.emotion))
    files.sweep_temporaries(output.parent)
    detections.write(output, rows)
    empty = [recording.video for recording in found if not recording.face_found.any()]
    if empty:
        console.say(f"detect: no face in any frame of {', '.join(empty)}: nothing can be detected there")
    console.result(f"detect: {len(found)} videos, {len(rows)} detections before the threshold, {len(chosen)} subjects")


def read_cards(folder: Path) -> list[Held]:
    """Return every detector of a folder, by name; InputError when there is none, or something else among them."""
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise InputError(f"{folder} holds no detectors (*.safetensors). Run: dvc repro, or give --detectors")
    found = [Held(path, weights.read_card(path)) for path in paths]
    for held in found:
        missing = [name for name in FACTS if name not in held.card]
        if missing:
            raise InputError(
                f"{held.path} is no detector: its card lacks {', '.join(missing)}. Move it away, or run: dvc repro"
            )
    return found


def choose(held: Sequence[Held], corpus: str, subjects: Sequence[str]) -> dict[str, Held]:
    """Return for every subject a detector that never saw it: the fold that left it out, else one for new people.

    Raises:
        InputError: a subject was trained on by every detector there is.
    """
    chosen = {}
    for subject in subjects:
        left_out = [
            h for h in held if h.card["corpus"] == corpus and subject in h.held_out and not h.saw(corpus, subject)
        ]
        new_people = [h for h in held if not h.held_out and not h.saw(corpus, subject)]
        if not left_out + new_people:
            raise InputError(
                f"no detector in {held[0].path.parent} has never seen subject {subject!r} of {corpus}. "
                "A score on a subject that was learned from means nothing. Run: dvc repro, which trains the fold"
            )
        chosen[subject] = (left_out + new_people)[0]
    return chosen


def check_encoder(held: Held, encoder: dict[str, Any], width: int, features: Path) -> None:
    """Raise ShardError when features and detector come from different encoders: their numbers mean different things."""
    if held.card["input_width"] != width:
        raise ShardError(
            f"{held.path} was trained on features {held.card['input_width']} wide, those in {features} are {width}. "
            "Extract with the same encoder (extract.weights in configs/params.yaml) or train again"
        )
    if held.card["encoder"] != encoder:
        raise ShardError(
            f"{held.path} was trained on features of {held.card['encoder']}, {features} holds features of {encoder}. "
            "Extract with the same encoder (extract.weights in configs/params.yaml) or train again"
        )


def search(held: Held, own: Sequence[Recording], parameters: DetectParameters, device: torch.device) -> list[Detection]:
    """Return the detections of one subject's videos."""
    tensors, card = weights.read(held.path)
    detector = build(tensors, card, held.path).to(device)
    normalisation = card["parameters"]["train"]["normalisation"]
    rows = []
    for recording, found in zip(own, decoding.detect(detector, own, normalisation, parameters, device), strict=True):
        for (start, stop), emotion, confidence in zip(*found, strict=True):
            name = card["emotions"][emotion]
            rows.append(
                Detection(recording.video, recording.subject, int(start), int(stop), name, float(confidence), held.name)
            )
    return rows


def build(tensors: dict[str, Any], card: dict[str, Any], path: Path) -> Detector:
    """Return the detector a file describes; InputError when its tensors are those of another variant."""
    described = params.build(_as_lists(card["parameters"]["detector"]), DetectorParameters, str(path))
    detector = Detector(described, card["input_width"], len(card["classes"]))
    expected = {name: tuple(value.shape) for name, value in detector.state_dict().items()}
    found = {name: value.shape for name, value in tensors.items()}
    differing = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if differing:
        name = differing[0]
        raise InputError(
            f"{path} holds another detector than its card describes: {len(differing)} tensors differ, {name} for "
            f"instance is {found.get(name, 'absent')}, expected {expected.get(name, 'absent')}. "
            "Remove the file and run: dvc repro"
        )
    detector.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    return detector


def _as_lists(values: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


if __name__ == "__main__":
    command.run(main)
