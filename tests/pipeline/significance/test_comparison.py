"""Paired comparison: worked by hand, exact where exchanges are few, over several seeds, refused where unfair."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.significance.comparison import Comparison, Difference, Run, compare
from pipeline.significance.drawn_figures import HEADLINES
from tests.pipeline.significance.invented import at_random, counted


def run(**counts: tuple[int, int, int]) -> Run:
    """Return a run of one video a subject, of tp, n and m."""
    return Run([counted(name, *told) for name, told in counts.items()], dict.fromkeys(counts, 0.5))


def compared(first: list[Run], second: list[Run], repetitions: int = 2000) -> Comparison:
    return compare(first, second, 1, repetitions, 0.95, 0)


def f1_of(comparison: Comparison) -> Difference:
    return comparison.differences[HEADLINES.index(("spotting", "f1"))]


def test_a_system_does_not_differ_from_itself() -> None:
    both = run(a=(1, 1, 1), b=(0, 1, 1), c=(1, 2, 3))
    for told in compared([both], [both]).differences:
        assert (told.value, told.low, told.high, told.p_value) == (0.0, 0.0, 0.0, 1.0)
        assert (told.wins, told.losses, told.ties) == (0, 0, 3)


def test_a_small_comparison_agrees_with_one_worked_by_hand() -> None:
    # F1 2 * 3 / (4 + 4) = 3/4 against 2 * 1 / (4 + 4) = 1/4. The systems are equal on b: exchanging b changes nothing,
    # and exchanging a turns the sign: whatever is exchanged, the difference is as large, and p is 1.
    first, second = run(a=(2, 2, 2), b=(1, 2, 2)), run(a=(0, 2, 2), b=(1, 2, 2))
    comparison = compared([first], [second])
    told = f1_of(comparison)
    assert (told.first, told.second, told.value) == ((0.75,), (0.25,), 0.5)
    assert (told.wins, told.losses, told.ties) == (1, 0, 1)
    assert told.p_value == 1.0
    # Drawn aa, ab, ba, bb: 1, 1/2, 1/2, 0.
    assert (told.low, told.high) == (0.0, 1.0)
    assert (comparison.exchanges, comparison.is_exact, comparison.least_p) == (2, True, 0.5)


def test_the_p_value_is_exact_where_exchanges_are_few() -> None:
    # Better by the same on each of four subjects: of the 8 exchanges that keep the first subject, only the one that
    # exchanges nothing differs as much.
    first, second = run(**dict.fromkeys("abcd", (3, 4, 4))), run(**dict.fromkeys("abcd", (1, 4, 4)))
    comparison = compared([first], [second])
    told = f1_of(comparison)
    assert told.value == pytest.approx(3 / 4 - 1 / 4)
    assert (told.low, told.high) == pytest.approx((1 / 2, 1 / 2))
    assert told.p_value == comparison.least_p == 1 / 8
    assert told.wins == 4


def test_many_subjects_are_exchanged_by_chance() -> None:
    names = [f"s{index:02}" for index in range(12)]
    first, second = run(**dict.fromkeys(names, (3, 4, 4))), run(**dict.fromkeys(names, (1, 4, 4)))
    comparison = compared([first], [second], repetitions=1000)
    assert (comparison.exchanges, comparison.is_exact, comparison.least_p) == (1000, False, 2**-11)
    # 2 of 4096 exchanges differ as much, so hardly more than the observed one.
    assert 1 / 1001 <= f1_of(comparison).p_value <= 5 / 1001


def test_seeds_of_one_setting_are_averaged_and_need_not_be_as_many() -> None:
    one, another = run(a=(2, 2, 2), b=(1, 2, 2)), run(a=(1, 2, 2), b=(0, 2, 2))  # F1 3/4 and 1/4
    other = run(a=(1, 2, 2), b=(1, 2, 2))  # F1 1/2
    told = f1_of(compared([one, another], [other]))
    assert (told.first, told.second, told.value) == ((0.75, 0.25), (0.5,), 0.0)
    # On a the mean of 1 and 1/2 is above 1/2, on b that of 1/2 and 0 below.
    assert (told.wins, told.losses, told.ties) == (1, 1, 0)
    assert (told.low, told.high) == (-0.25, 0.25)


def test_every_figure_turns_its_sign_with_the_systems() -> None:
    first, second = (Run(at_random(3, "abcd"), dict.fromkeys("abcd", level)) for level in (0.3, 0.6))
    there, back = (compare([a], [b], 3, 500, 0.9, 3) for a, b in ((first, second), (second, first)))
    for one, other in zip(there.differences, back.differences, strict=True):
        assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
        assert one.p_value == other.p_value
        assert (one.wins, one.losses) == (other.losses, other.wins)


def test_what_cannot_be_compared_is_refused() -> None:
    two = run(a=(1, 1, 1), b=(0, 1, 1))
    with pytest.raises(ValueError, match="not scored on the same expressions: 1 videos differ, c for instance"):
        compared([two], [run(a=(1, 1, 1), b=(0, 1, 1), c=(0, 0, 0))])
    with pytest.raises(ValueError, match="1 videos differ, a for instance"):
        compared([two], [run(a=(1, 1, 2), b=(0, 1, 1))])
    with pytest.raises(ValueError, match="1 videos differ, b for instance"):
        compared([two], [Run([*two.videos[:1], replace(two.videos[1], subject="a")], two.thresholds)])
    with pytest.raises(ValueError, match="1 subjects, expected at least 2"):
        compared([run(a=(1, 1, 1))], [run(a=(1, 1, 1))])
