"""`facespan show CORPUS [VIDEO]`: what was found, a row a detection, in the corpus' frame numbers and in seconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cache.errors import InputError
from cache.tables import found as found_table
from cache.tables import intervals, schema, videos
from cache.tables.found import Found
from cache.tables.intervals import Detection, Expression
from stages.results import staleness
from stages.results.figures_file import read_figures
from stages.results.found_rows import columns_of, rows_of
from stages.results.video_results import names_in, pair
from stages.shell import console, corpora, options, params

_TRUTH = ("expression found", "IoU", "error")
_HEADINGS = ("subject", "video", "frames", "seconds", "emotion", "confidence", "threshold", *_TRUTH)


def main(
    corpus: options.CorpusName,
    video: Annotated[str | None, typer.Argument(help="Of this video alone.", metavar="[VIDEO]")] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Also the detections below the threshold.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, the columns of found.csv.")] = False,
    results: Annotated[Path, typer.Option(help="The folder `evaluate` wrote into.")] = Path("results"),
    data: Annotated[Path, typer.Option(help="The folder of tables and shards.")] = Path("data"),
    params_path: options.Params = params.PARAMS,
) -> None:
    """Print the accepted detections of a corpus, and which expression each found; frames are inclusive."""
    corpora.path_of(corpus)
    if as_json and as_csv:
        raise params.ParameterError("--json and --csv: expected one of the two")
    if show_all:
        weights = str(params.load_section(params_path, "extract")["weights"])  # as dvc.yaml names the folder
        rows = every(corpus, results / corpus, data / corpus, data / corpus / "features" / weights)
    else:
        rows = found_table.read(results / corpus / "found.csv")
    if (results / corpus / "figures.json").is_file():
        staleness.say("show", corpus, results / corpus, data / corpus)
    if video is not None:
        check_video(video, data / corpus / "videos.parquet")
        rows = [row for row in rows if row.video == video]
    if as_json:
        console.result(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        console.result(found_table.as_csv(rows) if as_csv else as_text(rows))


def every(corpus: str, results: Path, tables: Path, features: Path) -> list[Found]:
    """Return a row for every detection, made again from the tables; thresholds are those of the last evaluation."""
    table = videos.read(tables / "videos.parquet")
    known = intervals.read(tables / "expressions.parquet", Expression)
    found = intervals.read(results / "detections.parquet", Detection)
    classes = names_in(corpora.load(corpus).classes, found)
    paired = pair(table, known, found, classes)
    thresholds = {name: row["threshold"] for name, row in read_figures(results, corpus)["per_subject"].items()}
    if unknown := sorted({result.subject for result in paired} - thresholds.keys()):
        raise InputError(f"{results} has no threshold of {', '.join(unknown)}. Run: dvc repro evaluate@{corpus}")
    return rows_of(paired, known, found, thresholds, columns_of(features, table), classes)


def check_video(video: str, path: Path) -> None:
    """Raise InputError for a video that the corpus does not have, with the nearest name."""
    names = [row.video for row in videos.read(path)]
    if video not in names:
        raise InputError(f"there is no video {video!r} in {path}{schema.nearest(video, names)}. Correct the name")


def as_text(rows: Sequence[Found]) -> str:
    """Return a table, and a line that counts it."""
    accepted = [row for row in rows if row.is_accepted]
    right = sum(row.iou is not None for row in accepted)
    more = f", {len(rows) - len(accepted)} below the threshold, marked by -" if len(rows) > len(accepted) else ""
    last = f"{len(accepted)} accepted, {right} of them found an expression (IoU 0.5){more}"
    if not rows:
        return last
    table = [_HEADINGS, *map(_cells, rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(_HEADINGS))]
    marks = [" ", *(" " if row.is_accepted else "-" for row in rows)]
    lines = [
        f"{mark} " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for mark, row in zip(marks, table, strict=True)
    ]
    return "\n".join([*lines, "", last])


def _cells(row: Found) -> tuple[str, ...]:
    truth = "" if row.truth_onset is None else f"{row.truth_onset}-{row.truth_offset} {row.truth_emotion}"
    return (
        row.subject,
        row.video,
        f"{row.onset}-{row.offset}",
        f"{row.onset_seconds:.2f}-{row.offset_seconds:.2f}",
        row.emotion,
        f"{row.confidence:.3f}",
        f"{row.threshold:.3f}",
        truth,
        "" if row.iou is None else f"{row.iou:.2f}",
        (row.error or "").replace("_", " "),
    )
