"""The tables of intervals in videos: expressions as they were annotated, detections as the detectors found them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cache.tables import schema

KINDS = ("macro", "micro")
NO_APEX = -1
NO_LABEL = -1
# What a detector that only spots calls everything.
UNRECOGNISED = "expression"


@dataclass(frozen=True)
class Interval:
    """What happens in a video for a while: the half-open ``[start, stop)``, in positions of frames."""

    video: str
    subject: str
    start: int
    stop: int

    never_empty: ClassVar[tuple[str, ...]] = ("video", "subject", "emotion")

    def fault(self) -> str | None:
        """Return what is wrong with a row of either table, or None."""
        *others, last = self.never_empty
        if not all(getattr(self, name) for name in self.never_empty):
            return f"{self} lacks its {', '.join(others)} or {last}"
        if not 0 <= self.start < self.stop:
            return f"{self} is empty or starts before the video"
        return None

    def __str__(self) -> str:
        """Return what and where it is, for messages."""
        return f"{type(self).__name__.lower()} [{self.start}, {self.stop}) in {self.video}"


@dataclass(frozen=True)
class Expression(Interval):
    """One annotated event.

    Attributes:
        apex: position of the strongest frame, within the interval; `NO_APEX` where none is annotated.
        kind: one of `KINDS`.
        emotion: its class.
        row: where it stands in the label file.
        onset: number of the first frame in the corpus, after repairs; `NO_LABEL` where it is the position.
        offset: likewise of the last frame, inclusive.
    """

    apex: int
    kind: str
    emotion: str
    row: int
    onset: int = NO_LABEL
    offset: int = NO_LABEL

    def fault(self) -> str | None:
        """Return what is wrong with the row, or None."""
        if found := super().fault():
            return found
        if self.apex != NO_APEX and not self.start <= self.apex < self.stop:
            return f"{self} has its apex outside, at {self.apex}"
        if self.kind not in KINDS:
            return f"{self} is of kind '{self.kind}', none of {', '.join(KINDS)}"
        return None


@dataclass(frozen=True)
class Detection(Interval):
    """One predicted expression.

    Attributes:
        emotion: its class, or `UNRECOGNISED`.
        confidence: between 0 and 1; the disk keeps it as float32.
        detector: name of the fold that found it, which never saw this subject.
    """

    emotion: str
    confidence: float
    detector: str

    never_empty: ClassVar[tuple[str, ...]] = (*Interval.never_empty, "detector")

    def fault(self) -> str | None:
        """Return what is wrong with the row, or None."""
        if found := super().fault():
            return found
        if not 0 <= self.confidence <= 1:
            return f"{self} has confidence {self.confidence}, not between 0 and 1"
        return None


Row = TypeVar("Row", bound=Interval)


def write(path: Path, kind: type[Row], rows: Sequence[Row], told: Mapping[str, str] | None = None) -> None:
    """Write the table of one kind, in the order given; none at all is a table too.

    Args:
        told: what the table says beside its rows, by name.

    Raises:
        InputError: a row that `read` would refuse.
    """
    schema.write(path, SCHEMAS[kind], rows, kind.fault, told)


def read(path: Path, kind: type[Row]) -> list[Row]:
    """Return the rows of a table of one kind, in its order.

    Raises:
        InputError: not this table, or an impossible row.
    """
    return schema.read(path, SCHEMAS[kind], kind, kind.fault)


def of(rows: Iterable[Interval]) -> NDArray[np.int64]:
    """Return ``(N, 2)`` half-open intervals in the order given; ``(0, 2)`` for none."""
    return np.array([(row.start, row.stop) for row in rows], dtype=np.int64).reshape(-1, 2)


_INTERVAL = {"video": pa.string(), "subject": pa.string(), "start": pa.int64(), "stop": pa.int64()}
SCHEMAS: Mapping[type[Interval], pa.Schema] = {
    Expression: schema.schema(
        **_INTERVAL,
        apex=pa.int64(),
        kind=pa.string(),
        emotion=pa.string(),
        row=pa.int64(),
        onset=pa.int64(),
        offset=pa.int64(),
    ),
    Detection: schema.schema(**_INTERVAL, emotion=pa.string(), confidence=pa.float32(), detector=pa.string()),
}
