"""`facespan export CORPUS [VIDEO...] --to FORMAT`: what is annotated and what was found, as files of coders' tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cache.errors import InputError
from cache.exchange import made
from cache.exchange.tiers import CORRECTIONS, TIERS, Exported, TieredVideo
from cache.tables import intervals, schema, videos
from cache.tables.intervals import Expression
from cache.tables.videos import Video
from cache.troubles import alone
from stages.results import formats, tiered_videos
from stages.results.found_rows import columns_of
from stages.results.video_results import names_in
from stages.shell import command, console, corpora, options, params, places


def main(
    corpus: options.CorpusName,
    to: Annotated[str, typer.Option("--to", help=" | ".join(formats.WRITERS), metavar="FORMAT")],
    names: Annotated[
        list[str] | None, typer.Argument(help="Of these videos alone; of all when left out.", metavar="[VIDEO]...")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The folder the files go into; exports/<corpus>/<format> when left out.")
    ] = None,
    with_all: Annotated[bool, typer.Option("--all", help="Also the detections below the threshold.")] = False,
    threshold: Annotated[
        float | None,
        typer.Option(help="How confident a detection has to be; as evaluated when left out.", min=0, max=1),
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace files that somebody made or edited.")] = False,
    root: options.Root = None,
    results: Annotated[Path, typer.Option(help="The folder of results, a folder a corpus.")] = Path("results"),
    data: Annotated[Path, typer.Option(help="The folder of tables and shards.")] = Path("data"),
    params_path: options.Params = params.PARAMS,
) -> None:
    """Write truth, detections and, where it can be read back, a tier of corrections to edit.

    Corrections begin as the truth and the detections beside it. A file that a coder edited is left alone.
    """
    if to not in formats.WRITERS:
        names_known = ", ".join(formats.WRITERS)
        raise params.ParameterError(f"--to {to!r}: expected one of {names_known}{schema.nearest(to, formats.WRITERS)}")
    described = corpora.load(corpus)
    table = chosen(videos.read(data / corpus / "videos.parquet"), names or [], data / corpus)
    weights = str(params.load_section(params_path, "extract")["weights"])  # as dvc.yaml names the folder
    failed: dict[str, str] = {}
    plain = looked_at(table, data / corpus / "features" / weights, root or places.root_of(corpus), failed)
    known = intervals.read(data / corpus / "expressions.parquet", Expression)
    found = tiered_videos.read_detections(results / corpus)
    if found is None:
        console.say(f"export: {results / corpus} has no detections: annotated expressions alone are written")
    own = {video.video for video in plain}
    found = [one for one in found or () if one.video in own]
    thresholds = tiered_videos.thresholds_of(results / corpus, corpus, found, threshold)
    marked = tiered_videos.marked(plain, known, found, thresholds, with_all=with_all)
    classes = names_in(described.classes, found)
    check_classes(classes, corpora.path_of(corpus))
    folder = output or Path("exports") / corpus / to
    if to not in formats.READERS:  # nothing that comes back
        marked = [without(video, CORRECTIONS) for video in marked]
    left = made.write(folder, dict(formats.WRITERS[to](marked, Exported(corpus, classes, folder))), force=force)
    finish(folder, marked, left, failed)


def chosen(table: list[Video], names: list[str], folder: Path) -> list[Video]:
    """Return the videos that were named, in the order of the table; all of them when none is."""
    known = [video.video for video in table]
    for name in names:
        if name not in known:
            raise InputError(f"there is no video {name!r} in {folder / 'videos.parquet'}{schema.nearest(name, known)}")
    return [video for video in table if not names or video.video in names]


def looked_at(table: list[Video], features: Path, root: Path, failed: dict[str, str]) -> list[TieredVideo]:
    """Return the videos with the times of their frames; what is wrong with one is noted and leaves the others.

    Raises:
        InputError: there is none to export.
    """
    done = []
    for video in table:
        with alone(video.video, failed):
            columns = columns_of(features, [video])[video.video]
            done.append(tiered_videos.without_marks(video, columns, root))
    if not done:
        raise InputError("; ".join(failed.values()) or "there is no video")
    return done


def without(video: TieredVideo, tier: str) -> TieredVideo:
    """Return a video without one of its tiers."""
    kept = {name: found for name, found in video.tiers.items() if name != tier}
    return TieredVideo(**{**vars(video), "tiers": kept})


def check_classes(classes: tuple[str, ...], path: Path) -> None:
    """Raise InputError for a class whose name no file of text can hold."""
    for name in classes:
        if not name.isprintable():
            raise InputError(f"{path}: the class {name!r} has characters that are none to print. Rename it")


def finish(folder: Path, marked: list[TieredVideo], left: list[str], failed: dict[str, str]) -> None:
    """Say what was written and what was not; stop with `PARTIAL` when anything was not."""
    counts = {tier: sum(len(video.tiers.get(tier, ())) for video in marked) for tier in TIERS}
    told = ", ".join(f"{count} in {tier}" for tier, count in counts.items() if any(tier in v.tiers for v in marked))
    console.result(f"export: {len(marked)} videos, {told}, in {folder}")
    for name in left:
        console.say(f"export: {folder / name} was edited, or is not ours: left as it is; --force replaces it")
    for video, problem in sorted(failed.items()):
        console.say(f"export: {video} failed: {problem}")
    if left or failed:
        raise typer.Exit(int(command.ExitCode.PARTIAL))


if __name__ == "__main__":
    command.run(main)
