"""Objects of DVC's cache, each named by its MD5, and the listings (`.dir`) that stand for folders; both from anybody.

DVC believes a remote: it writes wherever a listing points to, and takes any bytes under the right name.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

from cache import files, strict_json
from cache.errors import ShardError

NAME = re.compile(r"[0-9a-f]{32}(\.dir)?")
LISTING_SUFFIX = ".dir"
MAXIMUM_PATH_CHARACTERS = 400
# JSON may write a character as six, beside 70 for the digest and the two names.
MAXIMUM_LISTED_BYTES = 6 * MAXIMUM_PATH_CHARACTERS + 100
MAXIMUM_LISTED_FILES = 1_000_000
MAXIMUM_DEPTH = 8
# DVC protects its objects likewise, and takes one that is so protected for whole.
MODE = 0o444

Read = Callable[[int], bytes]


def path_of(folder: Path, name: str) -> Path:
    """Return where DVC keeps an object in a folder of objects.

    Raises:
        ShardError: the name is no MD5 in hexadecimal, with `.dir` or without; it could be a path to anywhere.
    """
    if not NAME.fullmatch(name):
        raise ShardError(f"{name!r} is no object of DVC's cache: expected 32 hexadecimal digits, with .dir or without.")
    return folder / name[:2] / name[2:]


def describe_damage(path: Path, name: str) -> str | None:
    """Return how an object's bytes are not what its name says, or None; the object is there."""
    descriptor = files.open_regular(path, follow_links=False)
    try:
        found = _md5_of_descriptor(descriptor)
    finally:
        os.close(descriptor)
    return None if found == _digest_in(name) else f"MD5 {found}, expected {_digest_in(name)}"


def md5_of(path: Path) -> str:
    """Return the MD5 of a file's bytes, in hexadecimal; symbolic links are followed, as DVC may have made them.

    Raises:
        InputError: the file is missing or no regular file.
    """
    descriptor = files.open_regular(path, follow_links=True)
    try:
        return _md5_of_descriptor(descriptor)
    finally:
        os.close(descriptor)


def receive(path: Path, name: str, read: Read, maximum_bytes: int) -> int:
    """Write an object that somebody sends and return its size; it stands at ``path`` only when it is what it is called.

    Args:
        read: returns at most so many of the next bytes, none at the end.
        maximum_bytes: as many are read, and one more.

    Raises:
        ShardError: the bytes are too many, or others than the name says. Nothing is left.
        InputError: the disk refuses.
    """
    digest, size = hashlib.md5(usedforsecurity=False), 0
    with files.write_atomically(path) as temporary:
        with temporary.open("wb") as file:
            while chunk := read(min(files.CHUNK_BYTES, maximum_bytes + 1 - size)):
                size += len(chunk)
                if size > maximum_bytes:
                    raise ShardError(f"more than {maximum_bytes:,} bytes, expected at most so many")
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != _digest_in(name):
            raise ShardError(f"{size:,} bytes of MD5 {digest.hexdigest()}, expected {_digest_in(name)}")
        temporary.chmod(MODE)
    return size


def maximum_listing_bytes(count: int) -> int:
    """Return how large the listing of a folder of so many files can be."""
    return MAXIMUM_LISTED_BYTES * (count + 1)


def read_listing(path: Path, count: int) -> dict[str, str]:
    """Return from relative path to object what a listing of ``count`` files names, each inside the folder.

    Raises:
        ShardError: it is no such list, or a path could lie outside, be hidden, or be the same file as another one.
    """
    with os.fdopen(files.open_regular(path, follow_links=False), "rb") as file:
        content = file.read(maximum_listing_bytes(count) + 1)
    try:
        return parse_listing(content, count)
    except (ValueError, RecursionError) as problem:
        raise ShardError(f"it is no list of the files of a folder: {problem}") from problem


def parse_listing(content: bytes, count: int) -> dict[str, str]:
    """Return what `read_listing` does; a ValueError or RecursionError says what is wrong."""
    if len(content) > maximum_listing_bytes(count) or count > MAXIMUM_LISTED_FILES:
        raise ValueError(f"{len(content):,} bytes for {count:,} files, expected at most {MAXIMUM_LISTED_FILES:,} files")
    listed = strict_json.parse(content)
    if not isinstance(listed, list) or len(listed) != count:
        raise ValueError(f"expected a list of {count} files")
    names = dict(_parse_entry(entry) for entry in listed)
    folded = {_fold(path) for path in names}
    if len(folded) != count:
        raise ValueError("two paths are the same file, where upper and lower case are one")
    for path in folded:
        if any(path[:end] in folded for end in range(len(path)) if path[end] == "/"):
            raise ValueError(f"{path!r} lies in what is a file")
    return names


def describe_fault(path: str) -> str | None:
    """Return why a path cannot lie in a folder that is shared, or None."""
    parts = path.split("/")
    if len(path) > MAXIMUM_PATH_CHARACTERS or len(parts) > MAXIMUM_DEPTH:
        return f"{path[:60]!r}... is longer than {MAXIMUM_PATH_CHARACTERS} characters or {MAXIMUM_DEPTH} names"
    if not path.isprintable() or set(path) & set("\\:"):
        return f"{path!r} has a character that no file is named by here"
    for part in parts:
        if part in ("", ".", "..") or part.startswith((".", "~")) or part.endswith((".", " ")):
            return f"{path!r} would lie outside its folder, or be hidden"
    return None


def _parse_entry(entry: object) -> tuple[str, str]:
    if not isinstance(entry, dict) or set(entry) != {"md5", "relpath"}:
        raise ValueError(f"{str(entry)[:100]!r} in it, expected exactly md5 and relpath")
    path, name = entry["relpath"], entry["md5"]
    if not isinstance(name, str) or not NAME.fullmatch(name) or name.endswith(LISTING_SUFFIX):
        raise ValueError(f"md5 {str(name)[:100]!r} in it, expected 32 hexadecimal digits")
    if not isinstance(path, str):
        raise ValueError(f"relpath {str(path)[:100]!r} in it, expected text")
    if (fault := describe_fault(path)) is not None:
        raise ValueError(fault)
    return path, name


def _fold(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _digest_in(name: str) -> str:
    return name.removesuffix(LISTING_SUFFIX)


def _md5_of_descriptor(descriptor: int) -> str:
    digest, position = hashlib.md5(usedforsecurity=False), 0
    while chunk := os.pread(descriptor, files.CHUNK_BYTES, position):
        digest.update(chunk)
        position += len(chunk)
    return digest.hexdigest()
