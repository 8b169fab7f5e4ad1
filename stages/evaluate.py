"""The stage `evaluate`: detections beside expressions -> metrics, every figure, and the curves behind them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from cache import files
from cache.errors import InputError
from cache.tables import found as found_table
from cache.tables import intervals, schema, searches, videos
from cache.tables.intervals import Detection, Expression
from cache.tables.searches import Search
from cache.tables.videos import Video
from cache.weights import detector_card
from cache.weights.detector_card import DetectorCard
from pipeline.detectors.decoding import DetectParameters
from pipeline.scoring.average_precision import spotting_curve
from pipeline.scoring.figures import EvaluateParameters, headline
from pipeline.scoring.matching import pool
from pipeline.scoring.recognition import Figures
from pipeline.scoring.results import VideoResult
from pipeline.scoring.thresholds import SPOTTING_IOU, choose_nested_thresholds, choose_thresholds
from pipeline.significance.summary import summarise
from stages.parts import left_out, stored_detectors
from stages.results.diagnosis import diagnose, windows_of
from stages.results.figures_file import MADE_OF, digests
from stages.results.found_rows import columns_of, rows_of
from stages.results.nested import searched_by_pairs
from stages.results.video_results import names_in, pair
from stages.shell import command, console, corpora, options, params, runs


def main(
    corpus: options.CorpusName,
    videos_path: Annotated[Path, typer.Option("--videos", help="videos.parquet.")],
    expressions_path: Annotated[Path, typer.Option("--expressions", help="expressions.parquet.")],
    detections_path: Annotated[Path, typer.Option("--detections", help="detections.parquet.")],
    nested_path: Annotated[Path, typer.Option("--nested", help="nested.parquet, as `detect` wrote it beside them.")],
    features: Annotated[Path, typer.Option(help="The folder of feature shards: numbers and times of frames.")],
    detectors: Annotated[Path, typer.Option(help="The folder of detectors, whose cards say whom they learned from.")],
    metrics: Annotated[Path, typer.Option(help="metrics.json: the dozen figures that runs are compared by.")],
    figures_path: Annotated[Path, typer.Option("--figures", help="figures.json: every figure.")],
    found_path: Annotated[Path, typer.Option("--found", help="found.csv: every accepted detection.")],
    plots: Annotated[Path, typer.Option(help="The folder of curves for `dvc plots`.")],
    params_path: options.Params = params.PARAMS,
) -> None:
    """Score the detections; each subject's threshold is chosen on the other subjects."""
    run = runs.begin("evaluate", metrics, figures_path)
    parameters = params.read(params_path, "evaluate", EvaluateParameters, corpora.path_of(corpus))
    detecting = params.read(params_path, "detect", DetectParameters, corpora.path_of(corpus))
    found, known = intervals.read(detections_path, Detection), intervals.read(expressions_path, Expression)
    paired = intervals.read(nested_path, Detection)
    classes = names_in(corpora.load(corpus).classes, [*found, *paired])
    left_out.say("evaluate", videos_path)
    table, cards = videos.read(videos_path), detector_card.read_folder(detectors)
    stored_detectors.say_undigested("evaluate", cards)
    search, pairs = searches.read(detections_path), searches.read(nested_path)
    refuse_seen(corpus, table, found, search, cards)
    results = pair(table, known, found, classes)
    others = searched_by_pairs(corpus, table, known, paired, pairs, cards, classes)
    thresholds = choose_nested_thresholds(others) if others else choose_thresholds(results)
    told = {"encoder": dict(search.encoder), "nested": bool(others)}
    columns = columns_of(features, table)
    windows = windows_of(table, search, cards, detecting.window_stride)
    figures = {**told, **summarise(results, thresholds, classes, parameters)}
    figures["diagnosis"] = diagnose(results, known, thresholds, classes, columns, windows)
    rows = rows_of(results, known, found, thresholds, columns, classes)
    for folder in (metrics.parent, figures_path.parent, found_path.parent, plots):
        files.sweep_temporaries(folder)
    write_plots(plots, results, figures, classes)
    found_table.write(found_path, [row for row in rows if row.is_accepted])
    figures[MADE_OF] = digests((detections_path, nested_path, videos_path, expressions_path, found_path))
    dozen = headline(figures) | ({"nested": True} if others else {})
    for path, content in ((figures_path, figures), (metrics, dozen)):
        with files.write_atomically(path) as temporary:
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    run.note()
    spotting, chance = figures["spotting"], figures["guessing"]["spotting"]
    console.result(
        f"evaluate: {len(results)} videos, spotting F1 {spotting['f1']:.3f} (guessing at random: {chance['f1']:.3f}), "
        f"recognition accuracy {figures['recognition']['accuracy']:.3f}{', nested thresholds' if others else ''}; "
        f"all of it: facespan scores {corpus}; what was found: facespan show {corpus}"
    )


def refuse_seen(
    corpus: str,
    table: Sequence[Video],
    found: Sequence[Detection],
    search: Search,
    cards: Mapping[Path, DetectorCard],
) -> None:
    """Refuse detections by a detector that learned from the subject of the video: they would be no result.

    Raises:
        InputError: such a video, or one of which the detectors there do not tell who searched it, each by name; or
            subjects whom the detectors may know by other names.
    """
    subjects = {video.video: video.subject for video in table}
    detector_card.refuse_renamed(cards, corpus, set(subjects.values()))
    by_key: dict[str, list[DetectorCard]] = defaultdict(list)
    for card in cards.values():
        by_key[card.key].append(card)
    unknown = sorted(video for video in subjects if search.searched.get(video) not in by_key)
    if unknown:
        raise InputError(
            f"{', '.join(unknown)}: none of the detectors in {next(iter(cards)).parent} made these detections, so "
            "nobody can say whether it ever saw the subject. Run: dvc repro, which searches again"
        )
    used = {video: by_key[search.searched[video]] for video in subjects}
    seen = {video for video, subject in subjects.items() if any(card.saw(corpus, subject) for card in used[video])}
    # What a row says of itself has to agree with what the table says of all.
    odd = {
        row.video
        for row in found
        if row.video in subjects
        and (row.subject != subjects[row.video] or row.detector not in {card.fold for card in used[row.video]})
    }
    if seen | odd:
        raise InputError(
            f"{', '.join(sorted(seen | odd))}: the detections are "
            f"{'of a detector that learned from the subject' if seen else 'of another subject or detector than told'}. "
            "A score on a subject that was learned from means nothing. Run: dvc repro, which searches again"
        )
    if others := sorted({str(path) for path, card in cards.items() if card.encoder != search.encoder}):
        raise InputError(
            f"{others[0]} learned from features of another encoder than was searched with ({len(others)} detectors "
            "did). Run: dvc repro, which searches again"
        )


def write_plots(folder: Path, results: Sequence[VideoResult], figures: Figures, classes: Sequence[str]) -> None:
    """Write what `dvc plots` draws: precision over recall, and truth beside what was recognised."""
    curve = spotting_curve(pool(results), SPOTTING_IOU)
    rows = zip(curve.recall.tolist(), curve.precision.tolist(), curve.confidence.tolist(), strict=True)
    schema.write_csv(folder / "precision_recall.csv", ("recall", "precision", "confidence"), list(rows))
    confusion = figures["recognition"]["confusion"]
    pairs = [(truth, told) for truth in classes for told in classes for _ in range(confusion[truth][told])]
    schema.write_csv(folder / "confusion.csv", ("actual", "predicted"), pairs)


if __name__ == "__main__":
    command.run(main)
