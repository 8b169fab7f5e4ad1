"""The store of trained detectors: each by the key of all that decides it, so that going back trains nothing again.

One file a detector, `<key>.<SHA-256 of the file>.safetensors`: key and digest come and go with it in one rename. What
was used longest ago goes first when the store is full.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cache import files
from cache.errors import InputError

NAME = re.compile(r"([0-9a-f]{64})\.([0-9a-f]{64})\.safetensors")
LOCK = ".lock"


@dataclass(frozen=True)
class Store:
    """Where the store lies and how large it may become; 0 bytes hold nothing."""

    folder: Path
    maximum_bytes: int


@dataclass(frozen=True)
class StoredDetector:
    """One detector of the store."""

    path: Path
    key: str
    sha256: str
    bytes: int
    used_nanoseconds: int


def entries(store: Store) -> list[StoredDetector]:
    """Return what the store holds, what was used longest ago first; other files are none of it."""
    found = []
    for path in store.folder.glob("*.safetensors"):
        if named := NAME.fullmatch(path.name):
            try:
                facts = path.lstat()
            except FileNotFoundError:
                continue  # another process made room
            found.append(StoredDetector(path, named[1], named[2], facts.st_size, facts.st_mtime_ns))
    return sorted(found, key=lambda entry: (entry.used_nanoseconds, entry.path.name))


def holds(store: Store, key: str) -> bool:
    """Return whether there is a detector of this key; whether it is whole shows when it is fetched."""
    return any(NAME.fullmatch(path.name) for path in store.folder.glob(f"{key}.*.safetensors"))


def fetch(store: Store, key: str, path: Path) -> bool:
    """Copy the detector of a key to ``path``; return whether there was a whole one. A damaged one is removed.

    Raises:
        InputError: the disk refuses.
    """
    if not holds(store, key):
        return False
    with _locked(store):
        for entry in entries(store):
            if entry.key != key:
                continue
            if _is_whole(entry):
                with files.write_atomically(path) as temporary:
                    shutil.copyfile(entry.path, temporary)
                os.utime(entry.path)
                return True
            entry.path.unlink(missing_ok=True)
    return False


def keep(store: Store, key: str, path: Path) -> None:
    """Keep the detector at ``path`` under its key, in the place of an earlier one, and make room.

    Raises:
        InputError: the disk refuses.
    """
    if path.stat().st_size > store.maximum_bytes:
        return
    sha256 = files.sha256_of(path)
    kept = store.folder / f"{key}.{sha256}.safetensors"
    with _locked(store):
        files.sweep_temporaries(store.folder)
        if any(entry.path == kept and _is_whole(entry) for entry in entries(store)):
            os.utime(kept)
        else:
            with files.write_atomically(kept) as temporary:
                shutil.copyfile(path, temporary)
        for entry in entries(store):
            if entry.key == key and entry.path != kept:
                entry.path.unlink(missing_ok=True)
        _make_room(store)


def clear(store: Store) -> list[StoredDetector]:
    """Remove every detector of the store and return what was removed; other files stay."""
    if not store.folder.is_dir():
        return []
    with _locked(store):
        files.sweep_temporaries(store.folder)
        removed = entries(store)
        for entry in removed:
            entry.path.unlink(missing_ok=True)
    return removed


def _make_room(store: Store) -> None:
    held = entries(store)
    total = sum(entry.bytes for entry in held)
    for entry in held:
        if total <= store.maximum_bytes:
            return
        entry.path.unlink(missing_ok=True)
        total -= entry.bytes


def _is_whole(entry: StoredDetector) -> bool:
    try:
        return not entry.path.is_symlink() and files.sha256_of(entry.path) == entry.sha256
    except InputError:
        return False


@contextmanager
def _locked(store: Store) -> Iterator[None]:
    """Wait until no other process changes or reads the store; git does not see its folder."""
    with files.explain_failures(store.folder / LOCK):
        store.folder.mkdir(parents=True, exist_ok=True)
        ignore = store.folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="ascii")
        descriptor = os.open(store.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
