"""Scores of detections that stand as they are, whatever their confidence, and however many: a few videos at a time.

The same figures as ``figures.py`` has. Matching goes video by video, so only what average precision needs is kept of
the whole corpus: 14 bytes a detection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.intervals import Floats
from pipeline.scoring.average_precision import IOU_PERCENT, average_precision_of_found
from pipeline.scoring.counts import Counts
from pipeline.scoring.figures import averages, averages_by_class, check_class_names
from pipeline.scoring.matching import match, pools
from pipeline.scoring.protocols import PROTOCOLS
from pipeline.scoring.recognition import Figures, confusion_matrix, outcomes, recognition_figures
from pipeline.scoring.results import Integers, VideoResult


@dataclass(frozen=True, eq=False)
class Matched:
    """What our own protocol matched, N detections in any order and K classes.

    Attributes:
        confidence, classes: ``(N,)`` each.
        spotted, found: ``(N,)`` bits, one for each of ``IOU_PERCENT``, lowest first: whether a detection found a truth
            at that IoU, of any class and of its own.
        truth_counts: ``(K,)``.
        confusion: ``(K, K)`` truth by detected, at the lowest IoU.
    """

    confidence: Floats
    classes: npt.NDArray[np.int16]
    spotted: npt.NDArray[np.uint16]
    found: npt.NDArray[np.uint16]
    truth_counts: Integers
    confusion: Integers


def score(videos: Sequence[VideoResult], names: Iterable[str], class_names: Sequence[str] | None) -> Figures:
    """Return the figures of all detections, ready for JSON.

    Args:
        videos: the corpus; with subjects or without, for no threshold is chosen.
        names: of the protocols to count under.
        class_names: None where emotions are not known, and all classes 0: nothing is said of recognition and detection
            then.

    Keys: ``protocols``, ``spotting`` {tp, n, m, precision, recall, f1, map, ap}, ``recognition`` and ``detection`` as
    in ``figures.evaluate``; recognition judges what our own protocol matched, whichever the counts are made by.

    Raises:
        DataError: there are no videos, two have the same id, or a class has no name.
    """
    matched = _match_all(videos, ("",) if class_names is None else class_names)
    figures: Figures = {"protocols": {name: PROTOCOLS[name].count(videos).figures() for name in names}}
    figures["spotting"] = _counts(matched.spotted, matched) | averages(_spotting_precisions(matched))
    if class_names is not None:
        figures["recognition"] = _recognition(matched, class_names)
        by_class = averages_by_class(_detection_precisions(matched), matched.truth_counts, class_names)
        figures["detection"] = _counts(matched.found, matched) | by_class
    return figures


def _match_all(videos: Sequence[VideoResult], class_names: Sequence[str]) -> Matched:
    count, classes = sum(len(result.intervals) for result in videos), len(class_names)
    matched = Matched(
        confidence=np.empty(count),
        classes=np.empty(count, np.int16),
        spotted=np.zeros(count, np.uint16),
        found=np.zeros(count, np.uint16),
        truth_counts=np.zeros(classes, np.int64),
        confusion=np.zeros((classes, classes), np.int64),
    )
    done = 0
    for pooled in pools(videos):
        check_class_names(pooled, class_names)
        part = slice(done, done + len(pooled.confidence))
        matched.confidence[part], matched.classes[part] = pooled.confidence, pooled.classes
        for bit, percent in enumerate(IOU_PERCENT):
            spotted = match(pooled, percent / 100)
            matched.spotted[part] |= ((spotted >= 0) << bit).astype(np.uint16)
            found = match(pooled, percent / 100, same_class=True)
            matched.found[part] |= ((found >= 0) << bit).astype(np.uint16)
            if bit == 0:
                pairs = pooled.truth_classes[spotted[spotted >= 0]], pooled.classes[spotted >= 0]
                matched.confusion[:] += confusion_matrix(*pairs, class_count=classes)
        matched.truth_counts[:] += np.bincount(pooled.truth_classes, minlength=classes)
        done = part.stop
    return matched


def _counts(bits: npt.NDArray[np.uint16], matched: Matched) -> Figures:
    return Counts(int((bits & 1).sum()), len(bits), int(matched.truth_counts.sum())).figures()


def _spotting_precisions(matched: Matched) -> Floats:
    ordered, count = np.sort(matched.confidence), int(matched.truth_counts.sum())
    return np.array(
        [_precision(ordered, matched.confidence, matched.spotted, bit, count) for bit in range(len(IOU_PERCENT))]
    )


def _detection_precisions(matched: Matched) -> Floats:
    """Return ``(10, K)``; NaN for a class without truths."""
    precisions = np.full((len(IOU_PERCENT), len(matched.truth_counts)), np.nan)
    for emotion in np.flatnonzero(matched.truth_counts):
        own = matched.classes == emotion
        confidence, found = matched.confidence[own], matched.found[own]
        ordered, count = np.sort(confidence), int(matched.truth_counts[emotion])
        precisions[:, emotion] = [_precision(ordered, confidence, found, bit, count) for bit in range(len(IOU_PERCENT))]
    return precisions


def _precision(ordered: Floats, confidence: Floats, bits: npt.NDArray[np.uint16], bit: int, count: int) -> float:
    return average_precision_of_found(ordered, confidence[(bits >> bit & 1) > 0], count)


def _recognition(matched: Matched, class_names: Sequence[str]) -> Figures:
    missed = matched.truth_counts - matched.confusion.sum(axis=1)
    false = np.bincount(matched.classes[(matched.spotted & 1) == 0], minlength=len(class_names))
    return {
        **recognition_figures(matched.confusion, class_names),
        "outcomes": outcomes(matched.confusion, missed, false, class_names),
    }
