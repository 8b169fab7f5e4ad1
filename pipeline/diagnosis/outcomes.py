"""Error diagnosis: of what kind each false detection and each miss is.

False is what does not find a truth of its own emotion at an IoU of 0.5. In this order a false detection is of

- ``wrong_emotion``: it fits a truth, but only of another emotion;
- ``double``: it fits a truth of its emotion, which a more confident detection found;
- ``face_lost``: it fits nothing, and at least half of its frames have no face;
- ``wrong_place``: it overlaps a truth, of whichever emotion, by 0.1 or more;
- ``background``: it overlaps none that much.

A miss is a truth that no detection fits one to one, emotions apart: one found under a wrong emotion is no miss. The
kinds are those of TIDE (Bolya et al. 2020) and, for intervals, DETAD (Alwassel et al. 2018); ``face_lost`` is ours.
What mending one kind would give stands in ``mending.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipeline import intervals as frame_intervals
from pipeline.intervals import Booleans, Floats, Intervals
from pipeline.scoring.matching import LOOSEST_IOU, match_rows
from pipeline.scoring.recognition import Figures
from pipeline.scoring.results import Integers, VideoResult

KINDS = ("correct", "wrong_emotion", "double", "face_lost", "wrong_place", "background")
CORRECT, WRONG_EMOTION, DOUBLE, FACE_LOST, WRONG_PLACE, BACKGROUND = range(len(KINDS))
# Below the first, a detection is background; from the last on it fits.
PLACE_BANDS = (0.1, 0.2, 0.3, 0.4, LOOSEST_IOU)
LENGTH_BANDS = (0, 15, 30, 60, 120)
LEAST_FACELESS = 0.5


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What became of the N detections and M truths of one video, in the order of their rows.

    Attributes:
        kind: ``(N,)`` indices into `KINDS`.
        truth: ``(N,)`` the truth that a detection found, or else the one it overlaps most (of those of its own emotion
            that it fits, if any); -1 where it overlaps none.
        iou: ``(N,)`` its overlap with that truth.
        found: ``(M,)`` whether a detection of the right emotion found the truth.
        spotted: ``(M,)`` whether a detection of any emotion did.
    """

    kind: Integers
    truth: Integers
    iou: Floats
    found: Booleans
    spotted: Booleans


def outcomes_of(result: VideoResult, face_found: Booleans | None = None) -> Outcomes:
    """Return what became of everything in a video.

    Args:
        face_found: ``(T,)`` of each frame; None where it is not known, and then nothing is ``face_lost``.
    """
    count, truth_count = len(result.intervals), len(result.truth_intervals)
    by_class, by_place = match_rows(result, same_class=True), match_rows(result)
    overlap = frame_intervals.pairwise_iou(result.intervals, result.truth_intervals)
    fits = overlap >= LOOSEST_IOU
    own = result.classes[:, None] == result.truth_classes[None]
    # A truth of the own emotion that is fitted goes before all others.
    nearest = (overlap + (fits & own)).argmax(axis=1) if truth_count else np.full(count, -1)
    truth = np.where(by_class >= 0, by_class, nearest)
    iou = overlap[np.arange(count), truth] if truth_count else np.zeros(count)
    kind = np.full(count, BACKGROUND)
    kind[iou >= PLACE_BANDS[0]] = WRONG_PLACE
    if face_found is not None:
        kind[_faceless_share(result.intervals, face_found) >= LEAST_FACELESS] = FACE_LOST
    kind[fits.any(axis=1)] = WRONG_EMOTION
    kind[(fits & own).any(axis=1)] = DOUBLE
    kind[by_class >= 0] = CORRECT
    return Outcomes(
        kind=kind,
        truth=np.where(iou > 0, truth, -1),
        iou=iou,
        found=np.isin(np.arange(truth_count), by_class),
        spotted=np.isin(np.arange(truth_count), by_place),
    )


def false_detections(videos: Sequence[VideoResult], faces: Mapping[str, Booleans] | None = None) -> Figures:
    """Return how many detections are of each kind, and those in a wrong place by how much they overlap.

    Args:
        faces: by video, ``(T,)`` whether a face was found; videos that are not in it count as not known.
    """
    told = [outcomes_of(result, (faces or {}).get(result.video)) for result in videos]
    kinds = np.concatenate([outcome.kind for outcome in told])
    iou = np.concatenate([outcome.iou[outcome.kind == WRONG_PLACE] for outcome in told])
    by_band, _ = np.histogram(iou, PLACE_BANDS)
    counts = dict(zip(KINDS, np.bincount(kinds, minlength=len(KINDS)).tolist(), strict=True))
    return {**counts, "wrong_place_by_iou": dict(zip(_band_names(PLACE_BANDS), by_band.tolist(), strict=True))}


def misses(
    videos: Sequence[VideoResult],
    class_names: Sequence[str],
    intensities: Mapping[str, Sequence[str]] | None = None,
    windows: Mapping[str, Intervals] | None = None,
) -> Figures:
    """Return how many truths are missed of how many, by length, emotion, subject and whatever else is known of them.

    Args:
        intensities: by video, what is known of the strength of each of its M truths, such as macro and micro.
        windows: by video, ``(W, 2)`` what the detector saw at once; a truth that none holds whole is cut.

    Returns:
        ``by_length``, ``by_emotion``, ``by_subject`` and, where known, ``by_intensity`` and ``by_window``: each maps a
        group to {missed, annotated}.
    """
    spotted = np.concatenate([outcomes_of(result).spotted for result in videos])
    groups = {
        "by_length": [name for result in videos for name in _length_names(result.truth_intervals)],
        "by_emotion": [class_names[index] for result in videos for index in result.truth_classes],
        "by_subject": [result.subject for result in videos for _ in result.truth_classes],
    }
    if intensities is not None:
        groups["by_intensity"] = [name for result in videos for name in intensities[result.video]]
    if windows is not None:
        cut = [are_cut(result.truth_intervals, windows[result.video]) for result in videos]
        groups["by_window"] = ["cut" if is_cut else "whole" for part in cut for is_cut in part]
    return {name: _missed_of(spotted, labels) for name, labels in groups.items()}


def are_cut(intervals: Intervals, windows: Intervals) -> Booleans:
    """Return which of ``(M, 2)`` intervals no window holds whole, ``(M,)``."""
    inside = frame_intervals.pairwise_intersection(intervals, windows)  # (M, W)
    whole: Booleans = np.any(inside == frame_intervals.durations(intervals)[:, None], axis=1)
    return ~whole


def _faceless_share(intervals: Intervals, face_found: Booleans) -> Floats:
    """Return which share of each interval's frames has no face, ``(N,)``; fractions of frames count as whole ones."""
    without = np.concatenate([[0], np.cumsum(~face_found)])
    start = np.clip(np.floor(intervals[:, 0]), 0, len(face_found)).astype(np.int64)
    stop = np.clip(np.ceil(intervals[:, 1]), 0, len(face_found)).astype(np.int64)
    share: Floats = (without[stop] - without[start]) / np.maximum(stop - start, 1)
    return share


def _missed_of(spotted: Booleans, labels: Sequence[str]) -> dict[str, dict[str, int]]:
    names: npt.NDArray[np.str_] = np.array(labels, np.str_)
    in_order = sorted(set(labels), key=lambda name: (_LENGTH_NAMES.index(name) if name in _LENGTH_NAMES else 0, name))
    return {
        name: {"missed": int((~spotted[names == name]).sum()), "annotated": int((names == name).sum())}
        for name in in_order
    }


def _band_names(edges: Sequence[float]) -> list[str]:
    return [f"{low:g}-{high:g}" for low, high in pairwise(edges)]


_LENGTH_NAMES = [*_band_names(LENGTH_BANDS), f"{LENGTH_BANDS[-1]}-"]


def _length_names(intervals: Intervals) -> list[str]:
    return [_LENGTH_NAMES[band - 1] for band in np.digitize(frame_intervals.durations(intervals), LENGTH_BANDS)]
