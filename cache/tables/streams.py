"""Tables from anywhere, CSV or parquet, read in a stream: batches of a few columns, never the whole file at once."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from cache import files, own_digest
from cache.errors import InputError
from cache.tables import pages
from cache.tables.schema import MAX_TEXT_BYTES, REMEDY, nearest

TEXT = pa.dictionary(pa.int32(), pa.string())
NUMBER = pa.float64()
_BATCH_ROWS = 1 << 16
# What packs a table may let a few bytes stand for any number of rows and texts. A row takes 24 bytes or so here.
MANY_ROWS, LEAST_BYTES_A_ROW = 3_000_000, 12
LARGE_PAGE_BYTES = 1 << 23
_MOST_GROUPS = 100_000
_SUFFIXES = (".csv", ".parquet", ".pq")


def header(path: Path) -> list[str]:
    """Return the names of the columns in their order, white space stripped.

    Raises:
        InputError: no such file, neither CSV nor parquet, or a name there twice.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing. Correct the path.")
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{path} ends in {path.suffix or 'nothing'!r}, expected one of {', '.join(_SUFFIXES)}.")
    names = [name.strip() for name in (_csv_header(path) if _is_csv(path) else _parquet_header(path))]
    if len(names) == 1 and ";" in names[0]:
        raise InputError(f"{path} is separated by semicolons. Save it again with commas.")
    for name in names:
        if name and names.count(name) > 1:
            raise InputError(f"{path} has the column '{name}' {names.count(name)} times. Leave one.")
    return names


def require(path: Path, found: Sequence[str], required: Sequence[str]) -> None:
    """Refuse a header that lacks a column.

    Raises:
        InputError: names the column and the one that may be meant.
    """
    for name in required:
        if name not in found:
            others = [other for other in found if other and other not in required]
            told = ", ".join(found) or "an empty file"
            raise InputError(f"{path} has no column '{name}'{nearest(name, others)}. Found: {told}.")


def batches(path: Path, columns: dict[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    """Return the rows in their order, `columns` only, in batches.

    Args:
        columns: each `TEXT` or `NUMBER`, all of them in the header. Empty cells are null; numbers may be NaN.

    Raises:
        InputError: a row of another length, a cell that is no number, not UTF-8, or no whole parquet.
    """
    try:
        yield from _csv_batches(path, columns) if _is_csv(path) else _parquet_batches(path, columns)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(_broken_cell(path, columns) or f"{path} cannot be read ({error}). Save it again.") from error


def release() -> None:
    """Give back what reading took: the library keeps it for the next file, and here it counts."""
    pa.default_memory_pool().release_unused()


def row_number(path: Path, index: int) -> int:
    """Return the number that a spreadsheet shows for a row, or in parquet its number from 1; `index` counts from 0."""
    if not _is_csv(path):
        return index + 1
    for number, cells in _csv_rows(path):
        if not cells:
            continue
        index -= 1
        if index < 0:
            return number
    raise IndexError(f"{path} has no such row")


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def _csv_header(path: Path) -> list[str]:
    try:
        # Bytes that are not UTF-8 may stand further down, in what is read along: `_broken_cell` names their row.
        with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
            names = next(csv.reader(file), [])
    except csv.Error as error:
        raise InputError(f"{path} is not CSV ({error}). Save it again as 'CSV UTF-8'.") from error
    if any("\N{REPLACEMENT CHARACTER}" in name for name in names):
        raise InputError(f"{path} is not in UTF-8. Save it again as 'CSV UTF-8'.")
    return names


def _parquet_header(path: Path) -> list[str]:
    own_digest.check(path, REMEDY)
    try:
        with _opened(path) as file:
            return list(file.schema_arrow.names)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is not a whole parquet table ({error}). Write it again.") from error


def _csv_batches(path: Path, columns: dict[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    names = header(path)
    reading = pyarrow.csv.ReadOptions(use_threads=False, skip_rows=1, column_names=names, block_size=1 << 20)
    converting = pyarrow.csv.ConvertOptions(
        column_types=columns, include_columns=list(columns), null_values=[""], strings_can_be_null=True
    )
    with pyarrow.csv.open_csv(path, read_options=reading, convert_options=converting) as reader:
        yield from reader


def _parquet_batches(path: Path, columns: dict[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    names = header(path)
    with _opened(path) as file:
        stored = dict(zip(names, file.schema_arrow.names, strict=True))
        _check_sizes(path, file, {name: stored[name] for name in columns})
    # A text that stands in many rows is in memory once.
    texts = [stored[name] for name, kind in columns.items() if kind == TEXT]
    with _opened(path, texts) as file:
        count = 0
        for batch in file.iter_batches(_BATCH_ROWS, columns=[stored[name] for name in columns]):
            count += batch.num_rows
            if count > file.metadata.num_rows:
                raise InputError(f"{path} holds more rows than the {file.metadata.num_rows} it claims. Write it again.")
            yield pa.RecordBatch.from_arrays(
                [_cast(path, name, batch.column(stored[name]), kind) for name, kind in columns.items()], list(columns)
            )


def _opened(path: Path, texts: Sequence[str] = ()) -> pq.ParquetFile:
    return pq.ParquetFile(path, read_dictionary=list(texts), thrift_container_size_limit=_MOST_GROUPS)


def _check_sizes(path: Path, file: pq.ParquetFile, columns: dict[str, str]) -> None:
    """Refuse what would become far larger in memory than it is on the disk."""
    claimed, size = file.metadata, path.stat().st_size
    if claimed.num_rows > max(MANY_ROWS, size // LEAST_BYTES_A_ROW):
        raise InputError(
            f"{path} claims {claimed.num_rows} rows in {size} bytes. Write it without compression, or as CSV."
        )
    for name, stored in columns.items():
        if pa.types.is_nested(kind := file.schema_arrow.field(stored).type):
            raise InputError(f"{path}, column {name}: found {kind}, expected one value a row.")
    descriptor = files.open_regular(path, follow_links=True)
    try:
        for group in map(claimed.row_group, range(claimed.num_row_groups)):
            for column in map(group.column, range(claimed.num_columns)):
                if column.path_in_schema in columns.values():
                    _check_pages(path, descriptor, column, max(size, LARGE_PAGE_BYTES))
    finally:
        os.close(descriptor)


def _check_pages(path: Path, descriptor: int, column: Any, most: int) -> None:
    try:
        largest = max(pages.unpacked_bytes(descriptor, column), default=0)
    except ValueError as error:
        raise InputError(f"{path} is not a whole parquet table ({error}). Write it again.") from error
    if largest > most:
        raise InputError(
            f"{path}, column {column.path_in_schema}: a page unpacks to {largest} bytes, expected at most {most}. "
            "Write it with smaller pages, or as CSV."
        )


def _cast(path: Path, name: str, column: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        if kind == NUMBER:
            return pc.cast(column, NUMBER)
        if not pa.types.is_dictionary(column.type):
            column = pc.dictionary_encode(column)
        text = pc.cast(column.dictionary, pa.string())
        longest = pc.max(pc.binary_length(text)).as_py() or 0
        if longest > MAX_TEXT_BYTES:
            found = f"found a text of {longest} bytes, expected at most {MAX_TEXT_BYTES}"
            raise InputError(f"{path}, column {name}: {found}.")
        is_empty = pc.equal(text, "").take(column.indices)
        return pa.DictionaryArray.from_arrays(pc.if_else(is_empty, None, column.indices.cast(pa.int32())), text)
    except pa.ArrowException as error:
        raise InputError(
            f"{path}, column {name}: found {column.type}, expected {'numbers' if kind == NUMBER else 'text'} ({error})."
        ) from error


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Return the rows after the header with the number that a spreadsheet shows."""
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
        rows = enumerate(csv.reader(file), start=1)
        next(rows, None)
        yield from rows


def _broken_cell(path: Path, columns: dict[str, pa.DataType]) -> str | None:
    """Return what is wrong with the first row that cannot be read, or None: looked for only once reading failed."""
    if not _is_csv(path):
        return None
    names = header(path)
    numbers = [(names.index(name), name) for name, kind in columns.items() if kind == NUMBER]
    for number, cells in _csv_rows(path):
        if cells and len(cells) != len(names):
            return (
                f"{path}, row {number}: found {len(cells)} cells, expected {len(names)} as in the header. "
                "Correct the row; a cell with a comma in it needs quotation marks."
            )
        for index, name in numbers if cells else ():
            if cells[index].strip() and not _is_number(cells[index]):
                return f"{path}, row {number}, column {name}: found {cells[index]!r}, expected a number. Correct it."
        if any("\N{REPLACEMENT CHARACTER}" in cell for cell in cells):
            return f"{path}, row {number}: found bytes that are not UTF-8. Save the file again as 'CSV UTF-8'."
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def texts(column: Any) -> tuple[list[str | None], Any]:
    """Return the different texts of a `TEXT` column, stripped, None for empty ones, and ``(N,)`` indices into them."""
    known = [None if text is None or not text.strip() else text.strip() for text in column.dictionary.to_pylist()]
    filled = pc.fill_null(column.indices, len(known))
    return [*known, None], filled.to_numpy(zero_copy_only=False)
