"""Frame numbers of annotations -> positions: alike from the numbers of all recorded frames and of the taken alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cache.corpora import positions
from cache.corpora.annotations import Annotation
from cache.corpora.footage import Footage
from cache.tables.intervals import NO_APEX
from cache.tables.videos import Video


@given(st.data())
def test_the_numbers_of_the_taken_frames_are_enough_to_find_an_expression(data: st.DataObject) -> None:
    first, count, step = (data.draw(st.integers(*limits)) for limits in ((0, 3), (1, 90), (1, 9)))
    labels = np.arange(first, first + count, dtype=np.int64)
    onset = data.draw(st.integers(first, first + count - 1))
    offset = data.draw(st.integers(onset, first + count - 1))
    taken = labels[::step]
    video = Video("v1", "s1", "v1.mp4", "video", len(taken), 30.0, first, 8, 8, "0" * 64, step)
    annotation = Annotation("v1", "s1", onset, NO_APEX, offset, "macro", "anger", 2)
    found = positions.expression(annotation, Footage(video, labels), [])
    assert positions.of_numbers(taken, onset, offset, step) == (found.start, found.stop)


def test_between_two_taken_frames_it_is_the_nearest() -> None:
    # Every 7th is taken: 1, 8, 15. From 9 to 11 the nearest is 8, from 12 to 14 it is 15.
    taken = np.array([1, 8, 15])
    assert [positions.of_numbers(taken, *between, 7) for between in ((9, 11), (12, 14))] == [(1, 2), (2, 3)]
