"""The table of score curves: one row a frame, one column a class, a group of rows for each video, read one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cache import own_digest, strict_json
from cache.errors import InputError
from cache.files import write_atomically
from cache.tables import schema, searches
from cache.tables.searches import Search

# Beside the search, which videos the groups are of, in their order.
VIDEOS = "videos"
REMEDY = "Make it again: dvc repro detect"
# What stands for a video and a frame; no class may have their names.
_PLACE = {"video": pa.string(), "frame": pa.int32()}
_SCORE = pa.float16()
MAX_CLASSES = 1000


class Writer:
    """Takes the curves of one video after the other; none of them stays in memory."""

    def __init__(self, file: pq.ParquetWriter, columns: pa.Schema) -> None:
        """Begin with none."""
        self._file, self._columns = file, columns
        self.videos: list[str] = []

    def add(self, video: str, curve: NDArray[np.float16]) -> None:
        """Write the curve of one more video, ``(T, K)`` between 0 and 1, in the order of the classes.

        Raises:
            InputError: it is not finite, out of range, empty, or of other classes.
        """
        if fault := _fault(curve, len(self._columns) - len(_PLACE)):
            raise InputError(f"the curve of {video} {fault}. Train the detectors again: facespan train --force")
        names = pa.DictionaryArray.from_arrays(np.zeros(len(curve), np.int32), pa.array([video])).cast(pa.string())
        scores = [pa.array(np.ascontiguousarray(column), _SCORE) for column in curve.T]
        rows = pa.Table.from_arrays([names, pa.array(_positions(curve)), *scores], schema=self._columns)
        self._file.write_table(rows, row_group_size=len(curve))
        self.videos.append(video)


@contextmanager
def write(path: Path, classes: Sequence[str], search: Search) -> Iterator[Writer]:
    """Yield what takes the curves of each video; the table stands when the block ends well. Same curves, same bytes.

    Args:
        classes: K names of columns.
        search: how the curves came about.

    Raises:
        InputError: a class has the name of another column, or the disk refuses.
    """
    columns = _columns(path, classes)
    with (
        write_atomically(path) as temporary,
        pq.ParquetWriter(
            temporary,
            columns,
            compression="none",
            store_schema=False,
            use_dictionary=["video"],
            write_statistics=False,
        ) as file,
    ):
        writer = Writer(file, columns)
        yield writer
        told = {searches.NAME: searches.described(search), VIDEOS: json.dumps(writer.videos)}
        file.add_key_value_metadata({**told, own_digest.KEY: own_digest.BLANK})
        file.close()
        own_digest.put(temporary)


@dataclass(frozen=True, eq=False)
class Curves:
    """A table whose digest and columns were checked; of the rows none is in memory.

    Attributes:
        classes: K names, in the order of a curve's columns.
        search: how the curves came about.
        groups: where the rows of each video are.
    """

    path: Path
    classes: tuple[str, ...]
    search: Search
    groups: Mapping[str, int]

    def curve(self, video: str) -> NDArray[np.float16]:
        """Return ``(T, K)`` float16 of one video: the highest score of each class at each of its frames.

        Raises:
            InputError: there is none of this video, or its rows are not what they should be.
        """
        if video not in self.groups:
            raise InputError(f"{self.path} has no curve of {video}. {REMEDY}")
        columns = _columns(self.path, self.classes)
        try:
            with pq.ParquetFile(self.path, read_dictionary=["video"]) as file:
                rows = file.read_row_group(self.groups[video], columns=columns.names, use_threads=False)
            rows.validate(full=True)
            names = rows["video"].unique().to_pylist()
            frames, *scores = (rows[name].to_numpy() for name in columns.names[1:])
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise InputError(f"{self.path} is not a whole parquet table ({error}). {REMEDY}") from error
        curve: NDArray[np.float16] = np.stack(scores, axis=1)
        fault = _fault(curve, len(self.classes))
        if fault or names != [video] or not np.array_equal(frames, _positions(curve)):
            found = fault or "is not one row for each of its frames, in their order"
            raise InputError(f"{self.path}: the curve of {video} {found}. {REMEDY}")
        return curve


def read(path: Path) -> Curves:
    """Return a table of curves, of which each is read when it is asked for.

    Raises:
        InputError: no such file, not parquet, not as it was written, other columns than expected, compressed, or more
            rows than its size explains.
    """
    search = searches.read(path)
    try:
        with pq.ParquetFile(path) as file:
            found, claimed = file.schema_arrow, file.metadata
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a whole parquet table ({error}). {REMEDY}") from error
    classes = tuple(name for name in found.names if name not in _PLACE)
    if not 1 <= len(classes) <= MAX_CLASSES:
        raise InputError(f"{path} has curves of {len(classes)} classes, expected 1 to {MAX_CLASSES}. {REMEDY}")
    schema.check_columns(path, found, _columns(path, classes))
    schema.refuse_compressed(path, claimed)
    # A score takes two bytes, and none is left out.
    if claimed.num_rows * len(classes) * 2 > path.stat().st_size:
        raise InputError(f"{path} claims {claimed.num_rows} rows in {path.stat().st_size} bytes. {REMEDY}")
    videos = _videos(path)
    if len(set(videos)) != len(videos) or len(videos) != claimed.num_row_groups or set(videos) != set(search.searched):
        raise InputError(f"{path} has {claimed.num_row_groups} groups of rows, not one for each video. {REMEDY}")
    return Curves(path, classes, search, {video: group for group, video in enumerate(videos)})


def _videos(path: Path) -> list[str]:
    try:
        told = strict_json.parse(schema.read_metadata(path, VIDEOS) or "null")
    except ValueError:
        told = None
    if not isinstance(told, list) or not all(isinstance(name, str) for name in told):
        raise InputError(f"{path} does not say which videos its curves are of. {REMEDY}")
    return told


def _columns(path: Path, classes: Sequence[str]) -> pa.Schema:
    for name in classes:
        if name in _PLACE or classes.count(name) > 1:
            raise InputError(f"{path}: two columns would be called {name!r}. Rename the class in its corpus file")
    return schema.schema(**_PLACE, **dict.fromkeys(classes, _SCORE))


def _positions(curve: NDArray[Any]) -> NDArray[np.int32]:
    return np.arange(len(curve), dtype=np.int32)


def _fault(curve: NDArray[np.float16], class_count: int) -> str | None:
    """Return what is wrong with the curve of a video, or None."""
    if curve.ndim != 2 or not len(curve) or curve.shape[1] != class_count:
        return f"is {curve.shape}, expected (T, {class_count}) with at least one frame"
    # What is no number lies in no range.
    return None if ((curve >= 0) & (curve <= 1)).all() else "has scores that are not between 0 and 1"
