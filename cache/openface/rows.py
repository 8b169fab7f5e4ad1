"""The CSV that OpenFace 2.x writes: the few columns of its up to 714 that say which frame shows which face."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError
from cache.tables.schema import nearest

REQUIRED = ("frame", "timestamp", "confidence", "success")
# 14 hours at 200 frames a second: a frame number beyond it is damage, and would be allocated.
MAX_FRAMES = 10_000_000
# In characters; 714 columns have 10 000.
LONGEST_LINE = 1 << 17
_LANDMARKS = tuple(f"x_{point}" for point in range(68))
_ALL_LANDMARKS = (*_LANDMARKS, *(f"y_{point}" for point in range(68)))


@dataclass(frozen=True)
class Rows:
    """The ``R`` rows of one CSV, in its order.

    Attributes:
        frame: ``(R,)`` from 1.
        face: ``(R,)`` from 0; 0 throughout where the file has no `face_id`.
        seconds: ``(R,)`` as written: frame / nominal rate, with three decimals.
        confidence: ``(R,)`` between 0 and 1.
        success: ``(R,)`` bool.
        size: ``(R,)`` `p_scale`, else the width of the landmarks in pixels, else 1.
    """

    frame: NDArray[np.int64]
    face: NDArray[np.int64]
    seconds: NDArray[np.float64]
    confidence: NDArray[np.float32]
    success: NDArray[np.bool_]
    size: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.frame)


def is_openface(path: Path) -> bool:
    """Return whether the first line of a file names OpenFace's columns."""
    if not path.is_file():
        return False
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = _cells(file.readline(1 << 16))
    except (OSError, UnicodeDecodeError):
        return False
    return "confidence" in header and ("success" in header or "frame" in header or "face" in header)


def read(path: Path) -> Rows:
    """Return the rows of a CSV, whatever its spacing and its optional columns.

    Raises:
        InputError: no such file, not text, a column missing, no rows, a row cut short, text or an impossible number
            where a number belongs, or one face twice in a frame.
    """
    return _read(path, ())[0]


def read_landmarks(path: Path) -> tuple[Rows, NDArray[np.float64]]:
    """Return the rows of a CSV and the ``(R, 68, 2)`` x and y of their landmarks, in pixels of the frame.

    Raises:
        InputError: as `read`; or the CSV has no landmarks.
    """
    rows, values = _read(path, _ALL_LANDMARKS)
    return rows, values.reshape(len(rows), 2, 68).transpose(0, 2, 1)


def _read(path: Path, extra: tuple[str, ...]) -> tuple[Rows, NDArray[np.float64]]:
    """Return the rows and ``(R, extra)`` numbers of the columns asked for besides."""
    if not path.is_file():
        raise InputError(f"{path} is missing. Run FeatureExtraction again: it exits with 0 even when it wrote nothing.")
    try:
        header, values = _read_values(path, extra)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text ({error}). Give the CSV that OpenFace wrote.") from error
    if not len(values):
        raise InputError(
            f"{path} has no rows: OpenFace read no frame. Check its input and run FeatureExtraction again."
        )
    rows = _rows(header, values)
    _check(path, rows, values)
    return rows, values[:, [header.index(name) for name in extra]]


def _read_values(path: Path, extra: tuple[str, ...]) -> tuple[list[str], NDArray[np.float64]]:
    """Return the names of the columns taken and ``(R, columns)`` numbers."""
    values = []
    with path.open(encoding="utf-8-sig") as file:
        header = _cells(_short_line(path, file))
        names = _names(path, header)
        names += [name for name in _demanded(path, header, extra) if name not in names]
        places = [header.index(name) for name in names]
        for row, line in enumerate(iter(lambda: _short_line(path, file), ""), start=2):
            if not line.strip():
                continue
            cells = line.split(",")
            if len(cells) != len(header):
                raise InputError(
                    f"{path}: row {row} has {len(cells)} cells, the header has {len(header)}: the file was cut or "
                    "edited. Run FeatureExtraction again."
                )
            values.append(_numbers(path, row, names, [cells[place] for place in places]))
    return names, np.array(values, dtype=np.float64).reshape(-1, len(names))


def _short_line(path: Path, file: TextIO) -> str:
    """Return the next line, empty at the end of the file."""
    line = file.readline(LONGEST_LINE + 1)
    if len(line) > LONGEST_LINE:
        raise InputError(f"{path} has a line of more than {LONGEST_LINE} characters. Give the CSV that OpenFace wrote.")
    return line


def _cells(line: str) -> list[str]:
    # Case is kept: x_0 and X_0 are two columns.
    return [cell.strip() for cell in line.split(",")]


def _names(path: Path, header: list[str]) -> list[str]:
    for name in REQUIRED:
        if name not in header:
            raise InputError(
                f"{path} has no column '{name}'{nearest(name, set(header) - set(REQUIRED))}. Expected the CSV of "
                "OpenFace's FeatureExtraction or FaceLandmarkVidMulti (FaceLandmarkImg has no frames)."
            )
    names = [*REQUIRED, *(["face_id"] if "face_id" in header else [])]
    if "p_scale" in header:
        return [*names, "p_scale"]
    if all(name in header for name in _LANDMARKS):
        return [*names, *_LANDMARKS]
    return names


def _demanded(path: Path, header: list[str], names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in header:
            raise InputError(
                f"{path} has no column '{name}': it was written without landmarks. Run FeatureExtraction with -2Dfp."
            )
    return names


def _numbers(path: Path, row: int, names: Sequence[str], cells: Sequence[str]) -> list[float]:
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        values = [_number(cell) for cell in cells]
    for name, value, cell in zip(names, values, cells, strict=True):
        if not math.isfinite(value):
            raise InputError(
                f"{path}: row {row}: column '{name}' holds '{cell.strip()}', expected a number. "
                "Run FeatureExtraction again."
            )
    return values


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _rows(names: list[str], values: NDArray[np.float64]) -> Rows:
    column = {name: values[:, place] for place, name in enumerate(names)}
    size = np.ones(len(values))
    if "p_scale" in column:
        size = column["p_scale"]
    elif _LANDMARKS[-1] in column:
        size = np.ptp(values[:, [names.index(name) for name in _LANDMARKS]], axis=1)
    return Rows(
        frame=np.clip(column["frame"], -1, MAX_FRAMES + 1).astype(np.int64),
        face=np.clip(column.get("face_id", np.zeros(len(values))), -1, MAX_FRAMES).astype(np.int64),
        seconds=column["timestamp"],
        confidence=column["confidence"].astype(np.float32),
        success=column["success"] == 1,
        size=size,
    )


def _check(path: Path, rows: Rows, values: NDArray[np.float64]) -> None:
    frame, success = values[:, REQUIRED.index("frame")], values[:, REQUIRED.index("success")]
    impossible: dict[str, tuple[NDArray[Any], NDArray[np.bool_]]] = {
        f"frame {{}}, expected whole numbers from 1 to {MAX_FRAMES}": (frame, (frame != rows.frame) | (rows.frame < 1)),
        "confidence {}, expected 0 to 1": (rows.confidence, (rows.confidence < 0) | (rows.confidence > 1)),
        "success {}, expected 0 or 1": (success, (success != 0) & (success != 1)),
        "face_id {}, expected a number from 0": (rows.face, rows.face < 0),
    }
    for text, (shown, wrong) in impossible.items():
        if wrong.any():
            raise InputError(f"{path} has {text.format(shown[wrong][0])}. Run FeatureExtraction again.")
    pairs, counts = np.unique(np.stack([rows.frame, rows.face]), axis=1, return_counts=True)
    if counts.max() > 1:
        frame_number, face = pairs[:, counts.argmax()]
        raise InputError(
            f"{path} has face {face} twice in frame {frame_number}: two runs wrote one file (two inputs with the same "
            "stem do). Run FeatureExtraction again into an empty folder."
        )
