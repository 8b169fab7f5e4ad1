"""`facespan analyse VIDEO...`: expressions in any video, as a table; no corpus, no labels, no training needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cache.errors import InputError, ShardError
from cache.troubles import alone
from pipeline.errors import DataError
from stages.analysing import analysis, output, place, projects
from stages.analysing.analysis import Kept
from stages.analysing.request import Asked
from stages.shell import console, options, params
from stages.shell.command import ExitCode

if TYPE_CHECKING:
    from stages.analysing.search import Searcher

METHODS = ("auto", "openface", "builtin", "none")


def main(
    videos: Annotated[list[str], typer.Argument(help="Video files.", metavar="VIDEO...")],
    detectors: Annotated[
        Path | None,
        typer.Option(help="The detectors of a trained run (results/CORPUS/detectors).", metavar="FOLDER"),
    ] = None,
    face: Annotated[
        str, typer.Option(help="largest, all, or the number of a person from 1.", metavar="largest|all|N")
    ] = "largest",
    align: Annotated[
        str,
        typer.Option(
            help="auto: OpenFace where it is found, else builtin | openface | builtin | none: faces are aligned "
            "already.",
            metavar="METHOD",
        ),
    ] = "auto",
    threshold: Annotated[float | None, typer.Option(help="Least confidence, 0 to 1.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write the table as CSV too.", metavar="FILE")] = None,
    curves: Annotated[
        Path | None, typer.Option(help="Write each emotion's score at each frame as CSV.", metavar="FILE")
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write a page of timelines, curves and faces.", metavar="FILE|FOLDER")
    ] = None,
    keep: Annotated[bool, typer.Option(help="Keep aligned faces and features, so that the next time is quick.")] = True,
    device: options.Device = "auto",
    batch_size: Annotated[int, typer.Option(help="Frames at once; 0 takes extract.batch_size.")] = 0,
    force: Annotated[bool, typer.Option("--force", "-f", help="Search again, also what was searched.")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Find facial expressions in videos: align, encode, find; frames count from 0 and are inclusive."""
    asked = request(
        videos,
        detectors=detectors,
        face=face,
        align=align,
        threshold=threshold,
        device=device,
        batch_size=batch_size,
        force=force,
        quiet=quiet,
        with_frames=curves is not None or page is not None,
    )
    if page is not None:
        from stages.analysing import report  # torch

        page = report.path_of(page)
    output.check_paths(csv, curves, page, videos)
    failed: dict[str, str] = {}
    with place.opened(keep) as where:
        kept = analyse_each(videos, asked, where, failed)
        analysed = [each.analysed for each in kept]
        for told in dict.fromkeys(told for each in analysed for told in each.detector):
            console.say(f"analyse: {told}")
        console.result(output.as_json(analysed) if as_json else output.as_text(analysed))
        if csv is not None:
            output.write_csv(csv, analysed)
        if curves is not None:
            output.write_curves(curves, kept)
        if page is not None and kept:
            size = report.write(page, kept)
            console.say(f"analyse: {page}, {size / 1e6:.1f} MB; it shows faces: pass it on as you would the videos")
        if where.is_kept:
            say_place(where)
    if failed:
        console.say(f"analyse: {len(failed)} of {len(videos)} videos failed; the others are done")
        raise typer.Exit(int(ExitCode.PARTIAL))


def request(
    videos: Sequence[str],
    *,
    detectors: Path | None,
    face: str,
    align: str,
    threshold: float | None,
    device: str,
    batch_size: int = 0,
    force: bool = False,
    quiet: bool = False,
    with_frames: bool = False,
) -> Asked:
    """Return what is asked of each video; a ParameterError says what cannot be asked."""
    check(videos, face, align, threshold)
    configs = projects.usual_configs() if detectors is None else projects.configs_of(detectors)
    return Asked(face, align, detectors, threshold, configs, device, batch_size, force, quiet, with_frames)


def check(videos: Sequence[str], face: str, align: str, threshold: float | None) -> None:
    """Raise ParameterError for what is asked and cannot be."""
    if face not in ("largest", "all") and not (face.isdecimal() and int(face) > 0):
        raise params.ParameterError(f"--face {face}: expected largest, all, or the number of a person from 1")
    if align not in METHODS:
        raise params.ParameterError(f"--align {align}: expected one of {', '.join(METHODS)}")
    if threshold is not None and not (math.isfinite(threshold) and 0 <= threshold <= 1):
        raise params.ParameterError(f"--threshold {threshold:g}: expected 0 to 1")
    if doubled := [name for number, name in enumerate(videos) if name in videos[:number]]:
        raise params.ParameterError(f"{doubled[0]} is given twice")


def analyse_each(videos: Sequence[str], asked: Asked, where: place.Place, failed: dict[str, str]) -> list[Kept]:
    """Return the analysis of each video; what is wrong with one of several is noted, of a single one raised."""

    kept = []
    with ThreadPoolExecutor(1) as thread:
        loading = cache(lambda: thread.submit(load, asked))
        for given in videos:
            try:
                if len(videos) == 1:
                    kept.append(analysis.analyse(given, asked, where, loading))
                else:
                    with alone(given, failed):
                        kept.append(analysis.analyse(given, asked, where, loading))
            except SearcherError as problem:
                raise problem.__cause__ or problem from None
            if given in failed:
                console.say(f"analyse: {given} failed: {failed[given]}")
            else:
                output.say(kept[-1].analysed)
    return kept


def load(asked: Asked) -> Searcher:
    """Return encoder and detectors; a SearcherError where they cannot be used."""
    from stages.analysing.search import Searcher  # torch, which takes seconds

    try:
        return Searcher(asked)
    except (InputError, ShardError, params.ParameterError, DataError) as problem:
        raise SearcherError from problem


class SearcherError(Exception):
    """Encoder or detectors cannot be used, whatever the video; its cause says why."""


def say_place(where: place.Place) -> None:
    """Tell where faces are kept now, and how much there is."""
    count, size = place.size_of(where.root)
    console.say(
        f"analyse: {where.root} keeps what was made of {count} {'video' if count == 1 else 'videos'}, "
        f"{size / 1e6:,.0f} MB: it holds faces. Remove it at will; --no-keep leaves none, {place.VARIABLE} moves it"
    )
