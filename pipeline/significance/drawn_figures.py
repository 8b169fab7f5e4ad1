"""The headline figures of thousands of drawings of a corpus' subjects at once, for bootstrap and permutation tests.

A drawing has each subject never, once or several times. What a subject adds is worked out once: counts, confusion, and
which of its detections stand where in the order of confidence. A figure is then a sum over the drawn subjects, the same
as ``figures.evaluate`` gives for a corpus of these subjects (a test compares them).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.intervals import Booleans, Floats
from pipeline.scoring.average_precision import IOU_PERCENT
from pipeline.scoring.figures import counts_by_subject
from pipeline.scoring.matching import LOOSEST_IOU, Pool, match, pool
from pipeline.scoring.results import Integers, VideoResult, threshold_of

# Part and name, as in ``figures.evaluate``.
HEADLINES = (
    ("spotting", "f1"),
    ("spotting", "precision"),
    ("spotting", "recall"),
    ("spotting", "map"),
    ("recognition", "accuracy"),
    ("recognition", "uf1"),
    ("detection", "map"),
)
# Drawings at once: what is worked on then stays in the processor's own memory.
_BLOCK = 256


@dataclass(frozen=True, eq=False)
class Ranking:
    """The order of detections, of one class or of all, as far as average precision needs it.

    Attributes:
        at_least: ``(U, S)`` how many detections of each subject are at least as confident as each of U confidences.
        steps: of each IoU of ``IOU_PERCENT``, the F detections that found a truth, from the most confident: ``(F,)``
            their subjects, and which of the U confidences is theirs.
        truths: ``(S,)`` of each subject.
    """

    at_least: Floats
    steps: tuple[tuple[Integers, Integers], ...]
    truths: Floats


@dataclass(frozen=True, eq=False)
class SubjectSums:
    """What each of S subjects adds to the figures.

    Attributes:
        subjects: sorted.
        counts: ``(S, 3)`` tp, n, m of spotting, at the thresholds.
        confusion: ``(S, K, K)`` truth by detected, of what was spotted.
        spotting: of all detections, whatever the thresholds.
        detection: likewise, one for each of K classes.
    """

    subjects: tuple[str, ...]
    counts: Floats
    confusion: Floats
    spotting: Ranking
    detection: tuple[Ranking, ...]


def sums_of(videos: Sequence[VideoResult], thresholds: Mapping[str, float], class_count: int) -> SubjectSums:
    """Return what each subject adds.

    Raises:
        DataError: there are no videos, or a subject has no threshold.
    """
    pooled = pool(videos)
    counted = counts_by_subject(videos, thresholds)
    counts = np.array([(counted[name].tp, counted[name].n, counted[name].m) for name in pooled.subjects], np.float64)
    found = [match(pooled, percent / 100) >= 0 for percent in IOU_PERCENT]
    own = [match(pooled, percent / 100, same_class=True) >= 0 for percent in IOU_PERCENT]
    every = np.ones(len(pooled.confidence), np.bool_), np.ones(len(pooled.truth_classes), np.bool_)
    of_class = [(pooled.classes == index, pooled.truth_classes == index) for index in range(class_count)]
    return SubjectSums(
        subjects=pooled.subjects,
        counts=counts,
        confusion=_confusion(pooled, thresholds, class_count),
        spotting=_ranking(pooled, *every, found),
        detection=tuple(_ranking(pooled, *part, own) for part in of_class),
    )


def draw_figures(sums: SubjectSums, drawings: Integers) -> Floats:
    """Return the figures of each drawing, ``(R, 7)``, in the order of ``HEADLINES``.

    Args:
        drawings: ``(R, S)`` how often each subject is there.
    """
    return np.concatenate([_figures(sums, block.astype(np.float64)) for block in _blocks(drawings)])


def by_part(values: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Return what goes with each of ``HEADLINES`` by part and name."""
    told: dict[str, dict[str, Any]] = {}
    for (part, name), value in zip(HEADLINES, values, strict=True):
        told.setdefault(part, {})[name] = value
    return told


def _blocks(drawings: Integers) -> Iterator[Integers]:
    for begin in range(0, len(drawings), _BLOCK):
        yield drawings[begin : begin + _BLOCK]


def _confusion(pooled: Pool, thresholds: Mapping[str, float], class_count: int) -> Floats:
    by_subject = np.array([threshold_of(subject, thresholds) for subject in pooled.subjects])
    found = match(pooled, LOOSEST_IOU)
    spotted = (found >= 0) & (pooled.confidence >= by_subject[pooled.subject])
    confusion = np.zeros((len(pooled.subjects), class_count, class_count))
    truth = pooled.truth_classes[found[spotted]]
    np.add.at(confusion, (pooled.subject[spotted], truth, pooled.classes[spotted]), 1)
    return confusion


def _ranking(pooled: Pool, rows: Booleans, truth_rows: Booleans, found: Sequence[Booleans]) -> Ranking:
    """Return the ranking of some of the detections, which stand in falling confidence."""
    subject, confidence, count = pooled.subject[rows], pooled.confidence[rows], len(pooled.subjects)
    mine = [correct[rows] for correct in found]
    places = np.unique(-confidence[np.any(mine, axis=0)])  # (U,), the most confident first
    stop = np.searchsorted(-confidence, places, side="right")
    rows_above = np.arange(stop.max(initial=0))
    at_least = np.zeros((len(places), count))
    np.add.at(at_least, (np.searchsorted(stop, rows_above, "right"), subject[rows_above]), 1)
    steps = [(subject[correct], np.searchsorted(places, -confidence[correct])) for correct in mine]
    truths = np.bincount(pooled.truth_subject[truth_rows], minlength=count).astype(np.float64)
    return Ranking(np.cumsum(at_least, axis=0), tuple(steps), truths)


def _figures(sums: SubjectSums, drawn: Floats) -> Floats:
    counts = drawn @ sums.counts
    tp, n, m = counts.T
    accuracy, uf1 = _recognition(np.tensordot(drawn, sums.confusion, 1))
    spotting = _precisions(sums.spotting, drawn).mean(axis=0)
    detection = _mean_over_classes(sums.detection, drawn)
    columns = (_ratio(2 * tp, n + m), _ratio(tp, n), _ratio(tp, m), spotting, accuracy, uf1, detection)
    return np.stack(columns, axis=1)


def _mean_over_classes(rankings: Sequence[Ranking], drawn: Floats) -> Floats:
    """Return the mean over IoU and over the classes that the drawn subjects show, ``(B,)``."""
    each = np.stack([_precisions(ranking, drawn).mean(axis=0) for ranking in rankings])  # (K, B)
    present = np.stack([drawn @ ranking.truths > 0 for ranking in rankings])
    return _ratio((each * present).sum(axis=0), present.sum(axis=0))


def _precisions(ranking: Ranking, drawn: Floats) -> Floats:
    """Return the average precision at each IoU of each drawing, ``(10, B)``; as ``average_precision`` interpolates."""
    reached = np.maximum(ranking.at_least @ drawn.T, 1)  # (U, B) detections
    truths = np.maximum(drawn @ ranking.truths, 1)
    precisions = np.zeros((len(ranking.steps), len(drawn)))
    weights = np.ascontiguousarray(drawn.T)
    for row, (subject, place) in enumerate(ranking.steps):
        gained = weights[subject]  # (F, B)
        best = _accumulate(np.add, gained.copy())
        best /= reached[place]
        # Of equally confident ones the last has the precision of them all, the highest of theirs.
        _accumulate(np.maximum, best[::-1])
        precisions[row] = np.einsum("fb,fb->b", gained, best) / truths
    return precisions


def _accumulate(operation: np.ufunc, values: Floats) -> Floats:
    """Return ``operation.accumulate`` of ``(F, B)`` values over the rows, in place.

    NumPy goes from number to number, each waiting for the one before, in eight times the time: here whole rows are
    worked on at once, first within runs of rows, then run by run.
    """
    length = math.isqrt(len(values)) + 1
    for row in range(1, length):
        later = values[row::length]
        operation(later, values[row - 1 :: length][: len(later)], out=later)
    for first in range(length, len(values), length):
        run = values[first : first + length]
        operation(run, values[first - 1], out=run)
    return values


def _recognition(confusion: Floats) -> tuple[Floats, Floats]:
    """Return accuracy and UF1 of ``(B, K, K)`` matrices, ``(B,)`` each; see ``recognition_figures``."""
    correct = np.diagonal(confusion, axis1=1, axis2=2)
    truths, detections = confusion.sum(axis=2), confusion.sum(axis=1)
    present = (truths + detections) > 0
    f1 = _ratio(2 * correct, truths + detections)
    return _ratio(correct.sum(axis=1), truths.sum(axis=1)), _ratio(f1.sum(axis=1), present.sum(axis=1))


def _ratio(numerator: Floats, denominator: Any) -> Floats:
    """Return the quotients, 0 where there is nothing below the line."""
    below = np.asarray(denominator, np.float64)
    return np.divide(numerator, below, out=np.zeros(below.shape), where=below > 0)
