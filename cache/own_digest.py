"""The SHA-256 that a file carries of itself, in its own metadata, so that a changed bit anywhere in it is noticed.

It is taken over all bytes of the file with zeros in the place of its own 64 digits: whatever library wrote the file,
and whatever it holds. Files of earlier versions carry none.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from cache import files
from cache.errors import InputError

# Both stand in the file: with one bit of either changed, the other tells that there is a digest.
KEY = "own_digest"
MARK = "sha256 with zeros for these digits: "
DIGITS = 64
BLANK = MARK + "0" * DIGITS
_DIGEST = re.compile(rb"[0-9a-f]{64}")
REMEDY = "Remove it and run dvc repro, or fetch it again"


def put(path: Path) -> None:
    """Put a file's digest into it, where `BLANK` stands, once, under `KEY`; nobody may be reading it yet."""
    with path.open("r+b") as file:
        place = _find(file.fileno(), MARK.encode())
        if place < 0:
            raise ValueError(f"{path} has no place for its digest")
        digest = _digest(file.fileno(), place + len(MARK))
        file.seek(place + len(MARK))
        file.write(digest.encode("ascii"))


def filled(text: str) -> str:
    """Return the text of a file with its digest where `BLANK` stands, once, under `KEY`."""
    return text.replace(BLANK, MARK + hashlib.sha256(text.encode("ascii")).hexdigest(), 1)


def check_content(content: bytes) -> bool:
    """Return whether the content of a file carries a digest, which then is right.

    Raises:
        ValueError: it is not as it was written.
    """
    place = content.find(MARK.encode())
    if place < 0 and KEY.encode() not in content:
        return False
    start = place + len(MARK)
    stated = content[start : start + DIGITS] if place >= 0 else b""
    if not re.fullmatch(rb"[0-9a-f]{64}", stated):
        raise ValueError("it is not as it was written: the SHA-256 that it carries is damaged")
    digest = hashlib.sha256(content[:start] + b"0" * DIGITS)
    digest.update(memoryview(content)[start + DIGITS :])
    if (found := digest.hexdigest()) != stated.decode("ascii"):
        raise ValueError(f"it is not as it was written: found SHA-256 {found}, expected {stated.decode('ascii')}")
    return True


def check(path: Path, remedy: str = REMEDY) -> bool:
    """Return whether a file carries a digest, which then is right; it is read whole.

    Args:
        remedy: ends the error; empty where somebody else ends it.

    Raises:
        InputError: it is not as it was written, or there is no such file.
    """
    descriptor = files.open_regular(path, follow_links=True)
    try:
        place = _find(descriptor, MARK.encode())
        if place < 0 and _find(descriptor, KEY.encode()) < 0:
            return False
        start = place + len(MARK)
        stated = os.pread(descriptor, DIGITS, start) if place >= 0 else b""
        if not _DIGEST.fullmatch(stated):
            raise InputError(f"{path} is not as it was written: the SHA-256 that it carries is damaged{_told(remedy)}")
        found = _digest(descriptor, start)
    finally:
        os.close(descriptor)
    if found != stated.decode("ascii"):
        raise InputError(
            f"{path} is not as it was written: found SHA-256 {found}, expected {stated.decode('ascii')}, as it says "
            f"itself{_told(remedy)}"
        )
    return True


def of(path: Path) -> str:
    """Return the SHA-256 that a file carries, unchecked, or where it carries none the one of its bytes.

    Raises:
        InputError: there is no such file.
    """
    descriptor = files.open_regular(path, follow_links=True)
    try:
        place = _find(descriptor, MARK.encode())
        stated = os.pread(descriptor, DIGITS, place + len(MARK)) if place >= 0 else b""
        return stated.decode("ascii") if _DIGEST.fullmatch(stated) else files.sha256_of_descriptor(descriptor)
    finally:
        os.close(descriptor)


def _told(remedy: str) -> str:
    return f". {remedy}." if remedy else ""


def _digest(descriptor: int, start: int) -> str:
    """Return the SHA-256 of a file with zeros from ``start`` on for as long as a digest is."""
    digest = hashlib.sha256()
    for begin, end in ((0, start), (start + DIGITS, None)):
        position = begin
        while chunk := os.pread(descriptor, _length(position, end), position):
            digest.update(chunk)
            position += len(chunk)
        if end is not None:
            digest.update(b"0" * DIGITS)
    return digest.hexdigest()


def _length(position: int, end: int | None) -> int:
    return files.CHUNK_BYTES if end is None else min(files.CHUNK_BYTES, end - position)


def _find(descriptor: int, text: bytes) -> int:
    """Return where a text begins in a file, -1 where it is not."""
    position = 0
    while chunk := os.pread(descriptor, files.CHUNK_BYTES + len(text) - 1, position):
        found = chunk.find(text)
        if found >= 0:
            return position + found
        position += files.CHUNK_BYTES
    return -1
