"""Ensemble of detectors by weighted boxes fusion (Solovyev et al., 2021), in one dimension: intervals of one video."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.detectors.decoding import Detections
from pipeline.intervals import pairwise_iou

# Two detectors mean one event when their intervals overlap by this or more: what counts as found in every protocol.
SAME_EVENT = 0.5


def fuse(found: Sequence[Detections], class_count: int) -> Detections:
    """Return what several detectors found in one video, as one.

    The most confident detection of all gathers those of the others that overlap it by `SAME_EVENT`, of each detector
    the one that overlaps it most. Its bounds become their mean, weighted by confidence, evenly where it is 0; its
    emotion is the one with the most confidence; its confidence is theirs summed over the number of detectors: what one
    alone found counts little.

    Args:
        found: of each detector, one or more.
        class_count: K.
    """
    if len(found) == 1:
        return found[0]
    intervals = np.concatenate([each.intervals for each in found])
    emotions = np.concatenate([each.emotions for each in found])
    confidence = np.concatenate([each.confidence for each in found])
    owners = np.repeat(np.arange(len(found)), [len(each.confidence) for each in found])
    order = np.argsort(-confidence, kind="stable")
    overlaps = pairwise_iou(intervals, intervals)
    free = np.ones(len(order), bool)
    fused = []
    for row in order.tolist():
        if free[row]:
            members = _members(row, overlaps[row], owners, free)
            free[members] = False
            weights = confidence[members].astype(np.float64)
            shares = weights if weights.any() else np.ones_like(weights)
            bounds = np.rint(shares @ intervals[members] / shares.sum()).astype(np.int64)
            votes = np.bincount(emotions[members], weights, class_count)
            fused.append((bounds, int(votes.argmax()), float(weights.sum() / len(found))))
    if not fused:
        return found[0]
    fused.sort(key=lambda each: -each[2])
    return Detections(
        np.array([bounds for bounds, _, _ in fused]),
        np.array([emotion for _, emotion, _ in fused]),
        np.array([sure for _, _, sure in fused], np.float32),
    )


def _members(
    row: int, overlaps: npt.NDArray[np.floating], owners: npt.NDArray[np.int64], free: npt.NDArray[np.bool_]
) -> list[int]:
    members = [row]
    for owner in np.unique(owners).tolist():
        near = np.flatnonzero((owners == owner) & free & (overlaps >= SAME_EVENT))
        if owner != owners[row] and len(near):
            members.append(int(near[overlaps[near].argmax()]))
    return members
