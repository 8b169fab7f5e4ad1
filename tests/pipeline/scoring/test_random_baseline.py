"""Random intervals: as many and as long as in other people, and nothing of the held-out subject's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.scoring.random_baseline import guess
from pipeline.scoring.results import VideoResult
from tests.pipeline.invented_results import video


def guesses_of(videos: Sequence[VideoResult], name: str, seed: int = 0) -> VideoResult:
    return next(result for result in guess(videos, np.random.default_rng(seed)) if result.video == name)


def test_guesses_come_at_the_rate_of_the_others() -> None:
    # Subject b has 30 expressions in 1000 frames, a has one: guesses for a are Poisson with a mean of 30 each.
    busy = video("b", [(start, start + 9, 1) for start in range(0, 300, 10)])
    videos = [video("a", [(0, 99, 0)]), busy]
    generator = np.random.default_rng(0)
    numbers = [len(guess(videos, generator)[0].intervals) for _ in range(400)]
    # Four standard errors of a Poisson mean: 4 * sqrt(30 / 400) = 1.1.
    assert abs(np.mean(numbers) - 30) < 1.1


def test_guesses_have_the_lengths_and_classes_of_the_others_and_lie_inside() -> None:
    videos = [video("a", [(0, 99, 0)]), video("b", [(0, 9, 1), (20, 50, 2)] * 20)]
    mine = guesses_of(videos, "a")
    lengths = mine.intervals[:, 1] - mine.intervals[:, 0]
    assert set(zip(lengths.tolist(), mine.classes.tolist(), strict=True)) == {(9, 1), (30, 2)}
    assert mine.intervals.min() >= 0
    assert mine.intervals.max() <= 1000


def test_a_subject_s_own_expressions_do_not_change_its_guesses() -> None:
    others = video("b", [(0, 9, 1), (20, 50, 2)] * 9)
    first = guesses_of([video("a", [(0, 99, 0)] * 9), others], "a")
    again = guesses_of([video("a", []), others], "a")
    assert np.array_equal(first.intervals, again.intervals)
    assert np.array_equal(first.confidence, again.confidence)


def test_the_order_of_videos_changes_no_guess() -> None:
    videos = [video("a", [(0, 99, 0)] * 9), video("b", [(0, 9, 1)] * 9), video("c", [])]
    assert np.array_equal(guesses_of(videos, "c").intervals, guesses_of(videos[::-1], "c").intervals)


def test_a_guess_longer_than_the_video_is_cut_to_it() -> None:
    long = video("b", [(0, 900, 0)] * 500)
    short = VideoResult(
        "a", "a", 5, np.empty((0, 2), np.int64), np.empty(0, np.int64), np.empty((0, 2), np.int64),
        np.empty(0, np.int64), np.empty(0),
    )  # fmt: skip
    assert set(map(tuple, guesses_of([short, long], "a", seed=1).intervals.tolist())) == {(0, 5)}


def test_others_without_expressions_give_nothing_to_guess() -> None:
    assert len(guesses_of([video("a", [(0, 9, 0)]), video("b", [])], "a").intervals) == 0


def test_one_subject_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 subjects, found only a"):
        guess([video("a", [])], np.random.default_rng(0))
