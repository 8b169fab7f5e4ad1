"""The stage `train`: features and expressions -> one detector per fold, and one trained on everyone for new people."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from cache import files
from cache.errors import InputError, ShardError
from cache.tables import intervals, schema
from cache.weights import detector_card, detector_store
from cache.weights import tensors as weights
from cache.weights.detector_card import DetectorCard
from cache.weights.detector_store import Store
from pipeline.detectors import registry
from pipeline.training import memory as footprint
from pipeline.training.fold import FoldParameters, columns, train_gathered
from pipeline.training.folds import Fold, everyone, leave_one_subject_out, leave_pairs_out, nobody
from pipeline.windows.recordings import Corpus, on_device
from stages.parts import (
    class_layers,
    encoders,
    recordings,
    shard_folders,
    shared_corpus,
    stored_detectors,
    train_parameters,
)
from stages.parts.class_layers import Told
from stages.parts.recordings import Listing
from stages.parts.shared_corpus import SharedCorpus
from stages.shell import command, console, corpora, devices, memory, options, params, runs, workers

# Raised when the same parameters and data would give other weights on purpose, so kept detectors are made again.
TRAINING_VERSION = 2


@dataclass(frozen=True)
class Job:
    """All that one fold needs beside the corpus, small enough to hand to another process."""

    fold: Fold
    parameters: FoldParameters
    class_count: int
    path: Path
    card: DetectorCard
    store: Store | None
    told: Told | None = None


def main(
    corpus: options.CorpusName,
    videos: Annotated[Path, typer.Option(help="videos.parquet.")],
    expressions: Annotated[Path, typer.Option(help="expressions.parquet.")],
    features: Annotated[Path, typer.Option(help="The folder of feature shards.")],
    output: Annotated[Path, typer.Option(help="The folder of detectors, which holds nothing else.")],
    losses: Annotated[Path, typer.Option(help="The loss of every fold and epoch.")],
    mean_losses: Annotated[
        Path | None,
        typer.Option(help="The mean loss of each epoch, for `dvc plots`; without it, mean_losses.csv beside --losses."),
    ] = None,
    encoders_path: Annotated[
        Path, typer.Option("--encoders", help="The folder of encoders; `framewise` takes a class layer from there.")
    ] = encoders.FOLDER,
    params_path: options.Params = params.PARAMS,
    store: Annotated[
        Path | None, typer.Option(help="Where detectors are kept for a return to them; without it, below .dvc.")
    ] = None,
    device: options.Device = "auto",
    processes: Annotated[int, typer.Option(help="Folds trained at once on a CPU; 0: as cores and memory allow.")] = 0,
    force: options.Force = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a detector for each subject left out, and one on everyone; nested, also one for each two left out."""
    place = corpora.path_of(corpus)
    parameters = train_parameters.read(params_path, place)
    listing = recordings.look(recordings.Inputs(videos, features, expressions, corpora.load(corpus).classes))
    shard_folders.say_undigested("train", features)
    parameters, told = class_layers.settle(
        parameters, recordings.encoder_of(features), encoders_path, listing.inputs.classes
    )
    nested = train_parameters.is_nested(params_path, place)
    jobs = plan(corpus, listing, parameters, output, stored_detectors.find(params_path, store), nested, told)
    refuse_foreign(output, corpus)
    missing = [job for job in jobs if force or not is_current(job)]
    if nested:
        say_nested(jobs, missing)
    if dry_run:
        wanted = [job for job in missing if force or not is_stored(job)]
        console.result(f"train: would train {len(wanted)} of {len(jobs)} detectors in {output}")
        return
    began = runs.begin("train", output)
    mean_losses = mean_losses or losses.with_name("mean_losses.csv")
    for folder in {output, losses.parent, mean_losses.parent}:
        files.sweep_temporaries(folder)
    keep_current(jobs, missing)
    wanted = [job for job in missing if force or not refill(job)]
    run(wanted, listing, devices.choose(device), processes, quiet)
    add_digests(jobs)
    remove_others(output, corpus, jobs)
    write_curves(losses, mean_losses, jobs, parameters.network)
    began.note(made=bool(wanted), device=devices.name_of(devices.choose(device)))
    refilled = f", {len(missing) - len(wanted)} from the store" if len(missing) > len(wanted) else ""
    subjects = {video.subject for video in listing.videos}
    console.result(
        f"train: {len(jobs)} detectors ({len(wanted)} new, {len(jobs) - len(missing)} kept{refilled}), "
        f"{len(subjects)} subjects, {sum(map(len, listing.expressions.values()))} expressions, "
        f"{len(listing.videos)} videos"
    )


def plan(
    corpus: str,
    listing: Listing,
    parameters: FoldParameters,
    output: Path,
    store: Store | None,
    nested: bool,
    told: Told | None = None,
) -> list[Job]:
    """Return one job per fold, each with the card its detector will carry; one for all where nothing is learned.

    Args:
        nested: whether there is one for each two subjects, too.
        told: the encoder's class layer, for a network that is made of it.
    """
    classes = listing.inputs.classes
    subjects = [video.subject for video in listing.videos]
    digests = {video.video: recordings.digest_of(video, listing) for video in listing.videos}
    encoder = recordings.encoder_of(listing.inputs.features)
    jobs = []
    learns = registry.NETWORKS[parameters.network].learns
    pairs = leave_pairs_out(subjects) if nested and learns else []
    for fold in [*leave_one_subject_out(subjects), everyone(subjects), *pairs] if learns else [nobody()]:
        card = DetectorCard(
            corpus=corpus,
            fold=fold.name,
            train_subjects=fold.train_subjects,
            held_out=fold.held_out,
            classes=tuple(classes),
            emotions=emotions_told(parameters, classes),
            encoder=encoder,
            network=parameters.network,
            parameters=train_parameters.described(parameters),
        )
        made_of = [digests[v.video] for v in listing.videos if v.subject in fold.train_subjects]
        key = key_of(card, made_of + ([told.digest] if told else []))
        card = dataclasses.replace(card, key=key)
        jobs.append(Job(fold, parameters, len(classes), output / f"{fold.name}.safetensors", card, store, told))
    return jobs


def say_nested(jobs: Sequence[Job], missing: Sequence[Job]) -> None:
    """Say what a nested run costs before it begins, in trainings: one takes what a fold takes."""
    pairs = sum(len(job.fold.held_out) == 2 for job in jobs)
    if not pairs:
        console.say("train: nested changes nothing for a network that learns nothing")
        return
    wanted = sum(not is_stored(job) for job in missing)
    console.say(
        f"train: nested: {pairs} detectors that leave two subjects out besides {len(jobs) - pairs}; {wanted} of the "
        f"{len(jobs)} are to be trained. All take {len(jobs) / (len(jobs) - pairs):.1f} times as long as a plain run's"
    )


def emotions_told(parameters: FoldParameters, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the names a detector gives to what it finds: one for all when it only spots."""
    return tuple(classes) if parameters.own.recognises else (intervals.UNRECOGNISED,)


def key_of(card: DetectorCard, made_of: Sequence[str]) -> str:
    """Return a hash over all that decides the weights but the machine and the versions of libraries.

    The digests of videos are part of it, none of the held-out subject's; so is that of a class layer.
    """
    parts = [TRAINING_VERSION, card.described(), sorted(made_of)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def is_current(job: Job) -> bool:
    """Return whether a whole detector of this job lies there; a broken or older one is made again."""
    try:
        card = detector_card.read(job.path)
        detector_card.read_finite(job.path)
    except (InputError, ShardError):
        return False
    named = all(row.keys() >= set(columns(job.parameters.network)) for row in card.curve)
    return named and card.key == job.card.key and card.described() == job.card.described()


def is_stored(job: Job) -> bool:
    """Return whether the store has a detector of this key, if there is a store."""
    return job.store is not None and detector_store.holds(job.store, job.card.key)


def refill(job: Job) -> bool:
    """Return whether the store held this detector, whole; it then lies at its path. A store of no use stops nothing."""
    if job.store is None:
        return False
    try:
        return detector_store.fetch(job.store, job.card.key, job.path) and is_current(job)
    except InputError as error:
        console.say(f"train: {error} {job.path} is trained again")
        return False


def keep(job: Job) -> None:
    """Put a detector into the store; that there is no room for it stops nothing."""
    if job.store is None:
        return
    try:
        detector_store.keep(job.store, job.card.key, job.path)
    except InputError as error:
        console.say(f"train: {error} {job.path} is whole, but a return to it will train it again")


def add_digests(jobs: Sequence[Job]) -> None:
    """Take over detectors of an earlier version, from the folder or the store: they carry their digest from now on."""
    older = set(detector_card.without_digest(job.path for job in jobs))
    for job in jobs:
        if job.path in older:
            detector_card.add_digest(job.path)
            keep(job)
    if older:
        console.say(
            f"train: {len(older)} detectors of an earlier version carried no digest: they are taken as they are, and "
            "carry one from now on"
        )


def keep_current(jobs: Sequence[Job], missing: Sequence[Job]) -> None:
    """Put into the store what lies in the folder alone, fetched from a colleague perhaps: DVC will empty the folder."""
    to_make = {job.path for job in missing}
    for job in jobs:
        if job.path not in to_make and not is_stored(job):
            keep(job)


def run(jobs: Sequence[Job], listing: Listing, device: torch.device, processes: int, quiet: bool) -> None:
    """Train every job: on a GPU one after the other, on a CPU several at once with one thread each.

    Of a network that learns nothing no feature is looked at but one video's, for their width.
    """
    if not jobs:
        return
    if not registry.NETWORKS[jobs[0].parameters.network].learns:
        width = next(recordings.each(listing)).features.shape[1]
        for job in jobs:
            write(job, class_layers.build(job.parameters, job.told, width, job.class_count).state_dict(), width)
        return
    shared = shared_corpus.read(listing, jobs[0].parameters.train.normalisation)
    if not quiet:
        read = shared.arrays[0].array.nbytes / 1e6
        console.say(
            f"train: {listing.frame_count:,} frames of {len(listing.videos)} videos are in memory, {read:,.0f} MB"
        )
    epochs = sum(job.parameters.train.epochs for job in jobs)
    with console.progress("train", epochs, "epochs", quiet) as advance:
        if device.type == "cuda":
            corpus = on_device(shared.open(), device)
            for job in jobs:
                train(job, corpus, advance)
        else:
            count = count_processes(processes, jobs, shared)
            workers.run(train_on_one_thread, jobs, count, advance, (shared,))


def count_processes(asked: int, jobs: Sequence[Job], shared: SharedCorpus) -> int:
    """Return how many folds to train at once; where none is asked for, no more than the memory left has room for."""
    count = workers.count(asked, len(jobs))
    width = shared.arrays[0].array.shape[1]
    longest = int(shared.open().stacked.frame_counts.max())
    each = footprint.training_bytes(jobs[0].parameters, width, jobs[0].class_count, longest)
    left = memory.available_bytes()
    fitting = max(1, left // each)
    if fitting >= count:
        return count
    told = f"{count} processes of about {each / 1e9:.1f} GB each, {left / 1e9:.1f} GB are available"
    if asked:
        console.say(f"train: memory may run out: {told}. --processes 0 takes {fitting}")
        return count
    console.say(f"train: {fitting} folds at once: memory has no room for {told}")
    return fitting


def train_on_one_thread(job: Job, advance: Callable[[int], None], shared: SharedCorpus) -> None:
    """Train one fold on the CPU; with one thread each, detectors do not depend on how many are trained at once."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train(job, shared.open(), advance)
    finally:
        torch.set_num_threads(threads)


def train(job: Job, corpus: Corpus, advance: Callable[[int], None]) -> None:
    """Train one fold where the corpus lies, and write its detector."""
    trained = train_gathered(corpus, job.fold, job.parameters, job.class_count, lambda _: advance(1))
    write(job, trained.state, corpus.stacked.features.shape[1], tuple(row.row() for row in trained.curve))


def write(job: Job, state: Mapping[str, Tensor], width: int, curve: tuple[Mapping[str, float], ...] = ()) -> None:
    """Write the detector of a job, also into the store."""
    tensors = {name: value.numpy() for name, value in state.items()}
    detector_card.write(job.path, tensors, dataclasses.replace(job.card, input_width=width, curve=curve))
    keep(job)


def refuse_foreign(output: Path, corpus: str) -> None:
    """Raise InputError where a folder holds files of tensors that are no detectors of this corpus.

    What this stage replaces or removes it must have made: a wrong path may never cost somebody's weights.
    """
    foreign = [path for path in sorted(output.glob("*.safetensors")) if not is_ours(path, corpus)]
    if foreign:
        card = weights.told_card(foreign[0])
        found = f"is of {card['corpus']!r}" if card.get("corpus") and "fold" in card else "has no card of a detector"
        raise InputError(
            f"{foreign[0]} {found}, expected only detectors of {corpus!r} in {output} ({len(foreign)} files are none). "
            "Give --output a folder of its own; remove what is of no use there yourself"
        )


def is_ours(path: Path, corpus: str) -> bool:
    """Return whether this stage wrote a file: its card says so, even when it was cut short since."""
    card = weights.told_card(path)
    fold = card.get("fold")
    return card.get("corpus") == corpus and isinstance(fold, dict) and f"{fold.get('name')}.safetensors" == path.name


def remove_others(output: Path, corpus: str, jobs: Sequence[Job]) -> None:
    """Remove detectors of folds that are no more, a subject that left the corpus for instance."""
    expected = {job.path.name for job in jobs}
    for path in sorted(output.glob("*.safetensors")):
        if path.name not in expected and is_ours(path, corpus):
            console.say(f"train: {path} belongs to no fold of this corpus and is removed")
            path.unlink()


def write_curves(path: Path, mean_path: Path, jobs: Sequence[Job], network: str) -> None:
    """Write the losses of every fold and epoch as CSV, read back from the detectors' cards, and their means over folds.

    The means are one line, which is all that `dvc plots` draws of a table.
    """
    names = columns(network)
    rows = [(job.fold.name, row) for job in jobs for row in detector_card.read(job.path).curve]
    schema.write_csv(path, ("fold", *names), [[fold, *(row[name] for name in names)] for fold, row in rows])
    by_epoch: dict[float, list[Mapping[str, float]]] = defaultdict(list)
    for _, row in rows:
        by_epoch[row["epoch"]].append(row)
    means = [
        [epoch, len(own), *(statistics.fmean(row[name] for row in own) for name in names[1:])]
        for epoch, own in sorted(by_epoch.items())
    ]
    schema.write_csv(mean_path, ("epoch", "folds", *names[1:]), means)


if __name__ == "__main__":
    command.run(main)
