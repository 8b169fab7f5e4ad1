"""Evaluation of a run: every score, intervals of the headline figures over subjects, and what guessing achieves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.scoring.figures import EvaluateParameters, evaluate, guessing_figures
from pipeline.scoring.recognition import Figures
from pipeline.scoring.results import VideoResult
from pipeline.significance.bootstrap import bootstrap
from pipeline.significance.drawn_figures import by_part, sums_of


def summarise(
    videos: Sequence[VideoResult],
    thresholds: Mapping[str, float],
    class_names: Sequence[str],
    parameters: EvaluateParameters,
) -> Figures:
    """Return ``evaluate`` at the thresholds, with intervals over subjects and what guessing achieves.

    Adds ``intervals`` {level, repetitions, and low and high of every headline figure, by part}, ``spotting.f1_low`` and
    ``spotting.f1_high`` of them, and ``guessing``. Needs two subjects.
    """
    figures = evaluate(videos, thresholds, class_names)
    sums = sums_of(videos, thresholds, len(class_names))
    level, repetitions = parameters.confidence_level, parameters.bootstrap_repetitions
    limits = by_part(bootstrap(sums, repetitions, level, parameters.seed).tolist())
    low, high = limits["spotting"]["f1"]
    figures["spotting"] |= {"f1_low": low, "f1_high": high}
    figures["guessing"] = guessing_figures(videos, class_names, parameters.guess_repetitions, parameters.seed)
    figures["intervals"] = {"level": level, "repetitions": repetitions, **limits}
    return figures
