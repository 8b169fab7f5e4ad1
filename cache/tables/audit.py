"""The audit of a corpus: every row that was repaired, moved or ignored while it was read, and by which rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from cache.errors import InputError
from cache.tables import schema

NO_ROW = 0
# The rules that say what a video that cannot be read took along: itself, and each of its expressions.
VIDEO_FAILED = "video_failed"
EXPRESSION_OF_FAILED = "expression_of_failed_video"
OF_FAILED = "left out with its video, which cannot be read"


@dataclass(frozen=True)
class AuditRow:
    """One thing that was not taken as it stood.

    Attributes:
        rule: its name, as the corpus' reader defines it.
        row: where it stands in the label file; `NO_ROW` when it is about a whole video.
        field: which value; empty when it is about all of them.
        before: the value as found.
        after: the value as used; empty when nothing was used.
        note: the reason, for people.
    """

    rule: str
    video: str
    subject: str
    row: int = NO_ROW
    field: str = ""
    before: str = ""
    after: str = ""
    note: str = ""


NAMES = tuple(field.name for field in fields(AuditRow))


def write(path: Path, rows: Sequence[AuditRow]) -> None:
    """Write the audit as CSV, in the order given; none at all leaves a header."""
    schema.write_csv(path, NAMES, ([getattr(row, name) for name in NAMES] for row in rows))


def failures(rows: Iterable[AuditRow]) -> dict[str, str]:
    """Return video -> what is wrong, of the videos that were left out because they cannot be read."""
    return {row.video: row.note for row in rows if row.rule == VIDEO_FAILED}


def read(path: Path) -> list[AuditRow]:
    """Return the audit in the file's order.

    Raises:
        InputError: no such file, a column missing, or a row number that is none.
    """
    found = []
    for line, cells in schema.read_csv(path, NAMES):
        if not cells["row"].isdecimal():
            raise InputError(f"{path}: row {line}: column 'row' holds '{cells['row']}', expected a number from 0.")
        texts = {name: cell for name, cell in cells.items() if name != "row"}
        found.append(AuditRow(row=int(cells["row"]), **texts))
    return found
