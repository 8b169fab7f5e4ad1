"""The stage `evaluate`: detections beside expressions -> metrics, every figure, and the curves behind them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import typer

from cache import files
from cache.errors import InputError
from cache.tables import intervals, schema, searches, videos
from cache.tables.intervals import Detection, Expression
from cache.tables.searches import Search
from cache.tables.videos import Video
from cache.weights import detector_card
from cache.weights.detector_card import DetectorCard
from pipeline.scoring.average_precision import spotting_curve
from pipeline.scoring.figures import EvaluateParameters, headline, summarise
from pipeline.scoring.matching import pool
from pipeline.scoring.recognition import Figures
from pipeline.scoring.results import VideoResult
from pipeline.scoring.thresholds import SPOTTING_IOU
from stages.parts import left_out, undigested
from stages.shell import command, console, corpora, options, params


def main(
    corpus: options.CorpusName,
    videos_path: Annotated[Path, typer.Option("--videos", help="videos.parquet.")],
    expressions_path: Annotated[Path, typer.Option("--expressions", help="expressions.parquet.")],
    detections_path: Annotated[Path, typer.Option("--detections", help="detections.parquet.")],
    detectors: Annotated[Path, typer.Option(help="The folder of detectors, whose cards say whom they learned from.")],
    metrics: Annotated[Path, typer.Option(help="metrics.json: the dozen figures that runs are compared by.")],
    figures_path: Annotated[Path, typer.Option("--figures", help="figures.json: every figure.")],
    plots: Annotated[Path, typer.Option(help="The folder of curves for `dvc plots`.")],
    params_path: options.Params = params.PARAMS,
) -> None:
    """Score the detections; each subject's threshold is chosen on the other subjects."""
    parameters = params.read(params_path, "evaluate", EvaluateParameters, corpora.path_of(corpus))
    found = intervals.read(detections_path, Detection)
    classes = names_in(corpora.load(corpus).classes, found)
    left_out.say("evaluate", videos_path)
    table, cards = videos.read(videos_path), detector_card.read_folder(detectors)
    undigested.say("evaluate", cards)
    search = searches.read(detections_path)
    refuse_seen(corpus, table, found, search, cards)
    results = pair(table, intervals.read(expressions_path, Expression), found, classes)
    figures = {"encoder": dict(search.encoder), **summarise(results, classes, parameters)}
    for folder in (metrics.parent, figures_path.parent, plots):
        files.sweep_temporaries(folder)
    write_plots(plots, results, figures, classes)
    for path, content in ((figures_path, figures), (metrics, headline(figures))):
        with files.write_atomically(path) as temporary:
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    spotting, chance = figures["spotting"], figures["guessing"]["spotting"]
    console.result(
        f"evaluate: {len(results)} videos, spotting F1 {spotting['f1']:.3f} (guessing at random: {chance['f1']:.3f}), "
        f"recognition accuracy {figures['recognition']['accuracy']:.3f}; all of it: facespan scores {corpus}"
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


def names_in(classes: Sequence[str], found: Sequence[Detection]) -> tuple[str, ...]:
    """Return the corpus' classes, and after them the name that a detector which only spots gives to everything."""
    only_spotted = any(row.emotion == intervals.UNRECOGNISED for row in found)
    return (*classes, intervals.UNRECOGNISED) if only_spotted else tuple(classes)


def pair(
    table: Sequence[Video], known: Sequence[Expression], found: Sequence[Detection], classes: Sequence[str]
) -> list[VideoResult]:
    """Return each video's expressions beside its detections.

    Raises:
        InputError: a row of a video that is not in the table, or of an emotion that is none of the classes.
    """
    names = {video.video for video in table}
    rows: list[Expression | Detection] = [*known, *found]
    for row in rows:
        if row.video not in names:
            raise InputError(f"{row} is of a video that is not in the table of videos. Run: dvc repro")
        if row.emotion not in classes:
            raise InputError(f"{row} has the emotion {row.emotion!r}, none of {', '.join(classes)}. Run: dvc repro")
    known_by_video, found_by_video = _by_video(known), _by_video(found)
    return [_result(video, known_by_video[video.video], found_by_video[video.video], classes) for video in table]


Row = TypeVar("Row", Expression, Detection)


def _by_video(rows: Sequence[Row]) -> defaultdict[str, list[Row]]:
    grouped: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row.video].append(row)
    return grouped


def _result(
    video: Video, known: Sequence[Expression], found: Sequence[Detection], classes: Sequence[str]
) -> VideoResult:
    index = {name: position for position, name in enumerate(classes)}
    return VideoResult(
        video=video.video,
        subject=video.subject,
        frame_count=video.frame_count,
        truth_intervals=intervals.of(known),
        truth_classes=np.array([index[row.emotion] for row in known], dtype=np.int64),
        intervals=intervals.of(found),
        classes=np.array([index[row.emotion] for row in found], dtype=np.int64),
        confidence=np.array([row.confidence for row in found], dtype=np.float32),
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
