"""Bootstrap and paired test over subjects: exact small cases, seeds, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.scoring.counts import Counts
from pipeline.scoring.statistics import bootstrap_f1, paired_difference

HALF = {"a": Counts(1, 1, 1), "b": Counts(0, 1, 1)}


def test_the_interval_of_two_subjects_spans_all_their_mixtures() -> None:
    # Drawn are aa, ab, ba or bb: F1 of 1, 1/2, 1/2, 0, so a quarter of the corpora score 0 and a quarter 1.
    estimate = bootstrap_f1(HALF, repetitions=2000, level=0.95, seed=0)
    assert (estimate.value, estimate.low, estimate.high) == (0.5, 0.0, 1.0)
    middle = bootstrap_f1(HALF, repetitions=2000, level=0.4, seed=0)
    assert (middle.low, middle.high) == (0.5, 0.5)


def test_equal_subjects_leave_no_doubt() -> None:
    estimate = bootstrap_f1({name: Counts(2, 3, 5) for name in "abcd"}, repetitions=50, level=0.95, seed=1)
    assert estimate.value == estimate.low == estimate.high == 2 * 2 / (3 + 5)


def test_the_seed_decides_and_the_order_of_subjects_does_not() -> None:
    generator = np.random.default_rng(0)
    counts = {f"s{i}": Counts(int(tp), int(tp) + 2, int(tp) + 3) for i, tp in enumerate(generator.integers(0, 9, 12))}
    turned = dict(reversed(counts.items()))
    first = bootstrap_f1(counts, repetitions=200, level=0.9, seed=5)
    assert first == bootstrap_f1(turned, repetitions=200, level=0.9, seed=5)
    assert first != bootstrap_f1(counts, repetitions=200, level=0.9, seed=6)
    assert first.low < first.value < first.high


def test_a_system_does_not_differ_from_itself() -> None:
    difference = paired_difference(HALF, HALF, repetitions=100, level=0.95, seed=0)
    assert (difference.value, difference.low, difference.high, difference.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_a_system_that_is_better_on_every_one_of_ten_subjects_differs_by_more_than_chance() -> None:
    first, second = {f"s{i}": Counts(3, 4, 4) for i in range(10)}, {f"s{i}": Counts(1, 4, 4) for i in range(10)}
    difference = paired_difference(first, second, repetitions=4000, level=0.95, seed=0)
    assert difference.value == pytest.approx(3 / 4 - 1 / 4)
    assert (difference.low, difference.high) == pytest.approx((1 / 2, 1 / 2))
    # Only 2 of 2**10 exchanges differ as much: all or none.
    assert difference.p_value == pytest.approx(2 / 2**10, abs=2e-3)


def test_the_difference_turns_its_sign_with_the_systems() -> None:
    first, second = {"a": Counts(3, 4, 4), "b": Counts(1, 2, 4)}, {"a": Counts(1, 4, 4), "b": Counts(2, 2, 4)}
    one, other = (paired_difference(*pair, 500, 0.9, 3) for pair in ((first, second), (second, first)))
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert one.p_value == other.p_value


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="1 subjects, expected at least 2"):
        bootstrap_f1({"a": Counts(1, 1, 1)}, 10, 0.9, 0)
    with pytest.raises(ValueError, match="level is 95"):
        bootstrap_f1(HALF, 10, 95, 0)
    with pytest.raises(ValueError, match="repetitions is 0"):
        bootstrap_f1(HALF, 0, 0.9, 0)
    with pytest.raises(ValueError, match=r"only one of the systems has subjects \['c'\]"):
        paired_difference(HALF, HALF | {"c": Counts(0, 0, 0)}, 10, 0.9, 0)
    with pytest.raises(ValueError, match="subject a has 1 truths in the first and 2 in the second"):
        paired_difference(HALF, HALF | {"a": Counts(1, 1, 2)}, 10, 0.9, 0)
