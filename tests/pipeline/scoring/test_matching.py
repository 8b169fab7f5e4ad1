"""One-to-one matching: hand-worked pairs, and the plain loop that the fast one must equal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.intervals import pairwise_iou
from pipeline.scoring.matching import match, pool
from pipeline.scoring.results import VideoResult, keep_confident
from tests.pipeline.invented_results import corpora, video


def found_pairs(videos: Sequence[VideoResult], iou_threshold: float = 0.5) -> int:
    return int((match(pool(videos), iou_threshold) >= 0).sum())


def serve_one_by_one(result: VideoResult, iou_threshold: float, same_class: bool) -> list[int]:
    """Return the truth that each detection finds when they are served in turn, as the protocol says it."""
    order = np.lexsort((result.classes, *result.intervals.T[::-1], -result.confidence))
    by_time = np.lexsort((result.truth_classes, *result.truth_intervals.T[::-1]))
    overlap = pairwise_iou(result.intervals[order], result.truth_intervals[by_time])
    if same_class:
        overlap *= result.classes[order][:, None] == result.truth_classes[by_time]
    found = []
    for row in overlap:
        found.append(int(row.argmax()) if len(row) and row.max() >= iou_threshold else -1)
        if found[-1] >= 0:
            overlap[:, found[-1]] = 0
    return found


def test_a_detection_matches_at_most_one_expression() -> None:
    # Both truths overlap [0, 20) by 18/20 and 19/20; it takes the second and leaves the first.
    assert match(pool([video("a", [(0, 18, 0), (0, 19, 0)], [(0, 20, 0, 0.9)])]), 0.5).tolist() == [1]


def test_an_expression_is_found_by_the_most_confident_detection_not_by_the_closest() -> None:
    pooled = pool([video("a", [(0, 10, 0)], [(0, 10, 0, 0.8), (0, 12, 0, 0.9)])])
    assert pooled.confidence.tolist() == [0.9, 0.8]
    assert match(pooled, 0.5).tolist() == [0, -1]


def test_a_detection_whose_best_expression_is_taken_finds_the_next_best() -> None:
    # [0, 20) takes [0, 20); [1, 20) overlaps that by 19/20, but it is taken, and [4, 20) by 16/19.
    pooled = pool([video("a", [(0, 20, 0), (4, 20, 0)], [(0, 20, 0, 0.9), (1, 20, 0, 0.8)])])
    assert match(pooled, 0.5).tolist() == [0, 1]


def test_an_overlap_of_exactly_the_threshold_matches() -> None:
    videos = [video("a", [(0, 20, 0)], [(0, 11, 0, 0.9)])]  # 11/20
    assert found_pairs(videos, 0.5) == found_pairs(videos, 55 / 100) == 1
    assert found_pairs(videos, 60 / 100) == 0


def test_classes_part_detections_only_where_asked() -> None:
    pooled = pool([video("a", [(0, 10, 1)], [(0, 10, 0, 0.9), (0, 10, 1, 0.8)])])
    assert match(pooled, 0.5).tolist() == [0, -1]
    assert match(pooled, 0.5, same_class=True).tolist() == [-1, 0]


def test_a_detection_never_finds_an_expression_of_another_video() -> None:
    assert found_pairs([video("a", [(0, 10, 0)]), video("b", [], [(0, 10, 0, 0.9)])]) == 0


def test_half_frames_are_no_obstacle() -> None:
    halves = VideoResult(
        "a", "a", 50, np.array([[0.0, 10.0]], np.float32), np.array([0]),
        np.array([[0.5, 10.5], [-20.5, 3.0]], np.float32), np.array([0, 0]), np.array([0.5, 0.6], np.float32),
    )  # fmt: skip
    assert match(pool([halves]), 0.9).tolist() == [-1, 0]  # 9.5 shared of 10.5 is 0.905


@settings(max_examples=200, deadline=None)
@given(corpora, st.sampled_from([0.5, 0.6, 0.75]), st.booleans())
def test_asking_in_rounds_equals_serving_one_by_one(
    videos: list[VideoResult], iou_threshold: float, same_class: bool
) -> None:
    expected = [serve_one_by_one(result, iou_threshold, same_class) for result in videos]
    assert [match(pool([result]), iou_threshold, same_class).tolist() for result in videos] == expected
    found = match(pool(videos), iou_threshold, same_class)
    assert (found >= 0).sum() == sum(truth >= 0 for row in expected for truth in row)


@settings(deadline=None)
@given(corpora)
def test_the_order_of_videos_and_rows_changes_nothing(videos: list[VideoResult]) -> None:
    turned = [
        VideoResult(
            r.video, r.subject, r.frame_count, r.truth_intervals[::-1], r.truth_classes[::-1],
            r.intervals[::-1], r.classes[::-1], r.confidence[::-1],
        )
        for r in videos[::-1]
    ]  # fmt: skip
    first, second = pool(videos), pool(turned)
    assert np.array_equal(match(first, 0.5), match(second, 0.5))
    assert np.array_equal(first.confidence, second.confidence)
    assert np.array_equal(first.classes, second.classes)


@settings(deadline=None)
@given(corpora, st.sampled_from([0.2, 0.3, 0.75]))
def test_a_threshold_removes_matches_from_the_end_and_changes_none_before(
    videos: list[VideoResult], threshold: float
) -> None:
    pooled = pool(videos)
    above = match(pooled, 0.5)[pooled.confidence >= threshold]
    assert np.array_equal(above, match(pool(keep_confident(videos, {"a": threshold, "b": threshold})), 0.5))


def test_what_cannot_be_pooled_is_refused() -> None:
    with pytest.raises(ValueError, match="no videos"):
        pool([])
    with pytest.raises(ValueError, match="video a is given twice"):
        pool([video("a", []), video("b", []), video("a", [])])
    with pytest.raises(ValueError, match=r"iou_threshold is 0\.3, expected 0\.5 to 1"):
        match(pool([video("a", [])]), 0.3)
