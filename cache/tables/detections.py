"""The table of detections: what the detectors of all folds found, each video by the one that never saw its subject."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cache.errors import InputError
from cache.tables import schema

# What a detector that only spots calls everything.
UNRECOGNISED = "expression"
SEARCH = "search"

SCHEMA = schema.schema(
    video=pa.string(),
    subject=pa.string(),
    start=pa.int64(),
    stop=pa.int64(),
    emotion=pa.string(),
    confidence=pa.float32(),
    detector=pa.string(),
)


@dataclass(frozen=True)
class Detection:
    """One predicted expression.

    Attributes:
        start: position of the first frame.
        stop: position after the last frame.
        confidence: between 0 and 1; the disk keeps it as float32.
        detector: name of the fold that found it.
    """

    video: str
    subject: str
    start: int
    stop: int
    emotion: str
    confidence: float
    detector: str


@dataclass(frozen=True)
class Search:
    """How a table came about, carried beside its rows.

    Attributes:
        encoder: which encoder made the features that were searched.
        searched: of every video, also of those where nothing was found, the key of the detector that searched it.
    """

    encoder: Mapping[str, Any]
    searched: Mapping[str, str]


def write(path: Path, detections: Sequence[Detection], search: Search | None = None) -> None:
    """Write the table, in the order given; none at all is a table too.

    Args:
        search: how they came about; without it, made elsewhere, nobody can say.

    Raises:
        InputError: a row that `read` would refuse.
    """
    told = {SEARCH: json.dumps(dataclasses.asdict(search), sort_keys=True, allow_nan=False)} if search else None
    schema.write(path, SCHEMA, detections, _fault, told)


def read_search(path: Path) -> Search:
    """Return how a table came about.

    Raises:
        InputError: no such table, or one that does not say.
    """
    text = schema.read_metadata(path, SEARCH) or "null"
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    searched = told.get("searched") if isinstance(told, dict) else None
    if not isinstance(searched, dict) or not isinstance(told.get("encoder"), dict):
        raise InputError(f"{path} does not say which detector searched which video. Make it again: dvc repro detect")
    return Search(told["encoder"], {video: str(key) for video, key in searched.items()})


def read(path: Path) -> list[Detection]:
    """Return the detections in the table's order.

    Raises:
        InputError: not this table, or an impossible row.
    """
    return schema.read(path, SCHEMA, Detection, _fault)


def intervals(detections: Iterable[Detection]) -> NDArray[np.int64]:
    """Return ``(N, 2)`` half-open intervals in the order given; ``(0, 2)`` for none."""
    pairs = [(detection.start, detection.stop) for detection in detections]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _fault(detection: Detection) -> str | None:
    where = f"[{detection.start}, {detection.stop}) in {detection.video}"
    if not detection.video or not detection.subject or not detection.emotion or not detection.detector:
        return f"detection {where} lacks its video, subject, emotion or detector"
    if not 0 <= detection.start < detection.stop:
        return f"detection {where} is empty or starts before the video"
    if not 0 <= detection.confidence <= 1:
        return f"detection {where} has confidence {detection.confidence}, not between 0 and 1"
    return None
