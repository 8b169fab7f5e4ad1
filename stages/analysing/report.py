"""The report page of analysed videos: timelines with what was found, the curves, and faces of each find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cache.analysed import parts, records
from cache.analysed.parts import Stated
from cache.analysed.records import AnalysedVideo, FoundExpression
from cache.columns import FrameColumns
from cache.errors import InputError
from cache.media import thumbnails
from cache.shards import frames
from cache.shards.frames import Frames
from cache.tables.intervals import NO_APEX
from pipeline.alignment import inspection
from stages.analysing.analysis import Kept
from stages.page.document import Case, Document, Origin, Picture, Timeline
from stages.reporting import report_folder
from stages.reporting.pictures import Moments, apex_of

FOUND = "found"
SIDE, QUALITY, BETWEEN = 96, 80, 2
UNJUDGED = "Nobody annotated these videos: what was found is neither right nor wrong here."


def path_of(asked: Path) -> Path:
    """Return the file of a page: the one asked for, or `index.html` in a folder.

    Raises:
        InputError: a file that is no report lies there.
    """
    path = asked if asked.suffix.lower() in (".html", ".htm") else asked / report_folder.PAGE
    report_folder.check(path)
    return path


def write(path: Path, kept: Sequence[Kept]) -> int:
    """Write the page and return its bytes; errors as in `document_of`, and InputError where the disk refuses."""
    return report_folder.write(path, [("", document_of(kept))])


def document_of(kept: Sequence[Kept]) -> Document:
    """Return what the page shows of videos, a timeline for each person.

    Raises:
        InputError: there is no video, or a kept curve is damaged.
        ShardError: kept frames are damaged.
    """
    if not kept:
        raise InputError("there is nothing to show on a page: no video could be analysed")
    analysed = [each.analysed for each in kept]
    first = analysed[0]
    people = sum(person.is_analysed for video in analysed for person in video.people)
    notes = [f"{video.video}: {note}" for video in analysed for note in video.notes]
    return Document(
        origin=Origin(
            corpus=Path(first.video).name if len(analysed) == 1 else f"{len(analysed)} videos",
            encoder=first.encoder,
            warnings=[UNJUDGED, *notes],
            protocol=[f"{told[0].upper()}{told[1:]}." for told in first.detector],
            confidence_level=0.0,
            subjects=people,
            videos=len(analysed),
            expressions=0,
            runs=(),
            changed=(),
        ),
        classes=first.classes,
        headline=(),
        figures={},
        gains={},
        tallies={},
        precision_recall={},
        losses={},
        timelines=[timeline for each in kept for timeline in _timelines(each)],
        is_judged=False,
    )


def _timelines(kept: Kept) -> Iterator[Timeline]:
    stated = parts.read(kept.frames)
    people = [person.person for person in kept.analysed.people if person.is_analysed]
    for person in people:
        columns = parts.columns_of(kept.frames, stated, person - 1)
        curve = records.curve(kept.found, person)
        records.check_curve(curve, kept.analysed, kept.found)
        with _Faces(kept.frames, stated, person - 1, columns) as faces:
            rows = [row for row in kept.analysed.found if row.person == person]
            cases = [_case(row, curve, faces) for row in rows]
        yield _timeline(kept.analysed, person, len(people) > 1, columns, curve, cases)


def _timeline(
    video: AnalysedVideo,
    person: int,
    is_one_of_several: bool,
    columns: FrameColumns,
    curve: npt.NDArray[np.float16],
    cases: Sequence[Case],
) -> Timeline:
    seconds = columns.pts_seconds
    return Timeline(
        video=f"{video.video}, person {person}" if is_one_of_several else video.video,
        subject=f"person {person}",
        frame_count=len(columns),
        seconds_per_frame=float(seconds[-1] - seconds[0]) / max(len(columns) - 1, 1) or 1 / video.frame_rate,
        first_label=0,
        threshold=video.threshold,
        expressions=(),
        cases=cases,
        curve=curve,
        faceless=inspection.runs(~columns.face_found).tolist(),
        sheet=None,
    )


def _case(row: FoundExpression, curve: npt.NDArray[np.float16], faces: _Faces) -> Case:
    start, stop = row.onset, row.offset + 1
    apex = apex_of(start, stop, NO_APEX, curve)
    roles = Moments(start, stop, apex).roles(BETWEEN)
    return Case(
        kind=FOUND,
        start=start,
        stop=stop,
        onset=row.onset,
        offset=row.offset,
        onset_seconds=row.onset_seconds,
        offset_seconds=row.offset_seconds,
        emotion=row.emotion,
        truth=None,
        iou=None,
        confidence=row.confidence,
        scores=[] if apex is None else [float(score) for score in curve[apex]],
        cut_by_window=None,
        pictures=[faces.picture(position, role) for position, role in roles.items()],
        attention=(),
    )


class _Faces:
    """The aligned faces of a person, one part open at a time."""

    def __init__(self, folder: Path, stated: Stated, face: int, columns: FrameColumns) -> None:
        self._folder, self._stated, self._face, self._columns = folder, stated, face, columns
        self._open = ExitStack()
        self._start, self._part = -1, None

    _part: Frames | None

    def __enter__(self) -> _Faces:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def picture(self, position: int, role: str) -> Picture:
        """Return the face at a position; without an image where it is not seen."""
        has_face, image = bool(self._columns.face_found[position]), b""
        if has_face:
            [rgb] = self._at(position)
            image = thumbnails.encode(rgb, SIDE, QUALITY)
        return Picture(role, position, float(self._columns.pts_seconds[position]), has_face, image)

    def _at(self, position: int) -> npt.NDArray[np.uint8]:
        part = next(part for part in self._stated.parts if position < part.stop)
        if self._part is None or part.start != self._start:
            self._open.close()
            entry = self._stated.entries[parts.name_of(part.start, self._face)]
            self._part = self._open.enter_context(frames.open(self._folder / entry.file, key=entry.key))
            self._start = part.start
        return self._part.decode(position - part.start, position - part.start + 1)
