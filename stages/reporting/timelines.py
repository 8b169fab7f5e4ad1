"""Timelines of a report: of each video what is annotated, what was found and missed, the score curve, lost faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cache.columns import FrameColumns
from cache.tables.intervals import NO_APEX, Detection, Expression
from cache.tables.videos import Video
from pipeline.alignment import inspection
from pipeline.diagnosis.mending import MISSED
from pipeline.diagnosis.outcomes import KINDS, Outcomes, are_cut, outcomes_of
from pipeline.intervals import Booleans
from pipeline.scoring.results import VideoResult, keep_confident
from stages.page.document import Attention, Case, Picture, Timeline, TrueExpression
from stages.reporting.material import Material
from stages.reporting.pictures import Moments, apex_of
from stages.results.diagnosis import judged
from stages.results.found_rows import numbers_of
from stages.results.video_results import by_video


@dataclass(frozen=True, eq=False)
class Judged:
    """What became of the accepted detections and the expressions of one video.

    Attributes:
        detections, expressions: in the order of `outcomes`.
        is_cut: of each expression, whether no window of the detector holds it whole; None where that is not known.
    """

    video: Video
    detections: Sequence[Detection]
    expressions: Sequence[Expression]
    outcomes: Outcomes
    is_cut: Booleans | None


def judge(material: Material) -> list[Judged]:
    """Return what became of everything, video by video in the order of the table."""
    of_known, of_found = by_video(material.known), by_video(material.found)
    results = keep_confident(judged(material.results, material.classes), material.thresholds)
    told = []
    for video, every, kept in zip(material.table, material.results, results, strict=True):
        is_kept = every.confidence.astype(np.float64) >= material.thresholds[video.subject]
        rows = [row for row, stays in zip(of_found[video.video], is_kept, strict=True) if stays]
        outcomes = outcomes_of(kept, material.columns[video.video].face_found)
        told.append(Judged(video, rows, of_known[video.video], outcomes, _are_cut(material, every)))
    return told


def timeline_of(
    one: Judged,
    material: Material,
    curve: npt.NDArray[np.float16],
    attention: Sequence[Sequence[Attention]],
    sheet: str | None,
) -> tuple[Timeline, list[Moments]]:
    """Return the timeline of a video, its cases without pictures and by their start, and which frames these show.

    Args:
        curve: ``(T, K)``, or ``(0, K)``.
        attention: of each accepted detection; empty where it is not known.
        sheet: address of the contact sheet.
    """
    columns, video = material.columns[one.video.video], one.video
    found = [
        _detected(one, row, curve, columns, attention[row] if attention else ()) for row in range(len(one.detections))
    ]
    missed = [_missed(one, row, curve, columns) for row in np.flatnonzero(~one.outcomes.spotted).tolist()]
    cases = sorted([*found, *missed], key=lambda case: (case.start, case.stop))
    moments = [
        Moments(case.start, case.stop, apex_of(case.start, case.stop, _apex(one, case), curve)) for case in cases
    ]
    labels, seconds = columns.frame_label, columns.pts_seconds
    steps = max(len(labels) - 1, 1)
    timeline = Timeline(
        video=video.video,
        subject=video.subject,
        frame_count=video.frame_count,
        seconds_per_frame=float(seconds[-1] - seconds[0]) / steps or 1 / video.frame_rate,
        first_label=int(labels[0]),
        threshold=material.thresholds[video.subject],
        expressions=[_truth(row, bool(spotted), columns) for row, spotted in zip(one.expressions, one.outcomes.spotted,
                                                                                 strict=True)],
        cases=cases,
        curve=curve,
        faceless=inspection.runs(~columns.face_found).tolist(),
        sheet=sheet,
        labels_per_frame=float(labels[-1] - labels[0]) / steps or 1.0,
    )  # fmt: skip
    return timeline, moments


def with_pictures(timeline: Timeline, pictures: Sequence[Sequence[Picture]]) -> Timeline:
    """Return a timeline whose cases have pictures."""
    cases = [replace(case, pictures=own) for case, own in zip(timeline.cases, pictures, strict=True)]
    return replace(timeline, cases=cases)


def _are_cut(material: Material, result: VideoResult) -> Booleans | None:
    windows = material.windows.get(result.video)
    return None if windows is None else are_cut(result.truth_intervals, windows)


def _detected(
    one: Judged,
    row: int,
    curve: npt.NDArray[np.float16],
    columns: FrameColumns,
    attention: Sequence[Attention],
) -> Case:
    detection, outcomes = one.detections[row], one.outcomes
    truth = int(outcomes.truth[row])
    onset, offset = numbers_of(detection, columns)
    return Case(
        kind=KINDS[outcomes.kind[row]],
        start=detection.start,
        stop=detection.stop,
        onset=onset,
        offset=offset,
        onset_seconds=float(columns.pts_seconds[detection.start]),
        offset_seconds=float(columns.pts_seconds[detection.stop - 1]),
        emotion=detection.emotion,
        truth=truth if truth >= 0 else None,
        iou=float(outcomes.iou[row]) if truth >= 0 else None,
        confidence=detection.confidence,
        scores=_scores(curve, detection.start, detection.stop),
        cut_by_window=None,
        pictures=(),
        attention=attention,
    )


def _missed(one: Judged, row: int, curve: npt.NDArray[np.float16], columns: FrameColumns) -> Case:
    expression = one.expressions[row]
    onset, offset = numbers_of(expression, columns)
    return Case(
        kind=MISSED,
        start=expression.start,
        stop=expression.stop,
        onset=onset,
        offset=offset,
        onset_seconds=float(columns.pts_seconds[expression.start]),
        offset_seconds=float(columns.pts_seconds[expression.stop - 1]),
        emotion=None,
        truth=row,
        iou=None,
        confidence=None,
        scores=_scores(curve, expression.start, expression.stop),
        cut_by_window=None if one.is_cut is None else bool(one.is_cut[row]),
        pictures=(),
        attention=(),
    )


def _truth(row: Expression, is_found: bool, columns: FrameColumns) -> TrueExpression:
    onset, offset = numbers_of(row, columns)
    return TrueExpression(
        start=row.start,
        stop=row.stop,
        onset=onset,
        offset=offset,
        onset_seconds=float(columns.pts_seconds[row.start]),
        offset_seconds=float(columns.pts_seconds[row.stop - 1]),
        emotion=row.emotion,
        kind=row.kind,
        found=is_found,
    )


def _scores(curve: npt.NDArray[np.float16], start: int, stop: int) -> list[float]:
    """Return the score of each class at the strongest frame of an interval; empty without a curve."""
    if not len(curve):
        return []
    strongest = start + int(curve[start:stop].max(axis=1).argmax())
    return [float(value) for value in curve[strongest]]


def _apex(one: Judged, case: Case) -> int:
    return NO_APEX if case.truth is None else one.expressions[case.truth].apex
