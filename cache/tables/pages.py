"""Sizes of a parquet file's pages, read from their headers: what it will take unpacked, before any of it is.

The end of a file only claims them; the library believes the headers. A header is a struct of Thrift's compact protocol.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

# Of a header: statistics may hold a text each.
_MOST_HEADER_BYTES = 1 << 16
_DEEPEST = 8
_UNPACKED, _PACKED = 2, 3
# Kinds of a value.
_TRUE, _FALSE, _BYTE, _INTEGERS, _DOUBLE, _BINARY, _LISTS, _STRUCT = 1, 2, 3, (4, 5, 6), 7, 8, (9, 10), 12


def unpacked_bytes(descriptor: int, column: Any) -> Iterator[int]:
    """Yield the size in memory of each page of a column chunk.

    Args:
        column: what the end of the file says of the chunk, as pyarrow reads it.

    Raises:
        ValueError: a header is none.
    """
    first = column.data_page_offset
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < first:
        first = column.dictionary_page_offset
    position, end = first, first + column.total_compressed_size
    while position < end:
        header = _Header(os.pread(descriptor, _MOST_HEADER_BYTES, position))
        sizes = header.integers()
        unpacked, packed = sizes.get(_UNPACKED, -1), sizes.get(_PACKED, -1)
        if unpacked < 0 or packed < 0:
            raise ValueError("a page does not say how large it is")
        yield unpacked
        position += header.position + packed


class _Header:
    """The bytes that begin with a header, and how far it was read."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.position = 0

    def integers(self) -> dict[int, int]:
        """Return the whole numbers of the struct that begins here, by their fields; all else is passed over."""
        return self._struct(0)

    def _struct(self, depth: int) -> dict[int, int]:
        found: dict[int, int] = {}
        field = 0
        while (told := self._byte()) != 0:
            field = field + (told >> 4) if told >> 4 else _signed(self._number())
            kind = told & 15
            if kind in _INTEGERS:
                found[field] = _signed(self._number())
            elif kind not in (_TRUE, _FALSE):  # which the kind says already
                self._pass(kind, depth)
        return found

    def _pass(self, kind: int, depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError("a page has a header of too many parts")
        if kind == _STRUCT:
            self._struct(depth + 1)
        elif kind in _LISTS:
            told = self._byte()
            for _ in range(self._number() if told >> 4 == 15 else told >> 4):
                self._pass(told & 15, depth + 1)
        elif kind in _INTEGERS:
            self._number()
        elif kind in (_TRUE, _FALSE, _BYTE):
            self._byte()
        elif kind == _DOUBLE:
            self._skip(8)
        elif kind == _BINARY:
            self._skip(self._number())
        else:
            raise ValueError("a page has no header")

    def _skip(self, count: int) -> None:
        self.position += count
        if self.position > len(self.content):  # a list may claim any number of what is passed over
            raise ValueError("a page's header does not end")

    def _byte(self) -> int:
        if self.position >= len(self.content):
            raise ValueError("a page's header does not end")
        self.position += 1
        return self.content[self.position - 1]

    def _number(self) -> int:
        value = shift = 0
        while (told := self._byte()) & 128:
            value, shift = value | (told & 127) << shift, shift + 7
        return value | told << shift


def _signed(value: int) -> int:
    return value >> 1 ^ -(value & 1)
