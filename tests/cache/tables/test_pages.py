"""Sizes of parquet pages, read from their headers as the library that wrote them counts them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cache.tables import pages

WAYS: list[dict[str, Any]] = [
    {},
    {"compression": "none", "use_dictionary": False},
    {"compression": "zstd", "data_page_version": "2.0"},
    {"compression": "gzip", "write_page_checksum": True},
    {"write_page_index": True, "data_page_size": 1000},
]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_page_of_a_column_is_counted_once(tmp_path: Path, way: dict[str, Any]) -> None:
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"video": [f"v{row % 700}" for row in range(20_000)]}), path, row_group_size=7000, **way)
    told = pq.read_metadata(path)
    with path.open("rb") as file:
        for group in range(told.num_row_groups):
            column = told.row_group(group).column(0)
            sizes = list(pages.unpacked_bytes(file.fileno(), column))
            # The sum that the writer states has the headers in it, of some ten bytes and statistics each.
            assert 0 <= column.total_uncompressed_size - sum(sizes) <= 100 * len(sizes)


@pytest.mark.parametrize(
    "content",
    # The last one: a list of 2^60 doubles, which nothing stands behind.
    [
        b"",
        b"\x1c" * 100,
        b"\x15",
        b"\x19\xf5\xff\xff\xff\xff\x0f",
        b"\x00" * 20,
        b"\x1d\x00",
        b"\x19\xf7" + b"\x80" * 8 + b"\x10",
    ],
)
def test_what_is_no_header_is_said_and_never_followed(tmp_path: Path, content: bytes) -> None:
    class Column:
        has_dictionary_page = False
        data_page_offset = 0
        total_compressed_size = 100

    path = tmp_path / "page"
    path.write_bytes(content)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with pytest.raises(ValueError, match="a page"):
            list(pages.unpacked_bytes(descriptor, Column))
    finally:
        os.close(descriptor)
