"""The stage `train`: features and expressions -> one detector per fold, and one trained on everyone for new people."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from cache import detections, files, tables, weights
from cache.errors import InputError
from pipeline.folds import Fold, everyone, leave_one_subject_out
from pipeline.recordings import Recording
from pipeline.training import PARTS, EpochLosses, FoldParameters, train_fold
from stages import command, console, corpora, devices, options, params, recordings, workers

# Raised when the same parameters and data would give other weights on purpose, so kept detectors are made again.
TRAINING_VERSION = 2


@dataclass(frozen=True)
class Job:
    """All that one fold needs, small enough to hand to another process."""

    fold: Fold
    sources: recordings.Sources
    parameters: FoldParameters
    device: str
    path: Path
    card: dict[str, Any]


def main(
    corpus: options.CorpusName,
    videos: Annotated[Path, typer.Option(help="videos.parquet.")],
    expressions: Annotated[Path, typer.Option(help="expressions.parquet.")],
    features: Annotated[Path, typer.Option(help="The folder of feature shards.")],
    output: Annotated[Path, typer.Option(help="The folder of detectors.")],
    losses: Annotated[Path, typer.Option(help="The loss curves, for plots.")],
    params_path: options.Params = params.PARAMS,
    device: options.Device = "auto",
    processes: Annotated[int, typer.Option(help="Folds trained at once on a CPU; 0: one a core.")] = 0,
    force: options.Force = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a detector for each subject left out, and one on everyone."""
    place = corpora.path_of(corpus)
    parameters = FoldParameters(*params.read_parts(params_path, "train", PARTS, place))
    sources = recordings.Sources(videos, features, expressions, corpora.load(corpus).classes)
    found = recordings.load(sources)
    jobs = plan(corpus, found, sources, parameters, str(devices.choose(device)), output)
    wanted = [job for job in jobs if force or not is_current(job)]
    if dry_run:
        console.result(f"train: would train {len(wanted)} of {len(jobs)} detectors in {output}")
        return
    for folder in (output, losses.parent):
        files.sweep_temporaries(folder)
    run(wanted, processes, quiet)
    remove_others(output, jobs)
    write_curves(losses, jobs)
    console.result(
        f"train: {len(jobs)} detectors ({len(wanted)} new, {len(jobs) - len(wanted)} kept), "
        f"{len(jobs) - 1} subjects, {sum(len(r.emotions) for r in found)} expressions, {len(found)} videos"
    )


def plan(
    corpus: str,
    found: Sequence[Recording],
    sources: recordings.Sources,
    parameters: FoldParameters,
    device: str,
    output: Path,
) -> list[Job]:
    """Return one job per fold, each with the card its detector will carry."""
    subjects = [recording.subject for recording in found]
    encoder = recordings.encoder_of(sources.features)
    jobs = []
    for fold in [*leave_one_subject_out(subjects), everyone(subjects)]:
        card: dict[str, Any] = {
            "corpus": corpus,
            "fold": dataclasses.asdict(fold),
            "classes": list(sources.classes),
            "emotions": emotions_told(parameters, sources.classes),
            "input_width": int(found[0].features.shape[1]),
            "encoder": encoder,
            "parameters": dataclasses.asdict(parameters),
        }
        card["key"] = key_of(card, [r for r in found if r.subject in fold.train_subjects])
        jobs.append(Job(fold, sources, parameters, device, output / f"{fold.name}.safetensors", card))
    return jobs


def emotions_told(parameters: FoldParameters, classes: Sequence[str]) -> list[str]:
    """Return the names a detector gives to what it finds: one for all when it only spots."""
    return [detections.UNRECOGNISED] if parameters.detector.classification == "spotting" else list(classes)


def key_of(card: dict[str, Any], trained_on: Sequence[Recording]) -> str:
    """Return a hash over all that decides the weights; the held-out subject is no part of it."""
    total = hashlib.sha256(json.dumps([TRAINING_VERSION, card], sort_keys=True).encode())
    for recording in sorted(trained_on, key=lambda r: r.video):
        total.update(f"{recording.video}\0{recording.subject}\0".encode())
        for values in (recording.features, recording.face_found, recording.intervals, recording.emotions):
            total.update(np.ascontiguousarray(values).tobytes())
    return total.hexdigest()


def is_current(job: Job) -> bool:
    """Return whether a whole detector with this key lies there; a broken or older one is made again."""
    try:
        _, card = weights.read(job.path)
    except InputError:
        return False
    return bool(card.get("key") == job.card["key"])


def run(jobs: Sequence[Job], processes: int, quiet: bool) -> None:
    """Train every job: on a GPU one after the other, on a CPU several at once with one thread each."""
    if not jobs:
        return
    epochs = sum(job.parameters.train.epochs for job in jobs)
    with console.progress("train", epochs, "epochs", quiet) as advance:
        if torch.device(jobs[0].device).type == "cuda":
            for job in jobs:
                train(job, advance)
        else:
            workers.run(train_on_one_thread, jobs, workers.count(processes, len(jobs)), advance)


def train_on_one_thread(job: Job, advance: Callable[[int], None]) -> None:
    """Train one fold on the CPU; with one thread each, detectors do not depend on how many are trained at once."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train(job, advance)
    finally:
        torch.set_num_threads(threads)


def train(job: Job, advance: Callable[[int], None]) -> None:
    """Train one fold and write its detector."""
    found = [r for r in recordings.load(job.sources) if r.subject in job.fold.train_subjects]
    device = torch.device(job.device)
    trained = train_fold(found, job.fold, job.parameters, len(job.sources.classes), device, lambda _: advance(1))
    curve = [row._asdict() for row in trained.curve]
    tensors = {name: value.numpy() for name, value in trained.state.items()}
    weights.write(job.path, tensors, job.card | {"curve": curve})


def remove_others(output: Path, jobs: Sequence[Job]) -> None:
    """Remove detectors of folds that are no more, a subject that left the corpus for instance."""
    expected = {job.path.name for job in jobs}
    for path in sorted(output.glob("*.safetensors")):
        if path.name not in expected:
            console.say(f"train: {path} belongs to no fold of this corpus and is removed")
            path.unlink()


def write_curves(path: Path, jobs: Sequence[Job]) -> None:
    """Write the mean losses of every fold and epoch as CSV, read back from the detectors' cards."""
    rows = [
        [job.fold.name, *(row[name] for name in EpochLosses._fields)]
        for job in jobs
        for row in weights.read_card(job.path)["curve"]
    ]
    tables.write_csv(path, ("fold", *EpochLosses._fields), rows)


if __name__ == "__main__":
    command.run(main)
