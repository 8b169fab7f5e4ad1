"""The material of a report: tables, figures, curves and columns of one run, read and checked against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cache.columns import FrameColumns
from cache.errors import InputError
from cache.shards import manifest
from cache.tables import curves as curve_table
from cache.tables import intervals, searches, videos
from cache.tables.curves import Curves
from cache.tables.intervals import Detection, Expression
from cache.tables.videos import Video
from cache.weights import detector_card
from cache.weights.detector_card import DetectorCard
from pipeline.intervals import Intervals
from pipeline.scoring.results import VideoResult
from stages.results import figures_file
from stages.results.diagnosis import windows_of
from stages.results.found_rows import columns_of
from stages.results.video_results import pair
from stages.shell import corpora


@dataclass(frozen=True)
class Places:
    """Where a run lies.

    Attributes:
        curves: None where they were not kept.
        features: for numbers and times of frames; None where they are not here: frames are then taken to follow each
            other regularly.
        detectors: None where they are not here.
        frames: the folder of aligned frames, there or not.
    """

    videos: Path
    expressions: Path
    detections: Path
    figures: Path
    curves: Path | None
    features: Path | None
    detectors: Path | None
    frames: Path


def laid_out(results: Path, tables: Path, weights: str) -> Places:
    """Return where a run lies in a folder of results and one of tables and shards, each laid out as dvc.yaml does it.

    Args:
        weights: the name of the encoder's, which its folder of features has.
    """
    return Places(
        videos=tables / "videos.parquet",
        expressions=tables / "expressions.parquet",
        detections=results / "detections.parquet",
        figures=results / "figures.json",
        curves=results / "curves.parquet",
        features=tables / "features" / weights,
        detectors=results / "detectors",
        frames=tables / "frames",
    )


@dataclass(frozen=True, eq=False)
class Material:
    """What is known of one run.

    Attributes:
        classes: names of the emotions that results count.
        results: of each video of the table, in its order; detections and expressions in the order of their rows.
        thresholds: by subject.
        columns: by video, of its frames.
        searched: by video, the key of the detector that searched it.
        windows: by video, what its detector saw at once; empty where that is not known.
        cards: of the detectors that searched a video; empty where they are not here.
        notes: what a reader has to know of how it was read.
    """

    corpus: str
    places: Places
    table: Sequence[Video]
    known: Sequence[Expression]
    found: Sequence[Detection]
    figures: Mapping[str, Any]
    classes: tuple[str, ...]
    results: Sequence[VideoResult]
    thresholds: Mapping[str, float]
    columns: Mapping[str, FrameColumns]
    curves: Curves | None
    searched: Mapping[str, str]
    windows: Mapping[str, Intervals]
    cards: Mapping[Path, DetectorCard]
    notes: list[str] = field(default_factory=list)


def read(corpus: str, places: Places, stride: int) -> Material:
    """Return what is known of a run.

    Whether the figures are of these detections and tables, `stages.results.staleness` says.

    Args:
        stride: frames of a window from one to the next, in detection.

    Raises:
        InputError: a table is missing or wrong, the figures lack a subject or are of an older facespan, or detectors or
            curves are not those of the detections.
        ShardError: a card or a shard of features is damaged, or of another length.
    """
    table, notes = videos.read(places.videos), list[str]()
    known = intervals.read(places.expressions, Expression)
    found = intervals.read(places.detections, Detection)
    figures = figures_file.read(places.figures, corpus, "intervals", "diagnosis", "per_subject")
    classes = corpora.load(corpus).classes
    # A run of another day may tell emotions apart that the corpus file no longer names.
    told = {row.emotion for row in known} | {row.emotion for row in found}
    classes = (*classes, *sorted(told - set(classes)))
    search, cards = searches.read(places.detections), _cards(places.detectors)
    used = {path: card for path, card in cards.items() if card.key in set(search.searched.values())}
    if used:
        _check_searched(places, table, search.searched, used)
    return Material(
        corpus=corpus,
        places=places,
        table=table,
        known=known,
        found=found,
        figures=figures,
        classes=classes,
        results=pair(table, known, found, classes),
        thresholds=_thresholds(corpus, places, table, figures),
        columns=_columns(places.features, table, notes),
        curves=None if places.curves is None else _curves(places.curves, table, search.searched),
        searched=search.searched,
        windows=windows_of(table, search, used, stride) if used else {},
        cards=used,
        notes=notes,
    )


def _cards(folder: Path | None) -> dict[Path, DetectorCard]:
    return {} if folder is None else detector_card.read_folder(folder)


def _check_searched(
    places: Places, table: Sequence[Video], searched: Mapping[str, str], cards: Mapping[Path, DetectorCard]
) -> None:
    keys = {card.key for card in cards.values()}
    if unknown := sorted(row.video for row in table if searched.get(row.video) not in keys):
        raise InputError(
            f"{places.detections}: none of the detectors in {places.detectors} searched {', '.join(unknown)}. "
            "Run: dvc repro, which searches again"
        )


def _thresholds(corpus: str, places: Places, table: Sequence[Video], figures: Mapping[str, Any]) -> dict[str, float]:
    told = {name: float(row["threshold"]) for name, row in figures["per_subject"].items()}
    if unknown := sorted({row.subject for row in table} - told.keys()):
        raise InputError(f"{places.figures} has no threshold of {', '.join(unknown)}. Run: dvc repro evaluate@{corpus}")
    return told


def _curves(path: Path, table: Sequence[Video], searched: Mapping[str, str]) -> Curves:
    found = curve_table.read(path)
    if dict(found.search.searched) != dict(searched):
        raise InputError(f"{path} is of other detectors than the detections beside it. Run: dvc repro detect")
    if missing := sorted({row.video for row in table} - found.groups.keys()):
        raise InputError(f"{path} has no curve of {', '.join(missing)}. Run: dvc repro detect")
    return found


def _columns(features: Path | None, table: Sequence[Video], notes: list[str]) -> Mapping[str, FrameColumns]:
    if features is not None:
        return columns_of(features, table)
    notes.append(
        "Features are not here: frames are taken to follow each other regularly, and lost faces are not known."
    )
    return {row.video: _regular(row) for row in table}


def _regular(video: Video) -> FrameColumns:
    positions = np.arange(video.frame_count)
    return FrameColumns(
        pts_seconds=positions / video.frame_rate,
        frame_label=video.first_label + positions * video.frame_step,
        face_found=np.ones(video.frame_count, np.bool_),
        face_confidence=np.ones(video.frame_count, np.float32),
    )


def has_features(places: Places, table_path: Path) -> bool:
    """Return whether features of these places are here, with a shard as long as each video of a table.

    Raises:
        InputError: the table is missing or wrong.
        ShardError: the manifest is damaged; whether shards are, shows when they are read.
    """
    if places.features is None or not (places.features / manifest.NAME).is_file():
        return False
    held = manifest.read(places.features).shards
    return all(row.video in held and held[row.video].frames == row.frame_count for row in videos.read(table_path))
