"""The dictionary of figures: a small corpus worked by hand, and what must hold for any."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from pipeline.scoring.counts import Counts
from pipeline.scoring.figures import (
    EvaluateParameters,
    counts_by_subject,
    evaluate,
    guessing_figures,
)
from pipeline.scoring.results import VideoResult
from tests.pipeline.invented_results import corpora, video

NAMES = ["positive", "negative", "others"]
PARAMETERS = EvaluateParameters(seed=0, guess_repetitions=3, bootstrap_repetitions=50, confidence_level=0.95)


# a: a positive found and told right, a negative found and called positive, one false alarm below the threshold.
# b: two truths, one found and told right, one false alarm. c has neither expressions nor detections.
CORPUS = [
    video("a", [(0, 20, 0), (100, 120, 1)], [(0, 20, 0, 0.9), (100, 120, 0, 0.8), (300, 320, 0, 0.1)]),
    video("b", [(0, 20, 1), (100, 120, 2)], [(0, 20, 1, 0.7), (500, 520, 2, 0.6)]),
    video("c", []),
]
THRESHOLDS = {"a": 0.5, "b": 0.6, "c": 0.5}


def test_the_figures_agree_with_a_corpus_worked_by_hand() -> None:
    figures = evaluate(CORPUS, THRESHOLDS, NAMES)
    assert {name: figures["spotting"][name] for name in ("tp", "n", "m", "precision", "recall")} == {
        "tp": 3,
        "n": 4,
        "m": 4,
        "precision": 3 / 4,
        "recall": 3 / 4,
    }
    assert figures["spotting"]["f1"] == 6 / 8
    # Falling confidence: right, right, right, wrong, wrong; 3 of 4 truths at precision 1.
    assert figures["spotting"]["map"] == pytest.approx(3 / 4)
    # Matched: positive as positive, negative as positive, negative as negative.
    assert figures["recognition"]["accuracy"] == pytest.approx(2 / 3)
    # F1 positive 2 / (1 + 2) = 2/3, negative 2 / (2 + 1) = 2/3; others did not match.
    assert figures["recognition"]["uf1"] == pytest.approx(2 / 3)
    assert {name: figures["detection"][name] for name in ("tp", "n", "m")} == {"tp": 2, "n": 4, "m": 4}
    # Positive: 1 of 1 first, 1. Negative: 1 of 2, 1/2. Others: found nowhere, 0. The mean is 1/2 at every IoU.
    assert figures["detection"]["map"] == pytest.approx(1 / 2)
    assert figures["detection"]["ap_by_class"]["negative"]["map"] == pytest.approx(1 / 2)


def test_a_class_without_expressions_is_no_part_of_the_mean() -> None:
    strayed = video("d", [], [(0, 20, 3, 0.05)])
    detection = evaluate([*CORPUS, strayed], THRESHOLDS | {"d": 0.5}, [*NAMES, "surprise"])["detection"]
    assert detection["map"] == pytest.approx(1 / 2)
    assert set(detection["ap_by_class"]) == set(NAMES)


def test_every_subject_has_its_row_and_the_rows_add_up() -> None:
    figures = evaluate(CORPUS, THRESHOLDS, NAMES)
    assert counts_by_subject(CORPUS, THRESHOLDS) == {"a": Counts(2, 2, 2), "b": Counts(1, 2, 2), "c": Counts(0, 0, 0)}
    assert figures["per_subject"]["b"]["threshold"] == 0.6
    assert figures["per_subject"]["b"]["f1"] == 2 / 4
    for name in ("tp", "n", "m"):
        assert sum(row[name] for row in figures["per_subject"].values()) == figures["spotting"][name]


def test_our_protocol_is_the_one_that_spotting_reports() -> None:
    figures = evaluate(CORPUS, THRESHOLDS, NAMES)
    assert figures["protocols"]["one_to_one"].items() <= figures["spotting"].items()
    assert set(figures["protocols"]) == {
        "one_to_one", "megc_2020", "softnet_mean_me_tst", "lgsnet", "auw_gcn", "auw_gcn_2025", "spotformer",
    }  # fmt: skip


def test_outcomes_add_up_to_the_truths_and_to_what_was_kept() -> None:
    figures = evaluate(CORPUS, THRESHOLDS, NAMES)
    told = figures["recognition"]["outcomes"]
    found = sum(sum(row.values()) for row in told["detected"].values())
    assert found == figures["spotting"]["tp"]
    assert found + sum(told["missed"].values()) == figures["spotting"]["m"]
    assert found + sum(told["false"].values()) == figures["spotting"]["n"]


def test_the_oracle_has_its_own_name_and_threshold() -> None:
    # Keeping the three right ones alone: 2 * 3 / (3 + 4).
    figures = evaluate(CORPUS, THRESHOLDS, NAMES)
    assert figures["oracle"]["threshold"] == 0.7
    assert figures["oracle"]["spotting"]["f1"] == pytest.approx(6 / 7)


def test_guessing_where_everything_is_an_expression_finds_something_and_elsewhere_next_to_nothing() -> None:
    dense = [video(name, [(start, start + 100, 0) for start in range(0, 1000, 100)]) for name in "ab"]
    sparse = [video(name, [(10, 20, 0)]) for name in "ab"]
    # A random 100-frame interval lies within 33 frames of a multiple of 100, which is an IoU of 1/2, 2 times in 3.
    assert 0.35 < guessing_figures(dense, NAMES, repetitions=50, seed=0)["spotting"]["f1"] < 0.75
    assert guessing_figures(sparse, NAMES, repetitions=50, seed=0)["spotting"]["f1"] < 0.05


def test_the_seed_decides_what_is_guessed() -> None:
    assert guessing_figures(CORPUS, NAMES, 5, seed=1) == guessing_figures(CORPUS[::-1], NAMES, 5, seed=1)


def test_what_has_no_name_or_threshold_is_refused() -> None:
    with pytest.raises(ValueError, match=r"class 2 has no name; class_names are \['positive', 'negative'\]"):
        evaluate(CORPUS, THRESHOLDS, NAMES[:2])
    with pytest.raises(ValueError, match="subject c has no threshold"):
        evaluate(CORPUS, {"a": 0.5, "b": 0.5}, NAMES)
    with pytest.raises(ValueError, match="class_names repeat"):
        evaluate(CORPUS, THRESHOLDS, ["positive"] * 3)


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="guess_repetitions and bootstrap_repetitions are 0 and 5"):
        EvaluateParameters(0, 0, 5, 0.95)
    with pytest.raises(ValueError, match="confidence_level is 95"):
        EvaluateParameters(0, 1, 5, 95)


def numbers(figures: Any) -> list[float]:
    return [n for value in figures.values() for n in (numbers(value) if isinstance(value, dict) else [value])]


@settings(deadline=None)
@given(corpora)
def test_any_corpus_gives_json_between_its_bounds_in_any_order(videos: list[VideoResult]) -> None:
    everyone = [*videos, video("b9", [(0, 9, 0)])]
    figures = evaluate(everyone, {"a": 0.2, "b": 0.5}, NAMES)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert all(np.isfinite(number) and number >= 0 for number in numbers(figures))
    assert figures == evaluate(everyone[::-1], {"b": 0.5, "a": 0.2}, NAMES)
    assert figures["detection"]["tp"] <= figures["spotting"]["n"]
    assert figures["spotting"]["tp"] == figures["recognition"]["matched"]
    assert figures["oracle"]["spotting"]["f1"] >= 0
