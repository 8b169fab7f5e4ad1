"""Bootstrap over subjects: exact small cases, seeds, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.scoring.results import VideoResult
from pipeline.significance.bootstrap import bootstrap
from pipeline.significance.drawn_figures import HEADLINES, SubjectSums, sums_of
from tests.pipeline.significance.invented import at_random, counted

HALF = [counted("a", 1, 1, 1), counted("b", 0, 1, 1)]
F1 = HEADLINES.index(("spotting", "f1"))


def of(videos: list[VideoResult]) -> SubjectSums:
    return sums_of(videos, {result.subject: 0.3 for result in videos}, 3)


def test_the_interval_of_two_subjects_spans_all_their_mixtures() -> None:
    # Drawn are aa, ab, ba or bb: F1 of 1, 1/2, 1/2, 0, so a quarter of the corpora score 0 and a quarter 1. So do
    # precision and recall; of the matched all are named rightly, and where nothing matched accuracy and UF1 are 0.
    wide = bootstrap(of(HALF), repetitions=2000, level=0.95, seed=0)
    assert wide.tolist() == [[0.0, 1.0]] * 7
    middle = bootstrap(of(HALF), repetitions=2000, level=0.4, seed=0)
    # The found and the false one are equally confident: average precision 1/2 of 1/2.
    assert middle.tolist() == [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5], [0.25, 0.25], [1.0, 1.0], [1.0, 1.0], [0.25, 0.25]]


def test_equal_subjects_leave_no_doubt() -> None:
    limits = bootstrap(of([counted(name, 2, 3, 5) for name in "abcd"]), repetitions=50, level=0.95, seed=1)
    assert limits[:3] == pytest.approx(np.array([[2 * 2 / (3 + 5)] * 2, [2 / 3] * 2, [2 / 5] * 2]))


def test_the_seed_decides_and_the_order_of_videos_does_not() -> None:
    videos = at_random(0)
    first = bootstrap(of(videos), repetitions=200, level=0.9, seed=5)
    assert (first == bootstrap(of(videos[::-1]), repetitions=200, level=0.9, seed=5)).all()
    assert (first != bootstrap(of(videos), repetitions=200, level=0.9, seed=6)).any()
    assert (first[:, 0] < first[:, 1]).all()


def test_what_gives_no_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="1 subjects, expected at least 2"):
        bootstrap(of(HALF[:1]), 10, 0.9, 0)
    with pytest.raises(ValueError, match="level is 95"):
        bootstrap(of(HALF), 10, 95, 0)
    with pytest.raises(ValueError, match="repetitions is 0"):
        bootstrap(of(HALF), 0, 0.9, 0)
