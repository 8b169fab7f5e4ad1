"""`facespan diagnose CORPUS`: of what kind the errors of a run are, and what mending each kind would give."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.diagnosis.mending import MISSED
from stages.results.figures_file import read_figures
from stages.shell import console, corpora, options

# Of `gains`, in the order of its columns.
_SCORES = {"spotting_f1": "F1", "spotting_map": "mAP", "detection_f1": "F1", "detection_map": "mAP"}
_MEANINGS = {
    "wrong_emotion": "fits an expression, of another emotion",
    "double": "fits one that a more confident detection found",
    "face_lost": "half of its frames or more have no face",
    "wrong_place": "overlaps one by 0.1 to 0.5",
    "background": "overlaps none by 0.1",
    MISSED: "no detection fits it",
}


def main(
    corpus: options.CorpusName,
    results: Annotated[Path, typer.Option(help="The folder `evaluate` wrote into.")] = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Print the kinds of false detections and of misses, and what the scores would be without each."""
    corpora.path_of(corpus)
    told = read_figures(results / corpus, corpus, "diagnosis")["diagnosis"]
    console.result(json.dumps(told, indent=2) if as_json else as_text(corpus, told))


def as_text(corpus: str, told: Mapping[str, Any]) -> str:
    """Return a table of the kinds of errors, and one of the misses for each thing that is known of them."""
    counts, misses = told["detections"], told["misses"]
    by_subject = misses["by_subject"].values()
    missed, annotated = (sum(row[name] for row in by_subject) for name in ("missed", "annotated"))
    count = sum(counts[kind] for kind in ("correct", *_MEANINGS) if kind != MISSED)
    rows = [_errors(kind, missed if kind == MISSED else counts[kind], told["gains"]) for kind in _MEANINGS]
    now = "  ".join(f"{told['gains']['now'][name]:>6.3f}" for name in _SCORES)
    bands = ", ".join(f"{number} by {band}" for band, number in counts["wrong_place_by_iou"].items() if number)
    return "\n".join(
        [
            f"{corpus}: {count} detections accepted, {counts['correct']} of them right (IoU 0.5, emotion too); "
            f"{missed} of {annotated} expressions missed",
            "",
            f"  {'':<15}{'':>6}   {'spotting':^16}{'detection':^16}".rstrip(),
            f"  {'kind of error':<15}{'count':>6}   " + "  ".join(f"{name:>6}" for name in _SCORES.values()),
            f"  {'now':<15}{'':>6}   {now}",
            *rows,
            "",
            "  +: what the score would be higher by, were errors of this kind alone mended.",
            *([f"  wrong places overlap an expression: {bands}"] if bands else []),
            *(line for name, groups in misses.items() for line in _missed(name, groups)),
        ]
    )


def _errors(kind: str, count: int, gains: Mapping[str, Mapping[str, float]]) -> str:
    gained = "  ".join(f"{gains[kind][name] - gains['now'][name]:>+6.3f}" for name in _SCORES)
    return f"  {kind.replace('_', ' '):<15}{count:>6}   {gained}   {_MEANINGS[kind]}"


def _missed(name: str, groups: Mapping[str, Mapping[str, int]]) -> list[str]:
    what = {"by_length": "by length in frames", "by_window": "by whether a window of the detector holds them whole"}
    width = max((len(group) for group in groups), default=0)
    rows = [
        f"    {group:<{width}}  {row['missed']:>5} of {row['annotated']:>5}  {row['missed'] / row['annotated']:>4.0%}"
        for group, row in groups.items()
    ]
    return ["", f"  missed {what.get(name, name.replace('_', ' '))}", *rows]
