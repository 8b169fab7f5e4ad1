"""Evaluation: every score of a corpus in one dictionary, and the dozen of them that runs are compared by.

Spotting looks at intervals alone, recognition at the emotion of what spotting matched, detection at both: there, only
a truth of the same class can be matched. Thresholds come from other subjects (``thresholds.py``), confidence alone
enters the average precisions, and what has seen the answers is named oracle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import DataError
from pipeline.intervals import Booleans, Floats
from pipeline.scoring.average_precision import IOU_PERCENT, detection_precisions, spotting_precisions
from pipeline.scoring.counts import Counts
from pipeline.scoring.matching import Pool, match, pool
from pipeline.scoring.protocols import PROTOCOLS
from pipeline.scoring.random_baseline import guess
from pipeline.scoring.recognition import Figures, confusion_matrix, outcomes, recognition_figures
from pipeline.scoring.results import Integers, VideoResult, keep_confident, threshold_of
from pipeline.scoring.thresholds import SPOTTING_IOU, oracle_by_subject, oracle_threshold

# Of spotting; more would make `dvc exp show` a table that nobody can read.
HEADLINE = ("f1", "precision", "recall", "tp", "n", "m", "map")


@dataclass(frozen=True)
class EvaluateParameters:
    """How often chance is asked, and by which seed.

    Attributes:
        seed: of the random guesses and of the bootstrap.
        guess_repetitions: corpora of random intervals whose figures are averaged, at least 1.
        bootstrap_repetitions: corpora of redrawn subjects behind the intervals, at least 1.
        confidence_level: part of them inside the interval, above 0 and below 1.
    """

    seed: int
    guess_repetitions: int
    bootstrap_repetitions: int
    confidence_level: float

    def __post_init__(self) -> None:
        """Refuse values outside their ranges."""
        if self.guess_repetitions < 1 or self.bootstrap_repetitions < 1:
            raise ValueError(
                f"guess_repetitions and bootstrap_repetitions are {self.guess_repetitions} and "
                f"{self.bootstrap_repetitions}, expected at least 1"
            )
        if not 0 < self.confidence_level < 1:
            raise ValueError(f"confidence_level is {self.confidence_level}, expected above 0 and below 1")


def evaluate(videos: Sequence[VideoResult], thresholds: Mapping[str, float], class_names: Sequence[str]) -> Figures:
    """Return all figures that follow from the detections and a threshold for every subject, ready for JSON.

    Keys: ``spotting`` {tp, n, m, precision, recall, f1, map, ap}, ``recognition`` {accuracy, uf1, uar, outcomes, ...},
    ``detection`` {tp, n, m, precision, recall, f1, map, ap, ap_by_class}, ``protocols`` (spotting as others count it),
    ``per_subject``, ``oracle`` (one threshold for all, chosen on these very videos) and ``oracle_by_subject`` (each
    subject's chosen on itself). ``ap`` is by IoU in percent; ``map`` is its mean over 50, 55, ..., 95, and takes
    every detection, whatever the thresholds. Whatever there is nothing of is 0.

    Raises:
        DataError: there are no videos, a subject has no threshold, or a class has no name.
    """
    pooled = pool(videos)
    check_class_names(pooled, class_names)
    figures = _figures_of(pooled, _reaching(pooled, thresholds), class_names)
    figures["spotting"] |= _spotting_averages(pooled)
    figures["detection"] |= _detection_averages(pooled, class_names)
    kept_videos = keep_confident(videos, thresholds)
    figures["protocols"] = {name: protocol.count(kept_videos).figures() for name, protocol in PROTOCOLS.items()}
    figures["per_subject"] = {
        subject: {"threshold": thresholds[subject], **counts.figures()}
        for subject, counts in counts_by_subject(videos, thresholds).items()
    }
    oracle = oracle_threshold(videos)
    figures["oracle"] = {"threshold": oracle, **_figures_of(pooled, pooled.confidence >= oracle, class_names)}
    figures["oracle_by_subject"] = _figures_of(pooled, _reaching(pooled, oracle_by_subject(videos)), class_names)
    return figures


def headline(figures: Figures) -> Figures:
    """Return the dozen of ``summary.summarise``'s figures that runs are compared by: columns of an experiment table."""
    return {
        "spotting": {name: figures["spotting"][name] for name in HEADLINE},
        "recognition": {name: figures["recognition"][name] for name in ("uf1", "accuracy")},
        "detection": {"map": figures["detection"]["map"]},
        "guessing": {"f1": figures["guessing"]["spotting"]["f1"]},
        "oracle": {"f1": figures["oracle"]["spotting"]["f1"]},
    }


def counts_by_subject(videos: Sequence[VideoResult], thresholds: Mapping[str, float]) -> dict[str, Counts]:
    """Return each subject's spotting counts at its threshold, by name; their sum is the corpus's."""
    pooled = pool(videos)
    kept = _reaching(pooled, thresholds)
    found = kept & (match(pooled, SPOTTING_IOU) >= 0)
    columns = (pooled.subject[found], pooled.subject[kept], pooled.truth_subject)
    table = np.stack([np.bincount(column, minlength=len(pooled.subjects)) for column in columns], axis=1)  # (S, 3)
    return {subject: Counts(*map(int, row)) for subject, row in zip(pooled.subjects, table, strict=True)}


def guessing_figures(videos: Sequence[VideoResult], class_names: Sequence[str], repetitions: int, seed: int) -> Figures:
    """Return the mean figures of the random baseline over the repetitions; no threshold cuts any interval off."""
    generator = np.random.default_rng(seed)
    runs = [_guessed(guess(videos, generator), class_names) for _ in range(repetitions)]
    means: Figures = {"repetitions": repetitions}
    for part in runs[0]:
        means[part] = {name: float(np.mean([run[part][name] for run in runs])) for name in runs[0][part]}
    return means


def _guessed(videos: Sequence[VideoResult], class_names: Sequence[str]) -> Figures:
    pooled = pool(videos)
    figures = _figures_of(pooled, np.ones(len(pooled.confidence), np.bool_), class_names)
    figures["spotting"] |= _spotting_averages(pooled)
    figures["detection"] |= _detection_averages(pooled, class_names)
    wanted = {"spotting": ("n", "precision", "recall", "f1", "map"), "recognition": ("accuracy", "uf1")}
    wanted["detection"] = ("precision", "recall", "f1", "map")
    return {part: {name: figures[part][name] for name in names} for part, names in wanted.items()}


def _reaching(pooled: Pool, thresholds: Mapping[str, float]) -> Booleans:
    """Return which detections reach the threshold of their subject, ``(N,)``."""
    by_subject = np.array([threshold_of(subject, thresholds) for subject in pooled.subjects])
    kept: Booleans = pooled.confidence >= by_subject[pooled.subject]
    return kept


def _figures_of(pooled: Pool, kept: Booleans, class_names: Sequence[str]) -> Figures:
    """Return counts and recognition of the kept detections; whoever is kept matches as if all were there."""
    found, found_in_class = match(pooled, SPOTTING_IOU), match(pooled, SPOTTING_IOU, same_class=True)
    spotted, count = kept & (found >= 0), len(class_names)
    confusion = confusion_matrix(pooled.truth_classes[found[spotted]], pooled.classes[spotted], class_count=count)
    missed = np.bincount(pooled.truth_classes, minlength=count) - confusion.sum(axis=1)
    false = np.bincount(pooled.classes[kept & ~spotted], minlength=count)
    sizes = int(kept.sum()), len(pooled.truth_classes)
    return {
        "spotting": Counts(int(spotted.sum()), *sizes).figures(),
        "recognition": {
            **recognition_figures(confusion, class_names),
            "outcomes": outcomes(confusion, missed, false, class_names),
        },
        "detection": Counts(int((kept & (found_in_class >= 0)).sum()), *sizes).figures(),
    }


def _spotting_averages(pooled: Pool) -> Figures:
    return averages(spotting_precisions(pooled))


def _detection_averages(pooled: Pool, class_names: Sequence[str]) -> Figures:
    truth_counts = np.bincount(pooled.truth_classes, minlength=len(class_names))
    return averages_by_class(detection_precisions(pooled, len(class_names)), truth_counts, class_names)


def averages(precisions: Floats) -> Figures:
    """Return ``(10,)`` average precisions by IoU, and their mean, ready for JSON."""
    return {"map": float(precisions.mean()), "ap": _by_iou(precisions)}


def averages_by_class(precisions: Floats, truth_counts: Integers, class_names: Sequence[str]) -> Figures:
    """Return ``(10, K)`` average precisions as means over the classes that have truths, and of each such class."""
    present = np.flatnonzero(truth_counts)
    over_classes = precisions[:, present].mean(axis=1) if len(present) else np.zeros(len(precisions))
    return {
        **averages(over_classes),
        "ap_by_class": {class_names[index]: averages(precisions[:, index]) for index in present.tolist()},
    }


def _by_iou(precisions: Floats) -> dict[str, float]:
    return {f"iou{percent}": float(value) for percent, value in zip(IOU_PERCENT, precisions, strict=True)}


def check_class_names(pooled: Pool, class_names: Sequence[str]) -> None:
    """Refuse names that repeat one, or that are fewer than the classes."""
    used = np.concatenate([pooled.truth_classes, pooled.classes])
    if len(set(class_names)) != len(class_names):
        raise DataError(f"class_names repeat a name: {list(class_names)}")
    if used.size and used.max() >= len(class_names):
        raise DataError(f"class {used.max()} has no name; class_names are {list(class_names)}, counted from 0")
