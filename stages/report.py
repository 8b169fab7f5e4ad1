"""The stage `report`: a run as one page that opens from disk: figures, timelines, cases and, where allowed, faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stages.reporting import reports
from stages.reporting.material import Places
from stages.shell import command, options, params


def main(
    corpus: options.CorpusName,
    videos: Annotated[Path, typer.Option(help="videos.parquet.")],
    expressions: Annotated[Path, typer.Option(help="expressions.parquet.")],
    detections: Annotated[Path, typer.Option(help="detections.parquet.")],
    curves: Annotated[Path, typer.Option(help="curves.parquet.")],
    figures: Annotated[Path, typer.Option(help="figures.json.")],
    features: Annotated[Path, typer.Option(help="The folder of feature shards: frames, and what attention looks at.")],
    detectors: Annotated[Path, typer.Option(help="The folder of detectors.")],
    frames: Annotated[Path, typer.Option(help="The folder of aligned frames; pictures are left out where it is not.")],
    output: Annotated[Path, typer.Option(help="The folder of the report.")],
    params_path: options.Params = params.PARAMS,
    device: options.Device = "auto",
) -> None:
    """Write the report of the last evaluation; it holds faces only where `report.thumbnails` says so."""
    where = Places(videos, expressions, detections, figures, curves, features, detectors, frames)
    reports.write(corpus, where, output, params_path, device)


if __name__ == "__main__":
    command.run(main)
