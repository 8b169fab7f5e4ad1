"""CAS(ME)^2 as it comes: one workbook of three sheets without headings, and folders of frames.

Subjects are called by their folders (`s15`), videos by subject number and code (`15_0101`), the first seven characters
of their folders' names: so they are the same for the whole frames and for the cropped ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cache.corpora import footage, repairs, rows, workbooks
from cache.corpora.annotations import Annotation, CorpusFacts, Labels
from cache.corpora.footage import Location, ReadContext, is_video
from cache.corpora.rows import Line, Problems, Said
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


def labels(path: Path, facts: Facts, problems: Problems) -> Labels:
    """Return what the workbook says; InputError when a sheet is missing."""
    expressions, subjects, codes = workbooks.select(path, *SHEETS)
    audit: list[AuditRow] = []
    folders = _folders(subjects, problems, audit)
    code_of = _codes(codes, problems, audit)
    found = [
        annotation
        for line in rows.of_sheet(expressions, COLUMNS, 1, problems)
        for annotation in [_annotation(line, folders, code_of, facts, audit)]
        if annotation is not None
    ]
    return replace(repairs.settle(found, facts, audit), subjects=frozenset(folders.values()))


def locate(labels: Labels, context: ReadContext[Facts]) -> dict[str, Location]:
    """Return where the videos lie, in the folder of frames and in it those of subjects."""
    return footage.by_video(_locations(labels.subjects, context), labels.found, context)


def _folders(sheet: Sheet, problems: Problems, audit: list[AuditRow]) -> dict[int, str]:
    folders: dict[int, str] = {}
    for line in rows.of_sheet(sheet, SUBJECT_COLUMNS, 1, problems):
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
    for line in rows.of_sheet(sheet, CODE_COLUMNS, 1, problems):
        code, name = line.whole("code"), line.text("name")
        if code is None or name is None:
            continue
        if name.casefold() in codes or code > 9999:
            line.refuse("code", "one code of four digits a name")
        codes[name.casefold()] = f"{code:04d}"
        if str(line.cells["code"]) != f"{code:04d}":
            note = f"sheet '{sheet.name}': folders have four digits"
            audit.append(
                AuditRow("leading_zero", "", "", line.number, "code", str(line.cells["code"]), f"{code:04d}", note)
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
    emotion = rows.emotion(line, column, facts, (video, subject), audit) if kind in facts.kinds else None
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


def _locations(subjects: frozenset[str], context: ReadContext[Facts]) -> Iterator[Location]:
    for folder in sorted(path for path in footage.frames_folder(context).iterdir() if path.is_dir()):
        if folder.name not in subjects:
            footage.ignored(folder, context)
            continue
        for path in sorted(filter(is_video, folder.iterdir())):
            found = _VIDEO.match(path.name)
            if found is None:
                footage.ignored(path, context)
            elif not path.name.startswith(folder.name.removeprefix("s") + "_"):
                expected = f"only videos of {folder.name} in {folder}"
                other = Said("a video of another subject")
                context.problems.add(str(path), other, expected, "Move it to its own folder.")
            else:
                yield Location(found.group(1), folder.name, path)
