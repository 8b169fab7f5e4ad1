"""What mending one kind of error would give, worked by hand on one video that has one of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.diagnosis.mending import MISSED, gains, mended
from pipeline.diagnosis.outcomes import KINDS, outcomes_of
from pipeline.scoring.results import VideoResult


def video(truths: list[tuple[int, int, int]], found: list[tuple[int, int, int, float]]) -> VideoResult:
    expected, rows = np.array(truths, np.int64).reshape(-1, 3), np.array(found, np.float64).reshape(-1, 4)
    whole = rows[:, :3].astype(np.int64)
    return VideoResult("v", "s", 1000, expected[:, :2], expected[:, 2], whole[:, :2], whole[:, 2], rows[:, 3])


# As in test_outcomes.py: right, double, wrong emotion, wrong place (40/160), background, face lost.
ONE_OF_EACH = video(
    [(0, 100, 0), (200, 300, 1), (400, 500, 0), (600, 610, 1)],
    [
        (0, 100, 0, 0.9),
        (0, 90, 0, 0.8),
        (200, 300, 0, 0.7),
        (460, 560, 0, 0.6),
        (700, 800, 1, 0.5),
        (850, 950, 1, 0.4),
    ],
)
FACES = {"v": np.arange(1000) < 900}


def told(kind: str, threshold: float = 0.0) -> Any:
    return gains([ONE_OF_EACH], {"s": threshold}, 2, FACES)[kind]


# F1 of spotting and of detection: 2 tp / (n + m). Now two of six are spotted and one is found, of four.
@pytest.mark.parametrize(
    ("kind", "spotting", "detection"),
    [
        ("now", 4 / 10, 2 / 10),
        ("wrong_emotion", 4 / 10, 4 / 10),
        ("double", 4 / 9, 2 / 9),
        ("face_lost", 4 / 9, 2 / 9),
        ("wrong_place", 6 / 10, 4 / 10),
        ("background", 4 / 9, 2 / 9),
        ("missed", 4 / 8, 2 / 8),
    ],
)
def test_f1_without_one_kind_of_error(kind: str, spotting: float, detection: float) -> None:
    assert told(kind)["spotting_f1"] == pytest.approx(spotting)
    assert told(kind)["detection_f1"] == pytest.approx(detection)


# Class 0, of two truths: right, double, wrong emotion, wrong place. Class 1, of two: background, face lost.
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("now", (1 / 2 + 0) / 2),
        # The third goes to class 1, and is its first.
        ("wrong_emotion", (1 / 2 + 1 / 2) / 2),
        # The fourth is right, at a precision of 2/4.
        ("wrong_place", (1 / 2 + 1 / 2 * 2 / 4 + 0) / 2),
        # Without doubles the first is still alone in being right.
        ("double", (1 / 2 + 0) / 2),
        # One truth is left of each class.
        ("missed", (1 + 0) / 2),
    ],
)
def test_mean_average_precision_without_one_kind_of_error(kind: str, expected: float) -> None:
    assert told(kind)["detection_map"] == pytest.approx(expected)


def test_f1_is_of_what_reaches_the_threshold_and_precision_of_everything() -> None:
    # Above 0.65: right, double and wrong emotion.
    assert told("now", 0.65)["spotting_f1"] == pytest.approx(4 / 7)
    assert told("now", 0.65)["detection_map"] == told("now")["detection_map"]
    assert told("background", 0.65)["spotting_f1"] == pytest.approx(4 / 7)


def test_of_several_in_a_wrong_place_one_is_mended_and_the_others_go() -> None:
    result = video([(0, 100, 0)], [(60, 160, 0, 0.5), (70, 170, 0, 0.9)])
    only = mended(result, outcomes_of(result), "wrong_place")
    assert only.intervals.tolist() == [[0, 100]]
    assert only.confidence.tolist() == [0.9]


def test_a_wrong_emotion_on_a_truth_that_is_found_goes() -> None:
    result = video([(0, 100, 0)], [(0, 100, 0, 0.5), (0, 100, 1, 0.9)])
    assert mended(result, outcomes_of(result), "wrong_emotion").confidence.tolist() == [0.5]


def test_without_errors_nothing_changes() -> None:
    right = video([(0, 100, 0)], [(0, 100, 0, 0.5)])
    for kind in (*KINDS[1:], MISSED):
        assert mended(right, outcomes_of(right), kind).intervals.tolist() == [[0, 100]]
    assert all(value == 1.0 for row in gains([right], {"s": 0.5}, 1).values() for value in row.values())
