"""How long 10 000 bootstrap corpora of every headline figure take, and a comparison of two runs. By hand:

    python -m tests.benchmarks.bootstrap [--detections N] [--subjects S] [--repetitions R]

The size is CAS(ME)^3's: 100 subjects of 13 videos, 3 expressions a video; what is timed is in memory already.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from pipeline.scoring.results import VideoResult
from pipeline.scoring.thresholds import choose_thresholds
from pipeline.significance.bootstrap import bootstrap
from pipeline.significance.comparison import Run, compare
from pipeline.significance.drawn_figures import sums_of

VIDEOS_OF_A_SUBJECT, TRUTHS, CLASSES = 13, 3, 4


def invent(subjects: int, detections: int, seed: int) -> list[VideoResult]:
    """Return a corpus, the same expressions for every seed; half of the detections lie near one."""
    fixed, generator = np.random.default_rng(0), np.random.default_rng(seed)
    each = detections // (subjects * VIDEOS_OF_A_SUBJECT)
    results = []
    for number in range(subjects * VIDEOS_OF_A_SUBJECT):
        start = np.arange(TRUTHS) * 900 + fixed.integers(100, 800, TRUTHS)
        truths = np.stack([start, start + fixed.integers(8, 90, TRUTHS)], axis=1)
        classes = fixed.integers(0, CLASSES, TRUTHS)
        near, moved = generator.integers(0, TRUTHS, each), generator.integers(-20, 20, each)
        first = np.maximum(truths[near, 0] + np.where(generator.random(each) < 0.5, moved, 3000), 0)
        length = np.maximum(np.diff(truths[near])[:, 0] + generator.integers(-15, 15, each), 1)
        found = np.stack([first, first + length], axis=1)
        told = np.where(generator.random(each) < 0.6, classes[near], generator.integers(0, CLASSES, each))
        name, subject = f"{number:05}", f"{number // VIDEOS_OF_A_SUBJECT:04}"
        results.append(VideoResult(name, subject, 9000, truths, classes, found, told, generator.random(each)))
    return results


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detections", type=int, default=100_000)
    parser.add_argument("--subjects", type=int, default=100)
    parser.add_argument("--repetitions", type=int, default=10_000)
    asked = parser.parse_args()
    runs = [invent(asked.subjects, asked.detections, seed) for seed in (1, 2)]
    thresholds = [choose_thresholds(videos) for videos in runs]
    with timed(f"bootstrap of {asked.repetitions} corpora, 7 figures"):
        bootstrap(sums_of(runs[0], thresholds[0], CLASSES), asked.repetitions, 0.95, 0)
    with timed(f"comparison of two runs, {asked.repetitions} exchanges besides"):
        compare(*([Run(*pair)] for pair in zip(runs, thresholds, strict=True)), CLASSES, asked.repetitions, 0.95, 0)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long something takes, and how much of it a processor worked: others may be at work, too."""
    begun, worked = time.perf_counter(), time.process_time()
    yield
    print(f"{what}: {time.perf_counter() - begun:.2f} s, {time.process_time() - worked:.2f} s of a processor")


if __name__ == "__main__":
    main()
