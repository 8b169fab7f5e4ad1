"""SAMM Long Videos as it comes: a workbook that begins with notes, and folders of frames at 200 a second.

The workbook has no emotions. An expression's class is its kind (spotting only), or what the stimulus was to induce.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cache.corpora import assembly, cells, repairs, workbooks
from cache.corpora.annotations import Annotation, CorpusFacts, Kind, Labels
from cache.corpora.assembly import Place, Tables
from cache.corpora.cells import Line
from cache.corpora.footage import Desk, is_video
from cache.corpora.problems import Problems, Said
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


def read(root: Path, facts: Facts) -> Tables:
    """Return videos, expressions and audit of the corpus in a folder; InputError with everything that is wrong."""
    desk = Desk(root, facts, Problems(str(root)), [])
    labels = _labels(root / facts.labels, facts, desk.problems)
    return assembly.assemble(labels, _places(desk), desk)


def read_labels(path: Path, facts: Facts) -> Labels:
    """Return what the label file says; InputError with everything that is wrong in it."""
    problems = Problems(str(path))
    labels = _labels(path, facts, problems)
    problems.stop()
    return labels


def _labels(path: Path, facts: Facts, problems: Problems) -> Labels:
    sheet = _sheet(path)
    cells.check_header(sheet, COLUMNS, HEADING_ROW, problems)
    if problems:
        # Every row would be wrong in the same way.
        problems.stop()
    audit: list[AuditRow] = []
    found = [
        annotation
        for line in cells.lines(sheet, COLUMNS, HEADING_ROW + 1, problems)
        for annotation in [_annotation(line, facts, audit)]
        if annotation is not None
    ]
    return repairs.settle(found, facts, audit)


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
    if str(line.cell("Type")).casefold() != kind:
        audit.append(AuditRow("type_mapped", video, subject, line.number, "Type", str(line.cell("Type")), kind))
    emotion = _emotion(line, kind, facts, (video, subject), audit) if kind in facts.kinds else None
    return Annotation(video, subject, onset, apex, offset, kind, emotion, line.number)


def _emotion(line: Line, kind: Kind, facts: Facts, about: tuple[str, str], audit: list[AuditRow]) -> str | None:
    if facts.label_set == "kind":
        return facts.classes[kind]
    return cells.emotion(line, "Inducement Code", facts, about, audit)


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


def _places(desk: Desk) -> dict[str, Place]:
    places: dict[str, Place] = {}
    for path in sorted(filter(is_video, assembly.frames_folder(desk).iterdir())):
        video = path.name if path.is_dir() else path.stem
        found = _VIDEO.fullmatch(video)
        if found is None:
            assembly.ignored(path, desk)
        elif video in places:
            other = Said(f"{video} a second time, beside {places[video].path.name}")
            desk.problems.add(str(path), other, "one video a name", "Remove one.")
        else:
            places[video] = Place(found.group(1), path)
    return places
