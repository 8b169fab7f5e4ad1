"""Atomic writes, lock files, digests, safe names and safe opening of files."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cache.errors import DiskError, InputError

CHUNK_BYTES = 1 << 23
# Compression by the file system makes no shard so much smaller.
LARGE_BYTES, MOST_TIMES_SMALLER = 1 << 30, 16
VIDEO_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
TEMPORARY_NAME = re.compile(r"\..+\.[0-9a-f]{16}\.tmp")
# Where DVC was told to link what it keeps: links are not followed, for they may lead anywhere.
RELINK = "dvc config cache.type reflink,copy && dvc checkout --relink"
# Of these, no other file would fare better.
WHOLE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
WRITE_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space and run the same command again",
    errno.EDQUOT: "the disk quota is used up: free some space and run the same command again",
    errno.EFBIG: "the file would pass the largest size allowed here (ulimit -f, or the file system): raise that limit",
    errno.EROFS: "the file system is read-only: write to another folder",
}
ACCESS_REMEDIES = {
    errno.EACCES: "writing is not permitted: change the permissions, or write to another folder",
    errno.EPERM: "writing is not permitted: change the permissions, or write to another folder",
    errno.EISDIR: "a folder has that name: move it away",
    errno.ENOTDIR: "a file stands where a folder is needed: move it away",
    errno.EEXIST: "a file stands where a folder is needed: move it away",
}


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside ``path`` that takes its place, synced, when the block ends well.

    The folder is made when missing. The temporary file exists, is empty, and carries a lock until it is renamed:
    write into it, by name, without replacing it. A link at ``path`` is replaced, never written through.

    Raises:
        DiskError: the disk is full, its quota used up, or it is read-only.
        InputError: it does not accept this file. Either way, whatever stood at ``path`` still stands there.
    """
    with explain_failures(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary, descriptor = _create_locked(path)
        try:
            yield temporary
            _sync(temporary)
            temporary.replace(path)
            _sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
            os.close(descriptor)


@contextmanager
def explain_failures(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write ``path`` into an `InputError` that says what to do; pass on all else."""
    try:
        yield
    except OSError as problem:
        # Permission may be missing for a file that is read in the block: only those beside `path` are ours to explain.
        named = Path(os.fsdecode(problem.filename)).absolute() if problem.filename else None
        ours = named is not None and (named.parent == path.absolute().parent or named in path.absolute().parents)
        remedies = WRITE_REMEDIES | ACCESS_REMEDIES if ours else WRITE_REMEDIES
        remedy = remedies.get(problem.errno or 0)
        if problem.errno == errno.ENOSPC and not _takes_files(path):
            remedy = "the disk has room, but for no more files: remove some and run the same command again"
        if remedy is None:
            raise
        kind = DiskError if problem.errno in WHOLE_DISK else InputError
        raise kind(f"{path} could not be written ({os.strerror(problem.errno or 0)}): {remedy}.") from problem


def sweep_temporaries(folder: Path) -> list[Path]:
    """Remove what killed writers left in ``folder`` and the folders right in it; return the removed paths.

    The temporary file of a living writer is locked, and stays. A missing folder holds nothing.
    """
    removed = []
    for path in sorted([*folder.glob(".*.tmp"), *folder.glob("*/.*.tmp")]):
        if not TEMPORARY_NAME.fullmatch(path.name) or path.is_symlink() or not path.is_file():
            continue
        with claim(path) as abandoned:  # a claimed file is removed when it is released
            if abandoned:
                removed.append(path)
    return removed


@contextmanager
def claim(lock_path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Yield whether this process alone holds ``lock_path``; another holder means False, at once.

    The claim ends with the block, or with the process however it dies. The lock file is removed at the end.

    Args:
        wait: until the other holder is done, so that True is what is yielded.
    """
    ours = False
    while not ours:
        with explain_failures(lock_path):
            lock_path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            ours = _lock(descriptor, lock_path, wait=wait)
            if ours or not wait:
                yield ours
                return
        finally:
            if ours:
                lock_path.unlink(missing_ok=True)
            os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal; symbolic links are followed.

    Raises:
        InputError: the file is missing or no regular file.
    """
    descriptor = open_regular(path, follow_links=True)
    try:
        return sha256_of_descriptor(descriptor)
    finally:
        os.close(descriptor)


def sha256_of_descriptor(descriptor: int) -> str:
    """Return the SHA-256 of an open file's bytes from its start, in hexadecimal; its position is left alone."""
    digest, position = hashlib.sha256(), 0
    while chunk := os.pread(descriptor, CHUNK_BYTES, position):
        digest.update(chunk)
        position += len(chunk)
    return digest.hexdigest()


def describe_hollow(descriptor: int) -> str | None:
    """Return what is wrong with a large open file that is mostly holes, or None: it would be read for hours."""
    found = os.fstat(descriptor)
    on_disk = found.st_blocks * 512
    if found.st_size < LARGE_BYTES or on_disk > found.st_size // MOST_TIMES_SMALLER:
        return None
    try:
        # Some network file systems tell of no blocks at all.
        if on_disk == 0 and os.lseek(descriptor, 0, os.SEEK_DATA) == 0:
            return None
    except OSError as problem:
        if problem.errno != errno.ENXIO:
            return None
    return f"{found.st_size} bytes of which {on_disk} are on the disk"


def open_regular(path: Path, *, follow_links: bool) -> int:
    """Return a descriptor for reading a regular file. Never waits, as opening a named pipe would.

    Raises:
        InputError: the file is missing, no regular file, or a symbolic link where links are not followed.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow_links else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError as problem:
        raise InputError(f"{path} does not exist.") from problem
    except OSError as problem:
        found = "a symbolic link" if problem.errno == errno.ELOOP else f"not readable ({problem.strerror})"
        raise InputError(f"{path} is {found}, expected a regular file.") from problem
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{path} is a folder, pipe or device, expected a regular file.")
    return descriptor


def check_video_id(text: str) -> str:
    """Return ``text``, which can name a video and so a file.

    Raises:
        InputError: it is not 1 to 128 letters, digits, ``.``, ``_`` or ``-`` with a letter or digit first, has two
            dots in a row, or a dot at its end.
    """
    if not VIDEO_ID.fullmatch(text) or ".." in text or text.endswith("."):
        raise InputError(
            f"{text!r} cannot name a video: expected 1 to 128 of A-Z a-z 0-9 . _ - with a letter or digit first, "
            "no '..' and no dot at the end. Rename the video."
        )
    return text


def check_video_ids(texts: Iterable[str]) -> None:
    """Check every video id, and that no two are equal when case is ignored: some file systems hold only one of them.

    Raises:
        InputError: an id is not allowed, or stands twice.
    """
    seen = VideoIds()
    for text in texts:
        seen.add(text)


class VideoIds:
    """Video ids that came one after the other."""

    def __init__(self) -> None:
        """Begin with none."""
        self._seen: dict[str, str] = {}

    def add(self, text: str) -> None:
        """Check one more, as `check_video_ids` does."""
        folded = check_video_id(text).casefold()
        if folded in self._seen:
            raise InputError(f"the videos {self._seen[folded]!r} and {text!r} would be one file. Rename one of them.")
        self._seen[folded] = text


def _takes_files(path: Path) -> bool:
    """Return whether the disk of ``path`` has room for one file more, as far as it tells."""
    place = next(folder for folder in path.absolute().parents if folder.is_dir())
    told = os.statvfs(place)
    return told.f_files == 0 or told.f_favail > 0


def _create_locked(path: Path) -> tuple[Path, int]:
    """Return a new temporary file beside ``path`` and the descriptor that holds its lock."""
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
        # Not `tempfile`: its files are private to their owner, and a cache is shared with colleagues.
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        if _lock(descriptor, temporary):
            return temporary, descriptor
        os.close(descriptor)  # a sweep came between creation and lock


def _lock(descriptor: int, path: Path, *, wait: bool = False) -> bool:
    """Return whether the lock was free, or came free, now is ours, and ``path`` still names the locked file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except (BlockingIOError, FileNotFoundError):
        return False


def _sync(path: Path) -> None:
    """Force a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
