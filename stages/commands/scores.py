"""`facespan scores CORPUS`: what the last evaluation found, beside guessing, and where to look next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cache import strict_json
from cache.errors import InputError
from stages.shell import console, corpora, options


def main(
    corpus: options.CorpusName,
    results: Annotated[Path, typer.Option(help="The folder `evaluate` wrote into.")] = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the file of every figure itself.")] = False,
) -> None:
    """Print the scores of a corpus."""
    corpora.path_of(corpus)
    path = results / corpus / "figures.json"
    if not path.is_file():
        raise InputError(f"{path} does not exist: {corpus} was not evaluated yet. Run: dvc repro evaluate@{corpus}")
    try:
        figures = strict_json.parse(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path} is no whole JSON ({error}). Run: dvc repro evaluate@{corpus}") from error
    console.result(json.dumps(figures, indent=2) if as_json else as_text(corpus, figures))


def as_text(corpus: str, figures: dict[str, Any]) -> str:
    """Return the figures people compare, one a line."""
    spotting, recognition, detection = figures["spotting"], figures["recognition"], figures["detection"]
    guessing, encoder = figures["guessing"], figures["encoder"]
    return "\n".join(
        [
            f"{corpus}: each subject scored by a detector, and with a threshold, that never saw that subject",
            f"  spotting     F1 {spotting['f1']:.3f}   precision {spotting['precision']:.3f}   recall "
            f"{spotting['recall']:.3f}   ({spotting['tp']} of {spotting['m']} found with {spotting['n']} detections)",
            f"  recognition  accuracy {recognition['accuracy']:.3f}   UF1 {recognition['uf1']:.3f}   (of the found)",
            f"  mAP          spotting {spotting['map']:.3f}   detection {detection['map']:.3f}   (IoU 0.50:0.05:0.95)",
            f"  guessing     F1 {guessing['spotting']['f1']:.3f}   accuracy {guessing['recognition']['accuracy']:.3f}"
            f"   (random intervals at the true rate, mean of {guessing['repetitions']})",
            f"  encoder      {encoder['name']}, "
            + (f"{encoder['image_size']} px" if encoder["image_size"] else "features made elsewhere")
            + ("" if encoder["has_learned"] else ", random weights: meaningless for real faces"),
            f"next: results/{corpus}/figures.json has every figure and `dvc plots show` the curves;",
            "      README.md says how to bring your own corpus",
        ]
    )
