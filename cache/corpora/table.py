"""A team's own corpus: one CSV of annotated expressions beside videos, folders of images, or OpenFace output.

The CSV has the columns subject, video, onset, offset, emotion, and may have apex and kind (macro when absent);
others are left alone. Onset, apex and offset are inclusive frame numbers. A row with empty onset, offset and emotion
declares a video without expressions, so that a forgotten video is not mistaken for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache.corpora import sources
from cache.corpora.annotations import Annotation, Labels
from cache.corpora.sources import Source
from cache.corpora.table_rows import OPTIONAL, REQUIRED, LabelRow, parse
from cache.errors import InputError
from cache.files import check_video_id
from cache.tables import schema
from cache.tables.audit import EXPRESSION_OF_FAILED, OF_FAILED, VIDEO_FAILED, AuditRow
from cache.tables.intervals import NO_APEX, Expression
from cache.tables.videos import Video
from cache.troubles import alone

# A wrong column makes every row wrong: the first problems show it.
MOST_PROBLEMS = 20


@dataclass(frozen=True)
class TableFacts:
    """What the corpus file says.

    Attributes:
        labels: the CSV, relative to the corpus folder.
        folder: where the videos lie, at any depth, relative to the corpus folder; `.` for all of it.
        source: "video", "images" or "openface".
        first_frame: number of the first frame of a video in the CSV, 0 or 1. Images carry their numbers in their names.
        frame_rate: frames a second, for images and for OpenFace output without timestamps; else None.
        emotions: class of each emotion as written, or the classes themselves.
        allow_truncated: accept video files of which only the beginning decodes.
    """

    labels: str
    folder: str
    source: str
    first_frame: int
    frame_rate: float | None
    emotions: Mapping[str, str] | Sequence[str]
    allow_truncated: bool


def read(root: Path, facts: TableFacts) -> tuple[list[Video], list[Expression], list[AuditRow]]:
    """Return the corpus: videos by id, expressions by video and start, and what was repaired or ignored.

    A video that cannot be read is left out with its expressions, each with a row in the audit (`audit.failures`).

    Raises:
        InputError: everything that is wrong with the rows and with which files they name, in one message (the first
            `MOST_PROBLEMS`); if all that is right, everything wrong with the expressions in their videos; or no video
            at all can be read.
    """
    labels = root / facts.labels
    rows, problems = _parse(labels, facts)
    found, audit = sources.find(root / facts.folder, facts.source)
    _stop_at(labels, problems + _id_problems(found) + _unpaired(labels, rows, found, is_complete=not problems))
    if not rows:
        raise InputError(f"{labels} has no rows and {root / facts.folder} no videos: the corpus is empty.")

    opened, failed = _open(root, facts, rows, dict(found))
    expressions, problems = [], []
    for row in rows:
        if row.is_empty or row.video not in opened:
            continue
        source = opened[row.video]
        problem = _outside(row, source)
        if problem:
            problems.append(problem)
        else:
            expressions.append(_expression(row, source.labels))
            audit += _moved(row, source.labels)
    if problems or not opened:
        _stop_at(labels, [*problems, *failed.values()])
    for source in opened.values():
        audit += source.audit
    expressions.sort(key=lambda one: (one.video, one.start, one.stop, one.row))
    audit += _failed(rows, failed) + _without_expressions([row for row in rows if row.video in opened])
    return [opened[video].video for video in sorted(opened)], expressions, audit


def read_labels(path: Path, facts: TableFacts) -> Labels:
    """Return what the CSV says by itself, without a look at the videos; InputError with everything wrong in it."""
    rows, problems = _parse(path, facts)
    _stop_at(path, problems)
    annotations = tuple(_annotation(row) for row in rows if not row.is_empty)
    return Labels(annotations, annotations, tuple(_without_expressions(rows)))


def _parse(labels: Path, facts: TableFacts) -> tuple[list[LabelRow], list[str]]:
    if facts.first_frame not in (0, 1):
        raise InputError(f"first_frame is {facts.first_frame}; expected 0 or 1, the number of a video's first frame.")
    emotions = facts.emotions if isinstance(facts.emotions, Mapping) else {name: name for name in facts.emotions}
    return parse(schema.read_csv(labels, REQUIRED, OPTIONAL), emotions)


def _annotation(row: LabelRow) -> Annotation:
    apex = NO_APEX if row.apex is None else row.apex
    return Annotation(row.video, row.subject, row.onset, apex, row.offset, row.kind, row.emotion, row.row)


def _stop_at(labels: Path, problems: Sequence[str]) -> None:
    if problems:
        shown = "\n".join(f"  {problem}" for problem in problems[:MOST_PROBLEMS])
        rest = f"\n  and {len(problems) - MOST_PROBLEMS} more" if len(problems) > MOST_PROBLEMS else ""
        raise InputError(f"{labels}: {len(problems)} problem{'s' * (len(problems) > 1)}\n{shown}{rest}")


def _id_problems(found: Sequence[tuple[str, Path]]) -> list[str]:
    """Return what is wrong with the names of the files: no id, or two files with one."""
    problems = []
    first: dict[str, Path] = {}
    for video, path in found:
        try:
            check_video_id(video)
        except InputError as error:
            problems.append(f"{path}: {error}")
        other = first.setdefault(video.casefold(), path)
        if other != path:
            problems.append(f"{other} and {path} have one video id (upper and lower case are one): rename one")
    return problems


def _unpaired(
    labels: Path, rows: Sequence[LabelRow], found: Sequence[tuple[str, Path]], is_complete: bool
) -> list[str]:
    """Return a problem for each video without a file and, where all rows were understood, each file without a row."""
    paths = dict(found)
    problems = []
    annotated: dict[str, int] = {}
    for row in rows:
        annotated.setdefault(row.video, row.row)
    for video, row_number in annotated.items():
        if video not in paths:
            problems.append(f"row {row_number}: no file for video '{video}'{schema.nearest(video, paths)}: add it")
    if is_complete:
        problems += [
            f"{path} has no row in {labels.name}: add a row with subject, video {video}, and empty onset, offset and "
            "emotion if it has no expression"
            for video, path in found
            if video not in annotated
        ]
    return problems


def _open(
    root: Path, facts: TableFacts, rows: Sequence[LabelRow], paths: Mapping[str, Path]
) -> tuple[dict[str, Source], dict[str, str]]:
    """Return the videos that can be read, and what is wrong with each of the others."""
    opened: dict[str, Source] = {}
    failed: dict[str, str] = {}
    for video, subject in sorted({(row.video, row.subject) for row in rows}):
        with alone(video, failed):
            opened[video] = sources.inspect(
                root,
                paths[video],
                facts.source,
                video=video,
                subject=subject,
                first_frame=facts.first_frame,
                frame_rate=facts.frame_rate,
                allow_truncated=facts.allow_truncated,
            )
    return opened, failed


def _failed(rows: Sequence[LabelRow], failed: Mapping[str, str]) -> list[AuditRow]:
    subjects = {row.video: row.subject for row in rows}
    audit = [AuditRow(VIDEO_FAILED, video, subjects[video], note=problem) for video, problem in failed.items()]
    return audit + [
        AuditRow(EXPRESSION_OF_FAILED, row.video, row.subject, row.row, note=OF_FAILED)
        for row in rows
        if row.video in failed and not row.is_empty
    ]


def _outside(row: LabelRow, source: Source) -> str:
    first, last = int(source.labels[0]), int(source.labels[-1])
    if first <= row.onset and row.offset <= last:
        return ""
    return (
        f"row {row.row}: onset {row.onset} to offset {row.offset} is outside video {row.video}, whose frames are "
        f"{first} to {last}: correct the row, or first_frame in the corpus file"
    )


def _expression(row: LabelRow, labels: NDArray[np.int64]) -> Expression:
    """Return the half-open interval of positions: here, and only here, an inclusive offset becomes a stop."""
    start, last = _position(labels, row.onset), _position(labels, row.offset)
    return Expression(
        video=row.video,
        subject=row.subject,
        start=start,
        stop=last + 1,
        apex=NO_APEX if row.apex is None else _position(labels, row.apex),
        kind=row.kind,
        emotion=row.emotion,
        row=row.row,
        onset=int(labels[start]),
        offset=int(labels[last]),
    )


def _position(labels: NDArray[np.int64], label: int) -> int:
    """Return the position of the frame with this label, or of the nearest one; of two, the earlier."""
    after = int(np.searchsorted(labels, label))
    if after == 0 or labels[min(after, len(labels) - 1)] == label:
        return after
    is_earlier_nearer = after == len(labels) or label - labels[after - 1] <= labels[after] - label
    return after - 1 if is_earlier_nearer else after


def _moved(row: LabelRow, labels: NDArray[np.int64]) -> list[AuditRow]:
    audit = []
    for field, label in (("onset", row.onset), ("apex", row.apex), ("offset", row.offset)):
        if label is None:
            continue
        used = int(labels[_position(labels, label)])
        if used != label:
            note = f"there is no image {label}"
            audit.append(AuditRow("nearest_frame", row.video, row.subject, row.row, field, str(label), str(used), note))
    return audit


def _without_expressions(rows: Sequence[LabelRow]) -> list[AuditRow]:
    """Return what declares no expression, for people to see: videos, subjects, and rows that others contradict."""
    videos = {row.video for row in rows if not row.is_empty}
    subjects = {row.subject for row in rows if not row.is_empty}
    audit = [
        AuditRow("contradicted_row", row.video, row.subject, row.row, note="declares no expression; other rows do")
        if row.video in videos
        else AuditRow("video_without_expressions", row.video, row.subject, row.row, note="kept")
        for row in rows
        if row.is_empty
    ]
    silent = sorted({row.subject for row in rows} - subjects)
    return audit + [AuditRow("subject_without_expressions", "", subject, note="kept") for subject in silent]
