"""Detections and expressions from anywhere beside each other: files -> the videos that scoring takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache.errors import InputError
from cache.tables import declared, events, intervals
from cache.tables.events import Coded, Events
from cache.tables.intervals import KINDS
from pipeline.scoring.columns import Columns, by_video
from pipeline.scoring.results import VideoResult


@dataclass(frozen=True)
class Files:
    """What is scored.

    Attributes:
        detections: CSV or parquet with video, onset, offset (or start, stop), confidence and perhaps emotion, kind.
        expressions: likewise, without confidence.
        videos: declares every video, with or without expressions; None where `expressions` names them all.
        classes: every emotion there is; empty where `expressions` names them all.
        threshold: detections less confident are left out; None for none.
        kind: macro or micro: expressions, and detections that say their kind, of another are left out; None for none.
    """

    detections: Path
    expressions: Path
    videos: Path | None = None
    classes: tuple[str, ...] = ()
    threshold: float | None = None
    kind: str | None = None


@dataclass(frozen=True, eq=False)
class ScoredCorpus:
    """What was read.

    Attributes:
        classes: names of the emotions; None where one of the files does not tell them.
        notes: what a reader of the figures has to know of how the files were read.
    """

    videos: list[VideoResult]
    classes: tuple[str, ...] | None
    notes: tuple[str, ...]


def read(files: Files) -> ScoredCorpus:
    """Return the videos with what is annotated and what was detected in each.

    Raises:
        InputError: a file, or what it says beside the others, is wrong; says where and what to do.
    """
    frames = events.frame_columns(files.detections, files.expressions)
    table = None if files.videos is None else declared.read(files.videos)
    truths = events.read_expressions(files.expressions, frames[1])
    found = events.read_detections(files.detections, frames[0])
    names = _video_names(files, table, truths)
    for rows in (truths, found):
        _check_videos(files, table, rows, names)
        if "kind" in rows.texts:
            events.refuse(rows, [events.unknown(rows, "kind", KINDS, "Correct it")])
    classes, notes = _classes(files, truths, found)
    if frames[0] != frames[1]:
        notes = (*notes, f"detections have {' and '.join(frames[0])}, expressions {' and '.join(frames[1])}: "
                 "both are taken to count frames from the same one")  # fmt: skip
    if files.kind is not None and "kind" not in found.texts:
        notes = (*notes, f"detections have no column kind: all of them count beside the {files.kind}-expressions")
    most = 1.0 if found.confidence is None else float(found.confidence.max(initial=0))
    if files.threshold is not None and len(found) and most < files.threshold:
        notes = (*notes, f"no detection reaches --threshold {files.threshold:g}: the most confident has {most:g}")
    kept = (
        _columns(truths, names, classes, _kept(files, truths)),
        _columns(found, names, classes, _kept(files, found)),
    )
    return ScoredCorpus(by_video(names, names, _lengths(len(names), kept), *kept), classes, notes)


def _video_names(files: Files, table: declared.Declared | None, truths: Events) -> tuple[str, ...]:
    names = truths.texts["video"].names if table is None else table.names
    if not names:
        raise InputError(f"{files.videos or files.expressions} names no video. Give every video of the corpus.")
    return names


def _check_videos(files: Files, table: declared.Declared | None, rows: Events, names: tuple[str, ...]) -> None:
    where = files.videos or f"{files.expressions}, there with an empty onset and offset"
    remedy = f"Declare it in {where}" if rows.path != files.videos else "Correct it"
    events.refuse(rows, [events.unknown(rows, "video", names, remedy)])
    if table is not None:
        index = _indices(rows.texts["video"], names)
        first, stop = table.bounds(rows.frames)
        events.refuse(rows, events.outside(rows, first[index], stop[index]))


def _classes(files: Files, truths: Events, found: Events) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """Return the emotions' names and what is to be said of them."""
    silent = [str(rows.path) for rows in (truths, found) if "emotion" not in rows.texts]
    if silent:
        return None, (f"no column emotion in {' and '.join(silent)}: emotions are not scored",)
    classes = files.classes or tuple(sorted(truths.texts["emotion"].names))
    # A detector that only spots gives everything one name, which is no emotion.
    known = (*classes, intervals.UNRECOGNISED)
    events.refuse(truths, [events.unknown(truths, "emotion", classes, "Correct it, or name it in --classes")])
    events.refuse(found, [events.unknown(found, "emotion", known, "Correct it, or name every emotion in --classes")])
    only_spotted = intervals.UNRECOGNISED in found.texts["emotion"].names
    return known if only_spotted and intervals.UNRECOGNISED not in classes else classes, ()


def _kept(files: Files, rows: Events) -> NDArray[np.bool_] | None:
    """Return which rows count, ``(N,)``; None for all of them."""
    kept = None
    if files.threshold is not None and rows.confidence is not None:
        kept = rows.confidence >= files.threshold
    if files.kind is not None and "kind" in rows.texts:
        of_kind = _indices(rows.texts["kind"], (files.kind,)) == 0
        kept = of_kind if kept is None else kept & of_kind
    elif files.kind is not None and rows.confidence is None:
        raise InputError(f"{rows.path} has no column 'kind', and only {files.kind} is to be counted. Add the column.")
    return kept


def _columns(
    rows: Events, videos: tuple[str, ...], classes: tuple[str, ...] | None, kept: NDArray[np.bool_] | None
) -> Columns:
    video = _indices(rows.texts["video"], videos)
    told = np.zeros(len(rows), np.int16) if classes is None else _indices(rows.texts["emotion"], classes)
    columns = Columns(video, rows.start, rows.stop, told, rows.confidence)
    if kept is None:
        return columns
    confidence = None if rows.confidence is None else rows.confidence[kept]
    return Columns(video[kept], rows.start[kept], rows.stop[kept], told[kept], confidence)


def _indices(coded: Coded, names: Sequence[str]) -> NDArray[Any]:
    """Return the position of each row's text among the names, ``(N,)``, -1 where it is none of them."""
    position = {name: index for index, name in enumerate(names)}
    # There may be millions of rows.
    smallest = np.int16 if len(names) <= np.iinfo(np.int16).max else np.int32
    indices: NDArray[Any] = np.array([position.get(name, -1) for name in (*coded.names, "")], smallest)[coded.codes]
    return indices


def _lengths(count: int, kept: Iterable[Columns]) -> list[int]:
    """Return of each video how many frames it has at least."""
    latest = np.ones(count)
    for columns in kept:
        np.maximum.at(latest, columns.video, np.ceil(columns.stop))
    return [int(length) for length in latest]
