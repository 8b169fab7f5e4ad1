"""A walk over a corpus folder: its videos and folders of images, each with a digest over names and sizes.

No file is opened, and of each only size and time are asked for: a million images are a matter of seconds.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from cache import files
from cache.errors import InputError
from cache.media import suffixes

ABSENT = -1  # the size of what a broken link names, or of what is no regular file


@dataclass(frozen=True)
class Unit:
    """A video file, or the other files of one folder.

    Attributes:
        path: relative to the corpus folder, with ``/``; ``.`` for that folder's own files.
        names: digest over path, file names and sizes.
        times: digest over the times at which they were changed last; it says nothing on another disk.
        count: of the files.
        bytes: of all of them.
    """

    path: str
    names: str
    times: str
    count: int
    bytes: int


class _File(NamedTuple):
    name: str
    size: int
    time: int


def walk(root: Path, left_out: Collection[Path] = ()) -> Iterator[Unit]:
    """Yield the units of a corpus folder, in no order; what begins with a dot is no part of any.

    Links to files and folders are followed, one that leads back into a folder it lies in is not.

    Args:
        left_out: files of no unit.

    Raises:
        InputError: a folder or a file may not be looked at.
    """
    todo: list[tuple[str, Path, tuple[tuple[int, int], ...]]] = [("", root, ())]
    while todo:
        inner, folder, above = todo.pop()
        own = _identity(folder)
        if own in above:
            continue
        folders, found = _list(folder)
        todo += [(f"{inner}{name}/", folder / name, (*above, own)) for name in folders]
        gone = {path.name for path in left_out if path.parent == folder}
        yield from _units(inner, [file for file in found if file.name not in gone])


def at(root: Path, path: str) -> Unit | None:
    """Return the unit of a video by its path in the corpus folder, a video file or a folder of images; None without."""
    place = root / path
    if place.is_dir():
        inner = "" if path == "." else f"{path}/"
        return next((unit for unit in _units(inner, _list(place)[1]) if unit.path == path), None)
    try:
        known = place.stat()
    except OSError:
        return None
    return _unit(path, [_File(place.name, known.st_size, known.st_mtime_ns)])


def content_of(root: Path, unit: Unit, known: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the digest of a unit's content: of a video file its SHA-256, of a folder one over names and SHA-256.

    Args:
        known: SHA-256 by name of files of the folder, which are not read again.
    """
    place = root / unit.path
    if not place.is_dir():
        return files.sha256_of(place) if place.is_file() else _digest(())
    names = sorted(file.name for file in _list(place)[1] if not _is_video(file.name) and file.size != ABSENT)
    return _digest(f"{name}\0{known.get(name) or files.sha256_of(place / name)}" for name in names)


def _units(inner: str, found: Iterable[_File]) -> Iterator[Unit]:
    rest = []
    for file in found:
        if _is_video(file.name):
            yield _unit(inner + file.name, [file])
        else:
            rest.append(file)
    if rest:
        yield _unit(inner.removesuffix("/") or ".", sorted(rest))


def _unit(path: str, found: list[_File]) -> Unit:
    return Unit(
        path,
        _digest([path, *(f"{file.name}\0{file.size}" for file in found)]),
        _digest(f"{file.name}\0{file.time}" for file in found),
        len(found),
        sum(max(file.size, 0) for file in found),
    )


def _list(folder: Path) -> tuple[list[str], list[_File]]:
    """Return the names of the folders in a folder, and its files, without what begins with a dot."""
    folders: list[str] = []
    found: list[_File] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if _is_folder(entry):
                    folders.append(entry.name)
                else:
                    found.append(_look(entry))
    except OSError as problem:
        raise InputError(f"{folder} cannot be looked at ({problem.strerror}). Make it readable for you.") from problem
    return folders, found


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        if not entry.is_symlink():
            raise
        return False  # a link to itself


def _look(entry: os.DirEntry[str]) -> _File:
    try:
        known = entry.stat()
    except OSError as problem:
        if not entry.is_symlink():
            raise
        return _File(entry.name, ABSENT, problem.errno or 0)
    size = known.st_size if stat.S_ISREG(known.st_mode) else ABSENT
    return _File(entry.name, size, known.st_mtime_ns)


def _identity(folder: Path) -> tuple[int, int]:
    try:
        known = os.stat(folder)  # noqa: PTH116  # a third faster, a thousand times a second
    except OSError as problem:
        raise InputError(f"{folder} cannot be looked at ({problem.strerror}). Make it readable for you.") from problem
    return known.st_dev, known.st_ino


def _is_video(name: str) -> bool:
    return name.lower().endswith(suffixes.VIDEOS)


def _digest(parts: Iterable[str]) -> str:
    # A name that is no UTF-8 is a name all the same.
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
