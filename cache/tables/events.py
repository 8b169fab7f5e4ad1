"""Detections and expressions from anywhere, to be scored: CSV or parquet -> columns, every row checked.

Frames are inclusive in columns named onset and offset, half-open in columns named start and stop. A row takes 24 bytes
or so: texts are numbered, and whole frames and numbers of texts are kept in 32 bits, for such a file may have 2 GB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError
from cache.tables import streams
from cache.tables.schema import nearest

INCLUSIVE = ("onset", "offset")
HALF_OPEN = ("start", "stop")
_MIXER = np.uint64(0x9E3779B97F4A7C15)
_ROWS_AT_ONCE = 1 << 18
# Far below the end of 32 bits, so that an offset may become a stop.
_LARGEST = 1 << 30


@dataclass(frozen=True, eq=False)
class Coded:
    """A column of texts: ``names[codes[row]]`` is a row's text, a code of -1 an empty cell."""

    names: tuple[str, ...]
    codes: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Events:
    """The N events of a file, in its order.

    Attributes:
        frames: the names of its two columns of frames, `INCLUSIVE` or `HALF_OPEN`.
        start, stop: ``(N,)`` each, half-open; int32 where every frame of the column is whole, else float64.
        texts: video, and emotion and kind where the file has them, ``(N,)`` each.
        confidence: ``(N,)`` from 0 to 1; None for expressions.
        row: index in the file of each event, ``(N,)``; None where no row was left out before.
    """

    path: Path
    frames: tuple[str, str]
    start: NDArray[Any]
    stop: NDArray[Any]
    texts: Mapping[str, Coded]
    confidence: NDArray[np.float64] | None
    row: NDArray[np.int64] | None

    def __len__(self) -> int:
        """Return N."""
        return len(self.start)


@dataclass(frozen=True)
class Fault:
    """What is wrong with some rows of a file."""

    column: str
    rows: NDArray[np.bool_]
    expected: str


def frame_columns(detections: Path, expressions: Path) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return which columns of frames of two files are to be compared: both files' the same, where they have them.

    Raises:
        InputError: a file has neither.
    """
    has = [_pairs_in(path) for path in (detections, expressions)]
    for pair in (HALF_OPEN, INCLUSIVE):
        if all(pair in pairs for pairs in has):
            return pair, pair
    return has[0][0], has[1][0]


def read_detections(path: Path, frames: tuple[str, str]) -> Events:
    """Return the detections of a file with the columns video, those of `frames`, confidence and perhaps emotion, kind.

    Raises:
        InputError: names the file, the row, the column, what was found, what was expected and what to do.
    """
    return _read(path, frames, optional=("emotion", "kind"), confident=True)


def read_expressions(path: Path, frames: tuple[str, str]) -> Events:
    """Return the expressions of a file with the columns video, those of `frames` and perhaps emotion, kind.

    A row without frames declares a video without expressions.

    Raises:
        InputError: as for detections.
    """
    return _read(path, frames, optional=("emotion", "kind"), confident=False)


def refuse(events: Events, faults: Iterable[Fault]) -> None:
    """Refuse the events if any row has a fault; each fault is told by its first row.

    Raises:
        InputError: names the file, and of each fault the row, the column, what was found and what was expected.
    """
    told = [_told(events, fault) for fault in faults if fault.rows.any()]
    if told:
        raise InputError(f"{events.path} cannot be scored:\n" + "\n".join(f"  {line}" for line in told))


def unknown(events: Events, column: str, known: Sequence[str], remedy: str) -> Fault:
    """Return the rows whose text is none of those known."""
    coded, names = events.texts[column], set(known)
    strange = np.array([name not in names for name in coded.names] + [False])  # the last is for -1, an empty cell
    rows: NDArray[np.bool_] = strange[coded.codes]
    if not rows.any():
        return Fault(column, rows, "")
    first = coded.names[coded.codes[int(rows.argmax())]]
    listed = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
    return Fault(column, rows, f"one of {listed}{nearest(first, known)}. {remedy}")


def outside(events: Events, first: NDArray[np.float64], stop: NDArray[np.float64]) -> list[Fault]:
    """Return the rows with frames outside those declared of each video, ``first`` and ``stop`` by code of the video."""
    codes = events.texts["video"].codes
    advice = "Is the file counted from another frame? Correct it, or first_frame and frame_count"
    early, late = events.start < first[codes], events.stop > stop[codes]
    return [
        Fault(events.frames[0], early, f"at least {_bound(first, codes, early)}, the video's first frame. {advice}"),
        Fault(
            events.frames[1],
            late,
            f"at most {_bound(stop - (events.frames == INCLUSIVE), codes, late)}, where the video ends. {advice}",
        ),
    ]


def _bound(bounds: NDArray[np.float64], codes: NDArray[np.int32], rows: NDArray[np.bool_]) -> str:
    return f"{bounds[codes[int(rows.argmax())]]:g}" if rows.any() else ""


def _pairs_in(path: Path) -> list[tuple[str, str]]:
    names = streams.header(path)
    pairs = [pair for pair in (HALF_OPEN, INCLUSIVE) if set(pair) <= set(names)]
    if not pairs:
        streams.require(path, names, HALF_OPEN if "start" in names or "stop" in names else INCLUSIVE)
    return pairs


def _read(path: Path, frames: tuple[str, str], optional: Sequence[str], confident: bool) -> Events:
    names = streams.header(path)
    numbers = (*frames, "confidence") if confident else frames
    streams.require(path, names, ("video", *numbers))
    present = ("video", *(name for name in optional if name in names))
    columns = dict.fromkeys(present, streams.TEXT) | dict.fromkeys(numbers, streams.NUMBER)
    read = _Columns(present, numbers)
    for batch in streams.batches(path, columns):
        read.add(batch)
    streams.release()
    texts = {name: read.coded(name) for name in present}
    first, last = (read.number(name) for name in frames)
    last += frames == INCLUSIVE
    confidence = read.number("confidence") if confident else None
    events = Events(path, frames, first, last, texts, confidence, row=None)
    if not confident:
        events = _without_declarations(events)
    refuse(events, _faults(events))
    refuse(events, [_repeated(events)])
    return events


class _Columns:
    """What was read of each column so far. An array grows in place, so that at no time there are two of one column."""

    def __init__(self, texts: Sequence[str], numbers: Sequence[str]) -> None:
        """Start without rows."""
        self.count = 0
        self.names: dict[str, dict[str, int]] = {name: {} for name in texts}
        self.arrays: dict[str, NDArray[Any]] = {
            name: np.empty(0, np.float64 if name == "confidence" else np.int32) for name in (*texts, *numbers)
        }

    def add(self, batch: Any) -> None:
        """Take the rows of a record batch."""
        for name in self.arrays:
            column = batch.column(name)
            if name in self.names:
                self._put(name, self._codes(name, column))
            else:
                values = column.to_numpy(zero_copy_only=False)  # NaN where empty
                self._put(name, values if name == "confidence" else _compact(values))
        self.count += len(batch)

    def coded(self, name: str) -> Coded:
        """Return a column of texts."""
        return Coded(tuple(self.names[name]), self.number(name))

    def number(self, name: str) -> NDArray[Any]:
        """Return a column of numbers, and forget it."""
        array = self.arrays.pop(name)
        array.resize(self.count, refcheck=False)
        return array

    def _codes(self, name: str, column: Any) -> NDArray[np.int32]:
        told, indices = streams.texts(column)
        known = self.names[name]
        codes = [-1 if text is None else known.setdefault(text, len(known)) for text in told]
        numbered: NDArray[np.int32] = np.array(codes, np.int32)[indices]
        return numbered

    def _put(self, name: str, values: NDArray[Any]) -> None:
        array, stop = self.arrays[name], self.count + len(values)
        if np.result_type(array, values) != array.dtype:
            array = self.arrays[name] = array.astype(np.float64)  # the first frame that is not whole
        if stop > len(array):
            array.resize(max(stop, len(array) * 3 // 2), refcheck=False)
        array[self.count : stop] = values


def _compact(values: NDArray[np.float64]) -> NDArray[Any]:
    """Return whole frames in 32 bits, others and empty ones as they are."""
    if not (np.abs(values) < _LARGEST).all():
        return values
    whole = values.astype(np.int32)
    return whole if np.array_equal(whole, values) else values


def _without_declarations(events: Events) -> Events:
    """Return the expressions without the rows that declare a video to have none; its name stays among the names."""
    if events.start.dtype == np.int32:
        return events
    blank = np.isnan(events.start) & np.isnan(events.stop)
    kept = np.flatnonzero(~blank)
    return Events(
        events.path,
        events.frames,
        _compact(events.start[kept]),
        _compact(events.stop[kept]),
        {name: Coded(column.names, column.codes[kept]) for name, column in events.texts.items()},
        None,
        kept,
    )


def _faults(events: Events) -> Iterator[Fault]:
    """Return what may be wrong with rows, one after the other: each is as long as the file."""
    for name, coded in events.texts.items():
        yield Fault(name, coded.codes < 0, "a text. Fill it in" + ("" if name == "video" else ", or drop the column"))
    for name, values in zip(events.frames, (events.start, events.stop), strict=True):
        yield Fault(name, ~np.isfinite(values), "the number of a frame. Fill it in")
    if events.frames == INCLUSIVE:
        rule, shorter = "at least the onset", events.stop - 1 < events.start
    else:
        rule, shorter = "more than the start", events.stop <= events.start
    yield Fault(events.frames[1], shorter, f"{rule}. Correct one of the two")
    if events.confidence is not None:
        inside = (events.confidence >= 0) & (events.confidence <= 1)
        yield Fault("confidence", ~inside, "0 to 1. Raw scores need a sigmoid first")


def _repeated(events: Events) -> Fault:
    """Return the rows that say all over what an earlier row says."""
    columns = [events.start, events.stop, *(coded.codes for coded in events.texts.values())]
    columns += [] if events.confidence is None else [events.confidence]
    rows = np.zeros(len(events), np.bool_)
    ordered = _keys(columns)
    ordered.sort()
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice):
        # Different rows may share a key, if hardly ever: the few that do are compared.
        seen: set[tuple[float, ...]] = set()
        for row in np.flatnonzero(np.isin(_keys(columns), twice)).tolist():
            told = tuple(float(column[row]) for column in columns)
            rows[row] = told in seen
            seen.add(told)
    return Fault("video", rows, "each row once, and this repeats an earlier one. Delete it, or it is counted twice")


def _keys(columns: Sequence[NDArray[Any]]) -> NDArray[np.uint64]:
    """Return a number for each row, ``(N,)``: equal for equal rows, and for others hardly ever."""
    keys = np.zeros(len(columns[0]), np.uint64)
    for begin in range(0, len(keys), _ROWS_AT_ONCE):
        key = keys[begin : begin + _ROWS_AT_ONCE]  # a view
        for column in columns:
            key ^= column[begin : begin + _ROWS_AT_ONCE].astype(np.float64).view(np.uint64)
            key *= _MIXER
            key ^= key >> np.uint64(32)
    return keys


def _told(events: Events, fault: Fault) -> str:
    index = int(fault.rows.argmax())
    number = streams.row_number(events.path, index if events.row is None else int(events.row[index]))
    count = int(fault.rows.sum())
    more = f" ({count} such rows)" if count > 1 else ""
    found = _cell(events, fault.column, index)
    return f"row {number}, column {fault.column}: found {found}, expected {fault.expected}{more}."


def _cell(events: Events, column: str, index: int) -> str:
    if column in events.texts:
        code = int(events.texts[column].codes[index])
        return repr(events.texts[column].names[code]) if code >= 0 else "nothing"
    if column == "confidence" and events.confidence is not None:
        return f"{float(events.confidence[index]):g}"
    is_first = column == events.frames[0]
    value = float(events.start[index] if is_first else events.stop[index] - (events.frames == INCLUSIVE))
    return "nothing" if np.isnan(value) else f"{value:.15g}"
