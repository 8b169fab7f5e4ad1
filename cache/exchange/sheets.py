"""One table of all tiers of all videos: CSV, out and back, and parquet, out only."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cache.errors import InputError
from cache.exchange import clocks, returned, tiers
from cache.exchange.returned import UNNAMED, Mark, Returned
from cache.exchange.tiers import Exported, TieredVideo, TierInterval
from cache.tables import schema
from cache.tables.intervals import KINDS, NO_APEX

COLUMNS = {
    "tier": pa.string(), "subject": pa.string(), "video": pa.string(), "onset": pa.int64(), "apex": pa.int64(),
    "offset": pa.int64(), "onset_seconds": pa.float64(), "offset_seconds": pa.float64(), "emotion": pa.string(),
    "kind": pa.string(), "confidence": pa.float64(), "start": pa.int64(), "stop": pa.int64(),
}  # fmt: skip
# Positions of frames, which the corpus' own numbers say already.
ONLY_PARQUET = ("start", "stop")
SECONDS = ("onset_seconds", "offset_seconds")
# In every row of the CSV: what the tiers of reference of its video were, so that rows taken out are missed.
DIGEST = "reference"


def write_csv(videos: Sequence[TieredVideo], exported: Exported) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the CSV: onset and offset in the corpus' numbers of frames, both inclusive."""
    names = [name for name in COLUMNS if name not in ONLY_PARQUET]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, DIGEST])
    for video in videos:
        rows = [_row(video, tier, one) for tier, marked in video.tiers.items() for one in marked]
        digest = _digest_of(rows)
        writer.writerows([*(_text(name, row[name]) for name in names), digest] for row in rows)
    yield f"{exported.corpus}.csv", text.getvalue().encode()


def write_parquet(videos: Sequence[TieredVideo], exported: Exported) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the table; times are not rounded."""
    rows = [_row(video, tier, one) for video in videos for tier, marked in video.tiers.items() for one in marked]
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(COLUMNS)), buffer)
    yield f"{exported.corpus}.parquet", buffer.getvalue().to_pybytes()


def read(path: Path) -> list[Returned]:
    """Return the marks of each video of a CSV, ours or one with video, onset, offset and emotion.

    Raises:
        InputError: a column is missing, a cell is no number of a frame or no kind, or a video is of two exports.
    """
    by_video: dict[str, dict[str, list[Mark]]] = {}
    digests: dict[str, str] = {}
    optional = ("tier", "kind", *SECONDS, DIGEST)
    named: set[str] = set()
    for number, cells in schema.read_csv(path, ("video", "onset", "offset", "emotion"), optional):
        told = f"{path.name}, row {number}"
        marks = by_video.setdefault(cells["video"], {})
        if (digest := cells[DIGEST]) and digests.setdefault(cells["video"], digest) != digest:
            raise InputError(
                f"{told}: {DIGEST} differs from that of video {cells['video']} above. Keep one export of it"
            )
        tier = cells["tier"] or UNNAMED
        named.add(tier)
        marks.setdefault(tier, [])
        given = [name for name in ("onset", "offset", "emotion") if cells[name]]
        if not given:
            continue  # declares a video without expressions
        onset, offset = (_number(cells[name], name, told) for name in ("onset", "offset"))
        if not (onset.is_integer() and offset.is_integer()):
            raise InputError(f"{told}: onset {onset:g} and offset {offset:g} are no whole numbers of frames")
        seconds = tuple(_number(cells[name], name, told) if cells[name] else None for name in SECONDS)
        if (kind := cells["kind"] or KINDS[0]) not in KINDS:
            raise InputError(
                f"{told}: kind {kind!r} is unknown{schema.nearest(kind, KINDS)}; known: {', '.join(KINDS)}"
            )
        marks[tier].append(Mark(onset, offset + 1, cells["emotion"], kind, told, seconds))
    for video, marks in by_video.items():  # one that has no corrections left had all of them taken out
        if tiers.CORRECTIONS in named or video in digests:
            marks.setdefault(tiers.CORRECTIONS, [])
    return [
        Returned(
            told=f"{path.name}, video {video!r}",
            names=(video,),
            per_second=None,
            marks={tier: tuple(found) for tier, found in marks.items()},
            digest=digests.get(video),
        )
        for video, marks in by_video.items()
    ]


def _digest_of(rows: Sequence[dict[str, Any]]) -> str:
    """Return what stands for the tiers of reference of a video, as its rows say them."""
    marks: dict[str, list[Mark]] = {}
    for row in rows:
        mark = Mark(row["onset"], row["offset"] + 1, row["emotion"], row["kind"], "")
        marks.setdefault(row["tier"], []).append(mark)
    return returned.digest(marks)


def _row(video: TieredVideo, tier: str, one: TierInterval) -> dict[str, Any]:
    labels, seconds = video.columns.frame_label, video.columns.pts_seconds
    onset, offset = clocks.numbers_of(video, one)
    return {
        "tier": tier,
        "subject": video.subject,
        "video": video.video,
        "onset": onset,
        "apex": None if one.apex == NO_APEX else int(labels[one.apex]),
        "offset": offset,
        "onset_seconds": float(seconds[one.start]),
        "offset_seconds": float(seconds[one.stop - 1]),
        "emotion": one.emotion,
        "kind": one.kind,
        "confidence": one.confidence,
        "start": one.start,
        "stop": one.stop,
    }


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if name.endswith("_seconds") else f"{value:.6g}" if name == "confidence" else str(value)


def _number(text: str, column: str, told: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"{told}, column {column}: found {text!r}, expected a number") from error
