"""Reading and writing of tables: columns and rows are checked, and the same rows give the same bytes."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, ClassVar, TextIO, TypeVar, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cache import own_digest
from cache.errors import InputError
from cache.files import write_atomically

Record = TypeVar("Record")
Fault = Callable[[Record], str | None]

# 100 000 videos of 100 expressions. A table of somebody else may claim any number, and is read into memory.
MAX_ROWS = 10_000_000
REMEDY = f"{own_digest.REMEDY}; if you changed it yourself, write it without the metadata that it had"
# Of our own tables: no row is stored in less, for its numbers are others than those of the row before.
LEAST_BYTES_A_ROW = 4
# A path may have as many.
MAX_TEXT_BYTES = 4096
_BATCH_ROWS = 1 << 14
_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
# Of a CSV, in characters.
MAX_LINE = 1 << 20


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


def as_arrow(kind: type[Record], records: Sequence[Record]) -> pa.Table:
    """Return records of a dataclass as a table in memory, a column a field; one that may be None may be empty."""
    columns = []
    for name, hint in get_type_hints(kind).items():
        if get_origin(hint) is not ClassVar:
            told = [each for each in get_args(hint) or (hint,) if each is not NoneType]
            columns.append(pa.field(name, _ARROW[told[0]], nullable=NoneType in get_args(hint)))
    values = {field.name: [getattr(record, field.name) for record in records] for field in columns}
    return pa.Table.from_pydict(values, schema=pa.schema(columns))


def read(path: Path, columns: pa.Schema, build: Callable[..., Record], fault: Fault[Record]) -> list[Record]:
    """Return the records of a table, in its order; an empty table gives an empty list.

    Raises:
        InputError: no such file, not parquet, not as it was written, a column missing, unknown or of another type, more
            than `MAX_ROWS` rows or than its size explains, compressed, a text that is too long, or a record with a
            fault.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing. Run the stage that writes it (dvc repro), or correct the path.")
    own_digest.check(path, REMEDY)  # before anything is parsed
    records: list[Record] = []
    try:
        for rows in _load(path, columns):
            batch = [build(**row) for row in rows]
            _check_records(path, batch, fault, len(records))
            records += batch
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a whole parquet table ({error}). {own_digest.REMEDY}.") from error
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


def _load(path: Path, columns: pa.Schema) -> Iterator[Iterator[dict[str, Any]]]:
    """Yield the rows of a table batch by batch; a text that stands in many rows is in memory once."""
    with pq.ParquetFile(path) as file:
        check_columns(path, file.schema_arrow, columns)
        claimed = file.metadata
        _check_size(path, claimed)
    texts = [field.name for field in columns if field.type == pa.string()]
    count = 0
    with pq.ParquetFile(path, read_dictionary=texts, metadata=claimed) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=columns.names, use_threads=False):
            batch.validate(full=True)
            count += batch.num_rows
            values = [_values(path, name, batch.column(name)) for name in columns.names]
            yield (dict(zip(columns.names, row, strict=True)) for row in zip(*values, strict=True))
    if count != claimed.num_rows:
        raise InputError(f"{path} claims {claimed.num_rows} rows and holds {count}.")


def _check_size(path: Path, claimed: Any) -> None:
    """Refuse what would become far larger in memory than it is on the disk."""
    if claimed.num_rows > MAX_ROWS:
        raise InputError(f"{path} claims {claimed.num_rows} rows; at most {MAX_ROWS} are read.")
    size = path.stat().st_size
    if claimed.num_rows * LEAST_BYTES_A_ROW > size:
        raise InputError(f"{path} claims {claimed.num_rows} rows in {size} bytes. Make it again: dvc repro")
    refuse_compressed(path, claimed)


def refuse_compressed(path: Path, claimed: Any) -> None:
    """Raise InputError where anything of a table is compressed: who knows how large it becomes.

    Args:
        claimed: the metadata of the file.
    """
    for group in range(claimed.num_row_groups):
        for column in range(claimed.num_columns):
            found = claimed.row_group(group).column(column)
            if found.compression != "UNCOMPRESSED":
                raise InputError(
                    f"{path}: column '{found.path_in_schema}' is compressed ({found.compression}); expected a table "
                    "as the stages write it. Make it again: dvc repro"
                )


def _values(path: Path, name: str, column: Any) -> list[Any]:
    if not pa.types.is_dictionary(column.type):
        return list(column.to_pylist())
    longest = pc.max(pc.binary_length(column.dictionary)).as_py() or 0
    if longest > MAX_TEXT_BYTES:
        raise InputError(f"{path}: column '{name}' holds a text of {longest} bytes; at most {MAX_TEXT_BYTES} are read.")
    texts = column.dictionary.to_pylist()
    return [texts[index] for index in column.indices.to_pylist()]


def check_columns(path: Path, found: pa.Schema, expected: pa.Schema) -> None:
    """Raise InputError where a column is missing, unknown, of another type, or may be empty."""
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


def _check_records(path: Path, records: Sequence[Record], fault: Fault[Record], first: int = 0) -> None:
    for row, record in enumerate(records, start=first):
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


def read_csv(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a CSV that people wrote, cells and headers stripped of white space, blank rows left out.

    Yields:
        ``(row, cells)``: row is the number a spreadsheet shows (the header is row 1); cells hold every required and
        optional column, empty text for an optional column that the file lacks. Other columns are left out.

    Raises:
        InputError: no such file, not UTF-8, a required column missing or there twice, a row of another length, or a
            line of more than a megabyte.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing. Write it with the columns {', '.join(required)}, or correct the path.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = _stripped(path, file)
            _, header = next(lines, (1, []))
            _check_header(path, header, required, optional)
            yield from _rows(path, header, lines, [*required, *optional])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not CSV in UTF-8 ({error}). Save it again as 'CSV UTF-8'.") from error


def _stripped(path: Path, file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each row."""
    for row, cells in enumerate(csv.reader(_short_lines(path, file)), start=1):
        yield row, [cell.strip() for cell in cells]


def _short_lines(path: Path, file: TextIO) -> Iterator[str]:
    """Yield the lines of a file, none of which fills the memory."""
    while line := file.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise InputError(f"{path} has a line of more than {MAX_LINE} characters. Is it a table?")
        yield line


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
