"""Invented results: videos of given counts, and corpora at random."""

from __future__ import annotations

import numpy as np

from pipeline.scoring.results import VideoResult
from tests.pipeline.invented_results import video

FRAME_COUNT = 10_000


def counted(subject: str, tp: int, n: int, m: int) -> VideoResult:
    """Return a video of ``m`` truths and ``n`` detections of confidence 1, ``tp`` of which find one; all of class 0."""
    truths = [(100 * index, 100 * index + 20, 0) for index in range(m)]
    found = [(*row, 1.0) for row in truths[:tp]] + [(5000 + 50 * i, 5020 + 50 * i, 0, 1.0) for i in range(n - tp)]
    return video(subject, truths, found, subject, FRAME_COUNT)


def at_random(seed: int, subjects: str = "abcdef") -> list[VideoResult]:
    """Return two videos of every subject: truths of three classes, some found, with many equal confidences."""
    generator = np.random.default_rng(seed)
    videos = []
    for name in (f"{subject}{part}" for subject in subjects for part in (1, 2)):
        truths = [(200 * index, 200 * index + 40, int(generator.integers(3))) for index in range(generator.integers(5))]
        found = []
        for start, stop, emotion in truths:
            shift = int(generator.integers(0, 25))
            told = emotion if generator.random() < 0.7 else int(generator.integers(3))
            found.append((start + shift, stop + shift, told, round(float(generator.random()), 1)))
        found += [(4000 + 60 * i, 4040 + 60 * i, int(generator.integers(3)), 0.5) for i in range(generator.integers(4))]
        videos.append(video(name, truths, found, frame_count=FRAME_COUNT))
    return videos
