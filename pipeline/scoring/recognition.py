"""Recognition: confusion matrix, accuracy and class averages over matched detections only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from pipeline.intervals import Booleans, Floats
from pipeline.scoring.counts import ratio
from pipeline.scoring.results import Integers

# Names to numbers, or to further names: what a JSON file can hold.
Figures: TypeAlias = dict[str, Any]


def confusion_matrix(truth_classes: Integers, classes: Integers, class_count: int) -> Integers:
    """Return how often truth class ``row`` was detected as class ``column``, ``(K, K)``, over matched pairs."""
    counts = np.bincount(truth_classes * class_count + classes, minlength=class_count**2)
    matrix: Integers = counts.reshape(class_count, class_count).astype(np.int64)
    return matrix


def recognition_figures(confusion: Integers, class_names: Sequence[str]) -> Figures:
    """Return accuracy, averages over classes, and the counts they rest on, ready for JSON.

    The averages go over the classes that occur among the matched, as a truth or as a detection; one that occurs in
    neither is left out, as MEAN's program does. A class that is never detected has precision 0.

    - ``uf1``: mean of the per-class F1, 2 correct / (truths + detections).
    - ``macro_precision``, ``macro_recall``: means of the per-class values; ``macro_f1`` is the F1 of these two means,
      which MEAN reports. It is at least as large as ``uf1``, so the two must not be compared.

    All are 0 when nothing matched. ``confusion`` holds ``truth -> detected -> count``.
    """
    correct, truths, detections = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    present = (truths + detections) > 0
    precision, recall = _mean(correct, detections, present), _mean(correct, truths, present)
    return {
        "matched": int(truths.sum()),
        "accuracy": ratio(int(correct.sum()), int(truths.sum())),
        "uf1": _mean(2 * correct, truths + detections, present),
        "macro_precision": precision,
        "macro_recall": recall,
        "macro_f1": ratio(2 * precision * recall, precision + recall),
        "per_class": {name: _class_figures(confusion, index) for index, name in enumerate(class_names)},
        "confusion": {
            truth: {detected: int(confusion[row, column]) for column, detected in enumerate(class_names)}
            for row, truth in enumerate(class_names)
        },
    }


def _class_figures(confusion: Integers, index: int) -> Figures:
    correct = int(confusion[index, index])
    truths, detections = int(confusion[index].sum()), int(confusion[:, index].sum())
    return {
        "truths": truths,
        "detections": detections,
        "correct": correct,
        "precision": ratio(correct, detections),
        "recall": ratio(correct, truths),
        "f1": ratio(2 * correct, truths + detections),
    }


def _mean(numerator: Integers, denominator: Integers, present: Booleans) -> float:
    """Return the mean quotient of the present classes; a class with nothing below the line counts as 0."""
    quotient: Floats = np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0)
    return float(quotient[present].mean()) if present.any() else 0.0
