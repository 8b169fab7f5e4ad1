"""Contents of the page: what templates and script are given, of one run or of several whose videos are matched."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.page import charts, tables, timeline_drawing, timelines
from stages.page.document import Case, Document, Timeline
from stages.page.kinds import KINDS

# All curves together; with many videos each is drawn from fewer points.
CURVE_BYTES = 4_000_000
FEWEST_BINS = 100
SUBJECT_FIGURES = ("tp", "n", "m", "precision", "recall", "f1")
Runs = Sequence[tuple[str, Document]]


@dataclass(frozen=True)
class Video:
    """A video of the page: in each run its timeline, None where the run has no such video."""

    name: str
    runs: Sequence[Timeline | None]

    @property
    def shown(self) -> Timeline:
        """The timeline of the first run that has the video."""
        return next(timeline for timeline in self.runs if timeline is not None)

    @property
    def cases(self) -> int:
        return sum(len(timeline.cases) for timeline in self.runs if timeline is not None)

    @property
    def truths_differ(self) -> bool:
        """Whether the runs were judged by different expressions."""
        told = {
            tuple((row.start, row.stop, row.emotion) for row in timeline.expressions)
            for timeline in self.runs
            if timeline is not None
        }
        return len(told) > 1


def videos(runs: Runs) -> list[Video]:
    """Return the videos of all runs, those of the first in its order."""
    told = [{timeline.video: timeline for timeline in document.timelines} for _, document in runs]
    names = dict.fromkeys(name for run in told for name in run)
    return [Video(name, [run.get(name) for run in told]) for name in names]


def cases(shown: Sequence[Video]) -> list[tuple[tuple[int, int, int], Case]]:
    """Return every case with its place: the video's number, the run's, its own."""
    return [
        ((number, run, index), case)
        for number, video in enumerate(shown)
        for run, timeline in enumerate(video.runs)
        if timeline is not None
        for index, case in enumerate(timeline.cases)
    ]


def classes(runs: Runs) -> dict[str, int]:
    """Return the number of each emotion on the page: of curves and detections first, then what is annotated besides."""
    told = [*(document.classes for _, document in runs)]
    told += [[row.emotion for timeline in document.timelines for row in timeline.expressions] for _, document in runs]
    return timelines.numbered(told)


def page_data(runs: Runs, numbers: Mapping[str, int], shown: Sequence[Video]) -> dict[str, Any]:
    """Return what the script knows of the whole page, as plain JSON: names, colours, rows, specifications."""
    names = [name for name, _ in runs]
    return {
        "classes": list(numbers),
        "colours": [timeline_drawing.colour(index) for index in numbers.values()],
        "dashes": [timeline_drawing.dash(index) for index in numbers.values()],
        "kinds": {kind.key: {"sign": kind.sign, "name": kind.name, "meaning": kind.meaning} for kind in KINDS},
        "runs": names,
        "lanes": timeline_drawing.lanes(names),
        "gutter": timeline_drawing.gutter(names),
        "margin": timeline_drawing.MARGIN,
        "charts": {"timeline": timeline_drawing.specification(names), **_charts(runs, shown)},
    }


def _charts(runs: Runs, shown: Sequence[Video]) -> dict[str, Any]:
    told = {"ap": charts.average_precision(runs), "precision-recall": charts.precision_recall(runs)}
    told |= {f"loss-{loss}": charts.losses(runs, loss) for loss in charts.loss_names(runs)}
    if any(case.attention for _, case in cases(shown)):
        told["attention"] = charts.attention()
    return {name: chart for name, chart in told.items() if chart is not None}


def fillings(runs: Runs, numbers: Mapping[str, int], shown: Sequence[Video]) -> list[dict[str, Any]]:
    """Return what fills each video's timeline, as plain JSON."""
    columns = [[numbers[name] for name in document.classes] for _, document in runs]
    lines = sum(len(run) for run in columns) * len(shown)
    bins = max(FEWEST_BINS, min(timelines.MOST_BINS, CURVE_BYTES * 3 // 4 // max(lines, 1)))
    return [timelines.filling(video.runs, numbers, columns, bins) for video in shown]


def attentions(video: Video) -> dict[str, Any]:
    """Return where the detector looked, by run and case of a video, as plain JSON."""
    return {
        f"{run}-{index}": [charts.attention_levels(told) for told in case.attention]
        for run, timeline in enumerate(video.runs)
        if timeline is not None
        for index, case in enumerate(timeline.cases)
        if case.attention
    }


def warnings(runs: Runs, shown: Sequence[Video]) -> list[str]:
    """Return the sentences that decide what the numbers mean; of several runs, with the name of whose they are."""
    told: dict[str, list[str]] = {}
    for name, document in runs:
        for sentence in document.origin.warnings:
            told.setdefault(sentence, []).append(name)
    sentences = [
        sentence if len(names) == len(runs) else f"{', '.join(names)}: {sentence}" for sentence, names in told.items()
    ]
    differing = [video.name for video in shown if video.truths_differ]
    if differing:
        sentences.append(
            f"The runs were judged by different expressions in {many(len(differing), 'video')} ("
            f"{', '.join(differing[:3])}{', ...' if len(differing) > 3 else ''}): their scores do not compare. "
            "Timelines show those of the first."
        )
    missing = sum(timeline is None for video in shown for timeline in video.runs)
    if missing:
        sentences.append(
            f"{many(missing, 'video')} missing in one of the runs: their totals are over different videos."
        )
    return sentences


def spans(row: Sequence[Mapping[str, Any] | None]) -> list[Mapping[str, Any]]:
    """Return a subject's figures in each run with None where one has none or it is not finite."""
    return [
        {name: tables.finite((figures or {}).get(name)) for name in ("threshold", *SUBJECT_FIGURES)} for figures in row
    ]


def many(count: int, noun: str) -> str:
    """Return a count of things, for example 1 video, 2 videos."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def clock(seconds: float) -> str:
    """Return a length as minutes and seconds, for example 1:05."""
    whole = math.floor(seconds + 0.5)
    return f"{whole // 60}:{whole % 60:02d}"
