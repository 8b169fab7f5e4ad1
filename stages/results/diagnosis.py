"""Error diagnosis of a run: its false detections and its misses by kind, and what mending each kind would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cache.columns import FrameColumns
from cache.tables.intervals import UNRECOGNISED, Expression
from cache.tables.searches import Search
from cache.tables.videos import Video
from cache.weights.detector_card import DetectorCard
from pipeline.diagnosis.mending import gains
from pipeline.diagnosis.outcomes import false_detections, misses
from pipeline.intervals import Intervals
from pipeline.scoring.recognition import Figures
from pipeline.scoring.results import VideoResult, keep_confident
from stages.results.video_results import by_video


def diagnose(
    results: Sequence[VideoResult],
    known: Sequence[Expression],
    thresholds: Mapping[str, float],
    classes: Sequence[str],
    columns: Mapping[str, FrameColumns],
    windows: Mapping[str, Intervals],
) -> Figures:
    """Return ``detections`` by kind, ``misses`` by what is known of them, and ``gains``; see `pipeline.diagnosis`.

    Args:
        results: of the same expressions.
        thresholds: by subject; kinds and misses are of what reaches them.
        columns: of each video's frames.
        windows: by video, what its detector saw at once.
    """
    faces = {video: frames.face_found for video, frames in columns.items()}
    judged_results = judged(results, classes)
    told = gains(judged_results, thresholds, len(classes), faces)
    if judged_results is not results:  # nothing is recognised, so nothing is found with its emotion
        told = {kind: row | {"detection_f1": 0.0, "detection_map": 0.0} for kind, row in told.items()}
    return {
        "detections": false_detections(keep_confident(judged_results, thresholds), faces),
        "misses": misses(keep_confident(results, thresholds), classes, _intensities(results, known), windows),
        "gains": told,
    }


def judged(results: Sequence[VideoResult], classes: Sequence[str]) -> Sequence[VideoResult]:
    """Return what errors are looked for in: emotions apart where the detector tells none, the results themselves else.

    Where it only spots, every detection has an emotion that no expression has.
    """
    if UNRECOGNISED not in classes:
        return results
    return [
        replace(one, classes=np.zeros_like(one.classes), truth_classes=np.zeros_like(one.truth_classes))
        for one in results
    ]


def windows_of(
    table: Sequence[Video], search: Search, cards: Mapping[Path, DetectorCard], stride: int
) -> dict[str, Intervals]:
    """Return what the detector that searched each video saw at once, by video: ``(W, 2)`` half-open frames.

    Args:
        cards: with every detector that searched a video.
        stride: frames of a window from one to the next.

    Raises:
        ShardError: a card describes no network.
    """
    from stages.parts import detectors  # PyTorch, without which what was found is judged and shown

    used = set(search.searched.values())
    cuttings = {card.key: detectors.cutting_of(path, card) for path, card in cards.items() if card.key in used}
    return {row.video: cuttings[search.searched[row.video]].spans(row.frame_count, stride) for row in table}


def _intensities(results: Sequence[VideoResult], known: Sequence[Expression]) -> dict[str, list[str]] | None:
    """Return of each video the kind of its expressions, macro or micro; None where all are of one kind."""
    if len({row.kind for row in known}) < 2:
        return None
    of_known = by_video(known)
    return {one.video: [row.kind for row in of_known[one.video]] for one in results}
