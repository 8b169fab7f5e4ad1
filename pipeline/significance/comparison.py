"""Paired comparison of two systems on the same subjects: difference, bootstrap interval, permutation test, wins.

A system is one run, or several that differ by their seed alone: its figure is then the mean of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from pipeline.errors import DataError
from pipeline.intervals import Floats
from pipeline.scoring.results import Integers, VideoResult
from pipeline.significance.bootstrap import bounds, check, draw_subjects
from pipeline.significance.drawn_figures import HEADLINES, SubjectSums, draw_figures, sums_of

# Different sums may give the same difference but for the last bit.
_SAME = 1e-12


@dataclass(frozen=True, eq=False)
class Run:
    """One run: what it found in every video, and its threshold of every subject."""

    videos: Sequence[VideoResult]
    thresholds: Mapping[str, float]


@dataclass(frozen=True)
class Difference:
    """One figure of two systems.

    Attributes:
        first, second: of each run of the systems.
        value: mean of the first minus mean of the second.
        low, high: interval of the difference over redrawn subjects; both systems see the same ones.
        p_value: two-sided; how often the difference is as large when it is left to chance, subject by subject, which
            of the two systems is which.
        wins, losses, ties: subjects on which the first system is better, worse, the same.
    """

    first: tuple[float, ...]
    second: tuple[float, ...]
    value: float
    low: float
    high: float
    p_value: float
    wins: int
    losses: int
    ties: int


@dataclass(frozen=True)
class Comparison:
    """Two systems on S subjects.

    Attributes:
        differences: one for each of ``HEADLINES``.
        exchanges: how many were tried.
        is_exact: whether these are all that there are.
        least_p: no smaller p-value is possible with so many subjects, 2^-(S - 1), however the systems differ.
    """

    subjects: int
    differences: tuple[Difference, ...]
    exchanges: int
    is_exact: bool
    least_p: float


def compare(
    first: Sequence[Run], second: Sequence[Run], class_count: int, repetitions: int, level: float, seed: int
) -> Comparison:
    """Return by how much the first system is above the second, by each of ``HEADLINES``.

    Args:
        first, second: the runs of each system, at least one; they need not be as many.
        repetitions: drawn corpora, and exchanges at most; where subjects are so few that there are not more exchanges
            than that, each is tried once and the p-value is exact.
        level: of the interval, above 0 and below 1.

    Raises:
        DataError: fewer than two subjects, or runs that were not scored on the same expressions.
        ValueError: an argument is out of its range.
    """
    _check_same_truths([*first, *second])
    one, other = ([sums_of(run.videos, run.thresholds, class_count) for run in runs] for runs in (first, second))
    count = len(one[0].subjects)
    check(count, repetitions, level)
    values = [_each(runs, np.ones((1, count), np.int64))[:, 0] for runs in (one, other)]  # (runs, 7)
    value = values[0].mean(axis=0) - values[1].mean(axis=0)
    limits = bounds(_difference(one, other, draw_subjects(count, repetitions, seed)), level)
    exchanges = draw_exchanges(count, repetitions, seed)
    is_exact = len(exchanges) == 2 ** (count - 1)
    as_large = (np.abs(_exchanged(first, second, class_count, exchanges)) >= np.abs(value) - _SAME).sum(axis=0)
    p_values = as_large / len(exchanges) if is_exact else (1 + as_large) / (1 + len(exchanges))
    by_subject = _difference(one, other, np.eye(count, dtype=np.int64))  # (S, 7)
    differences = [
        Difference(
            first=tuple(values[0][:, index].tolist()),
            second=tuple(values[1][:, index].tolist()),
            value=float(value[index]),
            low=float(limits[index, 0]),
            high=float(limits[index, 1]),
            p_value=float(p_values[index]),
            wins=int((by_subject[:, index] > _SAME).sum()),
            losses=int((by_subject[:, index] < -_SAME).sum()),
            ties=int((np.abs(by_subject[:, index]) <= _SAME).sum()),
        )
        for index in range(len(HEADLINES))
    ]
    return Comparison(count, tuple(differences), len(exchanges), is_exact, 0.5 ** (count - 1))


def draw_exchanges(count: int, repetitions: int, seed: int) -> Integers:
    """Return in which subjects the systems are exchanged, ``(P, S)`` of 0 and 1: all there are, or some by chance.

    The first subject keeps its systems where all are told: exchanging all subjects turns a difference's sign alone.
    """
    if count - 1 < 63 and 2 ** (count - 1) <= repetitions:
        bits = np.arange(2 ** (count - 1))[:, None] >> np.arange(count - 1) & 1
        return np.concatenate([np.zeros((len(bits), 1), np.int64), bits], axis=1)
    return np.random.default_rng([seed, 1]).integers(0, 2, (repetitions, count))


def _exchanged(first: Sequence[Run], second: Sequence[Run], class_count: int, exchanges: Integers) -> Floats:
    """Return the difference of each figure after each exchange, ``(P, 7)``.

    Runs have no order, so each of one system is exchanged with each of the other.
    """
    pairs = list(product(first, second))
    kept, given = np.concatenate([1 - exchanges, exchanges], axis=1), np.concatenate([exchanges, 1 - exchanges], axis=1)
    total = np.zeros((len(exchanges), len(HEADLINES)))
    for pair in pairs:
        both = _side_by_side(*pair, class_count)
        total += draw_figures(both, kept) - draw_figures(both, given)
    return total / len(pairs)


def _side_by_side(first: Run, second: Run, class_count: int) -> SubjectSums:
    """Return what each subject adds in the first run, then what each adds in the second, as of 2 S subjects."""
    runs = {"1": first, "2": second}
    videos = [
        replace(result, video=f"{name}/{result.video}", subject=f"{name}/{result.subject}")
        for name, run in runs.items()
        for result in run.videos
    ]
    thresholds = {f"{name}/{subject}": value for name, run in runs.items() for subject, value in run.thresholds.items()}
    return sums_of(videos, thresholds, class_count)


def _difference(first: Sequence[SubjectSums], second: Sequence[SubjectSums], drawings: Integers) -> Floats:
    difference: Floats = _each(first, drawings).mean(axis=0) - _each(second, drawings).mean(axis=0)
    return difference


def _each(runs: Sequence[SubjectSums], drawings: Integers) -> Floats:
    """Return the figures of each run in each drawing, ``(runs, R, 7)``."""
    return np.stack([draw_figures(sums, drawings) for sums in runs])


def _check_same_truths(runs: Sequence[Run]) -> None:
    expected, *others = [{result.video: _truths_of(result) for result in run.videos} for run in runs]
    for found in others:
        if differing := sorted(video for video in expected.keys() | found if expected.get(video) != found.get(video)):
            raise DataError(
                f"the runs were not scored on the same expressions: {len(differing)} videos differ, {differing[0]} for "
                "instance; only systems scored on the same expressions can be compared"
            )


def _truths_of(result: VideoResult) -> tuple[str, list[tuple[float, ...]]]:
    rows = np.column_stack([result.truth_intervals, result.truth_classes]).tolist()
    return result.subject, sorted(map(tuple, rows))
