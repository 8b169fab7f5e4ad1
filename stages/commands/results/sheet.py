"""`facespan sheet CORPUS [VIDEO...]`: contact sheets of aligned faces: bad alignment is seen before training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cache.errors import InputError
from cache.shards import manifest
from cache.shards.manifest import Manifest
from cache.tables import schema, videos
from cache.tables.videos import Video
from stages.parts import left_out
from stages.results import sheet_folder
from stages.results.contact_sheets import FaceChoice
from stages.results.sheet_folder import SheetsMade
from stages.shell import console, corpora, options, params
from stages.shell.command import ExitCode

FACES = 60
# 25 MB a page; a browser shows it yet.
MOST_FACES = 5000


def main(
    corpus: options.CorpusName,
    named: Annotated[list[str] | None, typer.Argument(help="Of these videos alone.", metavar="[VIDEO...]")] = None,
    every: Annotated[float | None, typer.Option(help="A face of each so many seconds.", metavar="SECONDS")] = None,
    faces: Annotated[int | None, typer.Option(help=f"So many faces, evenly; else {FACES}.", metavar="N")] = None,
    output: Annotated[
        Path | None, typer.Option(help="The folder of pages; else results/CORPUS/sheet.", metavar="FOLDER")
    ] = None,
    data: Annotated[Path, typer.Option(help="The folder of tables and shards.")] = Path("data"),
    force: options.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Write a page of aligned faces per video, frames without a face marked, and a list of them, worst first."""
    corpora.path_of(corpus)
    folder = output or Path("results") / corpus / "sheet"
    table = videos.read(data / corpus / "videos.parquet")
    asked = choose(table, named or [], data / corpus / "videos.parquet")
    choice = choice_of(faces, every, asked)
    held = frames_of(data / corpus / "frames", corpus)
    left_out.say("sheet", data / corpus / "videos.parquet")
    sheet_folder.check(folder, corpus, table)
    with console.progress("sheet", sum(video.frame_count for video in asked), "frames", quiet) as advance:
        shards = data / corpus / "frames", held.shards
        outcome = sheet_folder.write(folder, corpus, table, asked, shards, choice, force, advance)
    conclude(folder, table, outcome)


def choose(table: Sequence[Video], named: Sequence[str], path: Path) -> list[Video]:
    """Return the videos of these names, all of them without any; InputError for one that there is not."""
    known = {video.video: video for video in table}
    for name in named:
        if name not in known:
            raise InputError(
                f"there is no video {name!r} in {path}{schema.nearest(name, list(known))}. Correct the name"
            )
    return [video for video in table if video.video in named or not named]


def choice_of(faces: int | None, every: float | None, asked: Sequence[Video]) -> FaceChoice:
    """Return which faces are asked for; ParameterError where both are said, or a page would hold too many."""
    if faces is not None and every is not None:
        raise params.ParameterError("--faces and --every: expected one of the two")
    if faces is not None and not 1 <= faces <= MOST_FACES:
        raise params.ParameterError(f"--faces is {faces}, expected 1 to {MOST_FACES}")
    if every is None:
        return FaceChoice(faces or FACES)
    if not (math.isfinite(every) and every > 0):
        raise params.ParameterError(f"--every is {every:g}, expected seconds above 0")
    longest = max(asked, key=lambda video: video.frame_count / video.frame_rate, default=None)
    if longest is not None and (seconds := longest.frame_count / longest.frame_rate) / every > MOST_FACES:
        raise params.ParameterError(
            f"--every {every:g} is {math.ceil(seconds / every):,} faces of {longest.video} ({seconds:,.0f} s), and a "
            f"page holds {MOST_FACES:,} at most: take {seconds / MOST_FACES:.2g} or more"
        )
    return FaceChoice(every_seconds=every)


def frames_of(folder: Path, corpus: str) -> Manifest:
    """Return the manifest of a folder of frames; InputError where they are not here, with how to get them."""
    if not (folder / manifest.NAME).is_file():
        raise InputError(
            f"{folder} has no aligned frames, and nothing else shows faces. Where the corpus lies, run: dvc repro "
            f"align@{corpus}. Where only features were pulled: facespan cache pull {corpus} --frames, if whoever has "
            f"the faces pushed them (facespan cache push {corpus} --frames)"
        )
    held = manifest.read(folder)
    if held.kind != "frames":
        raise InputError(f"{folder} holds {held.kind}, expected frames. Give another --data")
    return held


def conclude(folder: Path, table: Sequence[Video], outcome: SheetsMade) -> None:
    """Print what was made, and stop with `PARTIAL` when videos have no sheet."""
    for path in outcome.removed:
        console.say(f"sheet: {path} is of a video that the corpus no longer has and was removed")
    for video, problem in outcome.failures.items():
        console.say(f"sheet: {video} failed: {problem}")
    size = sheet_folder.size_of(folder, table) / 1e6
    console.result(
        f"sheet: {folder / sheet_folder.LIST}, {len(table)} videos, {size:,.1f} MB ({len(outcome.made)} new, "
        f"{len(outcome.kept)} kept); the folder holds faces: pass it on as you would the videos"
    )
    if outcome.failures:
        raise typer.Exit(int(ExitCode.PARTIAL))
