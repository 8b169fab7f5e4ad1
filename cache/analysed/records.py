"""What was found in a video without a corpus: its rows, as CSV has them, and the score curves of each person."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache import files, numpy_files, strict_json
from cache.columns import FrameColumns
from cache.errors import InputError

FORMAT, NAME = 1, "record.json"


@dataclass(frozen=True)
class FoundExpression:
    """One expression that was found.

    Attributes:
        video: as it was given.
        person: from 1, in the order in which faces appear.
        onset: first frame, from 0.
        offset: last frame, inclusive.
        onset_seconds: when the first frame is shown.
        offset_seconds: when the last frame is shown.
        confidence: between 0 and 1, at least the threshold.
    """

    video: str
    person: int
    onset: int
    offset: int
    onset_seconds: float
    offset_seconds: float
    emotion: str
    confidence: float
    threshold: float


@dataclass(frozen=True)
class Person:
    """A face that was looked at, or that was seen beside those."""

    person: int
    frames_with_face: int
    is_analysed: bool


@dataclass(frozen=True)
class AnalysedVideo:
    """What an analysis says of one video.

    Attributes:
        frames: that decode.
        frame_rate: mean frames a second.
        seconds: from the first frame to the last.
        alignment: the method.
        encoder: its name.
        detector: sentences: what the detectors learned from, where the threshold comes from.
        classes: the emotions, in the order of the columns of curves.
        notes: sentences that the user should read.
    """

    video: str
    frames: int
    frame_rate: float
    seconds: float
    width: int
    height: int
    alignment: str
    encoder: str
    detector: tuple[str, ...]
    threshold: float
    classes: tuple[str, ...]
    people: tuple[Person, ...]
    notes: tuple[str, ...]
    found: tuple[FoundExpression, ...]


COLUMNS = tuple(field.name for field in fields(FoundExpression))
# The classes follow.
CURVE_COLUMNS = ("video", "person", "frame", "seconds", "face_found")


def write(folder: Path, analysed: AnalysedVideo, curves: Iterable[tuple[int, NDArray[np.float16]]]) -> None:
    """Write a record, and each person's curve ``(T, K)``; the record last, so a folder that has one is whole."""
    for person, curve in curves:
        with files.write_atomically(_curve_path(folder, person)) as temporary, temporary.open("wb") as file:
            np.save(file, curve, allow_pickle=False)
    with files.write_atomically(folder / NAME) as temporary:
        temporary.write_text(json.dumps({"format": FORMAT, **asdict(analysed)}, allow_nan=False), encoding="utf-8")


def read(folder: Path, video: str) -> AnalysedVideo | None:
    """Return the record of a folder, its video called as it is now; None where it or a curve of it is not whole."""
    try:
        told = strict_json.parse((folder / NAME).read_bytes())
        if not strict_json.is_format(told.pop("format"), FORMAT):
            return None
        people = tuple(Person(**row) for row in told.pop("people"))
        found = tuple(FoundExpression(**{**row, "video": video}) for row in told.pop("found"))
        lists = {name: tuple(map(str, told[name])) for name in ("detector", "classes", "notes")}
        analysed = AnalysedVideo(**{**told, **lists, "video": video, "people": people, "found": found})
        for person in people:
            if person.is_analysed:
                check_curve(curve(folder, person.person), analysed, folder)
        return analysed
    except (InputError, OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def curve(folder: Path, person: int) -> NDArray[np.float16]:
    """Return the curve of a person, ``(T, K)``; InputError where it is missing or damaged."""
    return numpy_files.read(_curve_path(folder, person)).astype(np.float16)


def as_csv(rows: Sequence[FoundExpression]) -> str:
    """Return the table as CSV: seconds to the millisecond, confidences to the last digit of their 32 bits."""
    return _csv([COLUMNS, *([_cell(name, value) for name, value in asdict(row).items()] for row in rows)])


def curve_lines(
    video: str, person: int, columns: FrameColumns, classes: Sequence[str], scores: NDArray[np.float16]
) -> Iterator[str]:
    """Yield the lines of a table of curves: a heading, then one a frame, with the score of each class."""
    yield _csv([(*CURVE_COLUMNS, *classes)])
    for frame, row in enumerate(scores.tolist()):
        told = [f"{columns.pts_seconds[frame]:.3f}", int(columns.face_found[frame]), *(f"{score:.4f}" for score in row)]
        yield _csv([(video, person, frame, *told)])


def _cell(name: str, value: Any) -> str:
    if name in ("confidence", "threshold"):  # the shortest number that is read as the same 32 bits
        return np.format_float_positional(np.float32(value), trim="-")
    return f"{value:.3f}" if name.endswith("_seconds") else str(value)


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _curve_path(folder: Path, person: int) -> Path:
    return folder / f"curve-{person}.npy"


def check_curve(scores: NDArray[np.float16], analysed: AnalysedVideo, folder: Path) -> None:
    """Raise InputError where a curve is not of a record's frames and classes."""
    expected = analysed.frames, len(analysed.classes)
    if scores.shape != expected:
        raise InputError(f"{folder} holds a curve of shape {scores.shape}, expected {expected}. Remove that folder.")
