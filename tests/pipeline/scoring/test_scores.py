"""Scores of all detections equal those of `evaluate` at a threshold of zero, however few videos are pooled at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.scoring import matching, scores
from pipeline.scoring.average_precision import average_precision, average_precision_of_found
from pipeline.scoring.figures import evaluate
from pipeline.scoring.protocols import PROTOCOLS
from pipeline.scoring.results import VideoResult

NAMES = ["positive", "negative", "others"]


def random_corpus(seed: int, videos: int = 7) -> list[VideoResult]:
    generator = np.random.default_rng(seed)
    results = []
    for number in range(videos):
        truths, found = (generator.integers(0, 90, (generator.integers(0, most), 1)) for most in (6, 30))
        results.append(
            VideoResult(
                f"v{number}",
                "s",
                200,
                truths + [0, 1] * generator.integers(1, 40, (len(truths), 1)),
                generator.integers(0, 2, len(truths)),  # no truth is of the third class
                found + [0, 1] * generator.integers(1, 40, (len(found), 1)),
                generator.integers(0, 3, len(found)),
                generator.integers(0, 9, len(found)) / 8,
            )
        )
    return results


def flat(figures: Any) -> dict[str, Any]:
    if not isinstance(figures, dict):
        return {"": figures}
    return {f"{name}/{rest}": value for name, part in figures.items() for rest, value in flat(part).items()}


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("at_once", [1, 20, 1 << 18])
def test_the_figures_are_those_of_evaluate(seed: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "DETECTIONS_AT_ONCE", at_once)
    videos = random_corpus(seed)
    expected = evaluate(videos, {"s": 0.0}, NAMES)
    scored = scores.score(videos, PROTOCOLS, NAMES)
    for part in ("protocols", "spotting", "recognition", "detection"):
        assert flat(scored[part]) == pytest.approx(flat(expected[part]))
    assert scored.keys() == {"protocols", "spotting", "recognition", "detection"}


@pytest.mark.parametrize("seed", range(20))
def test_average_precision_follows_from_the_confidences_of_what_was_found(seed: int) -> None:
    generator = np.random.default_rng(seed)
    confidence = np.sort(generator.integers(0, 9, 30) / 8)[::-1]
    correct = generator.random(30) < 0.3
    told = average_precision_of_found(confidence[::-1], confidence[correct], 20)
    assert told == pytest.approx(average_precision(confidence, correct, 20))


def test_nothing_found_has_an_average_precision_of_zero() -> None:
    assert average_precision_of_found(np.empty(0), np.empty(0), 3) == 0
    assert average_precision_of_found(np.array([0.5]), np.empty(0), 0) == 0


def test_without_emotions_nothing_is_said_of_them() -> None:
    (result,) = random_corpus(0, videos=1)
    result.classes[:], result.truth_classes[:] = 0, 0
    assert scores.score([result], ["lgsnet"], None).keys() == {"protocols", "spotting"}


def test_no_video_and_one_given_twice_are_refused() -> None:
    videos = random_corpus(0)
    for broken, told in (([], "no videos"), ([*videos, videos[0]], "given twice")):
        with pytest.raises(DataError, match=told):
            scores.score(broken, PROTOCOLS, NAMES)
