"""Average precision over all thresholds at once: how well confidence sorts right detections before wrong ones.

Interpolated at every point, as ActivityNet and THUMOS do: precision at a recall is the best precision at that recall or
a higher one, and the area under these steps is the average precision. Two deviations, with their effect:

- Detections of equal confidence are one step, since no threshold can part them. ActivityNet takes them one by one in
  the order they happen to have, so its value changes when rows are shuffled; without ties the two agree.
- Within a video a detection takes the best truth still free (``matching.py``), as in ActivityNet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.intervals import Booleans, Floats
from pipeline.scoring.matching import Pool, match
from pipeline.scoring.results import Integers

# Hundredths divided once are the nearest floats to 0.50, 0.55, ..., 0.95; repeated addition would drift off them.
IOU_PERCENT = tuple(range(50, 100, 5))


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """Precision and recall of keeping everything at least as confident, ``(U,)`` each, most confident first."""

    confidence: Floats
    precision: Floats
    recall: Floats


def precision_recall(confidence: Floats, correct: Booleans, truth_count: int) -> PrecisionRecall:
    """Return the curve over the U different confidences; empty without detections, recall 0 without truths.

    Args:
        confidence: ``(N,)`` from high to low.
        correct: ``(N,)`` whether the detection found a truth.
        truth_count: how many truths there are to find.
    """
    last = last_of_each(confidence)
    tp = np.cumsum(correct)[last].astype(np.float64)
    return PrecisionRecall(confidence[last], tp / (last + 1), tp / max(truth_count, 1))


def last_of_each(confidence: Floats) -> Integers:
    """Return the last row of each run of equal confidences, ``(U,)``."""
    if not len(confidence):
        return np.empty(0, np.int64)
    return np.append(np.flatnonzero(confidence[1:] != confidence[:-1]), len(confidence) - 1).astype(np.int64)


def average_precision(confidence: Floats, correct: Booleans, truth_count: int) -> float:
    """Return the area under the interpolated precision, 0 to 1; arguments as for ``precision_recall``.

    Without truths it is 0. Hand-worked: right, wrong, right in falling confidence with two truths has precision
    1, 1/2, 2/3 at recall 1/2, 1/2, 1, so the area is 1/2 * 1 + 1/2 * 2/3 = 5/6.
    """
    curve = precision_recall(confidence, correct, truth_count)
    best_from_here = np.maximum.accumulate(curve.precision[::-1])[::-1]
    return float(np.sum(np.diff(curve.recall, prepend=0.0) * best_from_here))


def average_precision_of_found(ordered: Floats, found: Floats, truth_count: int) -> float:
    """Return ``average_precision`` from the confidences alone; the last digit may differ, as sums go.

    Where nothing is found recall stays and precision falls, so no such step is ever the best.

    Args:
        ordered: ``(N,)`` the confidence of every detection, from low to high.
        found: ``(F,)`` of those that found a truth, in any order.
    """
    values, counts = np.unique(found, return_counts=True)
    tp = np.cumsum(counts[::-1]).astype(np.float64)
    precision = tp / (len(ordered) - np.searchsorted(ordered, values[::-1]))
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(tp / max(truth_count, 1), prepend=0.0) * best_from_here))


def spotting_curve(pooled: Pool, iou_threshold: float) -> PrecisionRecall:
    """Return the precision and recall of spotting over all thresholds, classes ignored."""
    correct = match(pooled, iou_threshold) >= 0
    return precision_recall(pooled.confidence, correct, len(pooled.truth_classes))


def spotting_precisions(pooled: Pool) -> Floats:
    """Return the average precision of spotting at each of ``IOU_PERCENT``, ``(10,)``, classes ignored."""
    truth_count = len(pooled.truth_classes)
    found = (match(pooled, percent / 100) >= 0 for percent in IOU_PERCENT)
    return np.array([average_precision(pooled.confidence, correct, truth_count) for correct in found])


def detection_precisions(pooled: Pool, class_count: int) -> Floats:
    """Return the average precision of every class at each of ``IOU_PERCENT``, ``(10, K)``.

    Detections and truths match within a class only. A class without truths has NaN: it is no part of any mean.
    """
    truth_counts = np.bincount(pooled.truth_classes, minlength=class_count)
    precisions = np.full((len(IOU_PERCENT), class_count), np.nan)
    for row, percent in enumerate(IOU_PERCENT):
        correct = match(pooled, percent / 100, same_class=True) >= 0
        for emotion in np.flatnonzero(truth_counts):
            own = pooled.classes == emotion
            precisions[row, emotion] = average_precision(pooled.confidence[own], correct[own], truth_counts[emotion])
    return precisions
