"""CAS(ME)^2 as it comes: one workbook of three sheets without headings, and folders of frames.

Subjects are called by their folders (`s15`), videos by subject number and code (`15_0101`), the first seven characters
of their folders' names: so they are the same for the whole frames and for the cropped ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cache.corpora import assembly, cells, repairs, workbooks
from cache.corpora.annotations import Annotation, CorpusFacts, Labels
from cache.corpora.assembly import Place, Tables
from cache.corpora.cells import Line
from cache.corpora.footage import Desk, is_video
from cache.corpora.problems import Problems, Said
from cache.corpora.workbooks import Sheet
from cache.tables.audit import AuditRow

SHEETS = ("CASFEcode_final", "naming rule1", "naming rule2")
COLUMNS = (
    "subject index",
    "expression name",
    "onset",
    "apex",
    "offset",
    "action units",
    "estimated emotion",
    "type",
    "self-reported emotion",
)
SUBJECT_COLUMNS = ("folder number", "folder", "subject index")
CODE_COLUMNS = ("code", "name")
EMOTION_COLUMNS = {"annotated": "estimated emotion", "self_reported": "self-reported emotion"}

_NAME = re.compile(r"([A-Za-z]+[0-9]+)(_[0-9]+)?")
_VIDEO = re.compile(r"([0-9]{2}_[0-9]{4})(?![0-9])")


@dataclass(frozen=True, kw_only=True)
class Facts(CorpusFacts):
    """What the corpus file says."""

    label_set: Literal["annotated", "self_reported"]


def read(root: Path, facts: Facts) -> Tables:
    """Return videos, expressions and audit of the corpus in a folder; InputError with everything that is wrong."""
    desk = Desk(root, facts, Problems(str(root)), [])
    labels, folders = _labels(root / facts.labels, facts, desk.problems)
    return assembly.assemble(labels, _places(folders, desk), desk)


def read_labels(path: Path, facts: Facts) -> Labels:
    """Return what the label file says; InputError with everything that is wrong in it."""
    problems = Problems(str(path))
    labels, _ = _labels(path, facts, problems)
    problems.stop()
    return labels


def _labels(path: Path, facts: Facts, problems: Problems) -> tuple[Labels, dict[int, str]]:
    """Return the labels, and the folder of each subject index."""
    expressions, subjects, codes = workbooks.select(path, *SHEETS)
    audit: list[AuditRow] = []
    folders = _folders(subjects, problems, audit)
    code_of = _codes(codes, problems, audit)
    found = [
        annotation
        for line in cells.lines(expressions, COLUMNS, 1, problems)
        for annotation in [_annotation(line, folders, code_of, facts, audit)]
        if annotation is not None
    ]
    return repairs.settle(found, facts, audit), folders


def _folders(sheet: Sheet, problems: Problems, audit: list[AuditRow]) -> dict[int, str]:
    folders: dict[int, str] = {}
    for line in cells.lines(sheet, SUBJECT_COLUMNS, 1, problems):
        number, folder, index = line.whole("folder number"), line.text("folder"), line.whole("subject index")
        if number is None or folder is None or index is None:
            continue
        if folder != f"s{number}" or folders.get(index, folder) != folder:
            line.refuse("folder", f"s{number}, and one folder for subject index {index}")
        elif index not in folders:
            folders[index] = folder
            note = f"sheet '{sheet.name}': the index is not the folder's number"
            audit.append(AuditRow("subject_folder", "", folder, line.number, "subject index", str(index), folder, note))
    return folders


def _codes(sheet: Sheet, problems: Problems, audit: list[AuditRow]) -> dict[str, str]:
    codes: dict[str, str] = {}
    for line in cells.lines(sheet, CODE_COLUMNS, 1, problems):
        code, name = line.whole("code"), line.text("name")
        if code is None or name is None:
            continue
        if name.casefold() in codes or code > 9999:
            line.refuse("code", "one code of four digits a name")
        codes[name.casefold()] = f"{code:04d}"
        if str(line.cell("code")) != f"{code:04d}":
            note = f"sheet '{sheet.name}': folders have four digits"
            audit.append(
                AuditRow("leading_zero", "", "", line.number, "code", str(line.cell("code")), f"{code:04d}", note)
            )
    return codes


def _annotation(
    line: Line, folders: dict[int, str], codes: dict[str, str], facts: Facts, audit: list[AuditRow]
) -> Annotation | None:
    index, code = line.whole("subject index"), _code(line, codes)
    if index is not None and index not in folders:
        line.refuse(
            "subject index", f"one of sheet '{SHEETS[1]}'", "Add the subject to that sheet, or correct the cell."
        )
    onset, apex, offset = line.frame("onset"), line.apex("apex"), line.frame("offset", least=-1)
    kind = line.kind("type")
    if index not in folders or code is None or onset is None or apex is None or offset is None or kind is None:
        return None
    subject = folders[index]
    video = f"{subject.removeprefix('s')}_{code}"
    column = EMOTION_COLUMNS[facts.label_set]
    emotion = cells.emotion(line, column, facts, (video, subject), audit) if kind in facts.kinds else None
    return Annotation(video, subject, onset, apex, offset, kind, emotion, line.number)


def _code(line: Line, codes: dict[str, str]) -> str | None:
    name = line.text("expression name")
    if name is None:
        return None
    found = _NAME.fullmatch(name)
    if found is None or found.group(1).casefold() not in codes:
        line.refuse("expression name", f"a name of sheet '{SHEETS[2]}' with a number, such as anger1_2")
        return None
    return codes[found.group(1).casefold()]


def _places(folders: dict[int, str], desk: Desk) -> dict[str, Place]:
    frames = assembly.frames_folder(desk)
    places: dict[str, Place] = {}
    for entry in sorted(frames.iterdir()):
        if entry.is_dir() and entry.name in folders.values():
            _add_subject(entry, places, desk)
        elif entry.is_dir():
            assembly.ignored(entry, desk)
    return places


def _add_subject(folder: Path, places: dict[str, Place], desk: Desk) -> None:
    for path in sorted(filter(is_video, folder.iterdir())):
        found = _VIDEO.match(path.name)
        video = found.group(1) if found else ""
        if not found:
            assembly.ignored(path, desk)
        elif not video.startswith(folder.name.removeprefix("s") + "_"):
            expected = f"only videos of {folder.name} in {folder}"
            desk.problems.add(str(path), Said("a video of another subject"), expected, "Move it to its own folder.")
        elif video in places:
            other = Said(f"{video} a second time, beside {places[video].path.name}")
            desk.problems.add(str(path), other, "one video a code", "Remove one.")
        else:
            places[video] = Place(folder.name, path)
