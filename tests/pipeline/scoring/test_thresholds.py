"""Thresholds chosen on others: worked by hand, against trying every one, and blind to the held-out subject."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings

from pipeline.scoring.protocols import one_to_one
from pipeline.scoring.results import VideoResult, keep_confident
from pipeline.scoring.thresholds import choose_nested_thresholds, choose_thresholds, oracle_by_subject, oracle_threshold
from tests.pipeline.invented_results import Found, Truth, corpora, detections, truths, video


def f1_at(videos: Sequence[VideoResult], threshold: float) -> float:
    return one_to_one(keep_confident(videos, dict.fromkeys("abc", threshold))).f1


def test_the_threshold_is_where_the_others_score_best() -> None:
    # On b: at 0.9 F1 2 * 1 / (1 + 2), at 0.8 two of three, 2 / (2 + 2), at 0.7 2 * 2 / (3 + 2) = 4/5, at 0.1 4/6.
    b = video("b", [(0, 9, 0), (20, 29, 0)], [(0, 9, 0, 0.9), (50, 59, 0, 0.8), (20, 29, 0, 0.7), (70, 79, 0, 0.1)])
    a = video("a", [(0, 9, 0)], [(0, 9, 0, 0.3), (50, 59, 0, 0.2)])
    # On a: at 0.3 F1 1, at 0.2 2/3.
    assert choose_thresholds([a, b]) == {"a": 0.7, "b": 0.3}


def test_of_equally_good_thresholds_the_highest_is_taken() -> None:
    # On b: at 0.9 F1 2 * 1 / (1 + 3) = 1/2, at 0.5 2 * 2 / (5 + 3) = 1/2.
    rows = [(0, 9, 0, 0.9), (20, 29, 0, 0.5), (50, 59, 0, 0.6), (60, 69, 0, 0.7), (70, 79, 0, 0.8)]
    b = video("b", [(0, 9, 0), (20, 29, 0), (90, 99, 0)], rows)
    assert choose_thresholds([video("a", []), b])["a"] == 0.9


def test_where_the_others_teach_nothing_only_the_certain_is_kept() -> None:
    a = video("a", [(0, 9, 0)], [(0, 9, 0, 0.9)])
    assert choose_thresholds([a, video("b", [])])["a"] == 1.0
    assert choose_thresholds([a, video("b", [(0, 9, 0)], [(50, 59, 0, 0.4)])])["a"] == 1.0


def test_one_subject_alone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 2 subjects, found \['a'\]"):
        choose_thresholds([video("a1", []), video("a2", [])])


@settings(deadline=None)
@given(corpora, truths, detections, truths, detections)
def test_a_subject_s_own_data_never_changes_its_threshold(
    videos: list[VideoResult],
    own_truths: list[Truth],
    own: list[Found],
    other_truths: list[Truth],
    other: list[Found],
) -> None:
    once = choose_thresholds([*videos, video("c1", own_truths, own)])
    again = choose_thresholds([*videos, video("c1", other_truths, other), video("c2", own_truths, other)])
    assert once["c"] == again["c"]


@settings(deadline=None)
@given(corpora)
def test_no_threshold_scores_better_on_the_others_nor_equally_from_higher_up(videos: list[VideoResult]) -> None:
    everyone = [*videos, video("a9", []), video("b9", [(0, 9, 0)], [(0, 9, 0, 0.25)])]
    for subject, threshold in choose_thresholds(everyone).items():
        others = [result for result in everyone if result.subject != subject]
        best = f1_at(others, threshold)
        for candidate in (0.0, 0.1, 0.2, 0.25, 0.5, 0.75, 1.0):
            assert f1_at(others, candidate) < best or (candidate <= threshold and f1_at(others, candidate) == best)


@settings(deadline=None)
@given(corpora)
def test_the_oracle_is_at_least_as_good_as_any_single_threshold(videos: list[VideoResult]) -> None:
    best = f1_at(videos, oracle_threshold(videos))
    assert all(best >= f1_at(videos, threshold) for threshold in np.linspace(0, 1, 11))


def test_a_nested_threshold_is_the_best_on_the_others_as_found_without_the_subject() -> None:
    # Found in b without a: at 0.6 F1 2 * 1 / (1 + 1). Found in a without b: at 0.9 2 * 1 / (1 + 2), at 0.2 2 * 2 / 4.
    without_a = [video("b", [(0, 9, 0)], [(0, 9, 0, 0.6), (50, 59, 0, 0.5)])]
    without_b = [video("a", [(0, 9, 0), (20, 29, 0)], [(0, 9, 0, 0.9), (20, 29, 0, 0.2)])]
    assert choose_nested_thresholds({"a": without_a, "b": without_b}) == {"a": 0.6, "b": 0.2}


def test_the_oracle_of_each_subject_has_seen_its_answers() -> None:
    a, b = video("a", [(0, 9, 0)], [(0, 9, 0, 0.3)]), video("b", [(0, 9, 0)], [(0, 9, 0, 0.8), (50, 59, 0, 0.7)])
    assert oracle_by_subject([a, b]) == {"a": 0.3, "b": 0.8}
