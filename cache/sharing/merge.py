"""Merging two folders of shards: one video's shard after the other is copied, checked while it is, and stated.

Nothing in the first folder changes but that it gains shards; what is foreign has been verified before.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from cache import files
from cache.errors import InputError, ShardError
from cache.fingerprints.frame_digests import FRAMES
from cache.shards import manifest, shard_entry
from cache.shards.manifest import CORPUS, KEY_FIELDS, MISSING, STALE, Manifest
from cache.shards.shard_entry import ShardEntry
from cache.sharing import coverage, differences, integrity, key_fields
from cache.sharing.integrity import Beside
from cache.sharing.inventory import told

Prefer = Literal["first", "second"]
Advance = Callable[[int], None]
MOST_SHOWN = 5


@dataclass(frozen=True)
class MergePlan:
    """What a merge would do.

    Attributes:
        held: the manifest to begin with, and the facts of the run of both together.
        copied: from video to the folder that its shard comes from and what is stated of it, in order.
        kept: the videos that the destination has and keeps.
    """

    destination: Path
    held: Manifest
    copied: Mapping[str, tuple[Path, ShardEntry]]
    kept: list[str]

    @property
    def byte_count(self) -> int:
        """Size of what is copied."""
        return sum(entry.bytes for _, entry in self.copied.values())


def plan(first: Path, second: Path, output: Path | None, prefer: Prefer | None, advance: Advance) -> MergePlan:
    """Return what a merge of the second folder into the first, or of both into a new one, would copy.

    Args:
        output: a folder that does not exist or is empty; None merges into the first.
        prefer: whose shard to take of a video that both have with other bytes; None refuses them.
        advance: called with the bytes that were verified of the second folder.

    Raises:
        InputError: the two do not belong together, or the output is not empty.
        ShardError: a manifest is damaged, or the second folder is not what its manifest states.
    """
    ours, theirs = manifest.read(first), manifest.read(second)
    check_kinship(first, ours, second, theirs)
    faults = [fault for fault in integrity.verify(second, Beside(), advance) if fault.video in theirs.shards]
    if faults:
        more = f" and {len(faults) - MOST_SHOWN} more" if faults[MOST_SHOWN:] else ""
        shown = "; ".join(map(str, faults[:MOST_SHOWN]))
        raise ShardError(f"{second} is not sound, so nothing is taken from it: {shown}{more}. Fetch it again.")
    chosen = _choose(first, ours, second, theirs, prefer)
    if output is None:
        copied = {video: found for video, found in chosen.items() if found[0] == second}
        held = replace(ours, run={**ours.run, **_frames(ours, theirs, copied)})
        return MergePlan(first, held, copied, [video for video in ours.shards if video not in copied])
    if output.exists() and any(output.iterdir()):
        raise InputError(f"{output} is not empty. Give an --output of its own, or merge into the first folder.")
    taken = [video for video, found in chosen.items() if found[0] == second]
    facts = _facts(ours, theirs) | _frames(ours, theirs, taken)
    return MergePlan(output, replace(ours, shards={}, run=facts), chosen, [])


def check_kinship(first: Path, ours: Manifest, second: Path, theirs: Manifest) -> None:
    """Raise InputError unless two folders hold shards of one corpus, made in one way.

    Where a manifest does not state a field, the shards' own attribute says it: the layer, or the aligning method.
    """
    if ours.kind != theirs.kind:
        raise InputError(f"{first} holds {ours.kind}, {second} holds {theirs.kind}. Merge two of one kind.")
    corpora = [told(held.run.get(CORPUS)) for held in (ours, theirs)]
    if not all(corpora) or corpora[0] != corpora[1]:
        named = [f"of the corpus {name}" if name else "of a corpus that its manifest does not name" for name in corpora]
        raise InputError(
            f"{first} is {named[0]}, {second} {named[1]}: two videos of one name could be two. Merge folders of one "
            "corpus; an earlier manifest names it after the stage has run once more."
        )
    fields = key_fields.differing(key_fields.stated(ours), key_fields.stated(theirs))
    if fields:
        shown = "; ".join(f"{name} {told(one)} and {told(other)}" for name, (one, other) in fields.items())
        raise InputError(
            f"{first} and {second} were made differently ({shown}): their {ours.kind} are not comparable. Make both "
            "with the same parameters, then merge them."
        )
    sources = [
        {found.source for found in coverage.measure(folder, held)[0].values()}
        for folder, held in ((first, ours), (second, theirs))
    ]
    if all(sources) and sources[0] != sources[1]:
        named = [", ".join(sorted(map(told, names))) for names in sources]
        raise InputError(f"{first} holds {ours.kind} by {named[0]}, {second} by {named[1]}. Make both in one way.")


def carry_out(planned: MergePlan, advance: Advance) -> None:
    """Copy and state the shards of a plan; interrupted, it goes on where it was when it is planned again.

    Args:
        advance: called with the bytes of a shard when it is in place.

    Raises:
        InputError: another process makes one of these shards, somebody's file lies in its place, or the disk refuses.
        ShardError: a shard changed since it was verified.
    """
    folder = planned.destination
    with files.explain_failures(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if not (folder / manifest.NAME).exists():
        manifest.write(folder, planned.held)  # before the first shard, so that these are known as ours
    files.sweep_temporaries(folder)
    known = {**manifest.stale(planned.held), **planned.held.shards}
    count = len(planned.kept) + len(planned.copied)
    for video, (source, entry) in planned.copied.items():
        path = manifest.shard_path(folder, video, count)
        placed = replace(entry, file=path.relative_to(folder).as_posix())
        with files.claim(path.with_name(f".{video}.lock")) as ours:
            if not ours:
                raise InputError(f"another process makes {path}. Wait for its end, and merge again.")
            _check_place(path, known.get(video), placed)
            _copy(source / entry.file, path, entry)
            manifest.add(folder, video, placed)
        advance(entry.bytes)
    _settle(planned)


def _choose(
    first: Path, ours: Manifest, second: Path, theirs: Manifest, prefer: Prefer | None
) -> dict[str, tuple[Path, ShardEntry]]:
    """Return where the shard of each video of either comes from."""
    changed = differences.find(ours, theirs).changed
    if changed and prefer is None:
        more = f" and {len(changed) - MOST_SHOWN} more" if len(changed) > MOST_SHOWN else ""
        shown = "; ".join(f"{video} ({reason})" for video, reason in list(changed.items())[:MOST_SHOWN])
        raise InputError(
            f"{first} and {second} both have other shards of {shown}{more}. See how far they are apart: facespan cache "
            "diff; then say whose to take: --prefer first, or --prefer second."
        )
    chosen = {video: (second, entry) for video, entry in theirs.shards.items()}
    kept = {v: (first, entry) for v, entry in ours.shards.items() if v not in changed or prefer == "first"}
    merged = dict(sorted((chosen | kept).items()))
    files.check_video_ids(merged)
    return merged


def _facts(ours: Manifest, theirs: Manifest) -> dict[str, Any]:
    """Return the facts of the run of two folders together: those of the first, and what both miss."""
    facts = {name: value for name, value in ours.run.items() if name not in (MISSING, STALE)}
    fields = {**key_fields.stated(theirs), **key_fields.stated(ours)}
    if KEY_FIELDS in theirs.run or KEY_FIELDS in ours.run:
        facts[KEY_FIELDS] = fields
    absent = {*manifest.missing(ours), *manifest.missing(theirs)}
    return facts | ({MISSING: sorted(absent)} if absent else {})


def _frames(ours: Manifest, theirs: Manifest, taken: Collection[str]) -> dict[str, Any]:
    """Return what features say of the frames they were made from, those taken from the second folder too.

    It is all that tells `extract`, where there are no frames, that a shard is current. Nothing where either is silent.
    """
    one, other = (_told_frames(held) for held in (ours, theirs))
    if one is None or other is None:
        return {}
    digests = {video: digest for video, digest in other["videos"].items() if video in taken}
    return {FRAMES: one | {"videos": one["videos"] | digests}}


def _told_frames(held: Manifest) -> dict[str, Any] | None:
    told = held.run.get(FRAMES)
    return told if isinstance(told, dict) and isinstance(told.get("videos"), dict) else None


def _check_place(path: Path, known: ShardEntry | None, expected: ShardEntry) -> None:
    """Raise InputError when what lies where a shard goes is neither stated by our manifest nor that shard."""
    if known is None and os.path.lexists(path) and not shard_entry.is_whole(path, expected.key, expected):
        raise InputError(f"{path} lies where a shard goes, but {manifest.NAME} does not name it. Move it away.")


def _copy(source: Path, path: Path, entry: ShardEntry) -> None:
    """Copy a shard; what takes its place has the digest that is stated."""
    descriptor = files.open_regular(source, follow_links=False)
    with os.fdopen(descriptor, "rb") as file, files.write_atomically(path) as temporary:
        digest = hashlib.sha256()
        with temporary.open("r+b") as copy:
            while chunk := file.read(files.CHUNK_BYTES):
                digest.update(chunk)
                copy.write(chunk)
        if digest.hexdigest() != entry.sha256:
            raise ShardError(f"{source} has SHA-256 {digest.hexdigest()}, expected {entry.sha256}. Fetch it again.")


def _settle(planned: MergePlan) -> None:
    """Write the manifest of what there is now."""
    folder = planned.destination
    with manifest.locked(folder):
        held = manifest.read(folder)
        facts = {name: value for name, value in held.run.items() if name != MISSING}
        facts |= {name: value for name, value in planned.held.run.items() if name == FRAMES}
        absent = [video for video in manifest.missing(held) if video not in held.shards]
        manifest.write(folder, replace(held, run=facts | ({MISSING: absent} if absent else {})))
