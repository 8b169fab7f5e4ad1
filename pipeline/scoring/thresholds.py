"""Confidence thresholds: chosen for each subject on all the others, never on itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.errors import DataError
from pipeline.intervals import Booleans, Floats
from pipeline.scoring.average_precision import last_of_each
from pipeline.scoring.matching import LOOSEST_IOU, Pool, match, pool
from pipeline.scoring.results import VideoResult

SPOTTING_IOU = LOOSEST_IOU


def choose_thresholds(videos: Sequence[VideoResult]) -> dict[str, float]:
    """Return for every subject the threshold with the best spotting F1 over the other subjects.

    A threshold is one of the others' confidences, or 1. Of equally good ones the highest is taken: it reports least for
    the same F1, and where nothing helps (no detection of the others finds a truth) it reports only the certain.
    The subject's own detections and truths change nothing, which a test proves. One trace of the subject remains: in
    leave one subject out, the detectors that made the others' detections were trained with this subject's videos.
    `choose_nested_thresholds` removes it too, at the cost of a nested run.

    Raises:
        DataError: there are fewer than two subjects, so nobody to choose on.
    """
    pooled = pool(videos)
    if len(pooled.subjects) < 2:
        raise DataError(f"thresholds need at least 2 subjects, found {list(pooled.subjects)}; give the whole corpus")
    found = match(pooled, SPOTTING_IOU) >= 0
    chosen: dict[str, float] = {}
    for index, subject in enumerate(pooled.subjects):
        others = pooled.subject != index
        truth_count = int((pooled.truth_subject != index).sum())
        chosen[subject] = _best_threshold(pooled.confidence[others], found[others], truth_count)
    return chosen


def choose_nested_thresholds(others: Mapping[str, Sequence[VideoResult]]) -> dict[str, float]:
    """Return for every subject the threshold with the best spotting F1 on videos that never met it in any way.

    Args:
        others: by subject, the videos of all the others with what detectors found in them that were trained without
            this subject, and without the one who is seen.

    Raises:
        DataError: there are no others.
    """
    return {subject: _best_threshold_on(pool(videos)) for subject, videos in sorted(others.items())}


def oracle_threshold(videos: Sequence[VideoResult]) -> float:
    """Return the one threshold with the best spotting F1 on these very videos.

    It has seen the answers, as have thresholds swept on the test subjects elsewhere. Print what it gives only beside
    an honest figure, and named oracle.
    """
    return _best_threshold_on(pool(videos))


def oracle_by_subject(videos: Sequence[VideoResult]) -> dict[str, float]:
    """Return for every subject the threshold with the best spotting F1 on this very subject; as above, an oracle."""
    subjects = sorted({result.subject for result in videos})
    return {name: oracle_threshold([result for result in videos if result.subject == name]) for name in subjects}


def _best_threshold_on(pooled: Pool) -> float:
    return _best_threshold(pooled.confidence, match(pooled, SPOTTING_IOU) >= 0, len(pooled.truth_classes))


def _best_threshold(confidence: Floats, found: Booleans, truth_count: int) -> float:
    """Return the confidence to cut at, from ``(N,)`` rows in falling confidence.

    One sweep serves all cuts, because who matches above a cut does not depend on what lies below it.
    """
    last = last_of_each(confidence)
    # F1 = 2 tp / (n + m), first for a threshold of 1 that keeps nothing; a confidence of 1 competes on its own.
    scores = np.append(0.0, 2 * np.cumsum(found)[last] / (last + 1 + truth_count))
    candidates = np.append(1.0, confidence[last])
    return float(candidates[scores.argmax()])
