"""Invented results: videos of given counts, and corpora at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.scoring.results import VideoResult

Truth = tuple[int, int, int]  # start, stop, class
Found = tuple[int, int, int, float]  # start, stop, class, confidence


def video(name: str, truths: Sequence[Truth], found: Sequence[Found] = (), subject: str = "") -> VideoResult:
    """Return a video of 10 000 frames; its subject is the first letter of its name if none is given."""
    expected, rows = np.array(truths, np.int64).reshape(-1, 3), np.array(found, np.float64).reshape(-1, 4)
    return VideoResult(
        video=name,
        subject=subject or name[0],
        frame_count=10_000,
        truth_intervals=expected[:, :2],
        truth_classes=expected[:, 2],
        intervals=rows[:, :2].astype(np.int64),
        classes=rows[:, 2].astype(np.int64),
        confidence=rows[:, 3],
    )


def counted(subject: str, tp: int, n: int, m: int) -> VideoResult:
    """Return a video of ``m`` truths and ``n`` detections of confidence 1, ``tp`` of which find one; all of class 0."""
    truths = [(100 * index, 100 * index + 20, 0) for index in range(m)]
    found = [(*row, 1.0) for row in truths[:tp]] + [(5000 + 50 * i, 5020 + 50 * i, 0, 1.0) for i in range(n - tp)]
    return video(subject, truths, found, subject)


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
        videos.append(video(name, truths, found))
    return videos
