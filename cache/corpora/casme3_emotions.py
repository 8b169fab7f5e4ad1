"""Emotions of CAS(ME)^3's macro-expressions, joined from the second workbook to their rows in the main one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cache.corpora import cells, workbooks
from cache.corpora.annotations import Annotation, CorpusFacts, Number, note
from cache.corpora.cells import Line
from cache.corpora.problems import Problems, Said
from cache.tables.audit import AuditRow

SHEET = "Sheet1"
COLUMNS = ("sub", "seq", "onset", "apex", "offset", "emotion")
SUBJECT = re.compile(r"spNO\.[0-9]+")
# Workbooks that number frames differently agree on hardly any interval; the genuine ones on all but a few.
LEAST_AGREEMENT = 0.5


@dataclass
class Entry:
    """One row of the emotion workbook; `is_used` once an expression has taken it."""

    line: Line
    subject: str
    video: str
    onset: Number
    offset: Number
    is_used: bool = False


def join(
    annotations: Sequence[Annotation], path: Path, facts: CorpusFacts, problems: Problems, audit: list[AuditRow]
) -> list[Annotation]:
    """Return the annotations, the macro ones with their emotions.

    An expression takes the row of its video with the same onset and offset, else the free row that shares most frames
    with it (audit: `emotion_by_overlap`), else none (audit: `no_emotion`).
    """
    entries = _entries(path, problems, audit)
    macro = [annotation for annotation in annotations if annotation.kind == "macro"]
    taken = _same(macro, entries)
    if macro and entries and len(taken) < LEAST_AGREEMENT * len(macro):
        problems.add(
            path.name,
            Said(f"{len(taken)} of {len(macro)} macro-expressions with the same onset and offset"),
            "nearly all of them",
            "The two workbooks are of different versions: take both from one release.",
        )
    for annotation in macro:
        if annotation.row not in taken:
            entry = _most_shared(annotation, entries)
            if entry is not None:
                taken[annotation.row] = entry
                entry.is_used = True
                after = f"[{entry.onset}, {entry.offset}]"
                about = f"row {entry.line.number} of sheet '{SHEET}'"
                before = f"[{annotation.onset}, {annotation.offset}]"
                audit.append(note("emotion_by_overlap", annotation, "emotion", before, after, about))
    audit.extend(_left_over(entries))
    return [_with_emotion(annotation, taken.get(annotation.row), facts, audit) for annotation in annotations]


def subject_and_video(
    line: Line, subject_column: str, letter_column: str, audit: list[AuditRow]
) -> tuple[str, str] | None:
    """Return the subject and the video's id; a capital letter becomes a small one, with its audit row."""
    subject, letter = line.text(subject_column), line.text(letter_column)
    if subject is not None and not SUBJECT.fullmatch(subject):
        line.refuse(subject_column, "a subject such as spNO.1")
        return None
    if letter is not None and not re.fullmatch("[a-zA-Z]", letter):
        line.refuse(letter_column, "the letter of a video")
        return None
    if subject is None or letter is None:
        return None
    video = f"{subject}_{letter.lower()}"
    if letter != letter.lower():
        where = f"sheet '{line.sheet.name}'"
        audit.append(
            AuditRow("small_letter", video, subject, line.number, letter_column, letter, letter.lower(), where)
        )
    return subject, video


def _entries(path: Path, problems: Problems, audit: list[AuditRow]) -> list[Entry]:
    sheet = workbooks.select(path, SHEET)[0]
    headings = Problems(path.name)
    cells.check_header(sheet, COLUMNS, 1, headings)
    headings.stop()
    entries = []
    for line in cells.lines(sheet, COLUMNS, 2, problems):
        named = subject_and_video(line, "sub", "seq", audit)
        onset, offset = line.frame("onset"), line.frame("offset", least=-1)
        if named is not None and onset is not None and offset is not None:
            entries.append(Entry(line, *named, onset, offset))
    return entries


def _same(macro: Sequence[Annotation], entries: Sequence[Entry]) -> dict[int, Entry]:
    """Return row -> entry where the intervals are equal; of two equal rows each takes one, in order."""
    free: dict[tuple[str, Number, Number], list[Entry]] = {}
    for entry in entries:
        free.setdefault((entry.video, entry.onset, entry.offset), []).append(entry)
    taken = {}
    for annotation in macro:
        equal = free.get((annotation.video, annotation.onset, annotation.offset))
        if equal:
            taken[annotation.row] = equal.pop(0)
            taken[annotation.row].is_used = True
    return taken


def _most_shared(annotation: Annotation, entries: Sequence[Entry]) -> Entry | None:
    def shared(entry: Entry) -> Number:
        return min(entry.offset, annotation.offset) - max(entry.onset, annotation.onset) + 1

    free = [entry for entry in entries if entry.video == annotation.video and not entry.is_used and shared(entry) > 0]
    return max(free, key=shared, default=None)


def _with_emotion(annotation: Annotation, entry: Entry | None, facts: CorpusFacts, audit: list[AuditRow]) -> Annotation:
    if annotation.kind != "macro" or "macro" not in facts.kinds:
        return annotation
    if entry is None:
        audit.append(note("no_emotion", annotation, "emotion", "", "", f"no row in sheet '{SHEET}': dropped"))
        return annotation
    about = (annotation.video, annotation.subject)
    return replace(annotation, emotion=cells.emotion(entry.line, "emotion", facts, about, audit))


def _left_over(entries: Sequence[Entry]) -> list[AuditRow]:
    return [
        AuditRow(
            "emotion_unused",
            entry.video,
            entry.subject,
            entry.line.number,
            before=f"[{entry.onset}, {entry.offset}]",
            note=f"sheet '{SHEET}': no expression in the main workbook",
        )
        for entry in entries
        if not entry.is_used
    ]
