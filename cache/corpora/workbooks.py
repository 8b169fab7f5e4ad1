"""Sheets of .xlsx and .xls workbooks as rows of plain cells, because corpora come with their labels in workbooks."""

from __future__ import annotations

import datetime
import struct
import zipfile
import zlib
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import ParseError

import openpyxl  # type: ignore[import-untyped]
import xlrd  # type: ignore[import-untyped]
from openpyxl.utils import get_column_letter  # type: ignore[import-untyped]
from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-untyped]
from openpyxl.worksheet.formula import ArrayFormula, DataTableFormula  # type: ignore[import-untyped]

from cache.errors import InputError

Cell = str | int | float | bool | None
Row = tuple[Cell, ...]
Found = tuple[object, ...]  # a row as a library gives it

ZIP_SIGNATURE = b"PK\x03\x04"
OLE_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Label files hold a few thousand rows of some ten columns; a workbook with more is no label file, or means harm. A cell
# far to the right fills its row with empty ones, and a row may be nothing but tags: a few kilobytes would take minutes.
LARGEST_BYTES = 256 * 1024 * 1024
MOST_TAGS = 1_000_000
MOST_ROWS = 200_000
MOST_COLUMNS = 100
MOST_CELLS = 10_000_000

# What the two libraries raise on damaged files, found by damaging some thousand. RuntimeError covers what zipfile says
# of passwords and of unknown compression.
_DAMAGE = (LookupError, ValueError, TypeError, AttributeError, OSError, EOFError, struct.error)
_XLSX_ERRORS = (*_DAMAGE, InvalidFileException, zipfile.BadZipFile, zlib.error, ParseError, RuntimeError)
_XLS_ERRORS = (*_DAMAGE, xlrd.XLRDError, xlrd.compdoc.CompDocError, AssertionError)


@dataclass(frozen=True)
class Sheet:
    """One sheet, read whole.

    Attributes:
        rows: as they stand, the empty ones too, so that ``rows[i]`` is row i + 1 of the spreadsheet. Texts are
            stripped, an empty text is None, whole numbers are int, dates are ISO texts; empty cells at the end of a
            row and empty rows at the end of the sheet are left out.
    """

    path: Path
    name: str
    rows: tuple[Row, ...]


def read(path: Path) -> dict[str, Sheet]:
    """Return every sheet of a workbook by its name, in the workbook's order.

    The kind of workbook is told by its first bytes: corpora come with wrong suffixes.

    Raises:
        InputError: no such file, not a workbook, encrypted, damaged, too large, a value far to the right, an error
            value in a cell, or a formula whose value was never computed.
    """
    signature = _signature(path)
    if signature.startswith(ZIP_SIGNATURE):
        sheets = _read_xlsx(path)
    elif signature == OLE_SIGNATURE:
        sheets = _read_xls(path)
    else:
        raise InputError(
            f"{path} is no workbook: it begins with {signature!r}, expected .xlsx or .xls. "
            "Copy it again from the corpus, or save it as .xlsx."
        )
    return {name: Sheet(path, name, _plain(path, name, rows)) for name, rows in sheets.items()}


def select(path: Path, *names: str) -> list[Sheet]:
    """Return the sheets of these names, in this order; InputError as in `read`, or when one is missing."""
    sheets = read(path)
    missing = [name for name in names if name not in sheets]
    if missing:
        raise InputError(
            f"{path} has no sheet {', '.join(map(repr, missing))}; found {', '.join(map(repr, sheets)) or 'none'}. "
            "This is another workbook, or a sheet was renamed: take the one that came with the corpus."
        )
    return [sheets[name] for name in names]


def place(path: Path, sheet: str, row: int, column: int) -> str:
    """Return where a cell stands, for messages: ``labels.xlsx, sheet 'A', row 3, column C``; row and column from 1."""
    return f"{path.name}, sheet '{sheet}', row {row}, column {get_column_letter(column)}"


def _signature(path: Path) -> bytes:
    if not path.is_file():
        raise InputError(f"{path} is missing or is no file. Copy it from the corpus, or correct the path.")
    if path.stat().st_size > LARGEST_BYTES:
        raise InputError(f"{path} has {path.stat().st_size} bytes; a label file has at most {LARGEST_BYTES}.")
    with path.open("rb") as file:
        return file.read(8)


def _read_xlsx(path: Path) -> dict[str, list[Found]]:
    try:
        _check_size(path)
        found = _load_xlsx(path, computed=False)
        formulas = [
            (name, row, column)
            for name, rows in found.items()
            for row, cells in enumerate(rows)
            for column, value in enumerate(cells)
            if _is_formula(value)
        ]
        values = _load_xlsx(path, computed=True) if formulas else found
    except InputError:
        raise
    except _XLSX_ERRORS as error:
        raise InputError(f"{path} is a damaged workbook ({error}). Copy it again from the corpus.") from error
    for name, row, column in formulas:
        if row >= len(values[name]) or column >= len(values[name][row]) or values[name][row][column] is None:
            raise InputError(
                f"{place(path, name, row + 1, column + 1)}: found a formula without its value, expected a value. "
                "Open the workbook in a spreadsheet program and save it: that computes the formulas."
            )
    return values


def _check_size(path: Path) -> None:
    """Raise InputError for what a parser of XML would take minutes and gigabytes for."""
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
        if size > LARGEST_BYTES:
            raise InputError(f"{path} unpacks to {size} bytes; a label file has at most {LARGEST_BYTES}.")
        tags = 0
        for entry in archive.infolist():
            with archive.open(entry) as file:
                while entry.filename.endswith(".xml") and (block := file.read(1 << 20)):
                    tags += block.count(b"<")
        if tags > MOST_TAGS:
            raise InputError(f"{path} unpacks to {tags} XML tags; a label file has at most {MOST_TAGS}.")


def _load_xlsx(path: Path, computed: bool) -> dict[str, list[Found]]:
    # An open file, because openpyxl refuses a path by its suffix.
    with path.open("rb") as file, closing(openpyxl.load_workbook(file, read_only=True, data_only=computed)) as workbook:
        sheets = {}
        for worksheet in workbook.worksheets:
            # Some writers state a size that is too small, and rows would be lost.
            worksheet.reset_dimensions()
            sheets[worksheet.title] = _within_limits(path, worksheet.title, worksheet.iter_rows(values_only=True))
        return sheets


def _within_limits(path: Path, name: str, rows: Iterable[Found]) -> list[Found]:
    """Return the rows without empty cells beyond `MOST_COLUMNS`; InputError as soon as there is too much of them."""
    found: list[Found] = []
    count = 0
    for row, cells in enumerate(rows, start=1):
        count += len(cells)
        if row > MOST_ROWS or count > MOST_CELLS:
            raise InputError(
                f"{path}, sheet '{name}' has more than {MOST_ROWS} rows or {MOST_CELLS} cells, empty ones between "
                "others counted: this is no label file. Delete what lies far below and to the right of the labels."
            )
        beyond = next((column for column in range(MOST_COLUMNS, len(cells)) if cells[column] is not None), None)
        if beyond is not None:
            raise InputError(
                f"{place(path, name, row, beyond + 1)}: found {cells[beyond]!r}, expected nothing beyond column "
                f"{get_column_letter(MOST_COLUMNS)}: a label file has some ten columns. Delete the cell."
            )
        found.append(cells[:MOST_COLUMNS])
    return found


def _is_formula(value: object) -> bool:
    if isinstance(value, str):
        return value.startswith("=")
    return isinstance(value, ArrayFormula | DataTableFormula)


def _read_xls(path: Path) -> dict[str, list[Found]]:
    try:
        # xlrd prints its warnings to stdout unless it is given another file.
        with xlrd.open_workbook(path, logfile=_Silence(), ragged_rows=True) as workbook:
            return {
                sheet.name: _within_limits(path, sheet.name, (_xls_row(sheet, row) for row in range(sheet.nrows)))
                for sheet in workbook
            }
    except InputError:
        raise
    except _XLS_ERRORS as error:
        raise InputError(
            f"{path} does not open as .xls ({error}). Copy it again from the corpus; if it has a password, remove it."
        ) from error


class _Silence:
    """A log that keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)


def _xls_row(sheet: xlrd.sheet.Sheet, row: int) -> Found:
    kinds = zip(sheet.row_types(row), sheet.row_values(row), strict=True)
    return tuple(_xls_cell(sheet, kind, value) for kind, value in kinds)


def _xls_cell(sheet: xlrd.sheet.Sheet, kind: int, value: object) -> object:
    if kind in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
        return None
    if kind == xlrd.XL_CELL_ERROR:
        return xlrd.error_text_from_code.get(value, "#ERROR!")
    if kind == xlrd.XL_CELL_DATE:
        return xlrd.xldate_as_datetime(value, sheet.book.datemode)
    return bool(value) if kind == xlrd.XL_CELL_BOOLEAN else value


def _plain(path: Path, name: str, rows: list[Found]) -> tuple[Row, ...]:
    found = []
    for row, cells in enumerate(rows, start=1):
        values = [
            None if cell is None else _plain_cell(path, name, row, column, cell)
            for column, cell in enumerate(cells, start=1)
        ]
        while values and values[-1] is None:
            values.pop()
        found.append(tuple(values))
    while found and not found[-1]:
        found.pop()
    return tuple(found)


def _plain_cell(path: Path, name: str, row: int, column: int, value: object) -> Cell:
    if isinstance(value, str):
        text = value.strip()
        if text in xlrd.error_text_from_code.values() or text == "#ERROR!":
            where = place(path, name, row, column)
            raise InputError(f"{where}: found the error {text}, expected a value. Take the corpus' own workbook.")
        return text or None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
