"""Which frames a contact sheet shows: even samples, the strongest with a distance between them, changes, runs."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.alignment import inspection


def test_an_even_sample_takes_the_middles_of_equal_parts() -> None:
    # 10 frames in parts of 2.5: the middles are 1.25, 3.75, 6.25 and 8.75.
    assert inspection.evenly(10, 4).tolist() == [1, 3, 6, 8]
    assert inspection.evenly(3, 5).tolist() == [0, 1, 2]
    assert inspection.evenly(1, 1).tolist() == [0]


@pytest.mark.parametrize(("count", "most"), [(7, 6), (1000, 999), (930, 60)])
def test_an_even_sample_has_as_many_as_asked_for_each_once(count: int, most: int) -> None:
    found = inspection.evenly(count, most)
    assert len(set(found.tolist())) == most
    assert 0 <= found.min() <= found.max() < count


def test_one_of_each_so_many_seconds_is_the_first_of_them() -> None:
    seconds = np.array([5.0, 5.5, 6.0, 6.9, 9.5, 9.6])
    # Of 5-6, 6-7 and 9-10; nothing was seen from 7 to 9.
    assert inspection.every(seconds, 1.0).tolist() == [0, 2, 4]


def test_the_strongest_keep_their_distance_and_come_strongest_first() -> None:
    strength = np.array([0.0, 9.0, 8.0, 1.0, 7.0, np.nan])
    assert inspection.strongest(strength, apart=0, most=3).tolist() == [1, 2, 4]
    # 2 lies within 2 of 1; 4 does not.
    assert inspection.strongest(strength, apart=2, most=3).tolist() == [1, 4]
    assert inspection.strongest(np.full(3, np.nan), apart=0, most=3).tolist() == []


def test_a_change_is_known_between_two_faces_one_after_the_other() -> None:
    black, grey = np.zeros((2, 2), np.uint8), np.array([[0, 0], [0, 200]], np.uint8)
    found = inspection.changes([black, grey, None, grey, grey, black])
    # One of four pixels changes by 200, up or down.
    assert np.array_equal(found, np.array([np.nan, 50, np.nan, np.nan, 0, 50], np.float32), equal_nan=True)


def test_runs_are_half_open_and_reach_the_ends() -> None:
    assert inspection.runs(np.array([True, True, False, True])).tolist() == [[0, 2], [3, 4]]
    assert inspection.runs(np.zeros(3, np.bool_)).shape == (0, 2)
