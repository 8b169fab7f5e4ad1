"""The stage `align`: videos, or what OpenFace made of them -> one shard of aligned frames per video."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cache import checked, files
from cache.errors import InputError
from cache.fingerprints import seen, stated_frames
from cache.shards import frames, layout, manifest, upkeep
from cache.shards.aligned import AlignParameters
from cache.shards.layout import Attribute
from cache.shards.manifest import KEY_FIELDS
from cache.shards.ownership import ShardFolder
from cache.shards.upkeep import Brought
from cache.tables import videos
from cache.tables.videos import Video
from stages.aligning import align_videos, aligners
from stages.aligning.align_job import AlignJob, Prepared
from stages.aligning.align_videos import Aligner
from stages.parts import left_out, shard_folders
from stages.shell import command, console, corpora, options, params, places, runs

# Raised when the same source and parameters would give other frames on purpose, so shards are made again.
ALIGN_VERSION = 1


def main(
    corpus: options.CorpusName,
    videos_path: Annotated[Path, typer.Option("--videos", help="videos.parquet.")],
    output: Annotated[Path, typer.Option(help="The folder of frame shards.")],
    root: options.Root = None,
    stated_path: Annotated[Path | None, typer.Option("--stated", help="Where to say what frames there are.")] = None,
    params_path: options.Params = params.PARAMS,
    force: options.Force = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
) -> None:
    """Take aligned faces over into shards; a frame without a face is marked, never dropped."""
    parameters = params.read(params_path, "align", AlignParameters, corpora.path_of(corpus))
    root = root or places.root_of(corpus)
    table = {video.video: video for video in videos.read(videos_path)}
    left_out.say("align", videos_path)
    for video in table.values():
        aligners.check(video, parameters)
    if not places.is_there(root):
        keep(corpus, root, stated_path, table, parameters)
        return
    common = common_of(corpus, output, parameters)
    known = checked.read(places.checked_file(output), output)
    folder = ShardFolder(output, corpus, frames.LAYOUT, partial(frames.is_current, known=known))
    planned = upkeep.plan(folder, list(table), lambda name: key_of(root, table[name], parameters, common), force)
    shard_folders.say_recovered("align", output, planned)
    if dry_run:
        shard_folders.foretell("align", output, planned)
        return
    run = runs.begin("align", output, *([stated_path] if stated_path else ()))
    missing, unread = [table[name] for name in planned.missing], seen.unread(places.seen_file(corpus), root)
    job = AlignJob(root, parameters, missing, output, console.say, unread)
    contents: dict[str, str] = {}
    total = sum(video.frame_count for video in job.videos)
    with prepare(job) as prepared, console.progress("align", total, "frames", quiet) as advance:

        def tell(brought: Brought) -> None:
            if brought.made is not None:
                for warning in brought.made.warnings:
                    console.say(f"align: {brought.video}: {warning}")
                if brought.made.source_content is not None:
                    contents[table[brought.video].path] = brought.made.source_content
                advance(brought.made.frames)

        aligner = Aligner(job, planned.keys, prepared)
        facts = {**prepared.facts, KEY_FIELDS: fields_of(parameters, common)}
        outcome = upkeep.keep_up(folder, planned, aligner, facts, tell, align_videos.several_at_once(job))
    if stated_path is not None:
        files.sweep_temporaries(stated_path.parent)
        shards = manifest.read(output).shards
        current = [table[name] for name, entry in shards.items() if planned.keys.get(name) == entry.key]
        stated_frames.write(stated_path, stated_frames.state(shards, known_of(current, parameters)))
    seen.note(places.seen_file(corpus), root, contents)
    shard_folders.remember(known)
    run.note(made=bool(outcome.made))
    shard_folders.conclude("align", output, outcome)


def keep(
    corpus: str, root: Path, stated_path: Path | None, table: Mapping[str, Video], parameters: AlignParameters
) -> None:
    """Do nothing where the corpus is not and the frames would be those that are known; else raise InputError."""
    stated = stated_frames.read(stated_path) if stated_path is not None and stated_path.is_file() else None
    known = known_of(table.values(), parameters)
    if known is None:
        keys = {name: key_of(root, video, parameters, {}) for name, video in table.items()}
        is_current = stated is not None and stated.keys == stated_frames.keys_digest(keys)
    else:
        is_current = stated is not None and stated.known == stated_frames.keys_digest(known)
    if not is_current:
        earlier = (
            f" ({stated_path} is of an earlier version, or of another method: who has the corpus makes it anew by dvc "
            f"repro align@{corpus})"
            if known is not None and stated is not None and stated.known is None
            else ""
        )
        raise InputError(
            f"{places.absent(corpus, root)}, and its frames are to be made{earlier}. {places.remedy(corpus)}"
        )
    unseen = "" if known is None else "; whether OpenFace or its files are other than they were, nobody looked"
    console.result(f"align: {places.absent(corpus, root)}; what {stated_path} tells of its frames still holds{unseen}")


def known_of(videos: Iterable[Video], parameters: AlignParameters) -> dict[str, str] | None:
    """Return what is known anywhere of what frames are made from; None where the keys themselves are."""
    if aligners.METHODS[parameters.method].is_known_anywhere:
        return None
    return {video.video: layout.fingerprint({**fields_of(parameters, {}), **own_of(video)}) for video in videos}


@contextmanager
def prepare(job: AlignJob) -> Iterator[Prepared]:
    """Make the method ready; when nothing is missing it is not asked for, and the facts stay as they were.

    Those of a damaged manifest are told anew.
    """
    if not job.videos and (told := shard_folders.run_of(job.output)):
        yield Prepared(read_nothing, told)
        return
    with aligners.METHODS[job.parameters.method].prepare(job) as prepared:
        yield Prepared(prepared.read, {**facts(), **prepared.facts})


def read_nothing(video: Video) -> NoReturn:
    """Raise: no video is missing, so none is read."""
    raise ValueError(f"{video.video} was not to be aligned")


def common_of(corpus: str, output: Path, parameters: AlignParameters) -> Mapping[str, str]:
    """Return what all videos are made with that lies outside the corpus folder, by digest."""
    common = aligners.METHODS[parameters.method].common(parameters, shard_folders.run_of(output))
    if common:
        console.say(
            "align: DVC does not see the files of OpenFace change; after that run "
            f"dvc repro --single-item --force align@{corpus}, which makes anew what they change"
        )
    return common


def key_of(root: Path, video: Video, parameters: AlignParameters, common: Mapping[str, str]) -> str:
    """Return the fingerprint of the frames of a video: its source, how it is read, the version of this code.

    Args:
        common: what all videos are made from besides, see `aligners.Method`.
    """
    ingredients = aligners.METHODS[parameters.method].ingredients(root, video, parameters)
    return layout.fingerprint({**fields_of(parameters, common), **ingredients, **own_of(video)})


def own_of(video: Video) -> dict[str, Attribute]:
    """Return what of a video's row its frames depend on."""
    return {
        "source_digest": video.source_digest,
        "first_label": video.first_label,
        "frame_step": video.frame_step,
    }


def fields_of(parameters: AlignParameters, common: Mapping[str, str]) -> dict[str, Attribute]:
    """Return what the keys of all videos' frames have in common."""
    counting = aligners.METHODS[parameters.method].counting
    described = {name: str(getattr(parameters, name)) for name in ("method", *counting)}
    return {**described, **common, "version": ALIGN_VERSION}


def facts() -> dict[str, str]:
    """Return what the frames were made with, for the manifest."""
    return {"opencv": importlib.metadata.version("opencv-python-headless")}


if __name__ == "__main__":
    command.run(main)
