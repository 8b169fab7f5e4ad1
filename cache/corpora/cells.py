"""One row of a label sheet, cell by cell: each value of its type, or a problem that names the cell."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cache.corpora import workbooks
from cache.corpora.annotations import KINDS, NO_APEX, CorpusFacts, Kind, Number
from cache.corpora.problems import Problems
from cache.corpora.workbooks import Cell, Row, Sheet
from cache.tables.audit import AuditRow

_KIND = re.compile(r"(macro|micro)(-expression)?( - \d(/\d)?)?", re.IGNORECASE)
BLANK = ("", "none", "n/a", "nan", "/", "\\", "-")


@dataclass(frozen=True)
class Line:
    """One row of a sheet whose columns have names; a cell that is not as it must be is noted, and None returned.

    Attributes:
        number: from 1, as a spreadsheet shows it.
    """

    sheet: Sheet
    number: int
    cells: Row
    columns: tuple[str, ...]
    problems: Problems

    def cell(self, column: str) -> Cell:
        """Return what stands in a column; None when the row ends before it."""
        place = self.columns.index(column)
        return self.cells[place] if place < len(self.cells) else None

    def refuse(self, column: str, expected: str, remedy: str = "", like: str = "") -> None:
        """Note that a cell is not as expected; alike in other rows of the column, it is said once."""
        where = workbooks.place(self.sheet.path, self.sheet.name, self.number, self.columns.index(column) + 1)
        order = f"The columns are, in this order: {', '.join(self.columns)}."
        alike = f"{self.sheet.path} {self.sheet.name} {column} {expected} {like}"
        self.problems.add(f"{where} ({column})", self.cell(column), expected, remedy or order, alike)

    def text(self, column: str) -> str | None:
        """Return the cell as a text that is not empty; a number is written as people write it."""
        value = self.cell(column)
        if value is None or isinstance(value, bool):
            self.refuse(column, "a text")
            return None
        return str(value)

    def word(self, column: str) -> str | None:
        """Return the cell as a word; None without a problem when it is blank or holds a mark for nothing."""
        value = self.cell(column)
        text = "" if value is None else str(value).strip()
        return None if text.casefold() in BLANK else text

    def frame(self, column: str, least: int = 0) -> Number | None:
        """Return the cell as a frame number, perhaps with a fraction; from `least`."""
        value = _number(self.cell(column))
        if value is None or value < least:
            self.refuse(column, f"a frame number from {least}" if least < 1 else "a frame number")
            return None
        return value

    def apex(self, column: str) -> Number | None:
        """Return the cell as a frame number; `NO_APEX` where it is blank or -1."""
        return NO_APEX if self.word(column) is None else self.frame(column, least=NO_APEX)

    def whole(self, column: str) -> int | None:
        """Return the cell as a whole number from 1."""
        value = _number(self.cell(column))
        if value is None or value != int(value) or value < 1:
            self.refuse(column, "a whole number from 1")
            return None
        return int(value)

    def kind(self, column: str) -> Kind | None:
        """Return macro or micro for `Macro`, `macro-expression`, `Micro - 1/2` and the like."""
        found = _KIND.fullmatch(self.word(column) or "")
        if found is None:
            self.refuse(column, " or ".join(f"{kind}-expression" for kind in KINDS))
            return None
        return "macro" if found.group(1).lower() == "macro" else "micro"


def lines(sheet: Sheet, columns: Sequence[str], first: int, problems: Problems) -> Iterator[Line]:
    """Yield the rows of a sheet that are not empty, from row number `first`."""
    for number, cells in enumerate(sheet.rows, start=1):
        if number >= first and any(cell is not None for cell in cells):
            yield Line(sheet, number, cells, tuple(columns), problems)


def check_header(sheet: Sheet, columns: Sequence[str], row: int, problems: Problems) -> None:
    """Note every column whose heading in row number `row` is not the expected one; case and spaces do not count."""
    cells = sheet.rows[row - 1] if row <= len(sheet.rows) else ()
    for place, name in enumerate(columns):
        found = cells[place] if place < len(cells) else None
        if _spelling(found) != _spelling(name):
            problems.add(
                workbooks.place(sheet.path, sheet.name, row, place + 1),
                found,
                f"the heading '{name}'",
                f"Put the columns in this order: {', '.join(columns)}; or take the corpus' own workbook.",
            )


def emotion(line: Line, column: str, facts: CorpusFacts, about: tuple[str, str], audit: list[AuditRow]) -> str | None:
    """Return the class of a row by the chosen class map; None, with its audit row, where it has none.

    Args:
        about: video and subject, for the audit.
    """
    sheet = f"sheet '{line.sheet.name}'"
    word = line.word(column)
    if word is None:
        before = str(line.cell(column) or "")
        audit.append(AuditRow("no_emotion", *about, line.number, column, before, "", f"{sheet}: dropped"))
        return None
    classes = facts.classes
    known = word if word in classes else {key.casefold(): key for key in classes}.get(word.casefold())
    if known is None:
        remedy = f"Correct the cell, or add the word to class_maps.{facts.class_map} of the corpus file."
        line.refuse(column, f"one of {', '.join(classes)}", remedy, like=word)
        return None
    emotion = classes[known]
    if emotion is None:
        audit.append(
            AuditRow("emotion_dropped", *about, line.number, column, word, "", f"{sheet}: null in the class map")
        )
    elif emotion != word:
        note = f"{sheet}: class map {facts.class_map}"
        audit.append(AuditRow("emotion_mapped", *about, line.number, column, word, emotion, note))
    return emotion


def _spelling(cell: Cell) -> str:
    return re.sub(r"[\s_]+", " ", str(cell or "")).strip().casefold()


def _number(cell: Cell) -> Number | None:
    if isinstance(cell, str) and re.fullmatch(r"-?\d{1,9}(\.\d{1,9})?", cell):
        cell = float(cell) if "." in cell else int(cell)
    if cell is None or isinstance(cell, bool | str) or not math.isfinite(cell):
        return None
    return cell
