"""`facespan report CORPUS`: a run as a page, as the stage writes it; `--compare A B`: two runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stages.reporting import comparing, reports
from stages.reporting.material import Places
from stages.results import runs
from stages.shell import corpora, options, params


def main(
    corpus: Annotated[
        str | None, typer.Argument(help="Which corpus; needed where several are listed.", metavar="[CORPUS]")
    ] = None,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(help="Two runs on one page: DVC revisions, experiments or folders; `workspace` lies here."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="The folder; else results/CORPUS/report. With --compare the file: .../comparison.html."),
    ] = None,
    results: Annotated[Path, typer.Option(help="The folder `evaluate` wrote into.")] = Path("results"),
    data: Annotated[Path, typer.Option(help="The folder of tables and shards.")] = Path("data"),
    params_path: options.Params = params.PARAMS,
    device: options.Device = "auto",
) -> None:
    """Write the report of the last evaluation, or of two runs side by side."""
    chosen = corpus or runs.only_corpus(str(params_path))
    corpora.path_of(chosen)
    own, tables = results / chosen, data / chosen
    if compare is not None:
        comparing.write(compare, chosen, output or own / "comparison.html", params_path, device)
        return
    weights = str(params.load_section(params_path, "extract")["weights"])  # as dvc.yaml names the folder
    where = Places(
        videos=tables / "videos.parquet",
        expressions=tables / "expressions.parquet",
        detections=own / "detections.parquet",
        figures=own / "figures.json",
        curves=own / "curves.parquet",
        features=tables / "features" / weights,
        detectors=own / "detectors",
        frames=tables / "frames",
    )
    reports.write(chosen, where, output or own / "report", params_path, device)
