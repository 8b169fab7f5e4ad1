"""`facespan report CORPUS`: a run as a page, as the stage writes it; `--compare A B`: two runs side by side."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from stages.project import stage_paths
from stages.reporting import comparing, material, report_folder, reports
from stages.reporting.material import Places
from stages.results import runs, staleness
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
    results: Annotated[
        Path | None, typer.Option(help="The folder `evaluate` wrote into; without it and --data, as in dvc.yaml.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The folder of tables and shards; likewise.")] = None,
    params_path: options.Params = params.PARAMS,
    device: options.Device = "auto",
) -> None:
    """Write the report of the last evaluation, or of two runs side by side."""
    chosen = corpus or runs.only_corpus(str(params_path), "CORPUS")
    corpora.path_of(chosen)
    if compare is not None:
        if results is not None or data is not None:
            raise params.ParameterError(
                "--compare: the two runs say where they lie. Leave out --results and --data; --output is the file"
            )
        beside = Path("results") / chosen / report_folder.COMPARISON
        comparing.write(compare, chosen, output or beside, params_path, device)
        return
    where, folder = places_of(chosen, results, data, params_path)
    if where.figures.is_file():
        staleness.say("report", chosen, where.figures.parent, where.videos.parent)
    reports.write(chosen, where, output or folder, params_path, device)


def places_of(corpus: str, results: Path | None, data: Path | None, params_path: Path) -> tuple[Places, Path]:
    """Return where a run lies and its report goes: as dvc.yaml says, or in folders laid out likewise."""
    if results is None and data is None:
        names = [field.name for field in dataclasses.fields(Places)]
        told = stage_paths.of("report", corpus, [f"--{name}" for name in (*names, "output")])
        return Places(**{name: Path(told[f"--{name}"]) for name in names}), Path(told["--output"])
    own, tables = (results or Path("results")) / corpus, (data or Path("data")) / corpus
    weights = str(params.load_section(params_path, "extract")["weights"])  # as dvc.yaml names the folder
    return material.laid_out(own, tables, weights), own / "report"
