"""A team's own corpus: one CSV of annotated expressions beside videos, folders of images, or OpenFace output.

The CSV has the columns subject, video, onset, offset, emotion, and may have apex and kind (macro when absent);
others are left alone. Onset, apex and offset are inclusive frame numbers. A row with empty onset, offset and emotion
declares a video without expressions, so that a forgotten video is not mistaken for one.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cache.corpora import footage, positions, rows
from cache.corpora.annotations import Annotation, Kind, Labels, Number, note
from cache.corpora.footage import Footage, Location, ReadContext
from cache.corpora.rows import Problems
from cache.errors import InputError
from cache.files import check_video_id
from cache.media import image_files, image_folders, video_files
from cache.openface import output as openface
from cache.tables.audit import AuditRow
from cache.tables.intervals import KINDS, NO_APEX, Expression
from cache.tables.schema import nearest
from cache.tables.videos import SOURCES

REQUIRED = ("subject", "video", "onset", "offset", "emotion")
OPTIONAL = ("apex", "kind")
DEFAULT_KIND: Kind = "macro"

# Spreadsheets that hold an empty cell in a column save its whole numbers as 12.0.
_WHOLE = re.compile(r"(-?[0-9]{1,15})(\.0+)?")


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
        invented: the faces are drawn by a program; nothing is read otherwise, but a report says what that means.
        leave_out: what lies there and is no part of the corpus, as paths below `folder`; each has a row in the audit.
    """

    labels: str
    folder: str
    source: str
    first_frame: int
    frame_rate: float | None
    emotions: Mapping[str, str] | Sequence[str]
    allow_truncated: bool
    invented: bool = False
    leave_out: Sequence[str] = ()


def labels(path: Path, facts: TableFacts, problems: Problems) -> Labels:
    """Return what the CSV says; nothing of it is repaired."""
    if facts.first_frame not in (0, 1):
        raise InputError(f"first_frame is {facts.first_frame}; expected 0 or 1, the number of a video's first frame.")
    emotions = facts.emotions if isinstance(facts.emotions, Mapping) else {name: name for name in facts.emotions}
    parsed = []
    for line in rows.of_csv(path, REQUIRED, OPTIONAL, problems):
        cells = {name: str(cell or "") for name, cell in line.cells.items()}
        wrong = _problems(cells, emotions)
        for problem in wrong:
            problems.tell(f"row {line.number}: {problem}")
        if not wrong:
            parsed.append(_annotation(line.number, cells, emotions))
    for problem in (*_repeated(parsed), *_two_subjects(parsed)):
        problems.tell(problem)
    found = tuple(one for one in parsed if one.emotion is not None)
    return Labels(found, found, (), silent=tuple(one for one in parsed if one.emotion is None))


def locate(labels: Labels, context: ReadContext[TableFacts]) -> dict[str, Location]:
    """Return where the videos lie, by the names of files: one for each that has a row, and none without a row.

    Raises:
        InputError: everything that is wrong with the rows and with which files they name, or the corpus is empty.
    """
    path, folder = context.root / context.facts.labels, context.root / context.facts.folder
    is_complete = not context.problems
    found = []
    for video, place in find(folder, context.facts.source, path, context.audit):
        name = place.relative_to(folder).as_posix()
        if name in context.facts.leave_out:
            context.audit.append(AuditRow("left_out", "", "", before=name, note="as leave_out of the corpus file says"))
        else:
            found.append((video, place))
    annotations = sorted((*labels.found, *labels.silent), key=lambda one: one.row)
    for problem in (*_id_problems(found), *_unpaired(path, annotations, found, is_complete)):
        context.problems.tell(problem)
    context.problems.stop()
    if not annotations:
        raise InputError(f"{path} has no rows and {folder} no videos: the corpus is empty.")
    paths = dict(found)
    return {one.video: Location(one.video, one.subject, paths[one.video]) for one in annotations}


def inspect(location: Location, context: ReadContext[TableFacts]) -> Footage:
    """Return the frames of a video, by decoding it or by looking at each of its images.

    Raises:
        InputError: the source is damaged, or says less than needed.
    """
    facts, path = context.facts, location.path
    about = location.video, location.subject
    if facts.source == "video":
        return footage.of_file(location, context, facts.first_frame, allow_truncated=facts.allow_truncated)
    if facts.source == "openface":
        output = openface.read_folder(path, frame_rate=facts.frame_rate)
        labels = facts.first_frame + np.arange(len(output), dtype=np.int64)
        context.audit.extend(AuditRow("openface_warning", *about, note=warning) for warning in output.warnings)
        size, digest = (output.width, output.height), output.source_digest
        return footage.taken(location, context.root, "openface", labels, output.frame_rate, size, digest)
    folder = image_folders.read_folder(path)
    if facts.frame_rate is None or not 0 < facts.frame_rate < float("inf"):
        raise InputError(f"{path}: images have no times. Give frame_rate, frames a second, in the corpus file.")
    _check_first_label(path, int(folder.labels[0]), facts.first_frame)
    context.audit.extend(AuditRow("ignored_file", *about, before=name, note="not an image") for name in folder.ignored)
    size, digest = (folder.width, folder.height), folder.source_digest
    return footage.taken(location, context.root, "images", folder.labels, facts.frame_rate, size, digest)


def place(annotation: Annotation, found: Footage, context: ReadContext[TableFacts]) -> Expression | None:
    """Return the expression, in the numbers of images there are; None after a problem, when it leaves its video."""
    first, last = int(found.labels[0]), int(found.labels[-1])
    if annotation.onset < first or annotation.offset > last:
        context.problems.tell(
            f"row {annotation.row}: onset {annotation.onset} to offset {annotation.offset} is outside video "
            f"{annotation.video}, whose frames are {first} to {last}: correct the row, or first_frame in the corpus "
            "file"
        )
        return None
    return positions.expression(_of_images_there(annotation, found, context), found, context.audit)


def _of_images_there(annotation: Annotation, found: Footage, context: ReadContext[TableFacts]) -> Annotation:
    """Return a row that names missing images with the nearest instead, which the table of expressions then shows."""

    def there(name: str, label: Number) -> int:
        used = int(found.labels[positions.position(found.labels, label)])
        if used != label:
            context.audit.append(note("nearest_frame", annotation, name, label, used, f"there is no image {label}"))
        return used

    onset = there("onset", annotation.onset)
    apex = annotation.apex if annotation.apex == NO_APEX else there("apex", annotation.apex)
    return replace(annotation, onset=onset, apex=apex, offset=there("offset", annotation.offset))


def _problems(cells: Mapping[str, str], emotions: Mapping[str, str]) -> list[str]:
    found = [f"{name} is empty: fill it in" for name in ("subject", "video") if not cells[name]]
    found += _no_id(cells["video"]) if cells["video"] else []
    given = [name for name in ("onset", "offset", "emotion") if cells[name]]
    if not given and not cells["apex"]:
        return found
    if len(given) < 3:
        missing = ", ".join(name for name in ("onset", "offset", "emotion") if not cells[name])
        remedy = "fill it in, or empty the whole row to declare a video without expression"
        return [*found, f"{missing} is empty: {remedy}"]
    found += [
        f"{name} is '{cells[name]}': expected a whole number of frames"
        for name in ("onset", "apex", "offset")
        if cells[name] and _whole(cells[name]) is None
    ]
    found = found or _order_problems(cells)
    if cells["emotion"] not in emotions:
        known = ", ".join(sorted(emotions))
        found.append(f"emotion '{cells['emotion']}' is unknown{nearest(cells['emotion'], emotions)}; known: {known}")
    if cells["kind"] and cells["kind"] not in KINDS:
        found.append(f"kind '{cells['kind']}' is unknown{nearest(cells['kind'], KINDS)}; known: {', '.join(KINDS)}")
    return found


def _no_id(video: str) -> list[str]:
    try:
        check_video_id(video)
    except InputError as error:
        return [str(error)]
    return []


def _order_problems(cells: Mapping[str, str]) -> list[str]:
    onset, apex, offset = (_whole(cells[name]) for name in ("onset", "apex", "offset"))
    if onset is None or offset is None:
        return []
    if offset < onset:
        return [f"offset {offset} is before onset {onset}: correct one of them"]
    if apex is not None and not onset <= apex <= offset:
        return [f"apex {apex} is not between onset {onset} and offset {offset}: correct it or leave it empty"]
    return []


def _whole(text: str) -> int | None:
    found = _WHOLE.fullmatch(text)
    return int(found.group(1)) if found else None


def _annotation(row: int, cells: Mapping[str, str], emotions: Mapping[str, str]) -> Annotation:
    """Return a row without a problem; one that declares a video without an expression has no emotion."""
    apex = _whole(cells["apex"])
    return Annotation(
        video=cells["video"],
        subject=cells["subject"],
        onset=_whole(cells["onset"]) or 0,
        apex=NO_APEX if apex is None else apex,
        offset=_whole(cells["offset"]) or 0,
        kind="micro" if cells["kind"] == "micro" else DEFAULT_KIND,
        emotion=emotions[cells["emotion"]] if cells["onset"] else None,
        row=row,
    )


def _repeated(rows: Iterable[Annotation]) -> list[str]:
    problems, first = [], dict[tuple[object, ...], int]()
    for row in rows:
        key = (row.video, row.onset, row.offset, row.kind, row.emotion)
        earlier = first.setdefault(key, row.row)
        if earlier != row.row and row.emotion is not None:
            problems.append(f"row {row.row}: repeats row {earlier}: delete one, or it is counted twice")
    return problems


def _two_subjects(rows: Iterable[Annotation]) -> list[str]:
    problems, first = [], dict[str, Annotation]()
    for row in rows:
        earlier = first.setdefault(row.video, row)
        if earlier.subject != row.subject:
            problems.append(
                f"row {row.row}: video {row.video} has subject {row.subject}, but {earlier.subject} in row "
                f"{earlier.row}: a video shows one subject"
            )
    return problems


def find(folder: Path, kind: str, labels: Path, audit: list[AuditRow]) -> list[tuple[str, Path]]:
    """Return ``(video id, path)`` of every video below a folder, sorted; files left out go to the audit.

    The id is the stem of a video file or of OpenFace's CSV, or the name of a folder of images. The label file may lie
    among them.

    Raises:
        InputError: no such folder, or an unknown kind of source.
    """
    if kind not in SOURCES:
        raise InputError(f"source is '{kind}'; expected one of {', '.join(SOURCES)}.")
    if not folder.is_dir():
        raise InputError(f"{folder} is missing or is no folder. Correct the folder of videos in the corpus file.")
    found: list[tuple[str, Path]] = []
    ignored: Counter[str] = Counter()
    for name, below, files in os.walk(folder):
        place = Path(name)
        below[:] = [entry for entry in below if not entry.startswith(".")]
        if kind == "video":
            taken = [file for file in files if _has_suffix(file, video_files.SUFFIXES)]
            found += [(Path(file).stem, place / file) for file in taken]
            others = (place / file for file in set(files) - set(taken))
            ignored.update(path.suffix for path in others if path != labels)
        elif kind == "images" and any(_has_suffix(file, image_files.SUFFIXES) for file in files):
            found.append((place.name, place))
        elif kind == "openface":
            below[:] = [entry for entry in below if not entry.endswith(openface.ALIGNED)]
            found += [(stem, place / f"{stem}.csv") for stem in openface.stems(place)]
    for suffix, count in sorted(ignored.items()):
        before = f"{count} files '{suffix or 'without suffix'}'"
        audit.append(AuditRow("ignored_files", "", "", before=before, note="not a video"))
    return sorted(found)


def _has_suffix(name: str, suffixes: tuple[str, ...]) -> bool:
    return not name.startswith(".") and name.lower().endswith(suffixes)


def _id_problems(found: Sequence[tuple[str, Path]]) -> list[str]:
    """Return what is wrong with the names of the files: no id, or two files with one."""
    problems, first = [], dict[str, Path]()
    for video, path in found:
        problems += [f"{path}: {problem}" for problem in _no_id(video)]
        other = first.setdefault(video.casefold(), path)
        if other != path:
            problems.append(f"{other} and {path} have one video id (upper and lower case are one): rename one")
    return problems


def _unpaired(
    labels: Path, rows: Sequence[Annotation], found: Sequence[tuple[str, Path]], is_complete: bool
) -> list[str]:
    """Return a problem for each video without a file and, where all rows were understood, each file without a row."""
    paths, annotated = dict(found), dict[str, int]()
    for row in rows:
        annotated.setdefault(row.video, row.row)
    problems = [
        f"row {row}: no file for video '{video}'{nearest(video, paths)}: add it"
        for video, row in annotated.items()
        if video not in paths
    ]
    if is_complete:
        problems += [
            f"{path} has no row in {labels.name}: add a row with subject, video {video}, and empty onset, offset and "
            "emotion if it has no expression"
            for video, path in found
            if video not in annotated
        ]
    return problems


def _check_first_label(path: Path, first_label: int, first_frame: int) -> None:
    # An annotation from 0 beside images from 1 would be off by one in every row, and still look right.
    if first_label < first_frame or (first_frame, first_label) == (0, 1):
        raise InputError(
            f"{path}: the images are numbered from {first_label}, but first_frame is {first_frame}. Onsets name the "
            f"numbers of the images: set first_frame to {first_label}, or number both alike."
        )
