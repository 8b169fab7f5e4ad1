"""Bootstrap confidence intervals of every headline figure, resampling subjects: they differ more than videos do.

Thresholds stay what they were: they are part of the system that is judged. With few subjects the intervals are too
narrow; they speak of the subjects' spread, not of another training run's.
"""

from __future__ import annotations

import numpy as np

from pipeline.errors import DataError
from pipeline.intervals import Floats
from pipeline.scoring.results import Integers
from pipeline.significance.drawn_figures import SubjectSums, draw_figures


def bootstrap(sums: SubjectSums, repetitions: int, level: float, seed: int) -> Floats:
    """Return the bounds of each of ``HEADLINES``, ``(7, 2)``: they hold ``level`` of it over redrawn subjects.

    Args:
        repetitions: how many corpora are drawn, with replacement, at least 1.
        level: above 0 and below 1, for instance 0.95.

    Raises:
        DataError: there are fewer than two subjects.
        ValueError: an argument is out of its range.
    """
    check(len(sums.subjects), repetitions, level)
    return bounds(draw_figures(sums, draw_subjects(len(sums.subjects), repetitions, seed)), level)


def draw_subjects(count: int, repetitions: int, seed: int) -> Integers:
    """Return how often each subject is drawn, ``(R, S)``; each row sums to S."""
    drawn: Integers = np.random.default_rng([seed, 0]).multinomial(count, np.full(count, 1 / count), repetitions)
    return drawn


def bounds(values: Floats, level: float) -> Floats:
    """Return the percentile interval of each column of ``(R, C)`` values, ``(C, 2)``."""
    limits: Floats = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0).T
    return limits


def check(subjects: int, repetitions: int, level: float) -> None:
    """Refuse what no interval can be made of; errors as in ``bootstrap``."""
    if subjects < 2:
        raise DataError(f"there are {subjects} subjects, expected at least 2; one subject says nothing of others")
    if repetitions < 1:
        raise ValueError(f"repetitions is {repetitions}, expected at least 1")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected above 0 and below 1, for instance 0.95")
