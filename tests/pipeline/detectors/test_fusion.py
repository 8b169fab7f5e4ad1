"""Weighted boxes fusion: what several detectors found, as one."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.detectors import fusion
from pipeline.detectors.decoding import Detections


def found(*rows: tuple[int, int, int, float]) -> Detections:
    """Return detections of (start, stop, emotion, confidence)."""
    bounds = np.array([row[:2] for row in rows], np.int64).reshape(-1, 2)
    return Detections(
        bounds, np.array([row[2] for row in rows], np.int64), np.array([row[3] for row in rows], np.float32)
    )


def test_one_detector_is_left_as_it_is() -> None:
    one = found((0, 10, 1, 0.9), (20, 30, 0, 0.2))
    assert fusion.fuse([one], 2) is one


def test_what_all_found_lies_at_their_weighted_mean_and_is_as_sure_as_they_are_in_the_mean() -> None:
    fused = fusion.fuse([found((10, 30, 0, 0.9)), found((14, 34, 1, 0.3)), found((10, 30, 0, 0.6))], 2)
    # Starts: (0.9 * 10 + 0.3 * 14 + 0.6 * 10) / 1.8 = 10.67; stops 20 more.
    assert fused.intervals.tolist() == [[11, 31]]
    assert fused.emotions.tolist() == [0]
    assert fused.confidence == pytest.approx([0.6])


def test_what_one_alone_found_counts_little_and_stands_last() -> None:
    fused = fusion.fuse([found((0, 10, 0, 0.8), (50, 60, 1, 0.9)), found((0, 10, 0, 0.8))], 2)
    assert fused.intervals.tolist() == [[0, 10], [50, 60]]
    assert fused.confidence == pytest.approx([0.8, 0.45])


def test_two_of_one_detector_are_two_events() -> None:
    fused = fusion.fuse([found((0, 10, 0, 0.8), (2, 12, 0, 0.6)), found((0, 10, 0, 0.4))], 1)
    assert fused.intervals.tolist() == [[0, 10], [2, 12]]
    assert fused.confidence == pytest.approx([0.6, 0.3])


def test_nothing_is_found_where_none_found_anything() -> None:
    fused = fusion.fuse([found(), found()], 3)
    assert fused.intervals.shape == (0, 2)


def test_what_all_found_without_any_confidence_lies_in_their_middle() -> None:
    fused = fusion.fuse([found((10, 20, 1, 0.0)), found((12, 22, 1, 0.0))], 2)
    assert fused.intervals.tolist() == [[11, 21]]
    assert fused.confidence.tolist() == [0]
