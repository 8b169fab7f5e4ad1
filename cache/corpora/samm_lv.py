"""SAMM Long Videos as it comes: a workbook that begins with notes, and folders of frames at 200 a second.

The workbook has no emotions. An expression's class is its kind (spotting only), or what the stimulus was to induce.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cache.corpora import footage, repairs, rows, workbooks
from cache.corpora.annotations import Annotation, CorpusFacts, Kind, Labels
from cache.corpora.footage import Location, ReadContext, is_video
from cache.corpora.rows import Line, Problems
from cache.corpora.workbooks import Sheet
from cache.errors import InputError
from cache.tables.audit import AuditRow

COLUMNS = (
    "Subject",
    "Filename",
    "Inducement Code",
    "Onset",
    "Apex",
    "Offset",
    "Duration",
    "Type",
    "Action Units",
    "Notes",
)
HEADING_ROW = 10

_NAME = re.compile(r"(([0-9]{3})_[0-9]+)_[0-9]+")
_VIDEO = re.compile(r"([0-9]{3})_[0-9]+")


@dataclass(frozen=True, kw_only=True)
class Facts(CorpusFacts):
    """What the corpus file says."""

    label_set: Literal["kind", "inducement"]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label_set == "kind" and any(self.classes.get(kind) is None for kind in self.kinds):
            raise ValueError(f"class map {self.class_map!r} must give {' and '.join(self.kinds)} a class")


def labels(path: Path, facts: Facts, problems: Problems) -> Labels:
    """Return what the workbook says; InputError when its sheet or its headings are missing."""
    sheet = _sheet(path)
    rows.check_header(sheet, COLUMNS, HEADING_ROW, problems)
    # Every row would be wrong in the same way.
    problems.stop()
    audit: list[AuditRow] = []
    found = [
        annotation
        for line in rows.of_sheet(sheet, COLUMNS, HEADING_ROW + 1, problems)
        for annotation in [_annotation(line, facts, audit)]
        if annotation is not None
    ]
    return repairs.settle(found, facts, audit)


def locate(labels: Labels, context: ReadContext[Facts]) -> dict[str, Location]:
    """Return where the videos lie, in the folder of frames."""
    return footage.by_video(_locations(context), labels.found, context)


def _sheet(path: Path) -> Sheet:
    """Return the only sheet that has rows below the notes."""
    sheets = [sheet for sheet in workbooks.read(path).values() if len(sheet.rows) >= HEADING_ROW]
    if len(sheets) != 1:
        raise InputError(
            f"{path} has {len(sheets)} sheets of {HEADING_ROW} rows or more, expected one: nine rows of notes, the "
            f"headings, and the expressions. Take the workbook that came with the corpus."
        )
    return sheets[0]


def _annotation(line: Line, facts: Facts, audit: list[AuditRow]) -> Annotation | None:
    onset, apex, offset = line.frame("Onset"), line.apex("Apex"), line.frame("Offset", least=-1)
    kind, named = line.kind("Type"), _named(line)
    if named is None or onset is None or apex is None or offset is None or kind is None:
        return None
    video, subject = named
    if str(line.cells["Type"]).casefold() != kind:
        audit.append(AuditRow("type_mapped", video, subject, line.number, "Type", str(line.cells["Type"]), kind))
    emotion = _emotion(line, kind, facts, (video, subject), audit) if kind in facts.kinds else None
    return Annotation(video, subject, onset, apex, offset, kind, emotion, line.number)


def _emotion(line: Line, kind: Kind, facts: Facts, about: tuple[str, str], audit: list[AuditRow]) -> str | None:
    if facts.label_set == "kind":
        return facts.classes[kind]
    return rows.emotion(line, "Inducement Code", facts, about, audit)


def _named(line: Line) -> tuple[str, str] | None:
    """Return video and subject from `006_1_1`, whose last number counts the expressions of the video."""
    name, number = line.text("Filename"), line.whole("Subject")
    found = _NAME.fullmatch(name or "")
    if name is not None and found is None:
        line.refuse("Filename", "a name such as 006_1_1")
    if found is None or number is None:
        return None
    if int(found.group(2)) != number:
        line.refuse("Subject", "the subject that the file name begins with", "Correct one of the two cells.")
        return None
    return found.group(1), found.group(2)


def _locations(context: ReadContext[Facts]) -> Iterator[Location]:
    for path in sorted(filter(is_video, footage.frames_folder(context).iterdir())):
        video = path.name if path.is_dir() else path.stem
        found = _VIDEO.fullmatch(video)
        if found is None:
            footage.ignored(path, context)
        else:
            yield Location(video, found.group(1), path)
