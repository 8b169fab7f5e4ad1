"""Answers to `import facespan`: tables, features, scores and what a detector finds, of the corpora of a project.

What is heavy is imported where it is used: a table comes without PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cache import checked
from cache.analysed.records import FoundExpression
from cache.errors import ShardError
from cache.shards import features as feature_shards
from cache.shards import manifest
from cache.tables import intervals, schema
from cache.tables import videos as video_table
from cache.tables.found import Found
from cache.tables.intervals import Detection, Expression
from cache.tables.videos import Video
from pipeline.scoring.protocols import PROTOCOLS
from stages.analysing import place
from stages.commands import analyse as analyse_command
from stages.commands import score as score_command
from stages.commands.results import show
from stages.facade import searching
from stages.parts import left_out, shard_folders
from stages.results import runs, staleness
from stages.results.figures_file import read_figures
from stages.results.scored_corpus import Files
from stages.shell import console, corpora, params, places


@dataclass(frozen=True)
class ComparedFigure:
    """One figure of two runs: a row of the table that `compare` gives; a and b are means where seeds are averaged."""

    a: str
    b: str
    part: str
    name: str
    value_a: float
    value_b: float
    b_minus_a: float
    low: float
    high: float
    p_value: float
    better: int
    worse: int
    same: int


def videos(corpus: str) -> Any:
    """Return the table of videos."""
    return schema.as_arrow(Video, video_table.read(_tables(corpus) / "videos.parquet"))


def expressions(corpus: str) -> Any:
    """Return the table of expressions."""
    return schema.as_arrow(Expression, intervals.read(_tables(corpus) / "expressions.parquet", Expression))


def detections(corpus: str, below: bool) -> Any:
    """Return the table of detections: the columns of found.csv, and where each lies in the arrays of its video.

    Args:
        below: also those below the threshold.
    """
    tables, results = _tables(corpus), Path("results", corpus)
    rows = show.every(corpus, results, tables, _features(corpus))
    staleness.say("detections", corpus, results, tables)
    known = intervals.read(results / "detections.parquet", Detection)
    order = {video.video: index for index, video in enumerate(video_table.read(tables / "videos.parquet"))}
    # As the rows stand: numbers of frames rise with their positions.
    known.sort(key=lambda row: (order[row.video], row.start, row.stop, row.emotion))
    kept = [(row, where) for row, where in zip(rows, known, strict=True) if below or row.is_accepted]
    table = schema.as_arrow(Found, [row for row, _ in kept])
    for name in ("start", "stop"):
        table = table.append_column(name, [[getattr(where, name) for _, where in kept]])
    return table


def held(corpus: str) -> dict[str, str]:
    """Return the subject of each video that has features, by video, in the order of the table."""
    tables = _tables(corpus)
    shards = manifest.read(_features(corpus)).shards
    left_out.say("features", tables / "videos.parquet")
    found = {row.video: row.subject for row in video_table.read(tables / "videos.parquet")}
    if missing := [video for video in found if video not in shards]:
        console.say(f"features: {_features(corpus)} has none of {', '.join(missing)}. Run: dvc repro extract@{corpus}")
    return {video: subject for video, subject in found.items() if video in shards}


def features(corpus: str, video: str) -> dict[str, Any]:
    """Return the arrays of one video, by name, and the encoder's facts; checked as by `features.read`."""
    folder = _features(corpus)
    stated = manifest.read(folder)
    entry, encoder = stated.shards.get(video), stated.run.get("encoder")
    if entry is None or not isinstance(encoder, dict):
        raise ShardError(f"{folder} states no features of {video}, or not whose. Run: dvc repro extract@{corpus}")
    known = checked.read(places.checked_file(folder), folder)
    shard = feature_shards.read(folder / entry.file, entry.key, entry.sha256, entry.bytes, known)
    shard_folders.remember(known)
    return {**vars(shard.columns), "features": shard.features, "encoder": encoder}


def scores(corpus: str) -> dict[str, Any]:
    """Return every figure of the last evaluation."""
    corpora.path_of(corpus)
    figures = read_figures(Path("results", corpus), corpus)
    staleness.say("scores", corpus, Path("results", corpus), _tables(corpus))
    return figures


def score(files: dict[str, Any], protocol: str) -> dict[str, Any]:
    """Return the figures of detections beside expressions.

    Args:
        files: the fields of `Files`.
        protocol: `all`, or one of `PROTOCOLS`.
    """
    return score_command.figures_of(Files(**files), tuple(PROTOCOLS) if protocol == "all" else (protocol,))


def compare(named: Sequence[str], corpus: str | None, repetitions: int, level: float, seed: int) -> Any:
    """Return a table with a row for each figure of each run after the first, which all are compared with."""
    from pipeline.significance import comparison
    from pipeline.significance.drawn_figures import HEADLINES

    chosen = corpus or runs.only_corpus(str(params.PARAMS))
    first, *others = runs.settings_of(named, chosen)
    class_count = max(run.class_count for run in first.runs)
    rows = []
    for other in others:
        told = comparison.compare(other.scored, first.scored, class_count, repetitions, level, seed)
        for (part, name), row in zip(HEADLINES, told.differences, strict=True):
            value_a, value_b = (sum(values) / len(values) for values in (row.second, row.first))
            rows.append(
                ComparedFigure(
                    first.name, other.name, part, name, value_a, value_b, row.value, row.low, row.high, row.p_value,
                    row.wins, row.losses, row.ties,
                )
            )  # fmt: skip
    return schema.as_arrow(ComparedFigure, rows)


def analyse(
    videos: dict[str, str],
    detectors: str | None,
    face: str,
    align: str,
    threshold: float | None,
    keep: bool,
    device: str,
) -> Any:
    """Return the table of what is found in videos, by what they were called and where they lie."""
    failed: dict[str, str] = {}
    asked = analyse_command.request(
        list(videos.values()),
        detectors=None if detectors is None else Path(detectors),
        face=face,
        align=align,
        threshold=threshold,
        device=device,
    )
    with place.opened(keep) as where:
        kept = analyse_command.analyse_each(list(videos.values()), asked, where, failed)
    called = {path: name for name, path in videos.items()}
    rows = [replace(row, video=called[row.video]) for each in kept for row in each.analysed.found]
    return schema.as_arrow(FoundExpression, rows)


def detector(corpus: str, unseen: str | None) -> dict[str, Any]:
    """Return what the card of a detector says: that for new people, or the one that left a subject out."""
    corpora.path_of(corpus)
    return searching.facts_of(*searching.choose(Path("results", corpus, "detectors"), corpus, unseen))


def search(path: str, recordings: list[dict[str, Any]], device: str) -> Any:
    """Return the table of what a detector finds in recordings; it computes with PyTorch, loaded at the first call."""
    return schema.as_arrow(Detection, searching.search(Path(path), recordings, device))


def _tables(corpus: str) -> Path:
    corpora.path_of(corpus)
    return Path("data", corpus)


def _features(corpus: str) -> Path:
    """Return the folder of features, as dvc.yaml names it."""
    return Path("data", corpus, "features", str(params.load_section(params.PARAMS, "extract")["weights"]))
