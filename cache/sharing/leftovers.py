"""Garbage collection of a folder of shards: orphans, earlier shards and what killed processes left.

Only what our manifest or journal names goes, as long as it is, to the last bit, what was stated; and temporaries that
no living process holds.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cache import files
from cache.errors import InputError
from cache.shards import manifest, shard_entry
from cache.shards.manifest import STALE, Manifest
from cache.shards.shard_entry import ShardEntry
from cache.sharing import inventory
from cache.tables import videos


@dataclass(frozen=True)
class Leftovers:
    """What a folder holds that nobody needs.

    Attributes:
        orphans: stated shards of videos that the corpus has no more.
        stale: earlier shards that were not made again, of videos that have none now.
        temporaries: what killed processes left half written.
    """

    orphans: Mapping[str, ShardEntry]
    stale: Mapping[str, ShardEntry]
    temporaries: list[Path]

    @property
    def count(self) -> int:
        """How many files."""
        return len(self.orphans) + len(self.stale) + len(self.temporaries)

    @property
    def byte_count(self) -> int:
        """Size of all of it; what vanishes meanwhile counts as nothing."""
        stated = sum(entry.bytes for entry in (*self.orphans.values(), *self.stale.values()))
        return stated + sum(path.stat().st_size for path in self.temporaries if path.exists())


@dataclass(frozen=True)
class Cleared:
    """What became of leftovers: removed; or left, as they are not what was stated, or somebody works on them."""

    removed: list[Path]
    left: list[Path]


def corpus_of(folder: Path) -> set[str] | None:
    """Return the videos of the corpus of a folder: those of its table, else those of its frames; None: nobody says.

    Raises:
        InputError, ShardError: the table, or the manifest of the frames, is damaged.
    """
    table = inventory.videos_beside(folder)
    if table is not None:
        return {video.video for video in videos.read(table)}
    aligned = inventory.frames_beside(folder)
    if aligned is None:
        return None
    held = manifest.read(aligned)
    return {*held.shards, *manifest.missing(held)}


def find(folder: Path, corpus: Collection[str] | None) -> Leftovers:
    """Return what could go; nothing is touched.

    Args:
        corpus: the videos that count; None where it is not known, and nothing is an orphan.

    Raises:
        InputError, ShardError: there is no manifest, or a damaged one.
    """
    held = manifest.read(folder)
    lying = {v: entry for v, entry in manifest.stale(held).items() if os.path.lexists(folder / entry.file)}
    stale = {v: entry for v, entry in lying.items() if entry.file not in {e.file for e in held.shards.values()}}
    orphans = {v: entry for v, entry in held.shards.items() if corpus is not None and v not in corpus}
    return Leftovers(orphans, stale, _abandoned(folder))


def clear(folder: Path, corpus: Collection[str] | None) -> Cleared:
    """Remove what `find` finds now, and state it no more; errors as there."""
    removed: list[Path] = []
    left: list[Path] = []
    with manifest.locked(folder):
        found, held = find(folder, corpus), manifest.read(folder)
        gone = set()
        for video, entry in {**found.stale, **found.orphans}.items():
            path = folder / entry.file
            with files.claim(path.with_name(f".{video}.lock")) as ours:
                taken, refused = shard_entry.remove(folder, [entry]) if ours else ([], [path])
            removed += taken
            left += refused
            gone |= set() if refused else {video}
        if gone:
            manifest.write(folder, _without(held, gone))
    before = found.temporaries
    files.sweep_temporaries(folder)
    removed += [path for path in before if not path.exists()]
    return Cleared(removed, left + [path for path in before if path.exists()])


def _without(held: Manifest, gone: set[str]) -> Manifest:
    stale = {video: shard_entry.state(entry) for video, entry in manifest.stale(held).items() if video not in gone}
    facts = {name: value for name, value in held.run.items() if name != STALE} | ({STALE: stale} if stale else {})
    return replace(held, shards={v: entry for v, entry in held.shards.items() if v not in gone}, run=facts)


def _abandoned(folder: Path) -> list[Path]:
    """Return the temporaries of shards and manifests that no living process holds."""
    found = sorted([*folder.glob(".*.tmp"), *folder.glob("*/.*.tmp")])
    return [path for path in found if files.TEMPORARY_NAME.fullmatch(path.name) and _is_free(path)]


def _is_free(path: Path) -> bool:
    """Return whether a temporary file is a file that nobody holds; unlike `files.claim`, this leaves it there."""
    try:
        descriptor = files.open_regular(path, follow_links=False)
    except InputError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
