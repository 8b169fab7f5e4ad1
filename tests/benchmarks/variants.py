"""What each part and each choice of learning is worth: variants over seeds, every subject scored by who never saw it.

    python -m tests.benchmarks.variants ablations [--seeds 5] [--held-out 1]
    python -m tests.benchmarks.variants learning --data data/rehearsal --held-out 2

Reads the tables and features of an invented corpus and trains with `configs/params.yaml` and the demo's overrides, a
variant changing single values of `train`. Finished runs are kept in a file and not repeated.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from cache import detections, files, manifest
from pipeline import decoding, scoring
from pipeline.decoding import DetectParameters
from pipeline.detector import Detector
from pipeline.folds import Fold
from pipeline.recordings import Recording
from pipeline.results import VideoResult
from pipeline.scoring import EvaluateParameters
from pipeline.training import PARTS, FoldParameters, train_fold
from stages import corpora, params, recordings

CORPUS = "demo"
FIGURES = {
    "spotting F1": ("spotting", "f1"),
    "recognition accuracy": ("recognition", "accuracy"),
    "spotting mAP": ("spotting", "map"),
    "detection mAP": ("detection", "map"),
}
MOVED = {"jitter_frames": 8, "stretch": 0.1}
SHIFTED = {"feature_shift": 0.1, "feature_dropout": 0.1}
AUGMENTED: dict[str, Any] = MOVED | SHIFTED
# The first of a table is what the others are compared with.
TABLES: dict[str, dict[str, dict[str, Any]]] = {
    "ablations": {
        "FEDN": {},
        "without segment attention": {"segment_attention": "mean"},
        "without window attention": {"window_attention": "none"},
        "without both": {"segment_attention": "mean", "window_attention": "none"},
        "spotting only": {"classification": "spotting"},
    },
    "heads": {
        "FEDN": {},
        "separate confidence branch": {"classification": "confidence"},
        "coupled head": {"head": "coupled"},
        "interval loss IoU": {"interval_loss": "iou"},
        "interval loss GIoU": {"interval_loss": "giou"},
    },
    "learning": {
        "augmented in time and in features": AUGMENTED,
        "not augmented in time": SHIFTED,
        "not augmented in features": MOVED,
        "not augmented": {},
        "focal loss (0.25, 2)": AUGMENTED | {"focal_alpha": 0.25, "focal_gamma": 2.0},
        "1.5 background windows for each other": AUGMENTED | {"background_per_positive": 1.5},
        "normalised by subject": AUGMENTED | {"normalisation": "subject"},
        "averaged weights (0.98)": AUGMENTED | {"averaging": 0.98},
    },
}


@dataclass(frozen=True)
class Job:
    """One variant at one seed."""

    row: str
    seed: int
    held_out: int
    sources: recordings.Sources
    digests: tuple[str, ...]  # of the tables and of the features' manifest: a folder may be drawn anew
    train: dict[str, Any]
    detect: DetectParameters
    evaluate: EvaluateParameters

    @property
    def key(self) -> str:
        """Everything that decides the figures."""
        parts = [self.digests, self.sources.classes, self.held_out, self.train, dataclasses.asdict(self.detect)]
        return json.dumps(parts, sort_keys=True)


def folds(subjects: Sequence[str], held_out: int) -> list[Fold]:
    """Return folds that leave out so many subjects each; with 1, the line's own."""
    present = sorted(set(subjects))
    groups = [present[first : first + held_out] for first in range(0, len(present), held_out)]
    return [Fold(f"without-{'-'.join(out)}", tuple(s for s in present if s not in out), None) for out in groups]


def score(job: Job) -> dict[str, float]:
    """Train every fold, search who was left out, and return the figures."""
    torch.set_num_threads(1)
    parameters = FoldParameters(*params.build_parts(job.train, PARTS, job.row))
    classes, device = job.sources.classes, torch.device("cpu")
    spots = parameters.detector.classification == "spotting"
    found = recordings.load(job.sources)
    results = []
    for fold in folds([recording.subject for recording in found], job.held_out):
        detector = Detector(parameters.detector, found[0].features.shape[1], len(classes))
        detector.load_state_dict(train_fold(found, fold, parameters, len(classes), device).state)
        own = [recording for recording in found if recording.subject not in fold.train_subjects]
        for recording, told in zip(
            own, decoding.detect(detector, own, parameters.train.normalisation, job.detect, device), strict=True
        ):
            results.append(result(recording, told, len(classes) if spots else 0))
    figures = scoring.summarise(results, (*classes, detections.UNRECOGNISED), job.evaluate)
    return {name: figures[part][key] for name, (part, key) in FIGURES.items()}


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


def run(job: Job) -> tuple[Job, dict[str, float]]:
    return job, score(job)


def read_kept(path: Path) -> dict[str, dict[str, float]]:
    """Return the figures of finished runs by key."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {line["key"]: line["figures"] for line in map(json.loads, lines)}


def report(table: Mapping[str, list[dict[str, float]]]) -> None:
    """Print mean and standard deviation over seeds, and the difference to the first row, seed by seed."""
    first = next(iter(table.values()))
    print("| " + " | ".join(["", *FIGURES, "spotting F1 beside the first row"]) + " |")
    print("|" + "---|" * (len(FIGURES) + 2))
    for row, runs in table.items():
        cells = [spread([figures[name] for figures in runs]) for name in FIGURES]
        apart = [one["spotting F1"] - other["spotting F1"] for one, other in zip(runs, first, strict=False)]
        print("| " + " | ".join([row, *cells, spread(apart, "+") if runs is not first else ""]) + " |")


def spread(values: Sequence[float], sign: str = "") -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):{sign}.3f} ± {deviation:.3f}"


def main(
    table: Annotated[str, typer.Argument(help=", ".join(TABLES))],
    data: Annotated[Path, typer.Option(help="The folder of the corpus' tables and features.")] = Path("data/demo"),
    features: Annotated[str, typer.Option(help="The encoder's name.")] = "ferplus",
    seeds: Annotated[int, typer.Option(help="Seeds 0 up to below this.")] = 5,
    held_out: Annotated[int, typer.Option(help="Subjects left out at once.")] = 1,
    output: Annotated[Path, typer.Option(help="Where finished runs are kept.")] = Path("results/variants.jsonl"),
) -> None:
    """Run what is missing and print the table."""
    place, classes = corpora.path_of(CORPUS), corpora.load(CORPUS).classes
    videos, expressions = (data / f"{name}.parquet" for name in ("videos", "expressions"))
    sources = recordings.Sources(videos, data / "features" / features, expressions, classes)
    digests = tuple(files.sha256_of(path) for path in (videos, expressions, sources.features / manifest.NAME))
    values = params.in_force(params.PARAMS, "train", place)
    detect = params.read(params.PARAMS, "detect", DetectParameters, place)
    # Neither guessing nor the interval of F1 enters the table.
    evaluate = dataclasses.replace(
        params.read(params.PARAMS, "evaluate", EvaluateParameters, place), guess_repetitions=1, bootstrap_repetitions=1
    )
    jobs = [
        Job(row, seed, held_out, sources, digests, values | changes | {"seed": seed}, detect, evaluate)
        for seed in range(seeds)
        for row, changes in TABLES[table].items()
    ]
    kept = read_kept(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    missing = [job for job in jobs if job.key not in kept]
    processes = len(os.sched_getaffinity(0))
    with multiprocessing.get_context("spawn").Pool(processes) as pool, output.open("a", encoding="utf-8") as lines:
        for job, figures in pool.imap_unordered(run, missing):
            kept[job.key] = figures
            lines.write(json.dumps({"key": job.key, "row": job.row, "seed": job.seed, "figures": figures}) + "\n")
            lines.flush()
            print(f"{job.row}, seed {job.seed}: {figures}", flush=True)
    report({row: [kept[job.key] for job in jobs if job.row == row] for row in TABLES[table]})


if __name__ == "__main__":
    typer.run(main)
