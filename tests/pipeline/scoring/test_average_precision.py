"""Average precision: worked by hand, and what must hold for any corpus."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.scoring.average_precision import (
    IOU_PERCENT,
    average_precision,
    detection_precisions,
    precision_recall,
    spotting_curve,
    spotting_precisions,
)
from pipeline.scoring.matching import pool
from tests.pipeline.invented_results import video


def area(confidence: list[float], correct: list[bool], truth_count: int) -> float:
    return average_precision(np.array(confidence), np.array(correct, np.bool_), truth_count)


def test_right_wrong_right_with_two_truths_is_five_sixths() -> None:
    # Precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1: 1/2 * 1 + 1/2 * 2/3.
    assert area([0.9, 0.8, 0.7], [True, False, True], 2) == pytest.approx(5 / 6)


def test_precision_at_a_recall_is_the_best_at_that_recall_or_a_higher_one() -> None:
    # Wrong, right, right: precision 0, 1/2, 2/3 at recall 0, 1/2, 1. Interpolated 2/3 throughout.
    assert area([0.9, 0.8, 0.7], [False, True, True], 2) == pytest.approx(2 / 3)


def test_truths_that_are_never_found_bound_the_area() -> None:
    assert area([0.9], [True], 4) == pytest.approx(1 / 4)


def test_equal_confidences_are_one_step_whatever_their_order() -> None:
    # Both kept or neither: precision 1/2 at recall 1. One by one it would be 1 or 1/2, by the order of rows.
    assert area([0.9, 0.9], [True, False], 1) == area([0.9, 0.9], [False, True], 1) == pytest.approx(1 / 2)


def test_nothing_detected_or_nothing_to_find_is_zero() -> None:
    assert area([], [], 3) == area([0.9], [False], 0) == area([], [], 0) == 0.0


def test_the_curve_has_a_point_for_every_confidence() -> None:
    curve = precision_recall(np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, True, False, False]), 4)
    assert curve.confidence.tolist() == [0.9, 0.8, 0.1]
    assert curve.precision.tolist() == pytest.approx([1, 2 / 3, 2 / 4])
    assert curve.recall.tolist() == [1 / 4, 2 / 4, 2 / 4]


def test_an_overlap_of_three_quarters_counts_up_to_75_percent() -> None:
    pooled = pool([video("a", [(0, 20, 0)], [(0, 15, 0, 0.9)])])
    assert dict(zip(IOU_PERCENT, spotting_precisions(pooled), strict=True)) == {
        **dict.fromkeys((50, 55, 60, 65, 70, 75), 1.0),
        **dict.fromkeys((80, 85, 90, 95), 0.0),
    }


def test_spotting_ignores_classes_and_detection_does_not() -> None:
    pooled = pool([video("a", [(0, 20, 0), (50, 70, 1)], [(0, 20, 0, 0.9), (50, 70, 0, 0.8)])])
    assert spotting_precisions(pooled).tolist() == [1.0] * 10
    # Class 0: found first, then a wrong one below it, 1. Class 1: never detected, 0. Class 2: no truths, no value.
    assert np.array_equal(detection_precisions(pooled, 3), [[1.0, 0.0, np.nan]] * 10, equal_nan=True)


def test_detections_of_several_videos_share_one_order() -> None:
    # Falling confidence: b wrong 0.9, a right 0.8, b right 0.7: 2/3 of precision throughout, as above.
    videos = [video("a", [(0, 9, 0)], [(0, 9, 0, 0.8)]), video("b", [(0, 9, 0)], [(50, 59, 0, 0.9), (0, 9, 0, 0.7)])]
    assert spotting_precisions(pool(videos))[0] == pytest.approx(2 / 3)
    assert spotting_curve(pool(videos), 0.5).recall.tolist() == [0, 1 / 2, 1]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.9]), st.booleans()), max_size=12), st.integers(0, 3))
def test_a_curve_drawn_point_by_point_has_the_same_area(rows: list[tuple[float, bool]], missed: int) -> None:
    rows.sort(reverse=True)
    truth_count = sum(correct for _, correct in rows) + missed
    points = []
    for cut in {confidence for confidence, _ in rows}:
        kept = [correct for confidence, correct in rows if confidence >= cut]
        points.append((sum(kept) / max(truth_count, 1), sum(kept) / len(kept)))
    recalls = sorted({0.0} | {recall for recall, _ in points})
    expected = sum(
        (upper - lower) * max(precision for recall, precision in points if recall >= upper)
        for lower, upper in pairwise(recalls)
    )
    assert area([c for c, _ in rows], [c for _, c in rows], truth_count) == pytest.approx(expected)
