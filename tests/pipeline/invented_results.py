"""Invented results of a video: from rows of truths and detections, and any such corpus at random (hypothesis)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from pipeline.scoring.results import VideoResult

Truth = tuple[int, int, int]  # start, stop, class
Found = tuple[int, int, int, float]  # start, stop, class, confidence


def video(
    name: str, truths: Sequence[Truth], found: Sequence[Found] = (), subject: str = "", frame_count: int = 1000
) -> VideoResult:
    """Return a video; its subject is the first letter of its name if none is given."""
    expected, rows = np.array(truths, np.int64).reshape(-1, 3), np.array(found, np.float64).reshape(-1, 4)
    return VideoResult(
        video=name,
        subject=subject or name[0],
        frame_count=frame_count,
        truth_intervals=expected[:, :2],
        truth_classes=expected[:, 2],
        intervals=rows[:, :2].astype(np.int64),
        classes=rows[:, 2].astype(np.int64),
        confidence=rows[:, 3],
    )


spans = st.tuples(st.integers(0, 40), st.integers(1, 20)).map(lambda span: (span[0], sum(span)))
truths = st.lists(st.tuples(spans, st.integers(0, 2)).map(lambda row: (*row[0], row[1])), max_size=5)
confidences = st.sampled_from([0.1, 0.2, 0.25, 0.5, 0.75, 1.0])
detections = st.lists(
    st.tuples(spans, st.integers(0, 2), confidences).map(lambda row: (*row[0], row[1], row[2])), max_size=8
)
# Up to four videos of two subjects.
corpora = st.lists(st.tuples(truths, detections), min_size=1, max_size=4).map(
    lambda parts: [video(f"{'ab'[index % 2]}{index}", *part) for index, part in enumerate(parts)]
)
