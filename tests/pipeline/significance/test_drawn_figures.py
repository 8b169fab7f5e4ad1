"""Figures of drawn subjects: what the evaluation of such a corpus would say, of seven figures at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.scoring.figures import evaluate
from pipeline.scoring.results import VideoResult
from pipeline.significance.drawn_figures import HEADLINES, by_part, draw_figures, sums_of
from tests.pipeline.invented_results import video
from tests.pipeline.significance.invented import at_random

NAMES = ["positive", "negative", "others"]


def drawn(videos: list[VideoResult], times: dict[str, int]) -> list[VideoResult]:
    """Return the corpus in which each subject is there so many times, each time under another name."""
    return [
        replace(result, video=f"{result.video}#{copy}", subject=f"{result.subject}#{copy}")
        for result in videos
        for copy in range(times[result.subject])
    ]


@pytest.mark.parametrize("seed", range(8))
def test_a_drawing_scores_as_the_corpus_of_the_subjects_drawn(seed: int) -> None:
    videos, generator = at_random(seed), np.random.default_rng(seed)
    thresholds = {subject: float(generator.choice([0.2, 0.5])) for subject in "abcdef"}
    drawings = generator.multinomial(6, np.full(6, 1 / 6), 5)
    found = draw_figures(sums_of(videos, thresholds, 3), drawings)
    for times, row in zip(drawings.tolist(), found, strict=True):
        corpus = drawn(videos, dict(zip("abcdef", times, strict=True)))
        own = {result.subject: thresholds[result.subject[0]] for result in corpus}
        figures = evaluate(corpus, own, NAMES)
        assert row == pytest.approx([figures[part][name] for part, name in HEADLINES], abs=1e-12)


def test_more_drawings_than_are_worked_on_at_once_keep_their_order() -> None:
    sums = sums_of(at_random(1), dict.fromkeys("abcdef", 0.2), 3)
    drawings = np.random.default_rng(0).integers(0, 3, (300, 6))
    assert (draw_figures(sums, drawings)[::-1] == draw_figures(sums, drawings[::-1])).all()


def test_nothing_found_and_nobody_drawn_score_zero() -> None:
    sums = sums_of([video("a", [(0, 9, 0)]), video("b", [])], {"a": 0.5, "b": 0.5}, 1)
    assert (draw_figures(sums, np.array([[1, 1], [0, 2], [0, 0]])) == 0).all()


def test_figures_are_named_by_part() -> None:
    assert by_part(range(7)) == {
        "spotting": {"f1": 0, "precision": 1, "recall": 2, "map": 3},
        "recognition": {"accuracy": 4, "uf1": 5},
        "detection": {"map": 6},
    }
