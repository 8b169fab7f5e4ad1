"""The stage `fingerprint`: a corpus folder -> a small file that changes when footage or labels do.

Every `dvc repro` runs it, so it asks for names, sizes and times alone, and imports nothing that takes long to load.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cache import files
from cache.errors import InputError, ShardError
from cache.fingerprints import fingerprint, seen, stated_frames, units
from cache.fingerprints.fingerprint import Fingerprint
from cache.shards import manifest
from stages.shell import command, console, corpora, options, places


def main(
    corpus: options.CorpusName,
    output: Annotated[Path, typer.Option(help="The fingerprint, which git tracks.")],
    root: options.Root = None,
    frames_path: Annotated[Path | None, typer.Option("--frames", help="The folder of frame shards.")] = None,
    stated_path: Annotated[Path | None, typer.Option("--stated", help="What `align` said of the frames.")] = None,
) -> None:
    """Notice what changed in a corpus; where the corpus is not, what is known of it stays as it is."""
    described = corpora.load(corpus)
    place = root or places.root_of(corpus)
    if not places.is_there(place):
        if not output.is_file():
            raise InputError(f"{places.absent(corpus, place)}, and there is no {output}. {places.remedy(corpus)}")
        say_absent(corpus, place, output)
        return
    for path in (output, stated_path):
        if path is not None:
            files.sweep_temporaries(path.parent)
    stated = fingerprint.read(output).contents if output.is_file() else {}
    labels = sorted(set(label_files(place, described.facts)))
    footage = seen.compare(places.seen_file(corpus), place, units.walk(place, labels), stated)
    found = Fingerprint(footage, tuple(fingerprint.label_digest(place, path) for path in labels))
    changed = fingerprint.write(output, found)
    if frames_path is not None and stated_path is not None and not places.is_copy():
        compare_frames(corpus, frames_path, stated_path)
    console.result(
        f"fingerprint: {len(footage)} videos and folders, {len(labels)} label files"
        f"{', not as they were' if changed else ''}"
    )


def say_absent(corpus: str, place: Path, output: Path) -> None:
    """Say that a corpus is not there, and where it once was on this machine, that it is to be placed anew."""
    known = fingerprint.read(output)
    told = f"fingerprint: {places.absent(corpus, place)}: {output} stays as it is"
    seen_file = places.seen_file(corpus)
    if seen_file is not None and seen_file.is_file():
        told += (
            f", of the {len(known.footage)} videos and folders that were there. If they lie elsewhere now: facespan "
            f"place {corpus} FOLDER; else connect their disk. Until then nothing that changes there is noticed"
        )
    console.say(told)


def label_files(root: Path, facts: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the label files: what the facts of a corpus file name in its folder, or beside `labels`.

    A folder of label files is named by `labels`.
    """
    stated = facts.get("labels")
    labels = root / stated if isinstance(stated, str) else root / "nothing"
    if labels.is_dir():
        yield from (path for path in labels.iterdir() if path.is_file() and not path.name.startswith("."))
    for value in facts.values():
        if isinstance(value, str) and value:
            yield from (path for path in (root / value, labels.parent / value) if path.is_file())


def compare_frames(corpus: str, folder: Path, stated_path: Path) -> None:
    """Where shards of frames are missing, or others than was said, say what there is: then DVC repeats `align`.

    Where frames never were, as with whoever was given features alone, what was said of them stays; where they were once
    is remembered with what was checked of them.

    Raises:
        ShardError: the manifest is a link, of a later version, or nobody's, which is no reason to forget the frames.
    """
    if not stated_path.is_file():
        return
    stated = stated_frames.read(stated_path)
    checked = places.checked_file(folder)
    were_here = os.path.lexists(folder / manifest.NAME) or (checked is not None and checked.is_file())
    if not were_here:
        console.say(
            f"fingerprint: {folder} holds no frames: what {stated_path} tells of those of {stated.videos} videos stays "
            f"as it is. Where frames are needed: dvc repro --single-item --force align@{corpus}"
        )
        return
    try:
        found = stated_frames.state(stated_frames.present(folder))
    except ShardError:
        if manifest.damaged_text(folder) is None:
            raise  # `align` takes no other for its own, so what was said of the frames would never come back
        stated_frames.write(stated_path, stated_frames.state({}))
        console.say(
            f"fingerprint: {folder / manifest.NAME} is damaged: align runs, and keeps the shards that are whole"
        )
        return
    if found != stated:
        stated_frames.write(stated_path, found)
        console.say(
            f"fingerprint: {folder} holds the frames of {found.videos} videos, not those of {stated.videos} that "
            f"{stated_path} told of: align runs"
        )


if __name__ == "__main__":
    command.run(main)
