"""The table of annotated expressions of a corpus, as half-open intervals of frame positions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cache.tables import schema

KINDS = ("macro", "micro")
NO_APEX = -1
NO_LABEL = -1

SCHEMA = schema.schema(
    video=pa.string(),
    subject=pa.string(),
    start=pa.int64(),
    stop=pa.int64(),
    apex=pa.int64(),
    kind=pa.string(),
    emotion=pa.string(),
    row=pa.int64(),
    onset=pa.int64(),
    offset=pa.int64(),
)


@dataclass(frozen=True)
class Expression:
    """One annotated event.

    Attributes:
        start: position of the first frame.
        stop: position after the last frame.
        apex: position of the strongest frame, within the interval; `NO_APEX` where none is annotated.
        kind: one of `KINDS`.
        emotion: its class.
        row: where it stands in the label file.
        onset: number of the first frame in the corpus, after repairs; `NO_LABEL` where it is the position.
        offset: likewise of the last frame, inclusive.
    """

    video: str
    subject: str
    start: int
    stop: int
    apex: int
    kind: str
    emotion: str
    row: int
    onset: int = NO_LABEL
    offset: int = NO_LABEL


def write(path: Path, expressions: Sequence[Expression]) -> None:
    """Write the table, in the order given.

    Raises:
        InputError: a row that `read` would refuse.
    """
    schema.write(path, SCHEMA, expressions, _fault)


def read(path: Path) -> list[Expression]:
    """Return the expressions in the table's order.

    Raises:
        InputError: not this table, or an impossible row.
    """
    return schema.read(path, SCHEMA, Expression, _fault)


def intervals(expressions: Iterable[Expression]) -> NDArray[np.int64]:
    """Return ``(N, 2)`` half-open intervals in the order given; ``(0, 2)`` for none."""
    pairs = [(expression.start, expression.stop) for expression in expressions]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _fault(expression: Expression) -> str | None:
    where = f"[{expression.start}, {expression.stop}) in {expression.video}"
    if not expression.video or not expression.subject or not expression.emotion:
        return f"expression {where} lacks its video, subject or emotion"
    if not 0 <= expression.start < expression.stop:
        return f"expression {where} is empty or starts before the video"
    if expression.apex != NO_APEX and not expression.start <= expression.apex < expression.stop:
        return f"expression {where} has its apex outside, at {expression.apex}"
    if expression.kind not in KINDS:
        return f"expression {where} is of kind '{expression.kind}', none of {', '.join(KINDS)}"
    return None
