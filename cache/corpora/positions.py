"""Frame numbers of annotations -> frame positions of expressions, and back."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cache.corpora.annotations import Annotation, CorpusFacts, note
from cache.corpora.footage import Footage, ReadContext
from cache.corpora.rows import Said
from cache.tables.audit import AuditRow
from cache.tables.intervals import NO_APEX, Expression
from cache.tables.videos import Video


def place(annotation: Annotation, footage: Footage, context: ReadContext[CorpusFacts]) -> Expression | None:
    """Return the expression; None after a problem, when it lies more than a second outside its video.

    It then belongs to another video, or to other numbers; one that lies nearer is moved to the nearest frame.
    """
    labels, second = footage.labels, context.facts.frame_rate
    for name, label in (("onset", annotation.onset), ("offset", annotation.offset)):
        # An onset of 0 stands for the first frame, whatever its number.
        if labels[0] - second <= label <= labels[-1] + second or (name == "onset" and label == 0):
            continue
        context.problems.add(
            f"{context.facts.labels}, row {annotation.row}",
            Said(f"{name} {label}"),
            f"a frame of video {annotation.video}, which has frames {labels[0]} to {labels[-1]}",
            "Correct the row, or copy the frames again from the corpus.",
        )
        return None
    return expression(annotation, footage, context.audit)


def expression(annotation: Annotation, footage: Footage, audit: list[AuditRow]) -> Expression:
    """Return the half-open interval of positions: here, and only here, an inclusive offset becomes a stop.

    What names no frame is moved to the nearest one, and what lies between two frames taken to one of these.
    """
    labels = footage.labels
    first, last = position(labels, annotation.onset), position(labels, annotation.offset)
    _say_moved(annotation, "onset", labels[first], audit)
    _say_moved(annotation, "offset", labels[last], audit)
    start, stop = _taken(annotation, first, last, footage.video, audit)
    return Expression(
        video=annotation.video,
        subject=annotation.subject,
        start=start,
        stop=stop,
        apex=_apex(annotation, labels, (first, last), (start, stop), footage.video.frame_step, audit),
        kind=annotation.kind,
        emotion=str(annotation.emotion),
        row=annotation.row,
        onset=int(annotation.onset),
        offset=int(annotation.offset),
    )


def position(labels: NDArray[np.int64], label: float) -> int:
    """Return the position of the frame with this number, or of the nearest one; of two, the earlier."""
    after = int(np.searchsorted(labels, label))
    if after == 0:
        return 0
    if after == len(labels):
        return after - 1
    return after if labels[after] - label < label - labels[after - 1] else after - 1


def of_numbers(taken: NDArray[np.int64], onset: float, offset: float, step: int) -> tuple[int, int]:
    """Return the half-open interval of positions that `expression` finds, from the numbers of the taken frames alone.

    Args:
        taken: ``(T,)`` numbers of every `step`-th recorded frame; those between are believed to be evenly spaced.
    """
    if step == 1:
        return position(taken, onset), position(taken, offset) + 1
    first, last = np.interp((onset, offset), taken, step * np.arange(len(taken)))
    return _within(float(first), float(last), step, len(taken))


def _say_moved(annotation: Annotation, name: str, label: int, audit: list[AuditRow]) -> None:
    before = getattr(annotation, name)
    if before != label:
        audit.append(note("nearest_frame", annotation, name, before, int(label), f"there is no frame {before}"))


def _taken(annotation: Annotation, first: int, last: int, video: Video, audit: list[AuditRow]) -> tuple[int, int]:
    start, stop = _within(first, last, video.frame_step, video.frame_count)
    if not first <= start * video.frame_step <= last:
        reason = f"frame_step {video.frame_step}: nearest taken"
        audit.append(note("between_taken_frames", annotation, "", last - first + 1, 1, reason))
    return start, stop


def _within(first: float, last: float, step: int, count: int) -> tuple[int, int]:
    """Return which of the taken frames lie in an interval of recorded frames; at least one, the nearest."""
    start, stop = math.ceil(first / step), math.floor(last / step) + 1
    if start < stop:
        return start, stop
    nearest = min(math.floor((first + last) / 2 / step + 0.5), count - 1)
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
