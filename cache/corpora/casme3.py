"""CAS(ME)^3 part A as it comes: two workbooks, one with every expression and one with the emotions of the macro ones.

Subjects are called as in the corpus (`spNO.1`), videos by subject and letter (`spNO.1_a`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cache.corpora import footage, repairs, rows, workbooks
from cache.corpora.annotations import Annotation, CorpusFacts, Labels, Number, note
from cache.corpora.footage import Location, ReadContext, is_video
from cache.corpora.rows import Line, Problems, Said
from cache.corpora.workbooks import Sheet
from cache.errors import InputError
from cache.tables.audit import AuditRow

SHEET = "AU+Emotion"
COLUMNS = ("Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Expression type", "Objective class")
EMOTION_SHEET = "Sheet1"
EMOTION_COLUMNS = ("sub", "seq", "onset", "apex", "offset", "emotion")
# Version 1 of the workbook, macro and micro: its rows are other expressions, published results use version 2.
VERSION_1 = {"macro": 3285, "micro": 921}
OBJECTIVE: Literal["objective"] = "objective"
# Workbooks that number frames differently agree on hardly any interval; the genuine ones on all but a few.
LEAST_AGREEMENT = 0.5
_SUBJECT = re.compile(r"spNO\.[0-9]+")


@dataclass(frozen=True, kw_only=True)
class Facts(CorpusFacts):
    """What the corpus file says.

    Attributes:
        macro_emotions: the workbook with the emotions, beside the label file; used by label set `annotated`.
        images: the folder in a video's folder that holds its frames.
    """

    label_set: Literal["annotated", "objective"]
    macro_emotions: str
    images: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label_set == "annotated" and "micro" in self.kinds:
            raise ValueError("kinds has micro, but only macro-expressions have annotated emotions: use objective")


@dataclass
class EmotionRow:
    """One row of the workbook of emotions; `is_used` once an expression has taken it."""

    line: Line
    subject: str
    video: str
    onset: Number
    offset: Number
    is_used: bool = False


def countable(path: Path, facts: Facts) -> tuple[Facts, str]:
    """Return the facts by which the main workbook can be counted by itself, and what is missing then.

    Many hold it alone. Where the one with the emotions is missing, classes are the objective ones.
    """
    beside = path.parent / facts.macro_emotions
    if facts.label_set == "annotated" and OBJECTIVE in facts.class_maps and not beside.exists():
        return replace(facts, label_set=OBJECTIVE, class_map=OBJECTIVE), f"emotions: {_without(beside)}"
    return facts, ""


def labels(path: Path, facts: Facts, problems: Problems) -> Labels:
    """Return what the workbooks say; InputError when one of them, its sheet or its headings are missing."""
    sheet = workbooks.select(path, SHEET)[0]
    _refuse_version_1(sheet)
    rows.check_header(sheet, COLUMNS, 1, problems)
    # Every row would be wrong in the same way.
    problems.stop()
    audit: list[AuditRow] = []
    found = [
        annotation
        for line in rows.of_sheet(sheet, COLUMNS, 2, problems)
        for annotation in [_annotation(line, facts, audit)]
        if annotation is not None
    ]
    beside = path.parent / facts.macro_emotions
    if facts.label_set == "annotated":
        if not beside.exists():
            raise InputError(_without(beside))
        found = _with_emotions(found, beside, facts, problems, audit)
    return repairs.settle(found, facts, audit)


def locate(labels: Labels, context: ReadContext[Facts]) -> dict[str, Location]:
    """Return where the videos lie: the folder of images in that of a letter in that of a subject."""
    return footage.by_video(_locations(context), labels.found, context)


def _without(emotions: Path) -> str:
    return (
        f"{emotions} is missing, the workbook of the emotions of macro-expressions. Copy it there; or, without it, "
        "set label_set: objective, class_map: objective and classes: [I, II, III, IV, V, VI, VII] in the corpus file."
    )


def _refuse_version_1(sheet: Sheet) -> None:
    texts = (cell[:5].lower() for row in sheet.rows[1:] for cell in row if isinstance(cell, str))
    counts = Counter(text for text in texts if text in VERSION_1)
    if counts == VERSION_1:
        raise InputError(
            f"{sheet.path} is version 1 of the labels of CAS(ME)^3 part A: found {counts['macro']} macro and "
            f"{counts['micro']} micro, expected version 2 with 3346 and 860. Take cas(me)3_part_A_v2.xls."
        )


def _annotation(line: Line, facts: Facts, audit: list[AuditRow]) -> Annotation | None:
    named = _subject_and_video(line, "Subject", "Filename", audit)
    onset, apex, offset = line.frame("Onset"), line.apex("Apex"), line.frame("Offset", least=-1)
    kind = line.kind("Expression type")
    if named is None or onset is None or apex is None or offset is None or kind is None:
        return None
    subject, video = named
    emotion = None
    if facts.label_set == "objective" and kind in facts.kinds:
        emotion = rows.emotion(line, "Objective class", facts, (video, subject), audit)
    return Annotation(video, subject, onset, apex, offset, kind, emotion, line.number)


def _subject_and_video(
    line: Line, subject_column: str, letter_column: str, audit: list[AuditRow]
) -> tuple[str, str] | None:
    """Return the subject and the video's id; a capital letter becomes a small one, with its audit row."""
    subject, letter = line.text(subject_column), line.text(letter_column)
    if subject is not None and not _SUBJECT.fullmatch(subject):
        line.refuse(subject_column, "a subject such as spNO.1")
        return None
    if letter is not None and not re.fullmatch("[a-zA-Z]", letter):
        line.refuse(letter_column, "the letter of a video")
        return None
    if subject is None or letter is None:
        return None
    video = f"{subject}_{letter.lower()}"
    if letter != letter.lower():
        where = f"sheet '{line.sheet}'"
        audit.append(
            AuditRow("small_letter", video, subject, line.number, letter_column, letter, letter.lower(), where)
        )
    return subject, video


def _locations(context: ReadContext[Facts]) -> Iterator[Location]:
    for subject in sorted(path for path in footage.frames_folder(context).iterdir() if path.is_dir()):
        if not _SUBJECT.fullmatch(subject.name):
            footage.ignored(subject, context)
            continue
        for path in sorted(filter(is_video, subject.iterdir())):
            place = path / context.facts.images if path.is_dir() else path
            if not re.fullmatch("[a-zA-Z]", path.stem):
                footage.ignored(path, context)
            elif not place.exists():
                beside = sorted(entry.name for entry in path.iterdir())
                found, remedy = Said(", ".join(beside[:5]) or "an empty folder"), "Copy it again, or set `images` in"
                context.problems.add(str(path), found, f"the folder {place.name}", f"{remedy} the corpus file.")
            else:
                yield Location(f"{subject.name}_{path.stem.lower()}", subject.name, place)


def _with_emotions(
    annotations: Sequence[Annotation], path: Path, facts: Facts, problems: Problems, audit: list[AuditRow]
) -> list[Annotation]:
    """Return the annotations, the macro ones with their emotions.

    An expression takes the row of its video with the same onset and offset, else the free row that shares most frames
    with it (audit: `emotion_by_overlap`), else none (audit: `no_emotion`).
    """
    entries = _emotion_rows(path, problems, audit)
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
                about = f"row {entry.line.number} of sheet '{EMOTION_SHEET}'"
                before = f"[{annotation.onset}, {annotation.offset}]"
                audit.append(note("emotion_by_overlap", annotation, "emotion", before, after, about))
    audit.extend(_left_over(entries))
    return [_with_emotion(annotation, taken.get(annotation.row), facts, audit) for annotation in annotations]


def _emotion_rows(path: Path, problems: Problems, audit: list[AuditRow]) -> list[EmotionRow]:
    sheet = workbooks.select(path, EMOTION_SHEET)[0]
    headings = Problems(path.name)
    rows.check_header(sheet, EMOTION_COLUMNS, 1, headings)
    headings.stop()
    entries = []
    for line in rows.of_sheet(sheet, EMOTION_COLUMNS, 2, problems):
        named = _subject_and_video(line, "sub", "seq", audit)
        onset, offset = line.frame("onset"), line.frame("offset", least=-1)
        if named is not None and onset is not None and offset is not None:
            entries.append(EmotionRow(line, *named, onset, offset))
    return entries


def _same(macro: Sequence[Annotation], entries: Sequence[EmotionRow]) -> dict[int, EmotionRow]:
    """Return row -> entry where the intervals are equal; of two equal rows each takes one, in order."""
    free: dict[tuple[str, Number, Number], list[EmotionRow]] = {}
    for entry in entries:
        free.setdefault((entry.video, entry.onset, entry.offset), []).append(entry)
    taken = {}
    for annotation in macro:
        equal = free.get((annotation.video, annotation.onset, annotation.offset))
        if equal:
            taken[annotation.row] = equal.pop(0)
            taken[annotation.row].is_used = True
    return taken


def _most_shared(annotation: Annotation, entries: Sequence[EmotionRow]) -> EmotionRow | None:
    def shared(entry: EmotionRow) -> Number:
        return min(entry.offset, annotation.offset) - max(entry.onset, annotation.onset) + 1

    free = [entry for entry in entries if entry.video == annotation.video and not entry.is_used and shared(entry) > 0]
    return max(free, key=shared, default=None)


def _with_emotion(annotation: Annotation, entry: EmotionRow | None, facts: Facts, audit: list[AuditRow]) -> Annotation:
    if annotation.kind != "macro" or "macro" not in facts.kinds:
        return annotation
    if entry is None:
        audit.append(note("no_emotion", annotation, "emotion", "", "", f"no row in sheet '{EMOTION_SHEET}': dropped"))
        return annotation
    about = (annotation.video, annotation.subject)
    return replace(annotation, emotion=rows.emotion(entry.line, "emotion", facts, about, audit))


def _left_over(entries: Sequence[EmotionRow]) -> list[AuditRow]:
    return [
        AuditRow(
            "emotion_unused",
            entry.video,
            entry.subject,
            entry.line.number,
            before=f"[{entry.onset}, {entry.offset}]",
            note=f"sheet '{EMOTION_SHEET}': no expression in the main workbook",
        )
        for entry in entries
        if not entry.is_used
    ]
