"""Spotting protocols: counts as other papers' code makes them, to stand beside theirs; ours is ``one_to_one``.

Every protocol sums tp, n and m over the corpus. They differ in the overlap that matches and in who may match whom; each
``Protocol`` says how, and what its published program does besides that a table of intervals cannot hold. Where truths
overlap each other, tp of ``megc_2020`` and ``lgsnet`` grows, of ``softnet_mean_me_tst`` shrinks, and of ``spotformer``
goes either way; several detections on one truth count several times under ``auw_gcn``, so its recall and F1 can
exceed 1.

For 8-frame events, 20 % of jittered detections change sides between inclusive at least and exclusive above 0.5; at 60
frames 2.5 %. Our half-open ``[start, stop)`` is ``[onset, offset] = [start, stop - 1]``, converted in one place below.
SpotFormer shifts its truths by one frame on CAS(ME)^2 because the label file counts from 1; ours count from 0 already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline import intervals as frame_intervals
from pipeline.intervals import Floats, Intervals
from pipeline.scoring.counts import Counts
from pipeline.scoring.matching import match, pools
from pipeline.scoring.results import VideoResult

LEAST_OVERLAP = 0.5


@dataclass(frozen=True)
class Protocol:
    """One way to count: the function, and in prose what a reader of its figures has to know.

    Attributes:
        count: returns tp, n and m of a whole corpus.
        source: whose program counts like this.
        overlap: how the IoU of two events is measured.
        comparison: from which IoU on they match.
        pairing: who may match whom, and how often.
        rounding: what becomes of bounds that are no whole frames.
        videos: which videos count.
        averaging: how the figures of subjects, videos and kinds of expression become one.
    """

    count: Callable[[Sequence[VideoResult]], Counts]
    source: str
    overlap: str
    comparison: str
    pairing: str
    rounding: str
    videos: str
    averaging: str


def one_to_one(videos: Sequence[VideoResult]) -> Counts:
    """Count as this project does: in the order of confidence, each detection takes its best free truth."""
    found = sum(int((match(pooled, LEAST_OVERLAP) >= 0).sum()) for pooled in pools(videos))
    return Counts(found, *_sizes(videos))


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
    """Count the truths whose best detection fits; a detection may serve several truths.

    Bounds are cut to whole frames. A truth of one frame stays in m but is never found: the program adds a hit to the
    macro-expressions (longer than 15 frames from onset to offset) or to the micro-expressions (above 0), and no other.
    """
    return Counts(sum(_found_lasting(_in_whole_frames(r)) for r in videos), *_sizes(videos))


def auw_gcn(videos: Sequence[VideoResult]) -> Counts:
    """Count the detections that fit any truth, each once, with lengths of offset - onset and overlap above 0.5."""
    return Counts(sum(_fitting_detections(_exclusive_iou(r)) for r in videos), *_sizes(videos))


def auw_gcn_2025(videos: Sequence[VideoResult]) -> Counts:
    """Count the detections that are the best of a truth that they fit, measured as in ``auw_gcn``.

    Of detections that fit a truth equally well the most confident is its best, as in the program's sorted tables.
    """
    return Counts(sum(_best_detections(_exclusive_iou(_by_confidence(r))) for r in videos), *_sizes(videos))


def spotformer(videos: Sequence[VideoResult]) -> Counts:
    """Count the truths that, one after the other in time, find a free detection, with lengths of offset - onset."""
    return Counts(sum(_served_truths(_exclusive_iou(_in_time(r))) for r in videos), *_sizes(videos))


_INCLUSIVE = "inclusive: an event lasts offset - onset + 1 frames"
_EXCLUSIVE = "exclusive: an event lasts offset - onset frames, so one of a single frame matches nothing"
_AT_LEAST, _ABOVE = "IoU >= 0.5", "IoU > 0.5"
_AS_GIVEN = "none; the program knows whole frames only"
_EVERY_VIDEO = "every declared video; a detection in one without expressions is false"
_SUMS = "tp, n and m are summed over the corpus (micro average)"
_APART = f"{_SUMS}; published for macro- and micro-expressions apart, each with detections of its own kind, and summed"

PROTOCOLS: dict[str, Protocol] = {
    "one_to_one": Protocol(
        count=one_to_one,
        source="facespan",
        overlap=_INCLUSIVE,
        comparison=_AT_LEAST,
        pairing="one to one: in the order of confidence, a detection takes the free truth that it overlaps most",
        rounding="none; fractions of frames are measured as they are",
        videos=_EVERY_VIDEO,
        averaging=f"{_SUMS}; macro- and micro-expressions together",
    ),
    "megc_2020": Protocol(
        count=megc_2020,
        source="baseline program of the Micro-Expression Grand Challenge 2020",
        overlap="inclusive, with at least one frame in common; an event with offset <= onset has IoU 0",
        comparison=_AT_LEAST,
        pairing="every pair: a truth is found by any detection, and a detection may find several truths",
        rounding=_AS_GIVEN,
        videos=_EVERY_VIDEO,
        averaging=_APART,
    ),
    "softnet_mean_me_tst": Protocol(
        count=softnet_mean_me_tst,
        source="SOFTNet, MEAN and ME-TST",
        overlap=_INCLUSIVE,
        comparison=_AT_LEAST,
        pairing="a detection tries only the truth that it overlaps most; if that is taken, the detection is false",
        rounding=_AS_GIVEN,
        videos="every declared video; the programs know only videos with expressions, and count a detection of frame 0 "
        "in each where they detect nothing: give them only such videos and add that row to repeat their n",
        averaging=_APART,
    ),
    "lgsnet": Protocol(
        count=lgsnet,
        source="LGSNet",
        overlap=_INCLUSIVE,
        comparison=_AT_LEAST,
        pairing="a truth is found by the detection that overlaps it most, and a detection may find several truths; a "
        "truth of one frame is never found",
        rounding="onset and offset are cut to whole frames; the program also cuts confidences to 3 decimals and keeps "
        "those above the threshold, at most 14 a video: do so before",
        videos=_EVERY_VIDEO,
        averaging=f"{_SUMS}; matched together, then a truth is macro above 15 frames from onset to offset, and so is a "
        "detection",
    ),
    "auw_gcn": Protocol(
        count=auw_gcn,
        source="AUW-GCN as published in 2023, until 2025",
        overlap=_EXCLUSIVE,
        comparison=_ABOVE,
        pairing="every detection that fits any truth counts once: two on one truth are two, one on two truths is one",
        rounding=_AS_GIVEN,
        videos=_EVERY_VIDEO,
        averaging=_APART,
    ),
    "auw_gcn_2025": Protocol(
        count=auw_gcn_2025,
        source="AUW-GCN since 2025",
        overlap=_EXCLUSIVE,
        comparison=_ABOVE,
        pairing="a truth chooses the detection that overlaps it most; the chosen count, once each however many truths "
        "chose them",
        rounding=_AS_GIVEN,
        videos=_EVERY_VIDEO,
        averaging=_APART,
    ),
    "spotformer": Protocol(
        count=spotformer,
        source="SpotFormer",
        overlap=_EXCLUSIVE,
        comparison=_AT_LEAST,
        pairing="one to one: truth by truth in time takes its best free detection",
        rounding=_AS_GIVEN,
        videos=_EVERY_VIDEO,
        averaging=_APART,
    ),
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


def _by_confidence(result: VideoResult) -> VideoResult:
    """Return the video with its detections from the most confident to the least, then in time; classes stay."""
    order = np.lexsort((result.intervals[:, 1], result.intervals[:, 0], -result.confidence))
    return replace(result, intervals=result.intervals[order])


def _in_whole_frames(result: VideoResult) -> VideoResult:
    """Return the video with onset and offset cut to whole frames."""
    last_frame_off = np.array([0, 1])
    found, truths = (np.trunc(rows - last_frame_off) for rows in (result.intervals, result.truth_intervals))
    # What is shorter than a frame would end before it starts.
    found, truths = (np.maximum(bounds, bounds[:, :1]) + last_frame_off for bounds in (found, truths))
    return replace(result, intervals=found, truth_intervals=truths)


def _found_lasting(result: VideoResult) -> int:
    lasting = frame_intervals.durations(result.truth_intervals) > 1
    return _found_truths(_iou(result.intervals, result.truth_intervals[lasting]))


def _found_truths(overlap: Floats) -> int:
    return int((overlap >= LEAST_OVERLAP).any(axis=0).sum())


def _fitting_detections(overlap: Floats) -> int:
    return int((overlap > LEAST_OVERLAP).any(axis=1).sum())


def _best_detections(overlap: Floats) -> int:
    """Return how many detections are the best of a truth that they fit; of equal overlaps the first row is best."""
    if not overlap.size:
        return 0
    return len(np.unique(overlap.argmax(axis=0)[overlap.max(axis=0) > LEAST_OVERLAP]))


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
