"""Reading and writing of tables: columns and rows are checked, and the same rows give the same bytes."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from cache import own_digest
from cache.errors import InputError
from cache.files import write_atomically

Record = TypeVar("Record")
Fault = Callable[[Record], str | None]

# 100 000 videos of 100 expressions. A table of somebody else may claim any number, and is read into memory.
MAX_ROWS = 10_000_000
REMEDY = f"{own_digest.REMEDY}; if you changed it yourself, write it without the metadata that it had"


def schema(**columns: pa.DataType) -> pa.Schema:
    """Return columns in the order given, none of which may be empty."""
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns.items()])


def write(
    path: Path,
    columns: pa.Schema,
    records: Sequence[Record],
    fault: Fault[Record],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write records in the order given; the same records give the same bytes with one pyarrow version.

    Args:
        columns: one per field of the records, of the same name.
        fault: says what is wrong with one record, or None.
        metadata: texts that the table carries beside its rows; the file's own digest is added.

    Raises:
        InputError: a record has a fault, or the disk refuses.
    """
    _check_records(path, records, fault)
    values = {name: [getattr(record, name) for record in records] for name in columns.names}
    table = pa.Table.from_pydict(values, schema=columns)
    # Without the stored Arrow schema and without compression, fewer library versions show in the bytes.
    with (
        write_atomically(path) as temporary,
        pq.ParquetWriter(temporary, columns, compression="none", store_schema=False) as writer,
    ):
        writer.write_table(table)
        writer.add_key_value_metadata({**(metadata or {}), own_digest.KEY: own_digest.BLANK})
        writer.close()
        own_digest.put(temporary)


def read(path: Path, columns: pa.Schema, build: Callable[..., Record], fault: Fault[Record]) -> list[Record]:
    """Return the records of a table, in its order; an empty table gives an empty list.

    Raises:
        InputError: no such file, not parquet, not as it was written, a column missing, unknown or of another type, more
            than `MAX_ROWS` rows, or a record with a fault.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing. Run the stage that writes it (dvc repro), or correct the path.")
    own_digest.check(path, REMEDY)  # before anything is parsed
    try:
        rows = _load(path, columns)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a whole parquet table ({error}). {own_digest.REMEDY}.") from error
    records = [build(**row) for row in rows]
    _check_records(path, records, fault)
    return records


def read_metadata(path: Path, name: str) -> str | None:
    """Return one of the texts that a table carries beside its rows, None where it has none of this name.

    Raises:
        InputError: no such file, not parquet, or no text.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing. Run the stage that writes it (dvc repro), or correct the path.")
    own_digest.check(path, REMEDY)
    try:
        told = (pq.read_metadata(path).metadata or {}).get(name.encode())
        return None if told is None else told.decode()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a whole parquet table ({error}). {own_digest.REMEDY}.") from error


def _load(path: Path, columns: pa.Schema) -> list[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        _check_columns(path, file.schema_arrow, columns)
        if file.metadata.num_rows > MAX_ROWS:
            raise InputError(f"{path} claims {file.metadata.num_rows} rows; at most {MAX_ROWS} are read.")
        table = file.read(columns=columns.names)
        table.validate(full=True)
        if table.num_rows != file.metadata.num_rows:
            raise InputError(f"{path} claims {file.metadata.num_rows} rows and holds {table.num_rows}.")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _check_columns(path: Path, found: pa.Schema, expected: pa.Schema) -> None:
    for field in expected:
        if field.name not in found.names:
            suggested = nearest(field.name, found.names)
            raise InputError(f"{path} has no column '{field.name}'{suggested}. Found: {', '.join(found.names)}.")
        if found.names.count(field.name) > 1:
            raise InputError(f"{path} has the column '{field.name}' twice.")
        kind, nullable = found.field(field.name).type, found.field(field.name).nullable
        if kind != field.type or nullable:
            empty = ", may be empty" if nullable else ""
            raise InputError(f"{path}: column '{field.name}' holds {kind}{empty}; expected {field.type}, never empty.")
    unknown = [name for name in found.names if name not in expected.names]
    if unknown:
        raise InputError(f"{path} has unknown columns: {', '.join(unknown)}. Expected: {', '.join(expected.names)}.")


def _check_records(path: Path, records: Sequence[Record], fault: Fault[Record]) -> None:
    for row, record in enumerate(records):
        found = fault(record)
        if found is not None:
            raise InputError(f"{path}: row {row}: {found}")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known word most like this one, else an empty text."""
    by_lower_case = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_lower_case, n=1)
    return f" (did you mean '{by_lower_case[found[0]]}'?)" if found else ""


def write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a header and rows as UTF-8 with line feeds.

    Raises:
        InputError: the disk refuses.
    """
    with write_atomically(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)


def read_csv(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of a CSV that people wrote, cells and headers stripped of white space, blank rows left out.

    Returns:
        ``(row, cells)``: row is the number a spreadsheet shows (the header is row 1); cells hold every required and
        optional column, empty text for an optional column that the file lacks. Other columns are left out.

    Raises:
        InputError: no such file, not UTF-8, a required column missing or there twice, or a row of another length.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing. Write it with the columns {', '.join(required)}, or correct the path.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [(row, [cell.strip() for cell in cells]) for row, cells in enumerate(csv.reader(file), start=1)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not CSV in UTF-8 ({error}). Save it again as 'CSV UTF-8'.") from error
    header = lines[0][1] if lines else []
    _check_header(path, header, required, optional)
    return list(_rows(path, header, lines[1:], [*required, *optional]))


def _check_header(path: Path, header: Sequence[str], required: Sequence[str], optional: Sequence[str]) -> None:
    if len(header) == 1 and ";" in header[0]:
        raise InputError(f"{path} is separated by semicolons. Save it again with commas.")
    for name in required:
        if name not in header:
            others = [other for other in header if other and other not in required]
            raise InputError(
                f"{path} has no column '{name}'{nearest(name, others)}. Found: {', '.join(header) or 'an empty file'}."
            )
    for name in (*required, *optional):
        if header.count(name) > 1:
            raise InputError(f"{path} has the column '{name}' {header.count(name)} times. Leave one.")


def _rows(
    path: Path, header: Sequence[str], lines: Iterable[tuple[int, list[str]]], names: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    for row, cells in lines:
        if not any(cells):
            continue
        if len(cells) != len(header):
            raise InputError(
                f"{path}: row {row} has {len(cells)} cells, the header has {len(header)}. "
                "Correct the row; a cell with a comma in it needs quotation marks."
            )
        by_name = dict(zip(header, cells, strict=True))
        yield row, {name: by_name.get(name, "") for name in names}
