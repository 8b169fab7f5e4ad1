"""Rows of a label file with named cells, each value of its type; and all that is wrong with a corpus, said together."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from cache.corpora import workbooks
from cache.corpora.annotations import CorpusFacts, Kind, Number
from cache.corpora.workbooks import Cell, Sheet
from cache.errors import InputError
from cache.tables import schema
from cache.tables.audit import AuditRow
from cache.tables.intervals import KINDS, NO_APEX

# Repairing one fault a run takes days; a wrong column makes every row wrong, and the first faults show it.
MOST_PROBLEMS = 20
# Of different ones; a file of somebody else may have a million, and they are only counted then.
MOST_REMEMBERED = 1000
# Of a CSV; each becomes an object of several hundred bytes. The largest corpora have some thousand expressions.
MOST_ROWS = 200_000
_KIND = re.compile(r"(macro|micro)(-expression)?( - \d(/\d)?)?", re.IGNORECASE)
BLANK = ("", "none", "n/a", "nan", "/", "\\", "-")


class Problems:
    """A list of faults; the same fault in many rows is said once, with how often."""

    def __init__(self, corpus: str) -> None:
        self._corpus = corpus
        self._texts: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._forgotten = 0

    def __bool__(self) -> bool:
        return bool(self._texts)

    def add(self, where: str, found: object, expected: str, remedy: str, like: str = "") -> None:
        """Note one fault.

        Args:
            where: file, sheet, row and column, or the folder.
            like: faults with the same text here are alike: only the first is written out.
        """
        said = "nothing" if found is None else found if isinstance(found, Said) else repr(found)
        self.tell(f"{where}: found {said}, expected {expected}. {remedy}", like)

    def tell(self, text: str, like: str = "") -> None:
        """Note one fault in words that say all of it already."""
        if (like or text) not in self._texts and len(self._texts) >= MOST_REMEMBERED:
            self._forgotten += 1
            return
        self._texts.setdefault(like or text, text)
        self._counts[like or text] = self._counts.get(like or text, 0) + 1

    def stop(self) -> None:
        """Raise InputError when there is any fault, with the first `MOST_PROBLEMS` of them."""
        if not self._texts:
            return
        lines = [f"  {text}{_more(self._counts[key])}" for key, text in list(self._texts.items())[:MOST_PROBLEMS]]
        left = len(self._texts) - MOST_PROBLEMS + self._forgotten
        if left > 0:
            lines.append(f"  and {left} more; correct these first.")
        total = sum(self._counts.values()) + self._forgotten
        raise InputError("\n".join([f"{self._corpus}: {total} problem{'s' * (total > 1)}", *lines]))


class Said(str):
    """A finding in words, to be printed without quotation marks."""


@dataclass(frozen=True)
class Line:
    """One row of a label file; a cell that is not as it must be is noted, and None returned.

    Attributes:
        sheet: the name of the sheet; empty in a CSV.
        number: from 1, as a spreadsheet shows it.
        cells: by the names of their columns, in the order that a sheet has them in; None where one is empty.
    """

    file: Path
    sheet: str
    number: int
    cells: Mapping[str, Cell]
    problems: Problems

    def refuse(self, column: str, expected: str, remedy: str = "", like: str = "") -> None:
        """Note that a cell is not as expected; alike in other rows of the column, it is said once."""
        if self.sheet:
            where = workbooks.place(self.file, self.sheet, self.number, list(self.cells).index(column) + 1)
            remedy = remedy or f"The columns are, in this order: {', '.join(self.cells)}."
        else:
            where = f"{self.file.name}, row {self.number}"
        alike = f"{self.file} {self.sheet} {column} {expected} {like}"
        self.problems.add(f"{where} ({column})", self.cells[column], expected, remedy or "Correct it.", alike)

    def text(self, column: str) -> str | None:
        """Return the cell as a text that is not empty; a number is written as people write it."""
        value = self.cells[column]
        if value is None or isinstance(value, bool):
            self.refuse(column, "a text")
            return None
        return str(value)

    def word(self, column: str) -> str | None:
        """Return the cell as a word; None without a problem when it is blank or holds a mark for nothing."""
        value = self.cells[column]
        text = "" if value is None else str(value).strip()
        return None if text.casefold() in BLANK else text

    def frame(self, column: str, least: int = 0) -> Number | None:
        """Return the cell as a frame number, perhaps with a fraction; from `least`."""
        value = _number(self.cells[column])
        if value is None or value < least:
            self.refuse(column, f"a frame number from {least}" if least < 1 else "a frame number")
            return None
        return value

    def apex(self, column: str) -> Number | None:
        """Return the cell as a frame number; `NO_APEX` where it is blank or -1."""
        return NO_APEX if self.word(column) is None else self.frame(column, least=NO_APEX)

    def whole(self, column: str) -> int | None:
        """Return the cell as a whole number from 1."""
        value = _number(self.cells[column])
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


def of_sheet(sheet: Sheet, columns: Sequence[str], first: int, problems: Problems) -> Iterator[Line]:
    """Yield the rows of a sheet that are not empty, from row number `first`, without what is right of the columns."""
    for number, cells in enumerate(sheet.rows, start=1):
        if number >= first and any(cell is not None for cell in cells):
            named = dict(zip_longest(columns, cells[: len(columns)]))
            yield Line(sheet.path, sheet.name, number, named, problems)


def of_csv(path: Path, required: Sequence[str], optional: Sequence[str], problems: Problems) -> Iterator[Line]:
    """Yield the rows of a CSV with these columns in any order, its cells as texts.

    Raises:
        InputError: more than `MOST_ROWS` rows, or as in `schema.read_csv`.
    """
    for count, (number, cells) in enumerate(schema.read_csv(path, required, optional)):
        if count == MOST_ROWS:
            raise InputError(
                f"{path} has more than {MOST_ROWS:,} rows, expected one for each expression. Is it another table?"
            )
        yield Line(path, "", number, {name: cell or None for name, cell in cells.items()}, problems)


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
    sheet = f"sheet '{line.sheet}': " if line.sheet else ""
    word = line.word(column)
    if word is None:
        before = str(line.cells[column] or "")
        audit.append(AuditRow("no_emotion", *about, line.number, column, before, "", f"{sheet}dropped"))
        return None
    classes = facts.classes
    known = word if word in classes else {key.casefold(): key for key in classes}.get(word.casefold())
    if known is None:
        remedy = f"Correct the cell, or add the word to class_maps.{facts.class_map} of the corpus file."
        line.refuse(column, f"one of {', '.join(classes)}", remedy, like=word)
        return None
    emotion = classes[known]
    if emotion is None:
        note = f"{sheet}null in the class map"
        audit.append(AuditRow("emotion_dropped", *about, line.number, column, word, "", note))
    elif emotion != word:
        note = f"{sheet}class map {facts.class_map}"
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


def _more(count: int) -> str:
    return f" ({count - 1} more like this.)" if count > 1 else ""
