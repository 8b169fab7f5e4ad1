"""Bootstrap confidence intervals of F1 and paired tests, resampling subjects: they differ more than videos do.

Thresholds stay what they were: they are part of the system that is judged. With few subjects the intervals are too
narrow; they speak of the subjects' spread, not of another training run's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.errors import DataError
from pipeline.intervals import Floats
from pipeline.scoring.counts import Counts
from pipeline.scoring.results import Integers


@dataclass(frozen=True)
class Estimate:
    """A value with the bounds of its percentile interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """An estimated difference, first minus second, and how often chance alone differs as much."""

    value: float
    low: float
    high: float
    p_value: float


def bootstrap_f1(counts: Mapping[str, Counts], repetitions: int, level: float, seed: int) -> Estimate:
    """Return the corpus's F1 with the interval that holds ``level`` of it when subjects are drawn with replacement.

    Args:
        counts: by subject; their order does not matter.
        repetitions: how many corpora are drawn, at least 1.
        level: above 0 and below 1, for instance 0.95.

    Raises:
        DataError: there are fewer than two subjects.
        ValueError: an argument is out of its range.
    """
    table = _table(counts)
    _check(len(table), repetitions, level)
    drawn = _f1(_draw_subjects(len(table), repetitions, seed) @ table)
    low, high = _bounds(drawn, level)
    return Estimate(float(_f1(table.sum(axis=0))), low, high)


def paired_difference(
    first: Mapping[str, Counts], second: Mapping[str, Counts], repetitions: int, level: float, seed: int
) -> Difference:
    """Return by how much the first system's F1 is above the second's on the same subjects.

    Both see the same drawn subjects, so what makes a subject hard cancels. The two-sided p-value comes from exchanging
    the systems within randomly chosen subjects: how often that differs at least as much; never below
    1 / (repetitions + 1). Arguments as for ``bootstrap_f1``.

    Raises:
        DataError: besides, the subjects differ, or a subject does not have the same number of truths in both.
    """
    _check_same_truths(first, second)
    one, other = _table(first), _table(second)
    _check(len(one), repetitions, level)
    draws = _draw_subjects(len(one), repetitions, seed)
    low, high = _bounds(_f1(draws @ one) - _f1(draws @ other), level)
    value = float(_f1(one.sum(axis=0)) - _f1(other.sum(axis=0)))
    return Difference(value, low, high, _exchange_p_value(one, other, repetitions, seed))


def _exchange_p_value(one: Integers, other: Integers, repetitions: int, seed: int) -> float:
    exchanged = np.random.default_rng([seed, 1]).integers(0, 2, (repetitions, len(one)))
    moved = exchanged @ (other - one)  # (R, 3)
    first, second = one.sum(axis=0), other.sum(axis=0)
    differences = np.abs(_f1(first + moved) - _f1(second - moved))
    # Counts that give the same difference by another way may differ in the last bit of the quotient.
    as_large = differences >= abs(_f1(first) - _f1(second)) - 1e-12
    return float((1 + as_large.sum()) / (1 + repetitions))


def _table(counts: Mapping[str, Counts]) -> Integers:
    """Return ``(S, 3)`` tp, n, m, by the subjects' names."""
    rows = [(counts[subject].tp, counts[subject].n, counts[subject].m) for subject in sorted(counts)]
    return np.array(rows, np.int64).reshape(len(rows), 3)


def _draw_subjects(count: int, repetitions: int, seed: int) -> Integers:
    """Return how often each subject is drawn, ``(R, S)``; each row sums to S."""
    return np.random.default_rng([seed, 0]).multinomial(count, np.full(count, 1 / count), repetitions)


def _f1(counts: Integers) -> Floats:
    """Return the F1 of ``(..., 3)`` counts, 0 where there is nothing."""
    size = counts[..., 1] + counts[..., 2]
    return np.asarray(2 * counts[..., 0] / np.maximum(size, 1), np.float64)


def _bounds(values: Floats, level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _check(subjects: int, repetitions: int, level: float) -> None:
    if subjects < 2:
        raise DataError(f"counts hold {subjects} subjects, expected at least 2; one subject says nothing of others")
    if repetitions < 1:
        raise ValueError(f"repetitions is {repetitions}, expected at least 1")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected above 0 and below 1, for instance 0.95")


def _check_same_truths(first: Mapping[str, Counts], second: Mapping[str, Counts]) -> None:
    if set(first) != set(second):
        raise DataError(f"only one of the systems has subjects {sorted(set(first) ^ set(second))}; score both on all")
    for subject in sorted(first):
        if first[subject].m != second[subject].m:
            raise DataError(
                f"subject {subject} has {first[subject].m} truths in the first and {second[subject].m} in the second; "
                "only systems scored on the same expressions can be compared"
            )
