"""Keeps a folder of shards up to date: what is current stays, what is missing or stale is made, what is orphaned goes.

The manifest is written while work goes on, so that a killed run loses seconds of it, and once more at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cache import files, manifest, tables
from cache.errors import InputError, ShardError
from cache.manifest import Manifest, ShardEntry

SECONDS_BETWEEN_MANIFESTS = 5.0
FAILURES = "failures.csv"

IsCurrent = Callable[[Path, str, ShardEntry | None], bool]
Make = Callable[[str, Path], int]


@dataclass
class Outcome:
    """What became of each video: made, kept, or failed and why; and the files removed because no video has them."""

    entries: dict[str, ShardEntry] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    removed: list[Path] = field(default_factory=list)

    @property
    def frame_count(self) -> int:
        """Frames of all videos in the folder."""
        return sum(entry.frames for entry in self.entries.values())

    @property
    def byte_count(self) -> int:
        """Size of all shards in the folder."""
        return sum(entry.bytes for entry in self.entries.values())


def plan(folder: Path, keys: Mapping[str, str], is_current: IsCurrent, force: bool) -> list[str]:
    """Return the videos whose shard has to be made, in order; every shard that could be kept is read once.

    Args:
        keys: from video to the fingerprint of what its shard has to be made from.
        force: keep nothing.
    """
    known = _known(folder)
    return [
        video
        for video, key in keys.items()
        if force or not is_current(manifest.shard_path(folder, video, len(keys)), key, known.get(video))
    ]


def keep_up(
    folder: Path, kind: str, keys: Mapping[str, str], missing: list[str], make: Make, run: Mapping[str, Any]
) -> Outcome:
    """Make the missing shards, write the manifest (when interrupted as well), remove orphans.

    A video that fails does not stop the others: it is in `Outcome.failures`, in `failures.csv` beside the shards, and
    not in the manifest. A full or read-only disk fails every video the same way.

    Args:
        make: writes the shard of a video to a path and returns its number of frames.
        run: facts of the run for the manifest.

    Raises:
        InputError: the disk accepts no manifest.
    """
    with files.explain_failures(folder):
        folder.mkdir(parents=True, exist_ok=True)
    files.sweep_temporaries(folder)
    known = _known(folder)
    outcome = Outcome(kept=[video for video in keys if video not in set(missing)])
    outcome.entries.update({video: known[video] for video in outcome.kept})
    written = time.monotonic()
    try:
        for video in missing:
            path = manifest.shard_path(folder, video, len(keys))
            try:
                outcome.entries[video] = _make(folder, path, video, keys[video], make)
                outcome.made.append(video)
            except (InputError, ShardError, ValueError) as error:
                outcome.failures[video] = str(error)
            if time.monotonic() - written > SECONDS_BETWEEN_MANIFESTS:
                manifest.write(folder, Manifest(kind, outcome.entries, run))
                written = time.monotonic()
    finally:
        # After Ctrl-C, too: what is finished is kept.
        manifest.write(folder, Manifest(kind, outcome.entries, run))
    outcome.removed = manifest.remove_orphans(folder, list(keys))
    _write_failures(folder / FAILURES, outcome.failures)
    return outcome


def _make(folder: Path, path: Path, video: str, key: str, make: Make) -> ShardEntry:
    with files.claim(path.with_name(f".{video}.lock")) as ours:
        if not ours:
            raise InputError(f"another process is making {path}. Run again when it has finished.")
        return manifest.describe(folder, path, make(video, path), key)


def _known(folder: Path) -> Mapping[str, ShardEntry]:
    """Return the entries of a manifest; none when there is no whole one, so that nothing is kept on its word."""
    try:
        return manifest.read(folder).shards
    except (InputError, ShardError):
        return {}


def _write_failures(path: Path, failures: Mapping[str, str]) -> None:
    if failures:
        tables.write_csv(path, ("video", "error"), sorted(failures.items()))
    else:
        path.unlink(missing_ok=True)
