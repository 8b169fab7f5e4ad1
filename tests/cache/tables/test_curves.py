"""Score curves come back video by video; a table that was changed, or lies about itself, is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from cache.errors import InputError
from cache.tables import curves, searches
from cache.tables.searches import Search

CLASSES = ("anger", "joy")
SEARCH = Search({"name": "mine"}, {"a": "1", "b": "2"})


def curve(frames: int, seed: int = 0) -> NDArray[np.float16]:
    return np.random.default_rng(seed).random((frames, len(CLASSES))).astype(np.float16)


def write(path: Path, **videos: NDArray[np.float16]) -> None:
    with curves.write(path, CLASSES, SEARCH) as table:
        for video, values in videos.items():
            table.add(video, values)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "curves.parquet", b=curve(7, 1), a=curve(5, 2))
    return tmp_path / "curves.parquet"


def test_what_is_written_comes_back_video_by_video(path: Path) -> None:
    table = curves.read(path)
    assert (table.classes, table.search) == (CLASSES, SEARCH)
    for video, values in (("a", curve(5, 2)), ("b", curve(7, 1))):
        found = table.curve(video)
        assert found.dtype == np.float16
        assert np.array_equal(found, values)
    with pytest.raises(InputError, match="has no curve of c"):
        table.curve("c")


def test_anybody_reads_it_as_a_table_of_one_row_a_frame(path: Path) -> None:
    rows = pq.read_table(path).to_pylist()
    assert [(row["video"], row["frame"]) for row in rows] == [("b", n) for n in range(7)] + [("a", n) for n in range(5)]
    assert rows[7]["joy"] == curve(5, 2)[0, 1]
    assert pq.ParquetFile(path).metadata.num_row_groups == 2


def test_of_a_table_one_video_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    original = pq.ParquetFile.read_row_group

    def count(file: Any, group: int, **options: Any) -> Any:
        read.append(group)
        return original(file, group, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", count)
    table = curves.read(path)
    assert read == []
    table.curve("a")
    assert read == [1]


def test_the_same_curves_give_the_same_bytes(path: Path, tmp_path: Path) -> None:
    write(tmp_path / "again", b=curve(7, 1), a=curve(5, 2))
    assert path.read_bytes() == (tmp_path / "again").read_bytes()


def test_a_writer_that_fails_leaves_what_there_was(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"the curve of a is \(0, 2\), expected \(T, 2\) with at least one frame"):
        write(path, a=curve(0))
    with pytest.raises(InputError, match="scores that are not between 0 and 1"):
        write(path, a=curve(3) * np.float16(np.nan))
    assert (path.read_bytes(), list(path.parent.iterdir())) == (before, [path])


def test_a_class_called_as_another_column_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="two columns would be called 'frame'"),
        curves.write(tmp_path / "t", ("frame",), SEARCH),
    ):
        pass


@pytest.mark.parametrize("part", range(40))
def test_a_changed_bit_is_noticed(path: Path, part: int) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) * part // 40] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not as it was written"):
        curves.read(path)


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table] = lambda rows: rows, **options: Any) -> None:
    """Write the rows of video a as somebody who knows the format might, without a digest."""
    told = options.pop("told", {})
    rows = change(pa.Table.from_batches(pq.ParquetFile(path).iter_batches(row_groups=[1])))
    metadata = {searches.NAME: searches.described(Search({}, {"a": "1"})), "videos": json.dumps(["a"])} | told
    options = {"compression": "none", "store_schema": False} | options
    with pq.ParquetWriter(path, rows.schema, **options) as file:
        file.write_table(rows)
        file.add_key_value_metadata(metadata)


def replaced(name: str, values: Any) -> Callable[[pa.Table], pa.Table]:
    def change(rows: pa.Table) -> pa.Table:
        place = rows.column_names.index(name)
        return rows.set_column(place, pa.field(name, values.type, nullable=False), values)

    return change


def nulls(rows: pa.Table) -> pa.Table:
    return rows.set_column(2, "anger", pa.array([None] * len(rows), pa.float16()))


HOSTILE: dict[str, tuple[Callable[[Path], None], str]] = {
    "another type": (lambda path: rewrite(path, replaced("joy", pa.array([0.5] * 5))), "column 'joy' holds double"),
    "empty cells": (lambda path: rewrite(path, nulls), "column 'anger' holds halffloat, may be empty"),
    "no class": (lambda path: rewrite(path, lambda rows: rows.select(["video", "frame"])), "curves of 0 classes"),
    "no frames": (lambda path: rewrite(path, lambda rows: rows.drop(["frame"])), "has no column 'frame'"),
    "compressed": (lambda path: rewrite(path, compression="zstd"), "is compressed"),
    "no search": (lambda path: rewrite(path, told={"search": "3"}), "does not say which detector searched"),
    "no videos": (lambda path: rewrite(path, told={"videos": "3"}), "does not say which videos"),
    "a video twice": (lambda path: rewrite(path, told={"videos": '["a", "a"]'}), "not one for each video"),
    "another video": (lambda path: rewrite(path, told={"videos": '["b"]'}), "not one for each video"),
    "rows of another": (
        lambda path: rewrite(path, replaced("video", pa.array(["b"] * 5))),
        "the curve of a is not one row for each of its frames",
    ),
    "frames that are missing": (
        lambda path: rewrite(path, replaced("frame", pa.array([0, 1, 2, 4, 5], pa.int32()))),
        "the curve of a is not one row for each of its frames",
    ),
    "scores that are none": (
        lambda path: rewrite(path, replaced("joy", pa.array(np.full(5, np.nan, np.float16)))),
        "the curve of a has scores that are not between 0 and 1",
    ),
    "a million equal rows": (
        lambda path: rewrite(path, lambda rows: rows.take(pa.array([0] * 1_000_000))),
        "claims 1000000 rows in",
    ),
    "no parquet": (lambda path: path.write_bytes(b"PAR1 and nothing PAR1"), "is not a whole parquet table"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_table_that_lies_about_itself_is_refused(path: Path, name: str) -> None:
    write_hostile, message = HOSTILE[name]
    write_hostile(path)
    with pytest.raises(InputError, match=r"curves\.parquet") as told:
        curves.read(path).curve("a")
    assert message in str(told.value)


def test_one_rewritten_without_a_lie_is_read(path: Path) -> None:
    rewrite(path)
    assert np.array_equal(curves.read(path).curve("a"), curve(5, 2))
