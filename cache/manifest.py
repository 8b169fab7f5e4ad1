"""The manifest of a folder of shards: every file with its digest, so that what is kept or shared is whole."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cache import files
from cache.errors import InputError, ShardError

MANIFEST_FORMAT = 1
NAME = "manifest.json"
KINDS = ("features", "frames")
SUFFIX = ".h5"
MAXIMUM_BYTES = 1 << 28
# Beyond it a folder is slow to list on some file systems and shares.
FLAT_COUNT = 10_000
REMEDY = "Run: dvc repro, or fetch the folder again"


@dataclass(frozen=True)
class ShardEntry:
    """What the manifest states of one shard.

    Args:
        file: path relative to the folder, with ``/``.
        sha256: digest of the whole file, in hexadecimal.
        bytes: size of the file.
        frames: T.
        key: the fingerprint of what it was made from.
    """

    file: str
    sha256: str
    bytes: int
    frames: int
    key: str


@dataclass(frozen=True)
class Manifest:
    """What a folder of shards holds.

    Args:
        kind: ``frames`` or ``features``.
        shards: from video to entry.
        run: facts of the run that do not change what the shards mean, such as device and library versions.
    """

    kind: str
    shards: Mapping[str, ShardEntry]
    run: Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """One way in which a folder is not what its manifest states.

    Args:
        file: path relative to the folder.
        problem: ``missing``, ``changed`` or ``extra``.
        detail: what was found and what was expected, in words.
    """

    file: str
    problem: str
    detail: str

    def __str__(self) -> str:
        """Return one line for a person."""
        return f"{self.file}: {self.problem} ({self.detail})"


def shard_path(folder: Path, video: str, count: int) -> Path:
    """Return where the shard of a video lies in a folder of ``count`` videos; beyond 10 000, one folder deeper."""
    name = files.check_video_id(video) + SUFFIX
    return folder / name if count <= FLAT_COUNT else folder / _prefix(video) / name


def describe(folder: Path, path: Path, frames: int, key: str) -> ShardEntry:
    """Return the entry of a shard in a folder; its file is read once."""
    sha256 = files.sha256_of(path)
    return ShardEntry(path.relative_to(folder).as_posix(), sha256, path.stat().st_size, frames, key)


def is_whole(path: Path, key: str, entry: ShardEntry | None) -> bool:
    """Return whether the file is, to the last bit, what its entry states, and was made from what ``key`` says."""
    if entry is None or entry.key != key:
        return False
    return _describe_change(path, entry) is None


def write(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json`` of a folder: the same bytes for the same content.

    Raises:
        InputError: a kind, video or entry is not allowed, or the disk refuses.
    """
    stored = {
        "format": MANIFEST_FORMAT,
        "kind": manifest.kind,
        "shards": {video: asdict(entry) for video, entry in manifest.shards.items()},
        "run": dict(manifest.run),
    }
    try:
        _parse(stored)
    except ValueError as problem:
        raise InputError(f"{folder / NAME} cannot hold this: {problem}.") from problem
    with files.write_atomically(folder / NAME) as temporary:
        text = json.dumps(stored, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False)
        temporary.write_text(text + "\n", encoding="ascii")


def read(folder: Path) -> Manifest:
    """Return the manifest of a folder, which may come from anybody.

    Raises:
        InputError: there is none.
        ShardError: it is damaged, or names a file that is not where a shard of this folder lies.
    """
    path = folder / NAME
    if not os.path.lexists(path):
        raise InputError(f"{path} does not exist: {folder} is no whole folder of shards. {REMEDY}.")
    try:
        descriptor = files.open_regular(path, follow_links=False)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(MAXIMUM_BYTES + 1)
        if len(content) > MAXIMUM_BYTES:
            raise ValueError(f"it is larger than {MAXIMUM_BYTES} bytes")
        return _parse(json.loads(content))
    except (ValueError, RecursionError) as problem:
        raise ShardError(f"{path} is no manifest of format {MANIFEST_FORMAT}: {problem}. {REMEDY}.") from problem


def remove_orphans(folder: Path, keep: Collection[str]) -> list[Path]:
    """Remove the shards of all videos but these, and return the removed paths; other files stay.

    Args:
        keep: every video of the corpus. A shard that does not lie where `shard_path` puts it is an orphan, too.
    """
    kept = {shard_path(folder, video, len(keep)) for video in keep}
    orphans = [folder / name for name in _list_files(folder) if name.endswith(SUFFIX) and folder / name not in kept]
    for path in orphans:
        path.unlink()
    return orphans


def verify(folder: Path) -> list[Difference]:
    """Return in what a folder differs from its manifest, by file name; every byte of every shard is read.

    Names that begin with a dot are left out: locks, temporaries, `.gitignore`.

    Raises:
        InputError: there is no manifest.
        ShardError: the manifest is damaged.
    """
    entries = {entry.file: entry for entry in read(folder).shards.values()}
    present = set(_list_files(folder)) - {NAME}
    differences = [Difference(name, "extra", "not in the manifest") for name in present - set(entries)]
    for name, entry in entries.items():
        if name not in present:
            differences.append(Difference(name, "missing", "stated by the manifest"))
        elif (change := _describe_change(folder / name, entry)) is not None:
            differences.append(Difference(name, "changed", change))
    return sorted(differences, key=lambda difference: difference.file)


def _describe_change(path: Path, entry: ShardEntry) -> str | None:
    """Return how a file differs from its entry, or None."""
    try:
        descriptor = files.open_regular(path, follow_links=False)
    except InputError as problem:
        return str(problem)
    try:
        size = os.fstat(descriptor).st_size
        if size != entry.bytes:
            return f"{size} bytes, expected {entry.bytes}"
        found = files.sha256_of_descriptor(descriptor)
        return None if found == entry.sha256 else f"SHA-256 {found}, expected {entry.sha256}"
    finally:
        os.close(descriptor)


def _list_files(folder: Path) -> list[str]:
    """Return, sorted, all that is no folder in a folder and the folders right in it; links are named, not followed."""
    names = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink():
            names += [f"{path.name}/{inner.name}" for inner in sorted(path.iterdir()) if not inner.name.startswith(".")]
        else:
            names.append(path.name)
    return names


def _prefix(video: str) -> str:
    return hashlib.sha256(video.encode("ascii")).hexdigest()[:2]


def _parse(stored: object) -> Manifest:
    """Return the manifest that JSON states; a ValueError says what is wrong with it."""
    if not isinstance(stored, dict) or set(stored) != {"format", "kind", "shards", "run"}:
        raise ValueError("expected exactly format, kind, shards and run")
    if stored["format"] != MANIFEST_FORMAT or stored["kind"] not in KINDS:
        raise ValueError(f"format {stored['format']!r} and kind {stored['kind']!r}, expected 1 and one of {KINDS}")
    if not isinstance(stored["shards"], dict) or not isinstance(stored["run"], dict):
        raise ValueError("shards and run are to be objects")
    files.check_video_ids(stored["shards"])
    shards = {video: _parse_entry(video, entry) for video, entry in sorted(stored["shards"].items())}
    return Manifest(stored["kind"], shards, stored["run"])


def _parse_entry(video: str, stored: object) -> ShardEntry:
    if not isinstance(stored, dict) or set(stored) != {"file", "sha256", "bytes", "frames", "key"}:
        raise ValueError(f"video {video}: expected exactly file, sha256, bytes, frames and key")
    allowed = {
        # Only the two places that `shard_path` gives: a manifest cannot point outside its folder.
        "file": stored["file"] in (f"{video}{SUFFIX}", f"{_prefix(video)}/{video}{SUFFIX}"),
        "sha256": isinstance(stored["sha256"], str) and re.fullmatch("[0-9a-f]{64}", stored["sha256"]) is not None,
        "bytes": type(stored["bytes"]) is int and stored["bytes"] > 0,
        "frames": type(stored["frames"]) is int and stored["frames"] > 0,
        "key": isinstance(stored["key"], str) and stored["key"] != "",
    }
    for name, is_allowed in allowed.items():
        if not is_allowed:
            raise ValueError(f"video {video}: {name} is {stored[name]!r}")
    return ShardEntry(**stored)
