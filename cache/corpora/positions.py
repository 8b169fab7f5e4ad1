"""Frame numbers of annotations -> frame positions of expressions, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from cache.corpora.annotations import Annotation, note
from cache.corpora.footage import Desk, Footage
from cache.corpora.problems import Said
from cache.tables.audit import AuditRow
from cache.tables.expressions import NO_APEX, Expression
from cache.tables.videos import Video


def expressions(annotations: Iterable[Annotation], footage: Mapping[str, Footage], desk: Desk) -> list[Expression]:
    """Return the expressions of the videos there are, by video, start, stop and row; what was moved goes to the audit.

    An annotation more than a second outside its video is a problem: it belongs to another video, or other numbers.
    """
    found = [
        expression
        for annotation in annotations
        if annotation.video in footage
        for expression in [_expression(annotation, footage[annotation.video], desk)]
        if expression is not None
    ]
    return sorted(found, key=lambda one: (one.video, one.start, one.stop, one.row))


def to_source(expression: Expression, video: Video) -> tuple[int, int]:
    """Return the half-open interval among all recorded frames, first to last frame taken, of one among those taken."""
    return expression.start * video.frame_step, (expression.stop - 1) * video.frame_step + 1


def position(labels: NDArray[np.int64], label: float) -> int:
    """Return the position of the frame with this number, or of the nearest one; of two, the earlier."""
    after = int(np.searchsorted(labels, label))
    if after == 0:
        return 0
    if after == len(labels):
        return after - 1
    return after if labels[after] - label < label - labels[after - 1] else after - 1


def _expression(annotation: Annotation, footage: Footage, desk: Desk) -> Expression | None:
    labels = footage.labels
    if not _is_near(annotation, labels, desk):
        return None
    first, last = position(labels, annotation.onset), position(labels, annotation.offset)
    _say_moved(annotation, "onset", labels[first], desk.audit)
    _say_moved(annotation, "offset", labels[last], desk.audit)
    start, stop = _taken(annotation, first, last, footage.video, desk.audit)
    return Expression(
        video=annotation.video,
        subject=annotation.subject,
        start=start,
        stop=stop,
        apex=_apex(annotation, labels, (first, last), (start, stop), footage.video.frame_step, desk.audit),
        kind=annotation.kind,
        emotion=str(annotation.emotion),
        row=annotation.row,
        onset=int(annotation.onset),
        offset=int(annotation.offset),
    )


def _is_near(annotation: Annotation, labels: NDArray[np.int64], desk: Desk) -> bool:
    second = desk.facts.frame_rate
    for name, label in (("onset", annotation.onset), ("offset", annotation.offset)):
        # An onset of 0 stands for the first frame, whatever its number.
        if labels[0] - second <= label <= labels[-1] + second or (name == "onset" and label == 0):
            continue
        desk.problems.add(
            f"{desk.facts.labels}, row {annotation.row}",
            Said(f"{name} {label}"),
            f"a frame of video {annotation.video}, which has frames {labels[0]} to {labels[-1]}",
            "Correct the row, or copy the frames again from the corpus.",
        )
        return False
    return True


def _say_moved(annotation: Annotation, name: str, label: int, audit: list[AuditRow]) -> None:
    before = getattr(annotation, name)
    if before != label:
        audit.append(note("nearest_frame", annotation, name, before, int(label), f"there is no frame {before}"))


def _taken(annotation: Annotation, first: int, last: int, video: Video, audit: list[AuditRow]) -> tuple[int, int]:
    """Return which of the taken frames lie in an interval of recorded frames; at least one, the nearest."""
    start, stop = -(-first // video.frame_step), last // video.frame_step + 1
    if start < stop:
        return start, stop
    nearest = min(math.floor((first + last) / 2 / video.frame_step + 0.5), video.frame_count - 1)
    audit.append(
        note(
            "between_taken_frames", annotation, "", last - first + 1, 1, f"frame_step {video.frame_step}: nearest taken"
        )
    )
    return nearest, nearest + 1


def _apex(
    annotation: Annotation,
    labels: NDArray[np.int64],
    recorded: tuple[int, int],
    taken: tuple[int, int],
    step: int,
    audit: list[AuditRow],
) -> int:
    if annotation.apex == NO_APEX:
        return NO_APEX
    strongest = position(labels, annotation.apex)
    _say_moved(annotation, "apex", labels[strongest], audit)
    if not recorded[0] <= strongest <= recorded[1]:
        audit.append(note("apex_outside", annotation, "apex", annotation.apex, "", "used without an apex"))
        return NO_APEX
    nearest = math.floor(strongest / step + 0.5)
    return min(max(nearest, taken[0]), taken[1] - 1)
