"""The stage `check`: a corpus file and the parameters it overrides, before hours are spent on its videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cache import files
from cache.shards.aligned import AlignParameters
from pipeline.detectors.decoding import DetectParameters
from pipeline.encoder.resnet import ExtractParameters
from pipeline.scoring.figures import EvaluateParameters
from stages.parts import train_parameters
from stages.reporting.parameters import ReportParameters
from stages.shell import command, console, corpora, options, params

KINDS = {
    "align": AlignParameters,
    "extract": ExtractParameters,
    "detect": DetectParameters,
    "evaluate": EvaluateParameters,
    "report": ReportParameters,
}


def main(
    corpus: options.CorpusName,
    output: Annotated[
        Path | None, typer.Option(help="A file that lists the sections, for DVC; none: only look.")
    ] = None,
    params_path: options.Params = params.PARAMS,
) -> None:
    """Refuse a corpus file that lacks a section or overrides what no stage takes."""
    path = corpora.path_of(corpus)
    corpora.load(corpus)
    for section, kind in KINDS.items():
        params.read(params_path, section, kind, path)
    train_parameters.read(params_path, path)
    if output is not None:
        files.sweep_temporaries(output.parent)
        with files.write_atomically(output) as temporary:
            temporary.write_text("".join(f"{section}\n" for section in corpora.SECTIONS), encoding="utf-8")
    count = sum(len(values) for values in params.overrides_of(path).values())
    console.result(f"check: {path} has every section and overrides {count} value{'' if count == 1 else 's'}")


if __name__ == "__main__":
    command.run(main)
