"""The summary of a run: bounds, the dozen headline figures, and what must hold of truth and of nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pipeline.scoring.figures import EvaluateParameters, headline
from pipeline.scoring.recognition import Figures
from pipeline.scoring.results import VideoResult
from pipeline.scoring.thresholds import choose_thresholds
from pipeline.significance.summary import summarise
from tests.pipeline.invented_results import video

NAMES = ["positive", "negative", "others"]
PARAMETERS = EvaluateParameters(seed=0, guess_repetitions=3, bootstrap_repetitions=50, confidence_level=0.95)


# a: a positive found and told right, a negative found and called positive, one false alarm below the threshold.
# b: two truths, one found and told right, one false alarm. c has neither expressions nor detections.
CORPUS = [
    video("a", [(0, 20, 0), (100, 120, 1)], [(0, 20, 0, 0.9), (100, 120, 0, 0.8), (300, 320, 0, 0.1)]),
    video("b", [(0, 20, 1), (100, 120, 2)], [(0, 20, 1, 0.7), (500, 520, 2, 0.6)]),
    video("c", []),
]


def summary_of(videos: Sequence[VideoResult]) -> Figures:
    return summarise(videos, choose_thresholds(videos), NAMES, PARAMETERS)


def numbers(figures: Any) -> list[float]:
    return [n for value in figures.values() for n in (numbers(value) if isinstance(value, dict) else [value])]


def test_the_truth_scores_one_everywhere() -> None:
    rows = [(0, 20, 0), (10, 30, 1), (100, 103, 2), (200, 260, 0)]
    videos = [video(name, rows, [(*row, 0.5) for row in rows]) for name in "ab"]
    figures = summary_of(videos)
    for part, name in (("spotting", "f1"), ("spotting", "map"), ("detection", "f1"), ("detection", "map")):
        assert figures[part][name] == 1.0
    assert figures["recognition"]["accuracy"] == figures["recognition"]["uf1"] == 1.0
    assert figures["spotting"]["f1_low"] == figures["spotting"]["f1_high"] == 1.0


def test_runs_are_compared_by_a_dozen_figures() -> None:
    figures = summary_of(CORPUS)
    told = headline(figures)
    assert len(numbers(told)) == 12
    assert told["spotting"].items() <= figures["spotting"].items()
    assert told["guessing"]["f1"] == figures["guessing"]["spotting"]["f1"]
    assert told["oracle"]["f1"] == pytest.approx(6 / 7)


def test_no_detections_score_zero() -> None:
    figures = summary_of([video("a", [(0, 9, 0)]), video("b", [(0, 9, 1)])])
    assert figures["spotting"]["f1"] == figures["spotting"]["map"] == figures["detection"]["map"] == 0.0
    assert figures["recognition"]["uf1"] == 0.0


def test_no_expressions_anywhere_score_zero() -> None:
    figures = summary_of([video("a", [], [(0, 9, 0, 0.5)]), video("b", [])])
    assert figures["spotting"]["f1"] == figures["spotting"]["map"] == figures["detection"]["map"] == 0.0
    assert figures["detection"]["ap_by_class"] == {}
