"""Kinds of errors, worked by hand on one video that has one of each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.diagnosis.outcomes import KINDS, are_cut, false_detections, misses, outcomes_of
from pipeline.scoring.matching import match, pool
from pipeline.scoring.results import VideoResult

NAMES = ["happiness", "anger"]


def video(truths: list[tuple[int, int, int]], found: list[tuple[int, int, int, float]]) -> VideoResult:
    expected, rows = np.array(truths, np.int64).reshape(-1, 3), np.array(found, np.float64).reshape(-1, 4)
    whole = rows[:, :3].astype(np.int64)
    return VideoResult("v", "s", 1000, expected[:, :2], expected[:, 2], whole[:, :2], whole[:, 2], rows[:, 3])


# The third truth is only half met, the fourth not at all.
TRUTHS = [(0, 100, 0), (200, 300, 1), (400, 500, 0), (600, 610, 1)]
FOUND = [
    (700, 800, 1, 0.5),  # nothing is there
    (0, 90, 0, 0.8),  # 90/100 of the first truth, which a more confident one found
    (0, 100, 0, 0.9),  # right
    (200, 300, 0, 0.7),  # the second truth, which is of class 1
    (460, 560, 0, 0.6),  # 40/160 of the third
    (850, 950, 1, 0.4),  # nothing is there, and no face either
]
ONE_OF_EACH = video(TRUTHS, FOUND)
FACES = np.arange(1000) < 900  # half of [850, 950) is without a face


def kinds(result: VideoResult, faces: np.ndarray | None = None) -> list[str]:
    return [KINDS[kind] for kind in outcomes_of(result, faces).kind]


def test_every_detection_has_the_kind_worked_by_hand() -> None:
    expected = ["background", "double", "correct", "wrong_emotion", "wrong_place", "face_lost"]
    assert kinds(ONE_OF_EACH, FACES) == expected
    assert kinds(ONE_OF_EACH) == [*expected[:-1], "background"]


def test_a_detection_knows_its_truth_and_how_much_it_overlaps() -> None:
    told = outcomes_of(ONE_OF_EACH)
    assert told.truth.tolist() == [-1, 0, 0, 1, 2, -1]
    assert told.iou.tolist() == pytest.approx([0, 0.9, 1, 1, 0.25, 0])
    assert told.found.tolist() == [True, False, False, False]
    assert told.spotted.tolist() == [True, True, False, False]


def test_the_kinds_are_counted_and_wrong_places_by_overlap() -> None:
    assert false_detections([ONE_OF_EACH, ONE_OF_EACH], {"v": FACES}) == {
        **dict.fromkeys(KINDS, 2),
        "wrong_place_by_iou": {"0.1-0.2": 0, "0.2-0.3": 2, "0.3-0.4": 0, "0.4-0.5": 0},
    }


def test_a_tenth_of_a_truth_is_a_wrong_place_and_less_is_background() -> None:
    # 20/200 is a tenth; 10/110 is less.
    result = video([(0, 110, 0)], [(90, 200, 0, 0.5), (109, 120, 0, 0.4)])
    assert kinds(result) == ["wrong_place", "background"]


def test_a_truth_of_another_emotion_between_two_does_not_hide_the_own() -> None:
    # [0, 100) fits the first truth by 100/120 and the second, its own, by 100/150, which the other detection found.
    result = video([(0, 120, 1), (0, 150, 0)], [(0, 150, 0, 0.9), (0, 100, 0, 0.8)])
    assert kinds(result) == ["correct", "double"]
    assert outcomes_of(result).truth.tolist() == [1, 1]


def test_misses_are_told_by_length_emotion_subject_and_what_else_is_known() -> None:
    told = misses([ONE_OF_EACH], NAMES, {"v": ["macro"] * 3 + ["micro"]}, {"v": np.array([[0, 256], [128, 512]])})
    assert told == {
        "by_length": {"0-15": {"missed": 1, "annotated": 1}, "60-120": {"missed": 1, "annotated": 3}},
        "by_emotion": {"anger": {"missed": 1, "annotated": 2}, "happiness": {"missed": 1, "annotated": 2}},
        "by_subject": {"s": {"missed": 2, "annotated": 4}},
        "by_intensity": {"macro": {"missed": 1, "annotated": 3}, "micro": {"missed": 1, "annotated": 1}},
        "by_window": {"cut": {"missed": 1, "annotated": 1}, "whole": {"missed": 1, "annotated": 3}},
    }


def test_a_truth_is_cut_where_no_window_holds_all_of_it() -> None:
    windows = np.array([[0, 100], [50, 150]])
    assert are_cut(np.array([[0, 100], [60, 140], [40, 101], [140, 160]]), windows).tolist() == [
        False,
        False,
        True,
        True,
    ]
    assert are_cut(np.array([[0, 10]]), np.empty((0, 2))).tolist() == [True]


def test_nothing_at_all_has_no_errors() -> None:
    empty = video([], [])
    assert false_detections([empty])["correct"] == 0
    assert misses([empty], NAMES) == {"by_length": {}, "by_emotion": {}, "by_subject": {}}
    assert kinds(video([], [(0, 9, 0, 0.5)])) == ["background"]


spans = st.tuples(st.integers(0, 60), st.integers(1, 30)).map(lambda span: (span[0], sum(span)))
known = st.lists(st.tuples(spans, st.integers(0, 1)).map(lambda row: (*row[0], row[1])), max_size=6)
told_rows = st.lists(
    st.tuples(spans, st.integers(0, 1), st.sampled_from([0.1, 0.5, 0.9])).map(lambda row: (*row[0], row[1], row[2])),
    max_size=8,
)


@settings(deadline=None)
@given(known, told_rows)
def test_what_is_correct_and_found_is_what_matching_says(truths: list, found: list) -> None:
    result = video(truths, found)
    told, pooled = outcomes_of(result), pool([result])
    for same_class, expected in ((True, told.found), (False, told.spotted)):
        matched = match(pooled, 0.5, same_class)
        assert expected.sum() == (matched >= 0).sum()
    assert (told.kind == 0).sum() == told.found.sum()
    right = told.kind == 0
    assert (result.classes[right] == result.truth_classes[told.truth[right]]).all()
    assert (told.iou[right] >= 0.5).all()
