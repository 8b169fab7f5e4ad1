"""Provenance of a table of detections, in its metadata: the encoder, and the detector that searched each video."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cache import strict_json
from cache.errors import InputError
from cache.tables import intervals, schema
from cache.tables.intervals import Detection

NAME = "search"


@dataclass(frozen=True)
class Search:
    """How a table came about, carried beside its rows.

    Attributes:
        encoder: which encoder made the features that were searched.
        searched: of every video, also of those where nothing was found, the key of the detector that searched it.
    """

    encoder: Mapping[str, Any]
    searched: Mapping[str, str]


def write(path: Path, detections: Sequence[Detection], search: Search) -> None:
    """Write a table of detections, in the order given, that says how it came about; errors as `intervals.write`."""
    intervals.write(path, Detection, detections, {NAME: described(search)})


def described(search: Search) -> str:
    """Return what a table carries under `NAME`."""
    return json.dumps(dataclasses.asdict(search), sort_keys=True, allow_nan=False)


def read(path: Path) -> Search:
    """Return how a table came about.

    Raises:
        InputError: no such table, or one that does not say.
    """
    text = schema.read_metadata(path, NAME) or "null"
    try:
        told = strict_json.parse(text)
    except ValueError:
        told = None
    searched = told.get("searched") if isinstance(told, dict) else None
    if not isinstance(searched, dict) or not isinstance(told.get("encoder"), dict):
        raise InputError(f"{path} does not say which detector searched which video. Make it again: dvc repro detect")
    return Search(told["encoder"], {video: str(key) for video, key in searched.items()})
