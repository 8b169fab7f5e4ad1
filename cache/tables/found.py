"""The table of accepted detections, `found.csv`: in the corpus' own frame numbers and in seconds, for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from cache.errors import InputError
from cache.tables import schema


@dataclass(frozen=True)
class Found:
    """One detection beside the expression that it found, if any.

    Attributes:
        onset: the number that the corpus gives to the first frame of the detection.
        offset: likewise to the last one, inclusive.
        onset_seconds: when the first frame is shown.
        offset_seconds: when the last frame is shown.
        confidence: between 0 and 1, a number of 32 bits, as the threshold.
        threshold: of the subject, chosen on others; what is at least as confident is accepted.
        truth_onset: as the annotators wrote it, after repairs; None where no expression was found, as all that follows.
        truth_offset: likewise, inclusive.
        truth_emotion: of the expression.
        iou: of the two intervals, in frames that the detector saw.
        error: kind of error, see `pipeline.diagnosis.outcomes`; None of a detection that found an expression of its
            emotion.
    """

    subject: str
    video: str
    onset: int
    offset: int
    onset_seconds: float
    offset_seconds: float
    emotion: str
    confidence: float
    threshold: float
    truth_onset: int | None = None
    truth_offset: int | None = None
    truth_emotion: str | None = None
    iou: float | None = None
    error: str | None = None

    @property
    def is_accepted(self) -> bool:
        """Return whether the detection reaches the threshold."""
        return self.confidence >= self.threshold


COLUMNS = tuple(field.name for field in fields(Found))
_KINDS: dict[str, type[Any]] = {
    **dict.fromkeys(("subject", "video", "emotion", "truth_emotion", "error"), str),
    **dict.fromkeys(("onset", "offset", "truth_onset", "truth_offset"), int),
    **dict.fromkeys(("onset_seconds", "offset_seconds", "confidence", "threshold", "iou"), float),
}
_MAY_BE_EMPTY = ("truth_onset", "truth_offset", "truth_emotion", "iou", "error")


def write(path: Path, rows: Sequence[Found]) -> None:
    """Write the table, in the order given; errors as `schema.write_csv`."""
    schema.write_csv(path, COLUMNS, [cells(row) for row in rows])


def as_csv(rows: Sequence[Found]) -> str:
    """Return the table as the file has it, without the last line feed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([COLUMNS, *map(cells, rows)])
    return text.getvalue().removesuffix("\n")


def read(path: Path) -> list[Found]:
    """Return the rows of the table.

    Raises:
        InputError: no such file, not this table, or a cell that is no number where one belongs.
    """
    try:
        rows = list(schema.read_csv(path, COLUMNS))
    except InputError as error:
        raise InputError(f"{error} Tables of an older facespan lack columns: dvc repro evaluate") from error
    return [Found(**{name: _value(path, row, name, text) for name, text in told.items()}) for row, told in rows]


def cells(row: Found) -> list[str]:
    """Return what the file says of a row: seconds to the millisecond, confidences to the last digit."""
    return [_text(name, value) for name, value in asdict(row).items()]


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in ("confidence", "threshold"):  # the shortest number that is read as the same 32 bits
        return np.format_float_positional(np.float32(value), trim="-")
    if name == "iou":
        return f"{value:.4f}"
    return f"{value:.3f}" if name.endswith("_seconds") else str(value)


def _value(path: Path, row: int, name: str, text: str) -> Any:
    if not text and name in _MAY_BE_EMPTY:
        return None
    try:
        # In 32 bits, so that a threshold is still reached by the confidence that it is.
        return float(np.float32(text)) if name in ("confidence", "threshold") else _KINDS[name](text)
    except ValueError as error:
        raise InputError(
            f"{path}: row {row}, column {name}: found {text!r}, expected a number. Make it again: dvc repro evaluate"
        ) from error
