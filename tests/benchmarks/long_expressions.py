"""Expressions longer than a window: longer windows with more levels, or windows at coarser rates, beside the paper's.

    python -m tests.benchmarks.long_expressions [--seeds 3]

Invented recordings whose expressions have the lengths of CAS(ME)^3's macro-expressions (by quantiles alone), in two
folds, each scored by thresholds of the other subjects. Prints what part of the expressions has a positive target, F1,
mAP and recall by length, and what training costs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import typer

from pipeline.detectors import decoding, registry
from pipeline.detectors.decoding import DetectParameters
from pipeline.detectors.fedn.anchors import Anchors
from pipeline.detectors.fedn.fedn import FednParameters
from pipeline.detectors.fedn.targets import assign
from pipeline.scoring import figures as scoring
from pipeline.scoring.matching import match, pool
from pipeline.scoring.results import VideoResult, keep_confident
from pipeline.scoring.thresholds import choose_thresholds
from pipeline.training.fold import FoldParameters, train_fold
from pipeline.training.folds import leave_groups_out
from pipeline.windows.recordings import Cuts, Recording, stack, truths_of
from tests.benchmarks.variants import result
from tests.pipeline.invented_features import DETECT, fold_parameters

# Quantiles of the 3346 macro-expressions of CAS(ME)^3, in frames; below the first and above the last there is none.
QUANTILES = (
    (0.0, 12),
    (0.05, 26),
    (0.25, 45),
    (0.5, 73),
    (0.75, 141),
    (0.9, 278),
    (0.95, 486),
    (0.99, 1559),
    (1.0, 4336),
)
BANDS = ((0, 115), (115, 512), (512, 5000))
CLASS_COUNT = 6
WIDTH = 24


class Way(NamedTuple):
    """One way to see long expressions: changes of the detector, of the ranges of its points, and of the strides."""

    detector: dict[str, Any]
    point_ranges: tuple[tuple[float, float], ...]
    train_stride: int
    detect_stride: int


FOUR_RANGES = ((0.0, 10.0), (8.0, 32.0), (16.0, 64.0), (64.0, 128.0))
WAYS = {
    "windows of 128 (the paper's)": Way({}, FOUR_RANGES, 32, 16),
    "windows of 512, six levels": Way(
        {"window_frames": 512, "neck_widths": (WIDTH,) * 6}, (*FOUR_RANGES, (128.0, 256.0), (256.0, 512.0)), 128, 64
    ),
    "windows of 2048, eight levels": Way(
        {"window_frames": 2048, "neck_widths": (WIDTH,) * 8},
        (*FOUR_RANGES, (128.0, 256.0), (256.0, 512.0), (512.0, 1024.0), (1024.0, 2048.0)),
        512,
        256,
    ),
    "windows of 128 at rates 1, 4": Way({"window_rates": (1, 4)}, FOUR_RANGES, 32, 16),
    "windows of 128 at rates 1, 4, 16, 64": Way({"window_rates": (1, 4, 16, 64)}, FOUR_RANGES, 32, 16),
}


def lengths_of(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the lengths below which such shares of the expressions lie, linear in the logarithm between quantiles."""
    known, frames = zip(*QUANTILES, strict=True)
    return np.rint(np.exp(np.interp(shares, known, np.log(frames)))).astype(np.int64)


def record(seed: int, subjects: int = 16, videos: int = 2, expressions: int = 12) -> list[Recording]:
    """Return recordings whose expressions together have the quantiles, each at a random place of a random video.

    As in `tests/pipeline/invented_features.py` an emotion moves a face along a direction, more or less strongly by
    person; an expression rises and falls within a quarter of its length, and within 40 frames.
    """
    random = np.random.default_rng(seed)
    directions = np.random.default_rng(0).normal(size=(CLASS_COUNT, WIDTH)) * (4 / WIDTH**0.5)
    count = subjects * videos * expressions
    lengths = random.permutation(lengths_of((np.arange(count) + 0.5) / count)).reshape(subjects, videos, expressions)
    found = []
    for subject in range(subjects):
        face, gains = np.abs(random.normal(1, 1, WIDTH)), random.uniform(0.6, 1.4, CLASS_COUNT)
        for video in range(videos):
            gaps = random.integers(30, 300, expressions + 1)
            starts = np.cumsum(gaps[:-1]) + np.append(0, np.cumsum(lengths[subject, video])[:-1])
            frame_count = int(starts[-1] + lengths[subject, video, -1] + gaps[-1])
            emotions = random.integers(0, CLASS_COUNT, expressions)
            drift = np.cumsum(random.normal(0, 0.02, (frame_count, 4)), axis=0) @ random.normal(0, 0.3, (4, WIDTH))
            features = face + drift + random.normal(0, 0.3, (frame_count, WIDTH))
            for start, length, emotion in zip(starts, lengths[subject, video], emotions, strict=True):
                edge = min(length / 4, 40)
                ramp = np.minimum(1, np.minimum(np.arange(length) + 1, length - np.arange(length)) / edge)
                features[start : start + length] += ramp[:, None] * gains[emotion] * directions[emotion]
            found.append(
                Recording(
                    f"s{subject:02d}_{video}",
                    f"s{subject:02d}",
                    features.astype(np.float16),
                    np.ones(frame_count, np.bool_),
                    np.stack([starts, starts + lengths[subject, video]], axis=1),
                    emotions,
                )
            )
    return found


def taught_share(recordings: Sequence[Recording], parameters: FoldParameters) -> float:
    """Return which part of the expressions is the target of a prediction in some training window."""
    own = parameters.own
    assert isinstance(own, FednParameters)
    shape = own.detector
    anchors = Anchors(shape.window_frames, shape.level_strides, shape.anchor_ratios, shape.largest_log_size)
    stacked = stack(recordings, "none", torch.device("cpu"))
    among = own.cutting.candidates(stacked, parameters.train.window_stride)
    most = own.cutting.most_seen(stacked, stretch=0.0)
    taught = set()
    for batch in zip(*(torch.split(values, 64) for values in among.positive), strict=True):
        cuts = Cuts(*batch)
        targets = assign(
            *truths_of(stacked, cuts),
            own.cutting.reach(cuts),
            anchors,
            shape.window_frames,
            own.match,
            most,
        )
        middles = targets.intervals.mean(dim=-1) * cuts.rates[:, None] + cuts.starts[:, None]
        for row, video in enumerate(cuts.videos.tolist()):
            bounds = torch.from_numpy(recordings[video].intervals)
            inside = middles[row][targets.classes[row] >= 0]
            held = ((inside[:, None] > bounds[:, 0]) & (inside[:, None] < bounds[:, 1])).any(0)
            taught |= {(video, place) for place in held.nonzero()[:, 0].tolist()}
    return len(taught) / sum(len(recording.intervals) for recording in recordings)


def run(recordings: Sequence[Recording], parameters: FoldParameters, detect: DetectParameters) -> list[VideoResult]:
    """Train two folds and search who was left out of each."""
    results = []
    for fold in leave_groups_out([recording.subject for recording in recordings], 8):
        detector = registry.build(parameters.network, parameters.own, WIDTH, CLASS_COUNT)
        detector.load_state_dict(train_fold(recordings, fold, parameters, CLASS_COUNT, torch.device("cpu")).state)
        own = [recording for recording in recordings if recording.subject in fold.held_out]
        told = decoding.detect(detector, own, parameters.train.normalisation, detect, torch.device("cpu"))
        results += [result(recording, one, 0) for recording, one in zip(own, told, strict=True)]
    return results


def figures_of(results: Sequence[VideoResult]) -> dict[str, float]:
    """Return F1 and mAP, and the recall of each band of lengths at the thresholds of the other subjects."""
    thresholds = choose_thresholds(results)
    whole = scoring.evaluate(results, thresholds, [str(number) for number in range(CLASS_COUNT)])["spotting"]
    pooled = pool(keep_confident(results, thresholds))
    truths = [np.sort(video.truth_intervals, axis=0) for video in sorted(results, key=lambda video: video.video)]
    lengths = np.concatenate(
        [rows[:, 1] - rows[:, 0] for rows in truths]
    )  # of one another apart, so in the pool's order
    found = match(pooled, 0.5)
    hit = np.zeros(len(lengths), np.bool_)
    hit[found[found >= 0]] = True
    bands = {f"recall {low} to {high}": hit[(lengths > low) & (lengths <= high)].mean() for low, high in BANDS}
    return {"F1": whole["f1"], "mAP": whole["map"], **{name: float(value) for name, value in bands.items()}}


def settings(way: Way, base: FoldParameters, detect: DetectParameters) -> tuple[FoldParameters, DetectParameters]:
    """Return the parameters of one way."""
    own = base.own
    assert isinstance(own, FednParameters)
    parameters = replace(
        base,
        own=FednParameters(
            replace(own.detector, **way.detector), own.loss, replace(own.match, point_ranges=way.point_ranges)
        ),
        train=replace(base.train, window_stride=way.train_stride),
    )
    return parameters, replace(detect, window_stride=way.detect_stride)


def report(rows: Mapping[str, list[dict[str, float]]]) -> None:
    names = list(next(iter(rows.values()))[0])
    print("| " + " | ".join(["", *names]) + " |\n|" + "---|" * (len(names) + 1))
    for way, runs in rows.items():
        cells = [np.array([run[name] for run in runs]) for name in names]
        print(f"| {way} | " + " | ".join(f"{cell.mean():.3f} ± {cell.std(ddof=1):.3f}" for cell in cells) + " |")


def main(
    seeds: Annotated[int, typer.Option(help="Corpora, each trained on by its own seed; at least 2.")] = 3,
    only: Annotated[str, typer.Option(help="Run the ways whose name holds this.")] = "",
    epochs: Annotated[int, typer.Option(help="Of every fold.")] = 8,
) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    rows: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS if only in way}
    for seed in range(seeds):
        recordings = record(seed)
        for name in rows:
            way = WAYS[name]
            base = fold_parameters(width=WIDTH, seed=seed, epochs=epochs)
            parameters, detect = settings(way, base, DETECT)
            started = time.process_time()
            figures = figures_of(run(recordings, parameters, detect))
            seconds = time.process_time() - started
            rows[name].append({"taught": taught_share(recordings, parameters), **figures, "seconds": seconds})
            print(f"{name}, seed {seed}: {rows[name][-1]}", flush=True)
    report(rows)


if __name__ == "__main__":
    typer.run(main)
