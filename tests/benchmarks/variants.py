"""What each part and each choice of learning is worth: variants over seeds, every subject scored by who never saw it.

    python -m tests.benchmarks.variants ablations [--seeds 5] [--held-out 1]
    python -m tests.benchmarks.variants learning --data data/rehearsal --held-out 2
    python -m tests.benchmarks.variants joint --data data/people24 --held-out 6

Reads the tables and features of an invented corpus (`python -m tests.benchmarks.invented` draws a larger one). Trains
with `configs/params.yaml` and the demo's overrides, a variant changing single values of `train` or `detect`. Finished
runs are kept in a file and not repeated; what is left is run seed by seed, and a run that is stopped goes on later.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from cache import files
from cache.shards import manifest
from cache.tables import intervals
from pipeline.detectors import decoding, registry
from pipeline.detectors.decoding import DetectParameters
from pipeline.scoring.figures import EvaluateParameters
from pipeline.scoring.results import VideoResult
from pipeline.scoring.thresholds import choose_thresholds
from pipeline.significance.summary import summarise
from pipeline.training.fold import train_fold
from pipeline.training.folds import leave_groups_out
from pipeline.windows.recordings import Recording
from stages.parts import recordings, train_parameters
from stages.shell import corpora, params
from stages.train import TRAINING_VERSION

CORPUS = "demo"
FIGURES = {
    "spotting F1": ("spotting", "f1"),
    "recognition accuracy": ("recognition", "accuracy"),
    "spotting mAP": ("spotting", "map"),
    "detection mAP": ("detection", "map"),
}
PAIRED = ("spotting F1", "spotting mAP")
MOVED = {"jitter_frames": 8, "stretch": 0.1}
SHIFTED = {"feature_shift": 0.1, "feature_dropout": 0.1}
AUGMENTED: dict[str, Any] = MOVED | SHIFTED
HEADS: dict[str, dict[str, Any]] = {
    "separate confidence branch": {"classification": "confidence"},
    "coupled head": {"head": "coupled"},
    "interval loss IoU": {"interval_loss": "iou"},
    "interval loss GIoU": {"interval_loss": "giou"},
}


def narrow(width: int) -> dict[str, Any]:
    """Return every width of the network but the heads' own at `width`, as the demo has them at 64."""
    names = ("width", "window_attention_width", "head_width")
    return dict.fromkeys(names, width) | {"block_widths": [width] * 2, "neck_widths": [width] * 4}


SHORT: dict[str, Any] = {"epochs": 14}
# The first of a table is what the others are compared with. A name that begins with `detect.` belongs to that section.
TABLES: dict[str, dict[str, dict[str, Any]]] = {
    "ablations": {
        "FEDN": {},
        "without segment attention": {"segment_attention": "mean"},
        "without window attention": {"window_attention": "none"},
        "without both": {"segment_attention": "mean", "window_attention": "none"},
        "spotting only": {"classification": "spotting"},
    },
    "heads": {"FEDN": {}} | HEADS,
    # Why a detector that only spots may be better at spotting than the joint one.
    "joint": {
        "FEDN (joint, width 64, 14 epochs)": SHORT,
        "spotting only": SHORT | {"classification": "spotting"},
        "ranked by any class": SHORT | {"detect.ranking": "any"},
        "shared objectness": SHORT | {"classification": "objectness"},
        "classification weight 0.25": SHORT | {"classification_weight": 0.25},
        "classification weight 0.5": SHORT | {"classification_weight": 0.5},
        "classification weight 2": SHORT | {"classification_weight": 2.0},
        **{row: SHORT | changes for row, changes in HEADS.items()},
        "28 epochs": {"epochs": 28},
        "width 128": SHORT | narrow(128),
        "width 256": SHORT | narrow(256),
    },
    "learning": {
        "augmented in time and in features": AUGMENTED,
        "not augmented in time": SHIFTED,
        "not augmented in features": MOVED,
        "not augmented": {},
        "focal loss (0.25, 2)": AUGMENTED | {"focal_alpha": 0.25, "focal_gamma": 2.0},
        "1.5 background windows for each other": AUGMENTED | {"background_per_positive": 1.5},
        "normalised by subject": AUGMENTED | {"normalisation": "subject"},
        "averaged weights (0.98)": AUGMENTED | {"ema_decay": 0.98},
    },
}
DETECT = "detect."


@dataclass(frozen=True)
class Job:
    """One training at one seed, and the rows that search with it."""

    seed: int
    held_out: int
    inputs: recordings.Inputs
    digests: tuple[str, ...]  # of the tables and of the features' manifest: a folder may be drawn anew
    train: dict[str, Any]
    rows: dict[str, DetectParameters]
    evaluate: EvaluateParameters

    def key(self, row: str) -> str:
        """Return everything that decides the figures of a row."""
        parts = [TRAINING_VERSION, self.digests, self.inputs.classes, self.held_out, self.train]
        return json.dumps([*parts, dataclasses.asdict(self.rows[row])], sort_keys=True)


def score(job: Job) -> dict[str, dict[str, float]]:
    """Train every fold, search who was left out, and return the figures of every row."""
    torch.set_num_threads(1)
    parameters = train_parameters.build(job.train, "variants")
    classes, device = job.inputs.classes, torch.device("cpu")
    spots = not parameters.own.recognises
    found = recordings.load(job.inputs)
    results: dict[str, list[VideoResult]] = {row: [] for row in job.rows}
    for fold in leave_groups_out([recording.subject for recording in found], job.held_out):
        detector = registry.build(parameters.network, parameters.own, found[0].features.shape[1], len(classes))
        detector.load_state_dict(train_fold(found, fold, parameters, len(classes), device).state)
        own = [recording for recording in found if recording.subject in fold.held_out]
        for row, detect in job.rows.items():
            told = decoding.detect(detector, own, parameters.train.normalisation, detect, device)
            pairs = zip(own, told, strict=True)
            results[row] += [result(recording, one, len(classes) if spots else 0) for recording, one in pairs]
    figures = {
        row: summarise(rows, choose_thresholds(rows), (*classes, intervals.UNRECOGNISED), job.evaluate)
        for row, rows in results.items()
    }
    return {row: {name: found[part][key] for name, (part, key) in FIGURES.items()} for row, found in figures.items()}


def result(recording: Recording, told: decoding.Detections, offset: int) -> VideoResult:
    return VideoResult(
        video=recording.video,
        subject=recording.subject,
        frame_count=len(recording.features),
        truth_intervals=recording.intervals,
        truth_classes=recording.emotions,
        intervals=told.intervals,
        classes=told.emotions + offset,
        confidence=told.confidence,
    )


def run(job: Job) -> tuple[Job, dict[str, dict[str, float]]]:
    return job, score(job)


def plan(
    rows: Mapping[str, dict[str, Any]], train: dict[str, Any], detect: dict[str, Any], parts: dict[str, Any], seed: int
) -> list[Job]:
    """Return one job for each different training among the rows."""
    jobs: dict[str, Job] = {}
    for row, changes in rows.items():
        own = {name: value for name, value in changes.items() if not name.startswith(DETECT)}
        searched = {name.removeprefix(DETECT): value for name, value in changes.items() if name.startswith(DETECT)}
        values = train | own | {"seed": seed}
        job = jobs.setdefault(json.dumps(values, sort_keys=True), Job(seed=seed, train=values, rows={}, **parts))
        job.rows[row] = params.build(detect | searched, DetectParameters, row)
    return list(jobs.values())


def read_kept(path: Path) -> dict[str, dict[str, float]]:
    """Return the figures of finished runs by key."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {line["key"]: line["figures"] for line in map(json.loads, lines)}


def report(table: Mapping[str, dict[int, dict[str, float]]]) -> None:
    """Print mean and standard deviation over seeds, and the differences to the first row, seed by seed."""
    first = next(iter(table.values()))
    print("| " + " | ".join(["", "seeds", *FIGURES, *(f"{name} beside the first row" for name in PAIRED)]) + " |")
    print("|" + "---|" * (len(FIGURES) + len(PAIRED) + 2))
    for row, runs in table.items():
        cells = [spread([figures[name] for figures in runs.values()]) for name in FIGURES]
        common = sorted(runs.keys() & first.keys())
        apart = [spread([runs[seed][name] - first[seed][name] for seed in common], "+") for name in PAIRED]
        print("| " + " | ".join([row, str(len(runs)), *cells, *(apart if runs is not first else [""] * 2)]) + " |")


def spread(values: Sequence[float], sign: str = "") -> str:
    if not values:
        return ""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):{sign}.3f} ± {deviation:.3f}"


def main(
    table: Annotated[str, typer.Argument(help=", ".join(TABLES))],
    data: Annotated[Path, typer.Option(help="The folder of the corpus' tables and features.")] = Path("data/demo"),
    features: Annotated[str, typer.Option(help="The encoder's name.")] = "ferplus",
    seeds: Annotated[int, typer.Option(help="Seeds 0 up to below this.")] = 5,
    first_rows: Annotated[int, typer.Option(help="So many rows get --seeds, the others --fewer-seeds.")] = 100,
    fewer_seeds: Annotated[int, typer.Option(help="Seeds of the rows after --first-rows.")] = 3,
    held_out: Annotated[int, typer.Option(help="Subjects left out at once.")] = 1,
    hours: Annotated[float, typer.Option(help="Start no run after so many hours.")] = 24.0,
    output: Annotated[Path, typer.Option(help="Where finished runs are kept.")] = Path("results/variants.jsonl"),
    processes: Annotated[int, typer.Option(help="Runs at once; 0: one a core.")] = 0,
) -> None:
    """Run what is missing and print the table."""
    place, classes = corpora.path_of(CORPUS), corpora.load(CORPUS).classes
    videos, expressions = (data / f"{name}.parquet" for name in ("videos", "expressions"))
    inputs = recordings.Inputs(videos, data / "features" / features, expressions, classes)
    digests = tuple(files.sha256_of(path) for path in (videos, expressions, inputs.features / manifest.NAME))
    # Neither guessing nor the interval of F1 enters the table.
    evaluate = dataclasses.replace(
        params.read(params.PARAMS, "evaluate", EvaluateParameters, place), guess_repetitions=1, bootstrap_repetitions=1
    )
    parts = {"held_out": held_out, "inputs": inputs, "digests": digests, "evaluate": evaluate}
    train, detect = (params.in_force(params.PARAMS, section, place) for section in ("train", "detect"))
    jobs = []
    for seed in range(seeds):
        rows = dict(list(TABLES[table].items())[: None if seed < fewer_seeds else first_rows])
        jobs += plan(rows, train, detect, parts, seed)
    kept = read_kept(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    missing = [job for job in jobs if any(job.key(row) not in kept for row in job.rows)]
    started = time.monotonic()
    at_once = processes or len(os.sched_getaffinity(0))
    print(
        f"{len(missing)} of {len(jobs)} trainings to do, {at_once} at once, none begun after {hours:g} hours",
        flush=True,
    )
    with ProcessPoolExecutor(at_once, multiprocessing.get_context("spawn")) as pool, output.open("a") as lines:
        waiting = iter(missing)
        running = {pool.submit(run, job) for job in islice(waiting, at_once)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for job, figures in (future.result() for future in done):
                for row, told in figures.items():
                    kept[job.key(row)] = told
                    lines.write(json.dumps({"key": job.key(row), "row": row, "seed": job.seed, "figures": told}) + "\n")
                    print(f"{row}, seed {job.seed}, {time.monotonic() - started:.0f} s: {told}", flush=True)
                lines.flush()
                if time.monotonic() - started < hours * 3600:
                    running |= {pool.submit(run, job) for job in islice(waiting, 1)}
    print(f"{(time.monotonic() - started) / 3600:.2f} hours")
    report({row: of_row(row, jobs, kept) for row in TABLES[table]})


def of_row(row: str, jobs: Sequence[Job], kept: Mapping[str, dict[str, float]]) -> dict[int, dict[str, float]]:
    """Return the figures of a row's finished runs by seed."""
    return {job.seed: kept[job.key(row)] for job in jobs if row in job.rows and job.key(row) in kept}


if __name__ == "__main__":
    typer.run(main)
