"""CAS(ME)^3 part A as it comes: two workbooks, one with every expression and one with the emotions of the macro ones.

Subjects are called as in the corpus (`spNO.1`), videos by subject and letter (`spNO.1_a`).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cache.corpora import assembly, casme3_emotions, cells, repairs, workbooks
from cache.corpora.annotations import Annotation, CorpusFacts, Labels
from cache.corpora.assembly import Place, Tables
from cache.corpora.casme3_emotions import subject_and_video
from cache.corpora.cells import Line
from cache.corpora.footage import Desk, is_video
from cache.corpora.problems import Problems, Said
from cache.corpora.workbooks import Sheet
from cache.errors import InputError
from cache.tables.audit import AuditRow

SHEET = "AU+Emotion"
COLUMNS = ("Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Expression type", "Objective class")
# Version 1 of the workbook, macro and micro: its rows are other expressions, published results use version 2.
VERSION_1 = {"macro": 3285, "micro": 921}
OBJECTIVE: Literal["objective"] = "objective"


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


def read(root: Path, facts: Facts) -> Tables:
    """Return videos, expressions and audit of the corpus in a folder; InputError with everything that is wrong."""
    desk = Desk(root, facts, Problems(str(root)), [])
    labels = _labels(root / facts.labels, facts, desk.problems)
    return assembly.assemble(labels, _places(facts.images, desk), desk)


def read_labels(path: Path, facts: Facts) -> Labels:
    """Return what the label files say; InputError with everything that is wrong in them.

    Many hold the main workbook alone. Where the one with the emotions is missing, classes are the objective ones, and
    `Labels.missing` says so.
    """
    beside = path.parent / facts.macro_emotions
    if facts.label_set == "annotated" and OBJECTIVE in facts.class_maps and not beside.exists():
        labels = read_labels(path, replace(facts, label_set=OBJECTIVE, class_map=OBJECTIVE))
        return replace(labels, missing=f"emotions: {_without(beside)}")
    problems = Problems(str(path))
    labels = _labels(path, facts, problems)
    problems.stop()
    return labels


def _labels(path: Path, facts: Facts, problems: Problems) -> Labels:
    sheet = workbooks.select(path, SHEET)[0]
    _refuse_version_1(sheet)
    cells.check_header(sheet, COLUMNS, 1, problems)
    if problems:
        # Every row would be wrong in the same way.
        problems.stop()
    audit: list[AuditRow] = []
    beside = path.parent / facts.macro_emotions
    found = [
        annotation
        for line in cells.lines(sheet, COLUMNS, 2, problems)
        for annotation in [_annotation(line, facts, audit)]
        if annotation is not None
    ]
    if facts.label_set == "annotated":
        if not beside.exists():
            raise InputError(_without(beside))
        found = casme3_emotions.join(found, beside, facts, problems, audit)
    return repairs.settle(found, facts, audit)


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
    named = subject_and_video(line, "Subject", "Filename", audit)
    onset, apex, offset = line.frame("Onset"), line.apex("Apex"), line.frame("Offset", least=-1)
    kind = line.kind("Expression type")
    if named is None or onset is None or apex is None or offset is None or kind is None:
        return None
    subject, video = named
    emotion = None
    if facts.label_set == "objective" and kind in facts.kinds:
        emotion = cells.emotion(line, "Objective class", facts, (video, subject), audit)
    return Annotation(video, subject, onset, apex, offset, kind, emotion, line.number)


def _places(images: str, desk: Desk) -> dict[str, Place]:
    places: dict[str, Place] = {}
    for subject in sorted(path for path in assembly.frames_folder(desk).iterdir() if path.is_dir()):
        if not casme3_emotions.SUBJECT.fullmatch(subject.name):
            assembly.ignored(subject, desk)
            continue
        for folder in sorted(filter(is_video, subject.iterdir())):
            _add(subject.name, folder, images, places, desk)
    return places


def _add(subject: str, folder: Path, images: str, places: dict[str, Place], desk: Desk) -> None:
    if not re.fullmatch("[a-zA-Z]", folder.stem):
        assembly.ignored(folder, desk)
        return
    video = f"{subject}_{folder.stem.lower()}"
    if video in places:
        desk.problems.add(str(folder), Said(f"video {video} a second time"), "one folder a letter", "Remove one.")
        return
    place = folder / images if folder.is_dir() else folder
    if not place.exists():
        beside = sorted(path.name for path in folder.iterdir())
        found = Said(", ".join(beside[:5]) or "an empty folder")
        desk.problems.add(
            str(folder), found, f"the folder {place.name}", "Copy it again, or set `images` in the corpus file."
        )
        return
    places[video] = Place(subject, place)
