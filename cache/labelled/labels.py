"""Parsing of label text files of image data sets; every fault is an InputError with its place."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from cache.errors import InputError


def rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line number and the cells of every row; a needed column that is absent or empty is refused."""
    reader = csv.DictReader(text_of(path).splitlines())
    missing = [name for name in needed if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"{path} has no column {', '.join(missing)}; it has {', '.join(reader.fieldnames or ())}.")
    for row in reader:
        empty = [name for name in needed if not (row[name] or "").strip()]
        if empty:
            raise InputError(f"{path}:{reader.line_num}: {', '.join(empty)} is empty.")
        yield reader.line_num, row


def text_of(path: Path) -> str:
    """Return what a text file holds."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} does not open as a text ({error}).") from error


def inside(table: Path, name: str, line: int) -> Path:
    """Return a file beside a table; one that lies elsewhere is refused."""
    path = (table.parent / name.strip()).resolve()
    if not path.is_relative_to(table.parent.resolve()):
        raise InputError(f"{table}:{line}: {name!r} lies outside {table.parent}.")
    return path


def whole_number(text: str, where: str) -> int:
    """Return a number of at least 0, or InputError with where it stands."""
    if not text.strip().isdecimal():
        raise InputError(f"{where} is {text!r}, expected a whole number.")
    return int(text)
