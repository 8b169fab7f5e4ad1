"""Of overlapping detections the most confident stays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from pipeline.detectors.suppression import suppress
from pipeline.intervals import pairwise_iou

Found = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]


def make(rows: list[tuple[int, int, float, int]]) -> Found:
    """Return intervals, confidence and emotions of rows (start, stop, confidence, emotion)."""
    table = np.array(rows, np.float64).reshape(-1, 4)
    return table[:, :2].astype(np.int64), table[:, 2].astype(np.float32), table[:, 3].astype(np.int64)


@st.composite
def many(draw: st.DrawFn) -> Found:
    row = st.tuples(st.integers(0, 60), st.integers(1, 30), st.sampled_from([0.1, 0.5, 0.9]), st.integers(0, 2))
    return make([(start, start + length, conf, kind) for start, length, conf, kind in draw(st.lists(row, max_size=25))])


def test_suppression_worked_by_hand() -> None:
    found = make(
        [
            (0, 10, 0.5, 0),  # IoU with row 1: 8 / 12 = 0.67, goes
            (2, 12, 0.9, 1),  # the most confident, stays
            (11, 21, 0.8, 0),  # IoU with row 1: 1 / 19 = 0.05, stays
            (16, 26, 0.7, 0),  # IoU with row 2: 5 / 15 = 0.33, goes
            (21, 31, 0.6, 0),  # touches row 2, and row 3 is gone, so it stays
        ]
    )
    assert suppress(*found, overlap=0.2, keep=200, per_class=False).tolist() == [1, 2, 4]


def test_an_overlap_of_exactly_the_threshold_stays() -> None:
    found = make([(0, 6, 0.9, 0), (4, 10, 0.8, 0)])  # 2 / 10 = 0.2
    assert suppress(*found, overlap=0.2, keep=200, per_class=False).tolist() == [0, 1]


def test_a_suppressed_detection_suppresses_nothing() -> None:
    found = make([(0, 10, 0.9, 0), (5, 15, 0.8, 0), (10, 20, 0.7, 0)])  # row 2 overlaps only row 1, which goes
    assert suppress(*found, overlap=0.2, keep=200, per_class=False).tolist() == [0, 2]


def test_emotions_leave_each_other_alone_when_suppressed_per_class() -> None:
    found = make([(0, 10, 0.9, 0), (0, 10, 0.8, 1), (1, 11, 0.7, 0)])
    assert suppress(*found, overlap=0.2, keep=200, per_class=True).tolist() == [0, 1]
    assert suppress(*found, overlap=0.2, keep=200, per_class=False).tolist() == [0]


def test_only_the_most_confident_are_kept() -> None:
    found = make([(0, 10, 0.1, 0), (20, 30, 0.9, 0), (40, 50, 0.5, 0)])
    assert suppress(*found, overlap=0.2, keep=2, per_class=False).tolist() == [1, 2]


def test_nothing_stays_nothing() -> None:
    assert suppress(*make([]), overlap=0.2, keep=200, per_class=False).shape == (0,)


@given(many(), st.booleans())
def test_what_stays_overlaps_by_no_more_than_the_threshold(found: Found, per_class: bool) -> None:
    staying = suppress(*found, overlap=0.2, keep=200, per_class=per_class)
    overlap = pairwise_iou(found[0][staying], found[0][staying])
    same = found[2][staying][:, None] == found[2][staying][None] if per_class else np.ones_like(overlap, dtype=bool)
    assert (overlap[~np.eye(len(staying), dtype=bool) & same] <= 0.2).all()
    assert (np.diff(found[1][staying]) <= 0).all()


@given(many(), st.randoms())
def test_the_order_of_detections_does_not_matter(found: Found, random: st.DataObject) -> None:
    order = np.array(random.sample(range(len(found[0])), len(found[0])), np.int64)  # type: ignore[attr-defined]
    staying = suppress(*found, overlap=0.2, keep=200, per_class=False)
    shuffled = suppress(*(values[order] for values in found), overlap=0.2, keep=200, per_class=False)
    for values in found:
        assert values[staying].tolist() == values[order][shuffled].tolist()
