"""Half-open intervals: overlaps worked by hand, and the rules that hold for any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline import intervals

NONE = np.empty((0, 2), np.int64)


def of(*bounds: tuple[int, int]) -> np.ndarray:
    return np.array(bounds, np.int64).reshape(-1, 2)


@st.composite
def some_intervals(draw: st.DrawFn) -> np.ndarray:
    count = draw(st.integers(0, 6))
    starts = draw(arrays.arrays(np.int64, count, elements=st.integers(-50, 50)))
    return np.stack([starts, starts + draw(arrays.arrays(np.int64, count, elements=st.integers(1, 40)))], axis=1)


def test_ten_frames_that_share_five_overlap_by_a_third() -> None:
    # 5 shared of 15 covered.
    assert intervals.pairwise_iou(of((0, 10)), of((5, 15))) == pytest.approx(1 / 3)


def test_touching_intervals_do_not_overlap() -> None:
    assert intervals.pairwise_iou(of((0, 10)), of((10, 20))) == 0


def test_an_overlap_of_eleven_twentieths_is_exactly_55_percent() -> None:
    assert intervals.pairwise_iou(of((0, 20)), of((0, 11)))[0, 0] == 55 / 100


def test_an_empty_set_gives_an_empty_side() -> None:
    assert intervals.pairwise_iou(NONE, of((0, 1), (2, 3))).shape == (0, 2)
    assert intervals.pairwise_iou(of((0, 1)), NONE).shape == (1, 0)
    assert intervals.rowwise_iou(NONE, NONE).shape == (0,)


def test_intervals_without_length_overlap_nothing_not_even_themselves() -> None:
    assert intervals.pairwise_iou(of((3, 3)), of((3, 3), (0, 9))).tolist() == [[0, 0]]


@settings(deadline=None)
@given(some_intervals(), some_intervals(), st.integers(-1000, 1000))
def test_overlap_is_symmetric_between_0_and_1_and_does_not_move(
    first: np.ndarray, second: np.ndarray, shift: int
) -> None:
    overlap = intervals.pairwise_iou(first, second)
    assert np.array_equal(overlap, intervals.pairwise_iou(second, first).T)
    assert np.array_equal(overlap, intervals.pairwise_iou(first + shift, second + shift))
    assert ((overlap >= 0) & (overlap <= 1)).all()
    assert (intervals.pairwise_iou(first, first).diagonal() == 1).all()


@settings(deadline=None)
@given(some_intervals(), some_intervals())
def test_overlap_counts_frames(first: np.ndarray, second: np.ndarray) -> None:
    for one, row in zip(first, intervals.pairwise_iou(first, second), strict=True):
        for other, value in zip(second, row, strict=True):
            here, there = set(range(*one)), set(range(*other))
            assert value == len(here & there) / len(here | there)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (np.zeros(4), r"shape \(4,\), expected \(N, 2\)"),
        (of((0, 2), (5, 5)), r"truths\[1\] is \[5, 5\]"),
        (np.array([[0.0, np.nan]]), r"truths\[0\] is \[0.0, nan\]"),
        (np.array([["a", "b"]]), "dtype"),
    ],
)
def test_broken_intervals_are_refused_by_name(broken: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        intervals.check(broken, "truths")
