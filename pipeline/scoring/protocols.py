"""Spotting protocols: counts as other papers' code makes them, to stand beside theirs; ours is ``one_to_one``.

Every protocol sums tp, n and m over the corpus. They differ in the overlap that matches and in who may match whom:

- ``megc_2020``: a truth is found by any detection and one detection may find several truths, so tp grows where truths
  overlap; an event of one frame (offset <= onset) overlaps nothing, not even itself, so such events lose.
- ``softnet_mean_me_tst``: a detection tries only its best truth, so tp shrinks where truths overlap.
- ``lgsnet``: a truth is found by any detection and one detection may find several, so tp grows where truths overlap.
- ``auw_gcn``: lengths leave out the last frame and overlap must exceed 0.5, so short events lose; every detection that
  fits a truth counts, once each, so two on one truth count two, and recall and F1 can exceed 1.
- ``spotformer``: lengths leave out the last frame, so short events lose; truth by truth in time takes its best free
  detection, so where truths overlap tp goes either way.

For 8-frame events, 20 % of jittered detections change sides between inclusive at least and exclusive above 0.5; at 60
frames 2.5 %. Our half-open ``[start, stop)`` is ``[onset, offset] = [start, stop - 1]``, converted in one place below.
SpotFormer shifts its truths by one frame on CAS(ME)^2 because the label file counts from 1; ours count from 0 already.
The published programs also count macro and micro apart; give only the videos' expressions of one kind for that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from pipeline import intervals as frame_intervals
from pipeline.intervals import Floats, Intervals
from pipeline.scoring.counts import Counts
from pipeline.scoring.matching import match, pool
from pipeline.scoring.results import VideoResult

LEAST_OVERLAP = 0.5

Protocol = Callable[[Sequence[VideoResult]], Counts]


def one_to_one(videos: Sequence[VideoResult]) -> Counts:
    """Count as this project does: in the order of confidence, each detection takes its best free truth."""
    found = match(pool(videos), LEAST_OVERLAP)
    return Counts(int((found >= 0).sum()), *_sizes(videos))


def megc_2020(videos: Sequence[VideoResult]) -> Counts:
    """Count the truths that any detection fits, overlap as in the challenge's baseline program of 2020.

    An event whose offset is not after its onset has an overlap of 0, even with itself. For the others the intersection
    is ``max(0, last common - first common frame) + 1``, so 1 where there is nothing in common: a third of the union at
    most, which makes no match.
    """
    return Counts(sum(_found_truths(_floored_iou(r.intervals, r.truth_intervals)) for r in videos), *_sizes(videos))


def softnet_mean_me_tst(videos: Sequence[VideoResult]) -> Counts:
    """Count detections that come first, in the order of confidence, at the truth they overlap most.

    Whoever comes first, each truth that is anybody's best is taken once, so the confidences do not change the sum.
    """
    return Counts(sum(_claimed_truths(_iou(r.intervals, r.truth_intervals)) for r in videos), *_sizes(videos))


def lgsnet(videos: Sequence[VideoResult]) -> Counts:
    """Count the truths whose best detection fits; a detection may serve several truths."""
    return Counts(sum(_found_truths(_iou(r.intervals, r.truth_intervals)) for r in videos), *_sizes(videos))


def auw_gcn(videos: Sequence[VideoResult]) -> Counts:
    """Count the detections that fit any truth, each once, with lengths of offset - onset and overlap above 0.5."""
    return Counts(sum(_fitting_detections(_exclusive_iou(r)) for r in videos), *_sizes(videos))


def spotformer(videos: Sequence[VideoResult]) -> Counts:
    """Count the truths that, one after the other in time, find a free detection, with lengths of offset - onset."""
    return Counts(sum(_served_truths(_exclusive_iou(_in_time(r))) for r in videos), *_sizes(videos))


PROTOCOLS: dict[str, Protocol] = {
    "one_to_one": one_to_one,
    "megc_2020": megc_2020,
    "softnet_mean_me_tst": softnet_mean_me_tst,
    "lgsnet": lgsnet,
    "auw_gcn": auw_gcn,
    "spotformer": spotformer,
}


def _sizes(videos: Sequence[VideoResult]) -> tuple[int, int]:
    return sum(len(r.intervals) for r in videos), sum(len(r.truth_intervals) for r in videos)


# Inclusive lengths of [onset, offset] are the half-open lengths of [start, stop).
_iou = frame_intervals.pairwise_iou


def _exclusive_iou(result: VideoResult) -> Floats:
    """Return the overlap with lengths of offset - onset, 0 for an event of one frame."""
    last_frame_off = np.array([0, 1])
    return frame_intervals.pairwise_iou(result.intervals - last_frame_off, result.truth_intervals - last_frame_off)


def _floored_iou(first: Intervals, second: Intervals) -> Floats:
    shared = np.maximum(frame_intervals.pairwise_intersection(first, second), 1.0)
    union = frame_intervals.durations(first)[:, None] + frame_intervals.durations(second)[None] - shared
    lasting = (frame_intervals.durations(first) > 1)[:, None] & (frame_intervals.durations(second) > 1)
    overlap: Floats = np.where(lasting, shared / union, 0.0)
    return overlap


def _in_time(result: VideoResult) -> VideoResult:
    """Return the video with its intervals sorted by time; the classes, which spotting ignores, stay where they were."""
    truths, found = result.truth_intervals, result.intervals
    truth_order, order = np.lexsort((truths[:, 1], truths[:, 0])), np.lexsort((found[:, 1], found[:, 0]))
    return replace(result, truth_intervals=truths[truth_order], intervals=found[order])


def _found_truths(overlap: Floats) -> int:
    return int((overlap >= LEAST_OVERLAP).any(axis=0).sum())


def _fitting_detections(overlap: Floats) -> int:
    return int((overlap > LEAST_OVERLAP).any(axis=1).sum())


def _claimed_truths(overlap: Floats) -> int:
    """Return how many truths are the best of a detection that fits them; equal overlaps go to the first row."""
    if not overlap.size:
        return 0
    best = overlap.argmax(axis=1)
    return len(np.unique(best[overlap.max(axis=1) >= LEAST_OVERLAP]))


def _served_truths(overlap: Floats) -> int:
    """Return how many truths, in the order of columns, take a detection that is still free."""
    free = overlap.copy()
    served = 0
    for truth in range(overlap.shape[1] if len(overlap) else 0):
        best = free[:, truth].argmax()
        if free[best, truth] >= LEAST_OVERLAP:
            free[best] = 0.0
            served += 1
    return served
