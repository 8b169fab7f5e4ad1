"""Recognition on matched pairs: a table worked by hand, and the conventions for absent classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays

from pipeline.scoring.recognition import confusion_matrix, outcomes, recognition_figures

NAMES = ["positive", "negative", "surprise", "others"]


def test_the_figures_agree_with_a_table_worked_by_hand() -> None:
    # Truth positive x3 (2 right, 1 called negative), negative x1 (called positive); surprise and others do not occur.
    figures = recognition_figures(confusion_matrix(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 0]), 4), NAMES)
    assert figures["confusion"]["positive"] == {"positive": 2, "negative": 1, "surprise": 0, "others": 0}
    assert figures["matched"] == 4
    assert figures["accuracy"] == 2 / 4
    # F1: positive 2 * 2 / (3 + 3) = 2/3, negative 0; two classes occur.
    assert figures["uf1"] == pytest.approx(1 / 3)
    # Precision 2/3 and 0, recall 2/3 and 0: means of 1/3, whose F1 is 1/3.
    assert figures["macro_f1"] == pytest.approx(1 / 3)
    assert figures["per_class"]["positive"] == {
        "truths": 3,
        "detections": 3,
        "correct": 2,
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(2 / 3),
    }


def test_the_f1_of_averages_is_not_the_average_f1() -> None:
    # Truth positive x1 (right), negative x3 (1 right, 2 called positive).
    # Positive: P 1/3, R 1, F1 1/2. Negative: P 1, R 1/3, F1 1/2. UF1 = 1/2; means of 2/3 give an F1 of 2/3.
    figures = recognition_figures(confusion_matrix(np.array([0, 1, 1, 1]), np.array([0, 1, 0, 0]), 2), NAMES[:2])
    assert figures["uf1"] == pytest.approx(1 / 2)
    assert figures["macro_f1"] == pytest.approx(2 / 3)


def test_a_class_that_is_only_detected_counts_in_the_averages() -> None:
    # Positive: F1 2 * 1 / (2 + 1) = 2/3. Surprise was detected once and never true: 0.
    figures = recognition_figures(confusion_matrix(np.array([0, 0]), np.array([0, 2]), 3), NAMES[:3])
    assert figures["uf1"] == pytest.approx(1 / 3)


def test_the_average_recall_is_over_the_classes_that_occur_as_a_truth() -> None:
    # Positive: 1 of 2 found as such. Surprise was detected and never true: a recall of nothing is no part of the mean.
    figures = recognition_figures(confusion_matrix(np.array([0, 0, 1]), np.array([0, 2, 1]), 3), NAMES[:3])
    assert figures["uar"] == pytest.approx((1 / 2 + 1) / 2)
    assert figures["macro_recall"] == pytest.approx((1 / 2 + 1 + 0) / 3)


def test_outcomes_hold_every_truth_and_every_detection() -> None:
    # Positive x3: one as positive, one as negative, one missed. Negative x1: missed. Two more detected as negative.
    confusion = confusion_matrix(np.array([0, 0]), np.array([0, 1]), 2)
    assert outcomes(confusion, np.array([1, 1]), np.array([0, 2]), NAMES[:2]) == {
        "detected": {"positive": {"positive": 1, "negative": 0}, "negative": {"positive": 1, "negative": 0}},
        "missed": {"positive": 1, "negative": 1},
        "false": {"positive": 0, "negative": 2},
    }


def test_no_matches_score_zero() -> None:
    figures = recognition_figures(confusion_matrix(np.empty(0, np.int64), np.empty(0, np.int64), 4), NAMES)
    assert (figures["matched"], figures["accuracy"], figures["uf1"], figures["macro_f1"]) == (0, 0.0, 0.0, 0.0)


@settings(deadline=None)
@given(arrays.arrays(np.int64, (3, 3), elements={"min_value": 0, "max_value": 9}))
def test_the_f1_of_averages_is_at_least_the_average_f1(confusion: np.ndarray) -> None:
    figures = recognition_figures(confusion, NAMES[:3])
    assert figures["macro_f1"] >= figures["uf1"] - 1e-12
    assert 0 <= figures["uf1"] <= 1
