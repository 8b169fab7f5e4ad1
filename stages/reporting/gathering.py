"""Gathering of a report: the material of a run -> the document that a page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from cache.errors import InputError, ShardError
from cache.shards.shard_entry import ShardEntry
from pipeline.scoring.average_precision import PrecisionRecall, precision_recall
from pipeline.scoring.matching import LOOSEST_IOU, match, pool
from pipeline.significance.drawn_figures import HEADLINES
from stages.page.document import Document, Figure, Timeline
from stages.reporting import pictures, sources, timelines
from stages.reporting.material import Material
from stages.reporting.origin import Background, origin_of
from stages.reporting.parameters import ReportParameters
from stages.reporting.timelines import Judged

NAMES = {
    ("spotting", "f1"): "spotting F1",
    ("spotting", "precision"): "spotting precision",
    ("spotting", "recall"): "spotting recall",
    ("spotting", "map"): "spotting mAP",
    ("recognition", "accuracy"): "recognition accuracy",
    ("recognition", "uf1"): "recognition UF1",
    ("detection", "map"): "detection mAP",
}
Troubles = dict[str, str]


def gather(
    material: Material,
    background: Background,
    parameters: ReportParameters,
    entries: Mapping[str, ShardEntry],
    stride: int,
    device: torch.device,
    sheets: Mapping[str, str],
) -> tuple[Document, Troubles]:
    """Return the document of a run, and by video why it has no pictures where its frames are damaged.

    Args:
        entries: by video, the shard of the frames that pictures are taken from; none of a video without.
        stride: frames of a window from one to the next, in detection.
        device: on which attention is worked out.
        sheets: addresses of contact sheets, by video.
    """
    every = timelines.judge(material)
    attention = sources.attention_of(material, {one.video.video: one.detections for one in every}, stride, device)
    troubles = Troubles()
    drawn = []
    for one in every:
        video = one.video
        curve = sources.curve_of(material, video)
        timeline, moments = timelines.timeline_of(
            one, material, curve, attention.get(video.video, ()), sheets.get(video.video)
        )
        drawn.append(_pictured(timeline, one, moments, entries, material, parameters, troubles))
    document = Document(
        origin=origin_of(material, background, _notes(troubles)),
        classes=sources.classes_of(material),
        headline=headline(material.figures),
        figures=material.figures,
        gains=material.figures["diagnosis"]["gains"],
        tallies=tallies(material.figures["diagnosis"]["misses"]),
        precision_recall=curves_of(material),
        losses=sources.losses_of(material),
        timelines=drawn,
    )
    return document, troubles


def _notes(troubles: Troubles) -> list[str]:
    names = ", ".join(troubles)
    return [f"The aligned frames of {names} cannot be used, so there are no pictures of it."] if troubles else []


def _pictured(
    timeline: Timeline,
    one: Judged,
    moments: Sequence[pictures.Moments],
    entries: Mapping[str, ShardEntry],
    material: Material,
    parameters: ReportParameters,
    troubles: Troubles,
) -> Timeline:
    """Return a timeline with pictures, where there are frames of it; a damaged shard takes those of its video alone."""
    entry = entries.get(timeline.video)
    if entry is None or not moments:
        return timeline
    try:
        taken = pictures.take(material, one.video, entry, moments, parameters)
    except (InputError, ShardError) as problem:
        troubles[timeline.video] = str(problem)
        return timeline
    return timelines.with_pictures(timeline, taken)


def headline(figures: Mapping[str, Any]) -> list[Figure]:
    """Return the headline figures with their intervals, beside guessing and oracle where they have one."""
    told = []
    for part, name in HEADLINES:
        low, high = figures["intervals"][part][name]
        others = [figures[beside].get(part, {}).get(name) for beside in ("guessing", "oracle")]
        told.append(Figure(NAMES[part, name], figures[part][name], low, high, *others))
    return told


def tallies(misses: Mapping[str, Mapping[str, Mapping[str, int]]]) -> dict[str, list[tuple[str, int, int]]]:
    """Return rows of label, found and missed, by what is known of the expressions."""
    return {
        name.replace("_", " "): [
            (label, row["annotated"] - row["missed"], row["missed"]) for label, row in groups.items()
        ]
        for name, groups in misses.items()
    }


def curves_of(material: Material) -> dict[str, list[tuple[float, float, float]]]:
    """Return recall, precision and confidence over all thresholds at an IoU of 0.5, of spotting and of detection."""
    pooled = pool(material.results)
    told = {}
    for name, same_class in (("spotting", False), ("detection", True)):
        correct = match(pooled, LOOSEST_IOU, same_class) >= 0
        told[name] = _points(precision_recall(pooled.confidence, correct, len(pooled.truth_classes)))
    return told


def _points(curve: PrecisionRecall) -> list[tuple[float, float, float]]:
    return list(zip(curve.recall.tolist(), curve.precision.tolist(), curve.confidence.tolist(), strict=True))
