"""Incremental update of a folder of shards: keep current ones, make missing or stale ones, remove orphans.

The manifest is written before the first shard, and nothing is removed but what it names. Each shard is stated when it
is finished, so a killed run loses none, and several processes may work on one folder: each video is made by one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cache import files
from cache.errors import InputError, ShardError
from cache.shards import manifest, ownership, recovery, shard_entry
from cache.shards.manifest import CORPUS, MISSING, STALE, Manifest
from cache.shards.ownership import ShardFolder
from cache.shards.shard_entry import ShardEntry
from cache.shards.untrusted import UntrustedShard
from cache.tables import failures
from cache.troubles import alone

# The attribute that a kind of shard may have.
DIGEST = "digest"

# What changes whenever a file is replaced: None without a file, () where it cannot be told.
Identity = tuple[int, ...] | None


@dataclass(frozen=True)
class Made:
    """A shard just written: its number of frames, and what the user should know of them.

    Attributes:
        source_content: the digest of what its source holds, where it was asked for.
    """

    frames: int
    warnings: Sequence[str] = ()
    source_content: str | None = None


@dataclass(frozen=True)
class Brought:
    """What became of one video: it was made, or kept because another process made it, or failed, and why.

    None of them: another process is at it.
    """

    video: str
    made: Made | None = None
    is_kept: bool = False
    failure: str | None = None


Make = Callable[[str, Path], Made]
Bring = Callable[[str], Brought]
Note = Callable[[Brought], None]
# Brings videos up to date and notes each that is done: one after the other, or several at once in processes.
BringAll = Callable[[Bring, Sequence[str], Note], None]


@dataclass(frozen=True)
class Plan:
    """What is to be done with a folder.

    Attributes:
        videos: of the corpus, in order.
        keys: from video to the fingerprint of what its shard has to be made from.
        missing: the videos whose shard has to be made, in order, with the identity of what lay in its place.
        failures: the videos whose key could not be told, and why.
        recovered: of a folder whose manifest is damaged, the one that takes its place, see `recovery`.
    """

    videos: Collection[str]
    keys: Mapping[str, str]
    missing: Mapping[str, Identity]
    failures: Mapping[str, str]
    recovered: Manifest | None = None


@dataclass
class Outcome:
    """What became of each video: made, kept, or failed and why.

    Attributes:
        removed: files of videos that the corpus has no more.
        left: likewise, but they are not what was made here, so they stay.
    """

    entries: Mapping[str, ShardEntry] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    removed: list[Path] = field(default_factory=list)
    left: list[Path] = field(default_factory=list)

    def note(self, brought: Brought, busy: list[str]) -> None:
        """Take in what became of a video; one that another process is at goes to the busy ones."""
        if brought.made is not None:
            self.made.append(brought.video)
        elif brought.is_kept:
            self.kept.append(brought.video)
        elif brought.failure is not None:
            self.failures[brought.video] = brought.failure
        else:
            busy.append(brought.video)

    @property
    def frame_count(self) -> int:
        """Frames of all videos in the folder."""
        return sum(entry.frames for entry in self.entries.values())

    @property
    def byte_count(self) -> int:
        """Size of all shards in the folder."""
        return sum(entry.bytes for entry in self.entries.values())


def plan(folder: ShardFolder, videos: Collection[str], key_of: Callable[[str], str], force: bool) -> Plan:
    """Return what has to be done for the videos of a corpus; every shard that could be kept is read once.

    Args:
        key_of: gives the fingerprint of what the shard of a video has to be made from; where it fails, the video does.
        force: keep nothing.

    Raises:
        InputError, ShardError: the folder is not ours, see `ownership.held`; or as `troubles.alone`.
    """
    damage: ShardError | None = None
    held: Manifest | None = None
    try:
        held = ownership.held(folder, videos)
    except ShardError as problem:
        damage = problem
    keys: dict[str, str] = {}
    failed: dict[str, str] = {}
    for video in videos:
        with alone(video, failed):
            keys[video] = key_of(video)
    recovered = None if damage is None else recovery.recover(folder, keys, len(videos))
    if damage is not None and recovered is None:
        raise damage
    known = (recovered or held or Manifest(folder.layout.kind, {}, {})).shards
    missing: dict[str, Identity] = {}
    for video, key in keys.items():
        path, entry = manifest.shard_path(folder.path, video, len(videos)), known.get(video)
        seen = _identity(folder, path, key, entry)
        if force or not _is_current(folder, path, key, entry):
            missing[video] = seen
    return Plan(videos, keys, missing, failed, recovered)


def one_by_one(bring: Bring, videos: Sequence[str], note: Note) -> None:
    """Bring one video after the other up to date."""
    for video in videos:
        note(bring(video))


def keep_up(
    folder: ShardFolder,
    planned: Plan,
    make: Make,
    run: Mapping[str, Any],
    told: Note = lambda brought: None,
    bring_all: BringAll = one_by_one,
) -> Outcome:
    """Make the missing shards, write the manifest (when interrupted as well), remove orphans.

    A video that fails does not stop the others: it is in `Outcome.failures`, in `failures.csv` beside the shards, and
    not in the manifest. One that another process makes meanwhile is kept; its end is waited for.

    Args:
        make: writes the shard of a video to a path.
        run: facts of the run for the manifest.
        told: called with each video that is done, in this process.
        bring_all: `make` has to be picklable where it hands videos to processes.

    Raises:
        InputError, ShardError: as `plan`; or the disk accepts no manifest.
    """
    with files.explain_failures(folder.path):
        folder.path.mkdir(parents=True, exist_ok=True)
    known = _begin(folder, planned, run)
    _sweep(folder.path)
    kept = [video for video in planned.keys if video not in planned.missing]
    outcome = Outcome(kept=kept, failures=dict(planned.failures))
    busy: list[str] = []

    def note(brought: Brought) -> None:
        outcome.note(brought, busy)
        told(brought)

    bring = _Bringer(folder, planned, known, make)
    try:
        bring_all(bring, list(planned.missing), note)
        bring_all(replace(bring, wait=True), list(busy), note)
    except BaseException:
        # After Ctrl-C, too: what is finished is kept. Processes that were ended in the middle leave something.
        _sweep(folder.path)
        _settle(folder, planned, run, outcome, known, remove=False)
        raise
    _settle(folder, planned, run, outcome, known, remove=True)
    failures.write(folder.path, outcome.failures)
    return outcome


@dataclass(frozen=True)
class _Bringer:
    """Brings one video after the other up to date.

    Attributes:
        wait: for a video that another process is at, until that one is done with it.
    """

    folder: ShardFolder
    planned: Plan
    known: Mapping[str, ShardEntry]
    make: Make
    wait: bool = False

    def __call__(self, video: str) -> Brought:
        """Make the shard of a video, unless that was done since it was planned."""
        path = manifest.shard_path(self.folder.path, video, len(self.planned.videos))
        failed: dict[str, str] = {}
        with alone(video, failed), files.claim(path.with_name(f".{video}.lock"), wait=self.wait) as ours:
            if not ours:
                return Brought(video)
            if self._was_made(video, path):
                return Brought(video, is_kept=True)
            return Brought(video, made=self._make(video, path))
        return Brought(video, failure=failed[video])

    def _was_made(self, video: str, path: Path) -> bool:
        key, entry = self.planned.keys[video], self.known.get(video)
        seen = self.planned.missing[video]
        if seen != () and seen == _identity(self.folder, path, key, entry):
            return False
        return _is_current(self.folder, path, key, manifest.read(self.folder.path).shards.get(video))

    def _make(self, video: str, path: Path) -> Made:
        ownership.check_place(self.folder, path, self.known.get(video))
        made = self.make(video, path)
        digest = _digest_of(self.folder, path)
        entry = manifest.describe(self.folder.path, path, made.frames, self.planned.keys[video], digest)
        manifest.add(self.folder.path, video, entry)
        return made


def _begin(folder: ShardFolder, planned: Plan, run: Mapping[str, Any]) -> Mapping[str, ShardEntry]:
    """Make the folder ours with a manifest of what can be kept; return what it stated before."""
    with manifest.locked(folder.path):
        if planned.recovered is not None and manifest.damaged_text(folder.path) is not None:
            manifest.write(folder.path, planned.recovered)
        held = ownership.held(folder, planned.videos)  # again: somebody may have begun since it was planned
        known = {**manifest.stale(held), **held.shards} if held else {}
        if held is None or planned.missing or (folder.path / manifest.JOURNAL).exists():
            stated = held.shards if held else {}
            current = {v: entry for v, entry in stated.items() if planned.keys.get(v, entry.key) == entry.key}
            _write(folder, planned, run, current, known)
    return known


def _sweep(folder: Path) -> None:
    """Remove what killed processes left: temporaries, and locks that nobody holds."""
    files.sweep_temporaries(folder)
    for path in [*folder.glob(".*.lock"), *folder.glob("[0-9a-f][0-9a-f]/.*.lock")]:
        name = path.name[1:].removesuffix(".lock")
        if files.VIDEO_ID.fullmatch(name) and path.is_file() and not path.is_symlink() and not path.stat().st_size:
            with files.claim(path):  # a claimed file is removed when it is released
                pass


def _settle(
    folder: ShardFolder,
    planned: Plan,
    run: Mapping[str, Any],
    outcome: Outcome,
    known: Mapping[str, ShardEntry],
    *,
    remove: bool,
) -> None:
    """Write the manifest of what there is now, without what failed, and remove the orphans among what was known."""
    with manifest.locked(folder.path):
        held, videos = dict(manifest.read(folder.path).shards), set(planned.videos)
        for video in outcome.failures.keys() & held.keys():
            path = manifest.shard_path(folder.path, video, len(planned.videos))
            if not _is_current(folder, path, planned.keys.get(video, ""), held[video]):
                del held[video]
        for video in [video for video in outcome.kept if video in held and held[video].digest is None]:
            # Of a manifest made before digests were stated.
            held[video] = replace(held[video], digest=_digest_of(folder, folder.path / held[video].file))
        gone = {v: entry for v, entry in known.items() if v not in videos and held.get(v, entry) == entry}
        orphans = gone if remove else {}
        moved = [entry for v, entry in known.items() if remove and v in held and held[v].file != entry.file]
        outcome.removed, outcome.left = shard_entry.remove(folder.path, [*orphans.values(), *moved])
        kept = {v: entry for v, entry in held.items() if v not in orphans}
        _write(folder, planned, run, kept, {v: entry for v, entry in known.items() if v not in orphans})
    outcome.entries = {v: entry for v, entry in held.items() if v in videos}


def _write(
    folder: ShardFolder,
    planned: Plan,
    run: Mapping[str, Any],
    entries: Mapping[str, ShardEntry],
    known: Mapping[str, ShardEntry],
) -> None:
    """Write the manifest; what was known and is stated no more stays known while its file is there."""
    facts = {name: value for name, value in run.items() if name not in (MISSING, STALE)} | {CORPUS: folder.corpus}
    if missing := sorted(set(planned.videos) - set(entries)):
        facts[MISSING] = missing
    left = {v: entry for v, entry in known.items() if v not in entries and os.path.lexists(folder.path / entry.file)}
    if left:
        facts[STALE] = {video: shard_entry.state(entry) for video, entry in left.items()}
    manifest.write(folder.path, Manifest(folder.layout.kind, entries, facts))


def _is_current(folder: ShardFolder, path: Path, key: str, entry: ShardEntry | None) -> bool:
    try:
        return folder.is_current(path, key, entry)
    except OSError:
        return False  # what cannot be read is made again


def _identity(folder: ShardFolder, path: Path, key: str, entry: ShardEntry | None) -> Identity:
    try:
        found = path.lstat()
    except OSError:
        return None
    if (entry is None or entry.key != key) and _has_key(folder, path, key):
        return ()  # another process may be about to state it
    return found.st_ino, found.st_mtime_ns, found.st_size


def _digest_of(folder: ShardFolder, path: Path) -> str | None:
    """Return the digest that a shard states of what it holds; None of a kind that states none."""
    if DIGEST not in folder.layout.attributes:
        return None
    with UntrustedShard(path, folder.layout, None) as shard:
        return str(shard.attributes[DIGEST])


def _has_key(folder: ShardFolder, path: Path, key: str) -> bool:
    try:
        with UntrustedShard(path, folder.layout, None) as shard:
            shard.check_key(key)
    except (InputError, ShardError, OSError):
        return False
    return True
