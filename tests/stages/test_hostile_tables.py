"""Tables from anybody, at the commands: one clear line, exit 4, and no more in memory than the file explains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cache.corpora import rows
from cache.tables import schema
from cache.tables.videos import SCHEMA
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
VIDEOS, LABELS = Path("data/videos.parquet"), Path("corpus/expressions.csv")
MEGABYTE = "a" * 1_000_000


def refused(told: Any, *words: str) -> None:
    """Check that a command ended with one short line and the exit code of inputs."""
    assert told.code == ExitCode.INPUT, told.err
    assert all(word in told.err for word in words), told.err
    assert told.err.count("error: ") == 1
    assert len(told.err.splitlines()[-1]) < 400


def repeat(count: int, compression: str = "none", **values: object) -> None:
    """Write a table of equal videos, which takes little room on the disk."""
    row = pq.read_table(VIDEOS).slice(0, 1).to_pylist()[0] | values
    table = pa.Table.from_pydict({name: [row[name]] * count for name in SCHEMA.names}, schema=SCHEMA)
    pq.write_table(table, VIDEOS, compression=compression)


TABLES: dict[str, tuple[Callable[[], object], str]] = {
    "a million equal rows": (lambda: repeat(1_000_000), "claims 1000000 rows in"),
    "a dictionary of a megabyte": (lambda: repeat(2000, path=MEGABYTE), "'path' holds a text of 1000000 bytes"),
    "what is compressed": (lambda: repeat(1, "zstd", path=MEGABYTE), "column 'video' is compressed (ZSTD)"),
    "two rows of one video": (lambda: repeat(2), "the videos 'ann_1' and 'ann_1' would be one file"),
}


@pytest.mark.whole_line
@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_would_fill_the_memory_is_refused(begin: Begin, stage: Run, name: str) -> None:
    write, message = TABLES[name]
    begin("extract")
    write()
    refused(stage("train"), f"{VIDEOS}", message)


def test_the_rows_of_a_table_are_looked_at_as_they_come(begin: Begin, stage: Run, monkeypatch: Any) -> None:
    begin("extract")
    repeat(100_000)
    monkeypatch.setattr(schema, "LEAST_BYTES_A_ROW", 0)  # as of a file that is as long as its rows would be
    seen: list[int] = []
    original = pq.ParquetFile.iter_batches

    def count(*arguments: Any, **options: Any) -> Any:
        for batch in original(*arguments, **options):
            seen.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", count)
    refused(stage("train"), "the videos 'ann_1' and 'ann_1' would be one file")
    assert sum(seen) < 100_000


def test_a_line_of_commas_without_end_is_refused(begin: Begin, stage: Run) -> None:
    begin()
    with LABELS.open("a", encoding="utf-8") as file:
        file.write("," * 2_000_000)
    refused(stage("index"), "has a line of more than 1048576 characters")


def test_a_hundred_thousand_wrong_rows_are_counted_and_not_kept(begin: Begin, stage: Run) -> None:
    begin()
    with LABELS.open("a", encoding="utf-8") as file:
        file.writelines(f"ann,ann_1,{row},,{row + 5},joyous\n" for row in range(100_000))
    told = stage("index")
    assert told.code == ExitCode.INPUT
    assert "100000 problems" in told.err
    assert "and 99980 more; correct these first." in told.err
    assert len(told.err) < 5000


def test_a_label_file_of_more_rows_than_any_corpus_has_expressions_is_refused(
    begin: Begin, stage: Run, facespan: Run, monkeypatch: Any
) -> None:
    begin()
    monkeypatch.setattr(rows, "MOST_ROWS", 6)  # which the label file has
    assert stage("index").code == ExitCode.DONE
    with LABELS.open("a", encoding="utf-8") as file:
        file.write("ann,ann_1,130,,140,anger\n")
    refused(stage("index"), f"{LABELS} has more than 6 rows, expected one for each expression")
    refused(facespan("labels", "audit", "tiny", "--labels", str(LABELS)), "has more than 6 rows")


@pytest.mark.whole_line
def test_a_table_of_detections_with_texts_of_a_megabyte_is_refused(
    facespan: Run, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    columns = {"video": [MEGABYTE] * 2000, "onset": [1] * 2000, "offset": [5] * 2000, "confidence": [0.5] * 2000}
    pq.write_table(pa.table(columns), "detections.parquet", compression="zstd")
    Path("expressions.csv").write_text("video,onset,offset\na,1,5\n", encoding="utf-8")
    told = facespan("score", "--detections", "detections.parquet", "--expressions", "expressions.csv")
    refused(told, "detections.parquet, column video: found a text of 1000000 bytes, expected at most 4096")


ROW = {"video": "a", "onset": 1.0, "offset": 5.0, "confidence": 0.5}


def equal(count: int, **pages: Any) -> None:
    """Write equal detections, which are packed to next to nothing."""
    table = {name: pa.repeat(value, count) for name, value in ROW.items()}
    pq.write_table(pa.table(table), "detections.parquet", compression="zstd", **pages)


BOMBS: dict[str, tuple[Callable[[], object], str]] = {
    "a page that unpacks to much": (
        lambda: equal(
            2_000_000, use_dictionary=False, data_page_size=1 << 30, row_group_size=2_000_000, max_rows_per_page=1 << 30
        ),
        "column video: a page unpacks to ",
    ),
    "rows without end": (lambda: equal(3_000_001), "claims 3000001 rows in"),
    "lists of any length": (
        lambda: pq.write_table(pa.table({name: [[value]] for name, value in ROW.items()}), "detections.parquet"),
        "expected one value a row",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_detections_that_unpack_to_far_more_than_they_are_are_refused(
    facespan: Run, tmp_path: Path, monkeypatch: Any, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write, message = BOMBS[name]
    write()
    Path("expressions.csv").write_text("video,onset,offset\na,1,5\n", encoding="utf-8")
    told = facespan("score", "--detections", "detections.parquet", "--expressions", "expressions.csv")
    refused(told, "detections.parquet", message)
