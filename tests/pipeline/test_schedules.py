"""The learning rate rises, then stays or falls."""

from __future__ import annotations

import pytest

from pipeline.schedules import share_of_full_rate, warm_up_then


def test_the_learning_rate_warms_up_and_falls_along_a_cosine() -> None:
    shares = [share_of_full_rate(step, 10, 2, "cosine") for step in range(10)]
    # Two steps of warm-up: a half, whole; then eight of the cosine, half way down at the fifth of them.
    assert shares[:3] == [0.5, 1, 1]
    assert shares[6] == pytest.approx(0.5)
    assert shares[2:] == sorted(shares[2:], reverse=True)
    assert shares[9] > 0


def test_a_rate_by_position_rises_from_nothing_and_ends_at_nothing() -> None:
    # A quarter of the way is warm-up; the middle of the rest lies at 5 / 8.
    shares = [warm_up_then("cosine", position, 0.25, 1) for position in (0, 0.125, 0.25, 0.625, 1)]
    assert shares == pytest.approx([0, 0.5, 1, 0.5, 0])


def test_without_a_schedule_and_a_warm_up_the_learning_rate_stays() -> None:
    assert {share_of_full_rate(step, 10, 0, "constant") for step in range(10)} == {1}


def test_a_training_that_is_all_warm_up_never_divides_by_zero() -> None:
    assert [share_of_full_rate(step, 2, 4, "cosine") for step in range(2)] == [0.25, 0.5]
