"""Assembly of a corpus: labels and the places of the videos -> videos, expressions and audit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cache.corpora import footage, positions
from cache.corpora.annotations import Annotation, Labels, note
from cache.corpora.footage import Desk
from cache.corpora.problems import Said
from cache.errors import InputError
from cache.tables import audit
from cache.tables.audit import EXPRESSION_OF_FAILED, OF_FAILED, AuditRow
from cache.tables.expressions import Expression
from cache.tables.videos import Video

Tables = tuple[list[Video], list[Expression], list[AuditRow]]


@dataclass(frozen=True)
class Place:
    """Where the frames of one video lie, and whose they are."""

    subject: str
    path: Path


def frames_folder(desk: Desk) -> Path:
    """Return the folder of frames; InputError says what lies beside when there is none."""
    folder = desk.root / desk.facts.frames
    if folder.is_dir():
        return folder
    beside = sorted(path.name for path in desk.root.iterdir() if path.is_dir()) if desk.root.is_dir() else []
    raise InputError(
        f"{folder} is missing: the frames of the corpus are expected there. {desk.root} holds "
        f"{', '.join(beside) or 'no folders'}. Set `frames` in the corpus file, or copy the frames."
    )


def assemble(labels: Labels, places: Mapping[str, Place], desk: Desk) -> Tables:
    """Return videos by id, expressions by video and start, and the audit.

    A video that cannot be read is left out with its expressions, each with a row in the audit (`audit.failures`).

    Raises:
        InputError: everything that is wrong with labels and folders, or no video at all can be read.
    """
    _check_all_there(labels.found, places, desk)
    found = {video: footage.take(place.path, video, place.subject, desk) for video, place in sorted(places.items())}
    whole = {video: one for video, one in found.items() if one is not None}
    failed = audit.failures(desk.audit)
    expressions = positions.expressions(labels.used, whole, desk)
    silent = _without_rows(places, {annotation.video for annotation in labels.found}, desk)
    if desk.problems or not whole:
        for problem in failed.values():
            desk.problems.tell(problem)
        desk.problems.stop()
    left_out = [note(EXPRESSION_OF_FAILED, one, note=OF_FAILED) for one in labels.used if one.video in failed]
    rows = [*labels.audit, *desk.audit, *left_out, *(row for row in silent if row.video not in failed)]
    return [one.video for one in whole.values()], expressions, rows


def _check_all_there(annotations: Iterable[Annotation], places: Mapping[str, Place], desk: Desk) -> None:
    subjects = {place.subject for place in places.values()}
    folder = desk.root / desk.facts.frames
    first_rows: dict[str, int] = {}
    for annotation in annotations:
        subject_is_there = annotation.subject in subjects
        what = f"video {annotation.video}" if subject_is_there else f"subject {annotation.subject}"
        row = first_rows.setdefault(what, annotation.row)
        if annotation.video not in places and row == annotation.row:
            desk.problems.add(
                f"{desk.facts.labels}, row {row}",
                Said(f"no frames of {what}"),
                f"them below {folder}",
                "Copy the folder again from the corpus.",
            )


def _without_rows(places: Mapping[str, Place], labelled: set[str], desk: Desk) -> list[AuditRow]:
    """Return an audit row for each video that no row of the label file names; more than known are a problem."""
    known = desk.facts.unlabelled_videos
    silent = sorted(set(places) - labelled)
    if known != "any" and len(silent) > known:
        desk.problems.add(
            str(desk.root / desk.facts.frames),
            Said(f"{len(silent)} videos without a row in {desk.facts.labels} ({', '.join(silent[:10])})"),
            f"at most {known}",
            "Remove what is not of the corpus, or set unlabelled_videos in the corpus file.",
        )
    return [
        AuditRow("video_without_expressions", video, places[video].subject, note="no row names it: kept")
        for video in silent
    ]


def ignored(folder: Path, desk: Desk) -> None:
    """Write to the audit that a folder or video among the corpus' own is left alone."""
    desk.audit.append(AuditRow("ignored_folder", "", "", before=folder.relative_to(desk.root).as_posix()))
