"""Matching of detections to expressions, one to one in the order of confidence: our protocol.

A detection takes, of the truths still free that it overlaps enough, the one it overlaps most. Chosen because a match
then depends only on more confident detections: raising a threshold removes matches from the end and changes none
before, so one matching serves every threshold, and F1 and average precision speak of the same matches.
A matching of maximum size has no such order: a detection below the threshold could change who matches above it.

Where truths do not overlap each other this gives up nothing: at an IoU of 0.5 or more a detection fits one truth at
most (bar one that spans exactly two adjoining truths of equal length), so the order cannot matter to their number.
Where truths overlap (18 pairs in CAS(ME)^2) the maximum may be larger. How the published protocols deviate stands in
``protocols.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipeline import intervals as frame_intervals
from pipeline.errors import DataError
from pipeline.intervals import Floats, Intervals
from pipeline.scoring.results import Integers, VideoResult

LOOSEST_IOU = 0.5
DETECTIONS_AT_ONCE = 1 << 16


@dataclass(frozen=True, eq=False)
class Pool:
    """A whole corpus in flat arrays: N detections from the most confident to the least, M truths by video and start.

    Detections of equal confidence, and truths of equal overlap, follow their video, start, stop and class, so the order
    in which videos and rows arrive changes nothing.

    Attributes:
        subjects: S names, sorted; ``subject`` and ``truth_subject`` are indices into them.
        subject, classes, confidence: ``(N,)`` each.
        truth_subject, truth_classes: ``(M,)`` each.
        pair_detection, pair_truth, pair_iou: ``(K,)`` each: every detection and truth of one video that overlap by at
            least ``LOOSEST_IOU``, by detection and from the largest overlap to the smallest.
    """

    subjects: tuple[str, ...]
    subject: Integers
    classes: Integers
    confidence: Floats
    truth_subject: Integers
    truth_classes: Integers
    pair_detection: Integers
    pair_truth: Integers
    pair_iou: Floats


def pool(videos: Sequence[VideoResult]) -> Pool:
    """Return the corpus in flat arrays.

    Raises:
        DataError: there are no videos, or two have the same id.
    """
    ordered = sorted(videos, key=lambda result: result.video)
    _check_videos(ordered)
    subjects = tuple(sorted({result.subject for result in ordered}))
    subject_of_video = np.array([subjects.index(result.subject) for result in ordered], np.int64)
    confidence = np.concatenate([result.confidence for result in ordered]).astype(np.float64)
    video, intervals, classes = _flatten([(result.intervals, result.classes) for result in ordered], -confidence)
    truth_video, truths, truth_classes = _flatten([(r.truth_intervals, r.truth_classes) for r in ordered])
    pair_detection, pair_truth, pair_iou = _overlapping_pairs(video, intervals, truth_video, truths)
    return Pool(
        subjects=subjects,
        subject=subject_of_video[video],
        classes=classes,
        confidence=-np.sort(-confidence),
        truth_subject=subject_of_video[truth_video],
        truth_classes=truth_classes,
        pair_detection=pair_detection,
        pair_truth=pair_truth,
        pair_iou=pair_iou,
    )


def pools(videos: Sequence[VideoResult]) -> Iterator[Pool]:
    """Return the corpus in pools of a few videos, for what is counted video by video: a pool is five times its videos.

    Raises:
        DataError: there are no videos, or two have the same id.
    """
    _check_videos(sorted(videos, key=lambda result: result.video))
    some: list[VideoResult] = []
    count = 0
    for result in videos:
        some.append(result)
        count += len(result.intervals)
        if count >= DETECTIONS_AT_ONCE:
            yield pool(some)
            some, count = [], 0
    if some:
        yield pool(some)


def match(pooled: Pool, iou_threshold: float, same_class: bool = False) -> Integers:
    """Return the truth that each detection found, ``(N,)`` indices, -1 where it found none.

    Every detection asks for its favourite truth; a truth keeps the most confident that ask and the refused ask for
    their next one, until nobody is refused. Since all truths agree on the order of detections, this ends where serving
    one detection after the other would (a test compares them), in a few steps over whole arrays.

    Args:
        iou_threshold: least overlap of a match, inclusive, from ``LOOSEST_IOU`` to 1.
        same_class: match only within a class, as for detection scores; otherwise classes are ignored.
    """
    if not LOOSEST_IOU <= iou_threshold <= 1:
        raise ValueError(f"iou_threshold is {iou_threshold}, expected {LOOSEST_IOU} to 1")
    allowed = pooled.pair_iou >= iou_threshold
    if same_class:
        allowed &= pooled.classes[pooled.pair_detection] == pooled.truth_classes[pooled.pair_truth]
    asker, asked = pooled.pair_detection[allowed], pooled.pair_truth[allowed]
    count = len(pooled.confidence)
    end = np.cumsum(np.bincount(asker, minlength=count))
    cursor = end - np.bincount(asker, minlength=count)
    while True:
        asking = np.flatnonzero(cursor < end)
        favourite = asked[cursor[asking]]
        holder = np.full(len(pooled.truth_classes), count)
        np.minimum.at(holder, favourite, asking)
        refused = asking[holder[favourite] != asking]
        if not refused.size:
            break
        cursor[refused] += 1
    found = np.full(count, -1, np.int64)
    found[asking] = favourite
    return found


def match_rows(result: VideoResult, iou_threshold: float = LOOSEST_IOU, same_class: bool = False) -> Integers:
    """Return the truth that each detection of one video found, ``(N,)``, -1 for none; both by row of the video."""
    # The orders in which `pool` puts what it is given.
    confidence = result.confidence.astype(np.float64)
    order = np.lexsort((result.classes, result.intervals[:, 1], result.intervals[:, 0], -confidence))
    truths = result.truth_intervals
    truth_order = np.lexsort((result.truth_classes, truths[:, 1], truths[:, 0]))
    found = match(pool([result]), iou_threshold, same_class)
    by_row = np.full(len(order), -1, np.int64)
    by_row[order[found >= 0]] = truth_order[found[found >= 0]]
    return by_row


def _check_videos(ordered: Sequence[VideoResult]) -> None:
    if not ordered:
        raise DataError("there are no videos to score; give every video of the corpus, those without detections too")
    for first, second in pairwise(ordered):
        if first.video == second.video:
            raise DataError(f"video {first.video} is given twice; video ids are unique in a corpus")


def _flatten(
    parts: Sequence[tuple[Intervals, Integers]], rank: Floats | None = None
) -> tuple[Integers, Floats, Integers]:
    """Return video, interval and class of every row, by rank if given, then by video, start, stop and class."""
    video = np.repeat(np.arange(len(parts)), [len(classes) for _, classes in parts])
    bounds = np.concatenate([part for part, _ in parts]).astype(np.float64)
    classes = np.concatenate([part for _, part in parts]).astype(np.int64)
    keys = (classes, bounds[:, 1], bounds[:, 0], video)
    order = np.lexsort(keys if rank is None else (*keys, rank))
    return video[order], bounds[order], classes[order]


def _overlapping_pairs(
    video: Integers, intervals: Floats, truth_video: Integers, truths: Floats
) -> tuple[Integers, Integers, Floats]:
    """Return detection, truth and IoU of the pairs of one video that reach ``LOOSEST_IOU``, in asking order."""
    if not len(intervals) or not len(truths):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    # The videos stand one after the other on a single line, so that one search finds the truths near a detection.
    earliest, latest = min(intervals.min(), truths.min()), max(intervals.max(), truths.max())
    line = latest - earliest + 1
    position = video * line + intervals[:, 0] - earliest
    truth_position = truth_video * line + truths[:, 0] - earliest
    # A truth that starts earlier than one detection length before the detection overlaps it by less than half.
    length = frame_intervals.durations(intervals)
    first = np.searchsorted(truth_position, position - length - 1)
    count = np.searchsorted(truth_position, position + length + 1) - first
    detection = np.repeat(np.arange(len(intervals)), count)
    truth = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - first, count)
    overlap = frame_intervals.rowwise_iou(intervals[detection], truths[truth])
    near = (overlap >= LOOSEST_IOU) & (video[detection] == truth_video[truth])
    detection, truth, overlap = detection[near], truth[near], overlap[near]
    order = np.lexsort((truth, -overlap, detection))
    return detection[order], truth[order], overlap[order]
