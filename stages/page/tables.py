"""Tables of the page: rows for the templates, out of a document's figures."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.diagnosis.mending import MISSED
from stages.page.document import Changed, Document, Figure, Timeline
from stages.page.kinds import BY_KEY, FALSE_KINDS, KINDS, Kind

BY_WINDOW = "by window"
FITTING = ("correct", "wrong_emotion")


@dataclass(frozen=True)
class Cell:
    """A number of a confusion table.

    Attributes:
        share: of its row, between 0 and 1: how dark it is.
        jump: the filter that shows its cases; None where it has none.
    """

    count: int
    share: float
    right: bool
    jump: dict[str, Any] | None
    label: str


@dataclass(frozen=True)
class ConfusionRow:
    """What became of the expressions of one emotion, or of none."""

    name: str
    cells: Sequence[Cell]
    total: int


@dataclass(frozen=True)
class ErrorRow:
    """One kind of outcome in each run: how often, and what each score would gain without it (None where unknown)."""

    kind: Kind
    counts: Sequence[int]
    gains: Sequence[Mapping[str, float | None]]


def confusion(document: Document, numbers: Mapping[str, int], run: int) -> list[ConfusionRow]:
    """Return the confusion table: a row an emotion over detected emotions and missed, then the false; maybe none."""
    told = document.figures.get("recognition", {})
    matrix, outcomes = told.get("confusion", {}), told.get("outcomes", {})
    classes = [name for name in document.classes if name in matrix]
    rows = []
    for true in classes:
        counts = [int(matrix[true].get(name, 0)) for name in classes]
        places = [{"kinds": FITTING, "truth": numbers[true], "detected": numbers[name]} for name in classes]
        labels = [f"true {true}, detected {name}" for name in classes]
        missed = int(outcomes.get("missed", {}).get(true, 0))
        rows.append(
            _row(
                true,
                [*counts, missed],
                [*places, {"kinds": [MISSED], "truth": numbers[true]}],
                [*labels, f"true {true}, missed"],
                classes.index(true),
                run,
            )
        )
    if classes:
        counts = [int(outcomes.get("false", {}).get(name, 0)) for name in classes]
        places = [{"kinds": FALSE_KINDS, "detected": numbers[name]} for name in classes]
        rows.append(_row("no expression", counts, places, [f"false {name}" for name in classes], None, run))
    return rows


def _row(
    name: str,
    counts: Sequence[int],
    places: Sequence[dict[str, Any]],
    labels: Sequence[str],
    right: int | None,
    run: int,
) -> ConfusionRow:
    total = sum(counts)
    cells = [
        Cell(count, count / total if total else 0.0, index == right, {**place, "run": run} if count else None, label)
        for index, (count, place, label) in enumerate(zip(counts, places, labels, strict=True))
    ]
    return ConfusionRow(name, cells, total)


def errors(documents: Sequence[Document]) -> list[ErrorRow]:
    """Return each kind of outcome: how often in each run, and what F1 and mAP would gain if it were mended."""
    tallied = [Counter(case.kind for video in document.timelines for case in video.cases) for document in documents]
    return [
        ErrorRow(kind, [counts[kind.key] for counts in tallied], [_gain(document, kind) for document in documents])
        for kind in KINDS
    ]


def _gain(document: Document, kind: Kind) -> dict[str, float | None]:
    now, then = document.gains.get("now", {}), document.gains.get(kind.key, {})
    return {name: finite(then[name] - value) if name in then else None for name, value in now.items()}


def headline(documents: Sequence[Document]) -> list[list[Figure | None]]:
    """Return the headline's scores, each of every run; None where a run lacks one."""
    told = [{figure.name: figure for figure in document.headline} for document in documents]
    return [[run.get(name) for run in told] for name in dict.fromkeys(name for run in told for name in run)]


def changed(documents: Sequence[Document]) -> list[tuple[str, Any, list[Changed | None]]]:
    """Return the parameters that any run changed: name, value as shipped, and each run's own.

    None stands for the value as shipped, or for an unknown one in a run of which nothing is known.
    """
    told = [{row.name: row for row in document.origin.changed or ()} for document in documents]
    shipped = {row.name: row.default for run in told for row in run.values()}
    return [(name, default, [run.get(name) for run in told]) for name, default in shipped.items()]


@dataclass(frozen=True)
class TallyRow:
    """How many expressions of a group were found and missed, and the filter that shows the missed (None: has none)."""

    label: str
    found: int
    missed: int
    jump: dict[str, Any] | None


def tallies(
    runs: Sequence[tuple[str, Document]], numbers: Mapping[str, int]
) -> dict[str, list[tuple[str, list[TallyRow]]]]:
    """Return the tallies of the diagnosis by name, each of every run that has it, with the run's name."""
    told: dict[str, list[tuple[str, list[TallyRow]]]] = {}
    for run, (name, document) in enumerate(runs):
        knows = _knows_windows(document)
        for tally, rows in document.tallies.items():
            leads = knows or tally != BY_WINDOW
            drawn = [TallyRow(*row, _jump(tally, row, numbers, run) if leads else None) for row in rows]
            told.setdefault(tally, []).append((name, drawn))
    return told


def _knows_windows(document: Document) -> bool:
    """Return whether cases tell if a window holds them whole: nobody knows where detectors are not here."""
    return any(case.cut_by_window is not None for video in document.timelines for case in video.cases)


def _jump(tally: str, row: tuple[str, int, int], numbers: Mapping[str, int], run: int) -> dict[str, Any] | None:
    """Return the filter of a group's missed cases, by the names that `pipeline.diagnosis` gives tallies and groups."""
    label, _, missed = row
    frames = re.fullmatch(r"(\d+)-(\d*)", label)
    group: dict[str, Any] | None = None
    if tally == "by length" and frames:
        group = {"length": [int(frames[1]), int(frames[2]) if frames[2] else None]}
    elif tally == "by emotion" and label in numbers:
        group = {"truth": numbers[label]}
    elif tally == "by subject":
        group = {"subject": label}
    elif tally == "by intensity":
        group = {"strength": label}
    elif tally == BY_WINDOW:
        group = {"cut": label == "cut"}
    return {"kinds": [MISSED], "run": run, **group} if missed and group else None


def by_emotion(document: Document) -> list[tuple[str, Mapping[str, Any], float | None]]:
    """Return each emotion with its figures of recognition and its mean average precision; maybe none."""
    told = document.figures.get("recognition", {}).get("per_class", {})
    precisions = document.figures.get("detection", {}).get("ap_by_class", {})
    return [
        (name, told[name], finite(precisions.get(name, {}).get("map"))) for name in document.classes if name in told
    ]


def subjects(documents: Sequence[Document]) -> list[tuple[str, list[Mapping[str, Any] | None]]]:
    """Return each subject with its figures in each run, the worst F1 of the first run first."""
    told = [document.figures.get("per_subject", {}) for document in documents]
    names = list(dict.fromkeys(name for run in told for name in run))
    rows = [(name, [run.get(name) for run in told]) for name in names]
    return sorted(rows, key=lambda row: min((figures["f1"] for figures in row[1][:1] if figures), default=2.0))


def counted(video: Timeline | None) -> list[tuple[Kind, int]]:
    """Return the kinds of outcome in a video with how many there are, without those that do not occur."""
    counts = Counter(case.kind for case in video.cases) if video is not None else Counter()
    return [(kind, counts[kind.key]) for kind in BY_KEY.values() if counts[kind.key]]


def finite(value: float | None) -> float | None:
    """Return a number; None where it is none or not finite."""
    return value if value is not None and math.isfinite(value) else None


def share(value: float | None) -> float:
    """Return a score as percent of a bar's length."""
    return round(100 * min(max(finite(value) or 0.0, 0.0), 1.0), 2)
