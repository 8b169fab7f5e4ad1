"""Frames of people who left the corpus: shards that the tracked `frames.dvc` still lists, and nobody may be given."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from cache.errors import InputError, ShardError
from cache.shards import manifest, shard_entry
from cache.sharing import dvc_objects
from cache.sharing.inventory import VIDEOS
from cache.tables import videos
from stages.sharing import objects, project
from stages.sharing.objects import File
from stages.sharing.project import Project
from stages.sharing.remote import Remote
from stages.shell import console

MOST_NAMED = 5


def still_listed(opened: Project, corpus: str) -> list[str]:
    """Return the videos whose frames `frames.dvc` lists and the manifest of the frames here does not state.

    Where there are no frames, the table of videos says which there should be. None where nothing can be compared: the
    file is not there, or DVC's cache lacks the listing that it names.

    Raises:
        InputError, ShardError: the manifest, the table or the listing is damaged.
    """
    output = project.tracked_frames(opened, corpus)
    known = _known_here(opened.root / project.frames_folder(corpus))
    if output is None or known is None or not os.path.lexists(dvc_objects.path_of(opened.objects, output.name)):
        return []
    return sorted(set(_videos_of(objects.files_of(opened.objects, output))) - known)


def still_listed_or_said(opened: Project, corpus: str) -> list[str]:
    """Return what `still_listed` finds for a push; where nobody can tell, say so and return nothing."""
    try:
        return still_listed(opened, corpus)
    except (InputError, ShardError) as problem:
        _say_unseen("push", corpus, problem)
        return []


def faults(corpus: str) -> Iterator[dict[str, Any]]:
    """Yield what `still_listed` finds in the project of the current folder, each as a fault of a report."""
    if not project.frames_file(corpus).is_file():
        return
    try:
        with project.opened() as opened:
            found = still_listed(opened, corpus)
    except (InputError, ShardError) as problem:
        _say_unseen("verify", corpus, problem)
        return
    for video in found:
        yield {"video": video, "problem": "listed", "detail": describe(corpus, [video])}


def check(opened: Project, corpus: str, files: Sequence[File], source: Remote) -> None:
    """Raise InputError when frames that are to be pulled are of videos that the corpus of this commit does not name.

    Args:
        files: of the frames, as their listing has them.
    """
    known = _known_by_lock(opened, corpus, source)
    if known is not None and (gone := sorted(set(_videos_of(files)) - known)):
        raise InputError(f"{describe(corpus, gone)}. Nothing of it was fetched or written")


def describe(corpus: str, gone: Sequence[str]) -> str:
    """Return in words which videos are listed that left the corpus, and what is to be done."""
    named = ", ".join(gone[:MOST_NAMED]) + (f" and {len(gone) - MOST_NAMED} more" if gone[MOST_NAMED:] else "")
    path = project.frames_file(corpus).as_posix()
    return (
        f"{path} still lists the frames of {named}, which left the corpus: a pull would bring the faces back. Where "
        f"the frames are: facespan cache push {corpus} --frames, and commit {path}"
    )


def _say_unseen(command: str, corpus: str, problem: Exception) -> None:
    console.say(f"{command}: nobody looked at what {project.frames_file(corpus)} lists: {problem}")


def _videos_of(files: Iterable[File]) -> Iterator[str]:
    return (path.stem for path in (PurePosixPath(file.path) for file in files) if path.suffix == shard_entry.SUFFIX)


def _known_here(folder: Path) -> set[str] | None:
    if (folder / manifest.NAME).is_file():
        held = manifest.read(folder)
        return {*held.shards, *manifest.stale(held), *manifest.missing(held)}
    table = folder.with_name(VIDEOS)
    return {video.video for video in videos.read(table)} if table.is_file() else None


def _known_by_lock(opened: Project, corpus: str, source: Remote) -> set[str] | None:
    """Return the videos of the table that `dvc.lock` states, which is fetched; None where nobody has it."""
    try:
        table = next(out for out in project.outputs(opened, corpus, ["features"]) if out.path.endswith(VIDEOS))
        objects.bring(opened.objects, [table], source, lambda _: None)
    except (InputError, StopIteration):
        return None
    return {video.video for video in videos.read(dvc_objects.path_of(opened.objects, table.name))}
