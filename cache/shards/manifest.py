"""The manifest of a folder of shards: every file with its digest, so that what is kept or shared is whole.

While shards are made, each is stated in a journal beside the manifest, one line of JSON, so that a killed run loses
none and processes at work side by side know of each other's; readers take both for one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cache import files, own_digest, strict_json
from cache.errors import InputError, ShardError
from cache.shards import shard_entry
from cache.shards.shard_entry import ShardEntry

MANIFEST_FORMAT = 1
NAME = "manifest.json"
# Not the names of locks and temporaries, which a video or a file could have.
JOURNAL, LOCK = ".finished.jsonl", ".manifest-lock"
KINDS = ("features", "frames")
# Among the facts of the run: whose videos these are; the fields that the keys of all shards have in common; the videos
# of the corpus that have no shard; and the entries of what lies in the folder of earlier ones of these, so that it is
# known as ours for as long as it lies there.
CORPUS, KEY_FIELDS, MISSING, STALE = "corpus", "key_fields", "missing", "stale"
MAXIMUM_BYTES = 1 << 28
# Beyond it a folder is slow to list on some file systems and shares.
FLAT_COUNT = 10_000


@dataclass(frozen=True)
class Manifest:
    """What a folder of shards holds.

    Args:
        kind: ``frames`` or ``features``.
        shards: from video to entry.
        run: facts of the run that do not change what the shards mean, such as device and library versions, the corpus,
            and `missing`, the videos of the corpus that have no shard.
        has_digest: whether the file that was read carries a digest of itself, so that a changed bit would be noticed;
            every one does that is written now.
    """

    kind: str
    shards: Mapping[str, ShardEntry]
    run: Mapping[str, Any]
    has_digest: bool = field(default=False, compare=False)


def shard_path(folder: Path, video: str, count: int) -> Path:
    """Return where the shard of a video lies in a folder of ``count`` videos; beyond 10 000, one folder deeper."""
    name = files.check_video_id(video) + shard_entry.SUFFIX
    return folder / name if count <= FLAT_COUNT else folder / shard_entry.prefix(video) / name


def describe(folder: Path, path: Path, frames: int, key: str, digest: str | None = None) -> ShardEntry:
    """Return the entry of a shard in a folder; its file is read once."""
    sha256 = files.sha256_of(path)
    return ShardEntry(path.relative_to(folder).as_posix(), sha256, path.stat().st_size, frames, key, digest)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the right to change what is stated of a folder; wait for whoever holds it."""
    with files.claim(folder / LOCK, wait=True):
        yield


def add(folder: Path, video: str, entry: ShardEntry) -> None:
    """State one more shard of a folder that has a manifest, or a newer one of the video.

    Raises:
        InputError: the disk refuses.
    """
    line = json.dumps({"video": video, **shard_entry.state(entry)}, sort_keys=True)
    path = folder / JOURNAL
    with locked(folder), files.explain_failures(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "ab") as file:
            # A line begins anew: the one before may have been cut short.
            file.write(f"\n{line}\n".encode("ascii"))


def write(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json`` of a folder, the same bytes for the same content, with a digest of itself among the facts
    of the run, which readers of earlier versions pass over; the journal is done with.

    Raises:
        InputError: a kind, video or entry is not allowed, or the disk refuses.
    """
    stored = {
        "format": MANIFEST_FORMAT,
        "kind": manifest.kind,
        "shards": {video: shard_entry.state(entry) for video, entry in manifest.shards.items()},
        "run": {**manifest.run, own_digest.KEY: own_digest.BLANK},
    }
    try:
        _parse(stored)
    except ValueError as problem:
        raise InputError(f"{folder / NAME} cannot hold this: {problem}.") from problem
    with files.write_atomically(folder / NAME) as temporary:
        text = json.dumps(stored, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False)
        temporary.write_text(own_digest.filled(text + "\n"), encoding="ascii")
    (folder / JOURNAL).unlink(missing_ok=True)


def read(folder: Path) -> Manifest:
    """Return the manifest of a folder, which may come from anybody.

    Raises:
        InputError: there is none.
        ShardError: it is damaged, or names a file that is not where a shard of this folder lies.
    """
    path = folder / NAME
    if not os.path.lexists(path):
        raise InputError(f"{path} does not exist: {folder} is no whole folder of shards. Run: dvc repro")
    if path.is_symlink():
        raise ShardError(f"{path} is a symbolic link, expected a regular file. Run: {files.RELINK}")
    try:
        # The journal first: what it states may be in the manifest a moment later, and is never in neither.
        finished = _read_journal(folder / JOURNAL)
        content = _content(path)
        has_digest = own_digest.check_content(content)
        found = _parse(strict_json.parse(content))
        shards = {**found.shards, **finished}
        files.check_video_ids(shards)
        run = {name: value for name, value in found.run.items() if name != own_digest.KEY}
        return Manifest(found.kind, dict(sorted(shards.items())), run, has_digest)
    except ValueError as problem:
        raise ShardError(
            f"{path} is no manifest of format {MANIFEST_FORMAT}: {problem}. {_remedy(folder)}"
        ) from problem


def damaged_text(folder: Path) -> bytes | None:
    """Return what stands in a manifest that is not as it was written, and in its journal; None of any other manifest.

    One that carries no digest, or is of another version, is none that we could judge.
    """
    try:
        content = _content(folder / NAME)
        journal = _content(folder / JOURNAL) if os.path.lexists(folder / JOURNAL) else b""
    except (InputError, ValueError):
        return None  # a link, a pipe, or larger than any manifest
    try:
        own_digest.check_content(content)
    except ValueError:
        return content + journal
    return None


def list_shards(folder: Path) -> list[Path]:
    """Return what lies where shards of this folder would, stated or not; a missing folder holds nothing.

    A folder inside that has a manifest of its own is another one.
    """
    inner = [path for path in folder.glob("[0-9a-f][0-9a-f]") if path.is_dir() and not (path / NAME).exists()]
    return sorted(path for place in (folder, *inner) for path in place.glob(f"*{shard_entry.SUFFIX}"))


def missing(held: Manifest) -> list[str]:
    """Return the videos of the corpus that a manifest says have no shard; what makes no sense says nothing."""
    told = held.run.get(MISSING)
    return sorted({name for name in told if isinstance(name, str)}) if isinstance(told, list) else []


def stale(held: Manifest) -> dict[str, ShardEntry]:
    """Return what a manifest says of earlier shards that were not made again; what makes no sense says nothing."""
    told = held.run.get(STALE)
    found = {}
    for video, entry in told.items() if isinstance(told, dict) else ():
        with suppress(ValueError, InputError):
            found[files.check_video_id(video)] = shard_entry.parse(video, entry)
    return found


def _remedy(folder: Path) -> str:
    """Return what states anew what is whole; DVC does not see that a file changed whose time and size stayed."""
    stage, option = ("align", " --frames") if folder.name == "frames" else ("extract", "")
    return (
        f"Run: dvc repro --single-item --force {stage}@CORPUS, which keeps every shard that is whole; where there is "
        f"nothing to make it from: facespan cache pull CORPUS{option} --force"
    )


def _content(path: Path) -> bytes:
    with os.fdopen(files.open_regular(path, follow_links=False), "rb") as file:
        # Not the limit itself: room for what is asked for is made before it is known how much there is.
        content = file.read(min(os.fstat(file.fileno()).st_size, MAXIMUM_BYTES) + 1)
    if len(content) > MAXIMUM_BYTES:
        raise ValueError(f"{path.name} is larger than {MAXIMUM_BYTES} bytes")
    return content


def _read_journal(path: Path) -> dict[str, ShardEntry]:
    """Return what was stated last of each video."""
    if not os.path.lexists(path):
        return {}
    stated = (_parse_line(line) for line in _content(path).splitlines() if line)
    return dict(line for line in stated if line is not None)


def _parse_line(line: bytes) -> tuple[str, ShardEntry] | None:
    """Return what a line of the journal states; one cut short by a full disk or a kill states nothing."""
    try:
        stored = strict_json.parse(line)
        if not isinstance(stored, dict) or not isinstance(stored.get("video"), str):
            return None
        video = files.check_video_id(stored.pop("video"))
        return video, shard_entry.parse(video, stored)
    except ValueError:
        return None


def _parse(stored: object) -> Manifest:
    """Return the manifest that JSON states; a ValueError says what is wrong with it."""
    if not isinstance(stored, dict) or set(stored) != {"format", "kind", "shards", "run"}:
        raise ValueError("expected exactly format, kind, shards and run")
    if not strict_json.is_format(stored["format"], MANIFEST_FORMAT) or stored["kind"] not in KINDS:
        found = f"format {stored['format']!r} and kind {stored['kind']!r}"
        raise ValueError(f"{found[:200]}, expected {MANIFEST_FORMAT} and one of {KINDS}")
    if not isinstance(stored["shards"], dict) or not isinstance(stored["run"], dict):
        raise ValueError("shards and run are to be objects")
    files.check_video_ids(stored["shards"])
    shards = {video: shard_entry.parse(video, entry) for video, entry in sorted(stored["shards"].items())}
    return Manifest(stored["kind"], shards, stored["run"])
