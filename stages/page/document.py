"""What a report shows, as plain values: gathered by `stages/reporting`, drawn by the rest of this floor.

Frames of a timeline are positions from 0, half-open; numbers of frames that people read are the corpus' own, inclusive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Figure:
    """A headline: ours with its interval, beside what guessing reaches and what is chosen on the test subject.

    Attributes:
        name: as people say it, for example `spotting F1`.
        low, high: of the interval over subjects; None where it has none.
        guessing, oracle: None where it has none.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    guessing: float | None
    oracle: float | None


@dataclass(frozen=True)
class StageRun:
    """When a stage made what lies there, and with which code.

    Attributes:
        stage: its name.
        commit: of the code; None where it was made outside git, or not on this machine.
        changed: whether files differed from the commit.
        made: the time, as ISO 8601 in UTC; empty where it was not made on this machine.
        machine: device and versions that a number may depend on; empty where unknown.
    """

    stage: str
    commit: str | None
    changed: bool
    made: str
    machine: str


@dataclass(frozen=True)
class Changed:
    """A parameter that differs from the one that facespan ships."""

    name: str
    value: Any
    default: Any


@dataclass(frozen=True)
class Origin:
    """Where the numbers come from.

    Attributes:
        encoder: name and image size.
        warnings: sentences that decide what the numbers mean: random weights, invented faces.
        protocol: how spotting, recognition and mAP are counted, in sentences.
        confidence_level: of the intervals, for example 0.95.
        changed: parameters that are not those facespan ships; None where nobody knows the run's.
    """

    corpus: str
    encoder: str
    warnings: Sequence[str]
    protocol: Sequence[str]
    confidence_level: float
    subjects: int
    videos: int
    expressions: int
    runs: Sequence[StageRun]
    changed: Sequence[Changed] | None


@dataclass(frozen=True)
class Picture:
    """One aligned face.

    Attributes:
        role: onset, apex, offset, or between.
        image: an encoded JPEG or WebP; empty where the frame has no face.
    """

    role: str
    frame_label: int
    seconds: float
    has_face: bool
    image: bytes


@dataclass(frozen=True, eq=False)
class Attention:
    """What the network looks at in the window that made a detection.

    Attributes:
        name: for example `segment attention`.
        start, stop: of what each weight stands for, ``(A,)`` float64, in frames of the video.
        weight: ``(A,)`` float64; above the evenly spread value it looks there more than elsewhere.
        even: the weight it would have, were all alike.
    """

    name: str
    start: npt.NDArray[np.float64]
    stop: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    even: float


@dataclass(frozen=True)
class Case:
    """One accepted detection, or one expression that was missed.

    Attributes:
        kind: of `pipeline.diagnosis.outcomes.KINDS`, or `missed`; `found` where nothing is annotated.
        start, stop: half-open positions; of a miss those of the expression.
        onset, offset: the corpus' own numbers, inclusive.
        emotion: detected; None for a miss.
        truth: index among the video's expressions of the one found, or overlapped most; None where there is none.
        confidence: None for a miss.
        scores: of each class at the strongest frame of the interval; empty where curves are not there.
        cut_by_window: of a miss: whether no window of the detector holds the whole expression; None where that is not
            known, and of a detection.
        pictures: empty where thumbnails are off.
    """

    kind: str
    start: int
    stop: int
    onset: int
    offset: int
    onset_seconds: float
    offset_seconds: float
    emotion: str | None
    truth: int | None
    iou: float | None
    confidence: float | None
    scores: Sequence[float]
    cut_by_window: bool | None
    pictures: Sequence[Picture]
    attention: Sequence[Attention]


@dataclass(frozen=True)
class TrueExpression:
    """An annotated expression; `found` where an accepted detection of any emotion matches it."""

    start: int
    stop: int
    onset: int
    offset: int
    onset_seconds: float
    offset_seconds: float
    emotion: str
    kind: str
    found: bool


@dataclass(frozen=True, eq=False)
class Timeline:
    """One video.

    Attributes:
        seconds_per_frame: mean; what a chart is drawn with.
        first_label: number of the first frame in the corpus.
        threshold: of the subject.
        curve: ``(T, K)`` float16, the score of each class at each frame before suppression; ``(0, K)`` where not kept.
        faceless: half-open positions without a face.
        sheet: path of the contact sheet, relative to the page; None where there is none.
        labels_per_frame: by how much the corpus' own numbers grow from one frame to the next, 7 where every seventh was
            taken.
    """

    video: str
    subject: str
    frame_count: int
    seconds_per_frame: float
    first_label: int
    threshold: float
    expressions: Sequence[TrueExpression]
    cases: Sequence[Case]
    curve: npt.NDArray[np.float16]
    faceless: Sequence[Sequence[int]]
    sheet: str | None
    labels_per_frame: float = 1.0


@dataclass(frozen=True)
class Document:
    """A whole report.

    Attributes:
        classes: names of the K emotions, in the order of curves and scores.
        figures: all of `figures.json`.
        gains: by kind of error what spotting and detection F1 and mAP would be without it, `now` first
            (`pipeline.diagnosis.mending.gains`).
        tallies: of the diagnosis, by name (`by length`, `by emotion`, ...): rows of label, found, missed.
        precision_recall: name -> points of (recall, precision, confidence).
        losses: by fold, per epoch: rows of the loss curve by the names of its columns.
        is_judged: whether anybody annotated these videos; else there are no scores, and no errors to show.
    """

    origin: Origin
    classes: Sequence[str]
    headline: Sequence[Figure]
    figures: Mapping[str, Any]
    gains: Mapping[str, Mapping[str, float]]
    tallies: Mapping[str, Sequence[tuple[str, int, int]]]
    precision_recall: Mapping[str, Sequence[tuple[float, float, float]]]
    losses: Mapping[str, Sequence[Mapping[str, float]]]
    timelines: Sequence[Timeline]
    is_judged: bool = True
