"""What lies where: the folders of shards of a corpus, and what each holds by its manifest alone; no shard is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cache.errors import InputError
from cache.printing import printable
from cache.shards import manifest
from cache.shards.manifest import CORPUS, Manifest

FRAMES, FEATURES = "frames", "features"
VIDEOS, EXPRESSIONS = "videos.parquet", "expressions.parquet"
LONGEST_TEXT = 80


@dataclass(frozen=True)
class Summary:
    """What a manifest says of its folder.

    Attributes:
        corpus: whose videos these are; empty where it is not stated.
        encoder: the name of what gave the features; empty of frames, and where it is not stated.
        missing: videos of the corpus that have no shard.
        stale: of these, the ones whose earlier shard still lies there.
    """

    folder: str
    kind: str
    corpus: str
    encoder: str
    videos: int
    frames: int
    bytes: int
    missing: int
    stale: int


def find(place: Path) -> list[Path]:
    """Return the folders of shards at a place: it itself, a corpus' folders, or those of all corpora in it; sorted.

    Raises:
        InputError: there is no such folder.
    """
    if not place.is_dir():
        raise InputError(f"{place} is no folder. Name a folder of shards, or a corpus that lies in data/.")
    if _has_manifest(place):
        return [place]
    corpora = [place, *sorted(path for path in place.iterdir() if path.is_dir() and not path.is_symlink())]
    return sorted({folder for corpus in corpora for folder in _candidates(corpus) if _has_manifest(folder)})


def _candidates(corpus: Path) -> Iterator[Path]:
    yield from (corpus, corpus / FRAMES)
    if (corpus / FEATURES).is_dir():
        yield from (corpus / FEATURES).iterdir()


def _has_manifest(folder: Path) -> bool:
    return (folder / manifest.NAME).is_file()


def corpus_folder(folder: Path) -> Path:
    """Return where the tables of a corpus lie, and its other shards, given one of its folders of shards."""
    parent = Path(os.path.normpath(folder.absolute())).parent
    return parent.parent if parent.name == FEATURES else parent


def frames_beside(folder: Path) -> Path | None:
    """Return the folder of the frames that a folder of features was made from; None where it is not there."""
    beside = corpus_folder(folder) / FRAMES
    return beside if _has_manifest(beside) and beside != folder.absolute() else None


def videos_beside(folder: Path) -> Path | None:
    """Return the table of the videos of a folder of shards; None where it is not there."""
    table = corpus_folder(folder) / VIDEOS
    return table if table.is_file() else None


def summarise(folder: Path) -> Summary:
    """Return what a folder holds, by its manifest.

    Raises:
        InputError, ShardError: it has none, or a damaged one.
    """
    held = manifest.read(folder)
    return Summary(
        folder=str(folder),
        kind=held.kind,
        corpus=told(held.run.get(CORPUS)),
        encoder=encoder_name(held),
        videos=len(held.shards),
        frames=sum(entry.frames for entry in held.shards.values()),
        bytes=sum(entry.bytes for entry in held.shards.values()),
        missing=len(manifest.missing(held)),
        stale=len(manifest.stale(held)),
    )


def encoder_name(held: Manifest) -> str:
    """Return the name of what gave the features, as the manifest states it; empty where it does not."""
    encoder = held.run.get("encoder")
    return told(encoder.get("name")) if isinstance(encoder, dict) else ""


def told(value: object) -> str:
    """Return a value out of somebody's manifest as a text that a terminal can show; None is empty."""
    text = "" if value is None else str(value)
    return printable(text[:LONGEST_TEXT]) + ("..." if len(text) > LONGEST_TEXT else "")
