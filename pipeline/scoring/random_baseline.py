"""Random baseline: guessed intervals that know only how often and how long expressions are in other subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline import intervals as frame_intervals
from pipeline.errors import DataError
from pipeline.scoring.results import Integers, VideoResult


@dataclass(frozen=True, eq=False)
class Habits:
    """Statistics of the expressions: number per frame, and length and class of each, ``(M,)`` together."""

    rate: float
    lengths: Integers
    classes: Integers


def guess(videos: Sequence[VideoResult], generator: np.random.Generator) -> list[VideoResult]:
    """Return the videos, sorted by id, with random detections in place of their own.

    The number in a video is Poisson with the other subjects' rate of expressions per frame; each takes length and class
    of one of their expressions, starts anywhere it fits in (cut to the video if longer) and has a random confidence.
    Like a detector, it knows nothing of the held-out subject but the lengths of the videos. No suppression: guesses
    may overlap each other.
    """
    ordered = sorted(videos, key=lambda result: result.video)
    habits = {subject: _habits_of_others(ordered, subject) for subject in {result.subject for result in ordered}}
    return [_guess_video(result, habits[result.subject], generator) for result in ordered]


def _habits_of_others(videos: Sequence[VideoResult], subject: str) -> Habits:
    others = [result for result in videos if result.subject != subject]
    if not others:
        raise DataError(f"guessing needs at least 2 subjects, found only {subject}; give the whole corpus")
    truths = np.concatenate([result.truth_intervals for result in others])
    return Habits(
        rate=len(truths) / sum(result.frame_count for result in others),
        lengths=np.maximum(frame_intervals.durations(truths).round().astype(np.int64), 1),
        classes=np.concatenate([result.truth_classes for result in others]),
    )


def _guess_video(result: VideoResult, habits: Habits, generator: np.random.Generator) -> VideoResult:
    count = int(generator.poisson(habits.rate * result.frame_count))
    like = generator.integers(0, max(len(habits.lengths), 1), count)
    length = np.minimum(habits.lengths[like], result.frame_count)
    start = generator.integers(0, result.frame_count - length + 1)
    return replace(
        result,
        intervals=np.stack([start, start + length], axis=1),
        classes=habits.classes[like],
        confidence=generator.random(count),
    )
