"""`facespan scores CORPUS`: what the last evaluation found, with intervals, beside guessing and where to look next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from stages.results import staleness
from stages.results.figures_file import read_figures
from stages.shell import console, corpora, options


def main(
    corpus: options.CorpusName,
    results: Annotated[Path, typer.Option(help="The folder `evaluate` wrote into.")] = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the file of every figure itself.")] = False,
    oracle: Annotated[
        bool, typer.Option("--oracle", help="Beside ours what the field often publishes: chosen on the test subject.")
    ] = False,
) -> None:
    """Print the scores of a corpus."""
    corpora.path_of(corpus)
    figures = read_figures(results / corpus, corpus, "intervals")
    staleness.say("scores", corpus, results / corpus, Path("data", corpus))
    console.result(json.dumps(figures, indent=2) if as_json else as_text(corpus, figures, oracle))


def as_text(corpus: str, figures: dict[str, Any], oracle: bool) -> str:
    """Return the figures people compare, one a line."""
    spotting, guessing, encoder = figures["spotting"], figures["guessing"], figures["encoder"]
    nested = ", and that no detector behind it saw (nested)" if figures["nested"] else ""
    return "\n".join(
        [
            f"{corpus}: each subject scored by a detector, and with a threshold, that never saw that subject{nested}",
            f"  spotting     F1 {_told(figures, 'spotting', 'f1')}   precision "
            f"{_told(figures, 'spotting', 'precision')}   recall {_told(figures, 'spotting', 'recall')}",
            f"               {spotting['tp']} of {spotting['m']} found with {spotting['n']} detections",
            f"  recognition  accuracy {_told(figures, 'recognition', 'accuracy')}   UF1 "
            f"{_told(figures, 'recognition', 'uf1')}   (of the found)",
            f"  mAP          spotting {_told(figures, 'spotting', 'map')}   detection "
            f"{_told(figures, 'detection', 'map')}   (IoU 0.50:0.05:0.95)",
            *(_oracle_lines(figures) if oracle else []),
            f"  guessing     F1 {guessing['spotting']['f1']:.3f}   accuracy {guessing['recognition']['accuracy']:.3f}"
            f"   (random intervals at the true rate, mean of {guessing['repetitions']})",
            f"  [low-high]   {figures['intervals']['level']:.0%} over subjects, "
            f"{figures['intervals']['repetitions']} times redrawn",
            f"  encoder      {encoder['name']}, "
            + (f"{encoder['image_size']} px" if encoder["image_size"] else "features made elsewhere")
            + ("" if encoder["has_learned"] else ", random weights: meaningless for real faces"),
            f"next: results/{corpus}/report/index.html shows it all; facespan show {corpus} lists what was found;",
            f"      results/{corpus}/figures.json has every figure; README.md says how to bring your own corpus",
        ]
    )


def _told(figures: dict[str, Any], part: str, name: str) -> str:
    low, high = figures["intervals"][part][name]
    return f"{figures[part][name]:.3f} [{low:.3f}-{high:.3f}]"


def _oracle_lines(figures: dict[str, Any]) -> list[str]:
    """Return what is no result, named so: the threshold has seen the answers."""
    chosen = {"one threshold for all": figures["oracle"], "one of each subject": figures["oracle_by_subject"]}
    return [
        "  chosen on the test subject, as the field often publishes; no result:",
        *(
            f"    {name:<22} F1 {row['spotting']['f1']:.3f}   precision {row['spotting']['precision']:.3f}   recall "
            f"{row['spotting']['recall']:.3f}   accuracy {row['recognition']['accuracy']:.3f}"
            for name, row in chosen.items()
        ),
    ]
