"""Mending: what the scores would be without one kind of error, so that it shows which is worth working on.

As TIDE does (Bolya et al. 2020): each kind of ``outcomes.py`` is mended alone, and everything is matched again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pipeline.diagnosis.outcomes import KINDS, Outcomes, outcomes_of
from pipeline.intervals import Booleans
from pipeline.scoring.average_precision import detection_precisions, spotting_precisions
from pipeline.scoring.counts import Counts
from pipeline.scoring.matching import LOOSEST_IOU, match, pool
from pipeline.scoring.recognition import Figures
from pipeline.scoring.results import VideoResult, keep_confident

MISSED = "missed"


def gains(
    videos: Sequence[VideoResult],
    thresholds: Mapping[str, float],
    class_count: int,
    faces: Mapping[str, Booleans] | None = None,
) -> Figures:
    """Return what the scores would be with one kind of error mended and all others left.

    Args:
        thresholds: by subject; F1 is of what reaches them, mAP of every detection.

    Returns:
        ``now``, and by kind of error (`KINDS` but correct, and ``missed``): {spotting_f1, detection_f1, spotting_map,
        detection_map}.
    """
    kept = keep_confident(videos, thresholds)
    diagnosed = [
        [(result, outcomes_of(result, (faces or {}).get(result.video))) for result in results]
        for results in (kept, videos)
    ]
    told = {"now": _scores(kept, videos, class_count)}
    for kind in (*KINDS[1:], MISSED):
        chosen, everything = ([mended(*pair, kind) for pair in pairs] for pairs in diagnosed)
        told[kind] = _scores(chosen, everything, class_count)
    return told


def mended(result: VideoResult, told: Outcomes, kind: str) -> VideoResult:
    """Return the video as it would be without errors of one kind.

    A wrong emotion becomes that of the truth, a wrong place the truth's interval: of several on one truth the most
    confident, and none where the truth is found already; the rest is left out, as are doubles, background and what was
    detected without a face. Misses are taken out of the truths.
    """
    if kind == MISSED:
        return replace(
            result,
            truth_intervals=result.truth_intervals[told.spotted],
            truth_classes=result.truth_classes[told.spotted],
        )
    wrong = told.kind == KINDS.index(kind)
    taken = told.found if kind == "wrong_emotion" else told.spotted
    mendable = _first_on_free_truths(result, told, wrong, taken)
    intervals, classes = result.intervals.copy(), result.classes.copy()
    if kind == "wrong_emotion":
        classes[mendable] = result.truth_classes[told.truth[mendable]]
    elif kind == "wrong_place":
        intervals = intervals.astype(np.result_type(intervals, result.truth_intervals))
        intervals[mendable] = result.truth_intervals[told.truth[mendable]]
    else:
        mendable = np.zeros(len(wrong), np.bool_)
    stays = ~wrong | mendable
    return replace(result, intervals=intervals[stays], classes=classes[stays], confidence=result.confidence[stays])


def _first_on_free_truths(result: VideoResult, told: Outcomes, wrong: Booleans, taken: Booleans) -> Booleans:
    """Return which wrong detections are the most confident on a truth that is not taken, ``(N,)``."""
    first = np.zeros(len(wrong), np.bool_)
    claimed = set(np.flatnonzero(taken).tolist())
    for row in np.argsort(-result.confidence, kind="stable").tolist():
        truth = int(told.truth[row])
        if wrong[row] and truth >= 0 and truth not in claimed:
            claimed.add(truth)
            first[row] = True
    return first


def _scores(kept: Sequence[VideoResult], everything: Sequence[VideoResult], class_count: int) -> dict[str, float]:
    chosen, pooled = pool(kept), pool(everything)
    sizes = len(chosen.confidence), len(chosen.truth_classes)
    spotted, found = (int((match(chosen, LOOSEST_IOU, same) >= 0).sum()) for same in (False, True))
    by_class = detection_precisions(pooled, class_count)  # (10, K)
    present = np.bincount(pooled.truth_classes, minlength=class_count) > 0
    return {
        "spotting_f1": Counts(spotted, *sizes).f1,
        "detection_f1": Counts(found, *sizes).f1,
        "spotting_map": float(spotting_precisions(pooled).mean()),
        "detection_map": float(by_class[:, present].mean()) if present.any() else 0.0,
    }
