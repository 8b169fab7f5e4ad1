"""The archive (tar) in which a cache is handed on: what it is, a digest of every member, then these, nothing else.

The same content gives the same bytes: sorted, without times and owners. Reading takes it for hostile.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from cache import files, strict_json
from cache.errors import InputError, ShardError
from cache.shards import manifest, shard_entry
from cache.shards.untrusted import MAXIMUM_LOADED_BYTES
from cache.sharing.inventory import EXPRESSIONS, FEATURES, VIDEOS

ARCHIVE_FORMAT = 1
TITLE, DIGESTS = "facespan.json", "SHA256SUMS"
FEATURES_MANIFEST = f"{FEATURES}/{manifest.NAME}"
ALWAYS = (EXPRESSIONS, FEATURES_MANIFEST, VIDEOS)
SHARD = re.compile(rf"{FEATURES}/(?:[0-9a-f]{{2}}/)?([^/]+){re.escape(shard_entry.SUFFIX)}")
# As sha256sum writes and checks them.
DIGEST_LINE = re.compile("([0-9a-f]{64})  (.+)")
MAXIMUM_TITLE_BYTES = 4096
# 200 000 videos.
MAXIMUM_DIGESTS_BYTES = 1 << 25
MAXIMUM_TABLE_BYTES = 1 << 28
# The features, and as much again for the columns.
MAXIMUM_SHARD_BYTES = 2 * MAXIMUM_LOADED_BYTES
REMEDY = "Copy it whole, or have it exported again"


@dataclass(frozen=True)
class Title:
    """What an archive says it is.

    Attributes:
        corpus: whose features these are.
        encoder: the name of what gave them, and of the folder they belong into.
        pseudonyms: whether names of videos and subjects were replaced.
    """

    corpus: str
    encoder: str
    pseudonyms: bool


def write(path: Path, title: Title, sources: Mapping[str, tuple[Path, str]]) -> None:
    """Write an archive, whole or not at all.

    Args:
        sources: from the name of a member to the file, and its SHA-256, in hexadecimal.

    Raises:
        InputError: a file is missing, or the disk refuses.
        ShardError: a file has another digest.
    """
    stored = json.dumps({"format": ARCHIVE_FORMAT, **asdict(title)}, sort_keys=True, indent=1) + "\n"
    listed = "".join(f"{sha256}  {name}\n" for name, (_, sha256) in sorted(sources.items()))
    with files.write_atomically(path) as temporary, tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, text in ((TITLE, stored), (DIGESTS, listed)):
            tar.addfile(_header(name, len(text)), io.BytesIO(text.encode("ascii")))
        for name, (source, sha256) in sorted(sources.items()):
            with os.fdopen(files.open_regular(source, follow_links=False), "rb") as file:
                found = files.sha256_of_descriptor(file.fileno())
                if found != sha256:
                    raise ShardError(f"{source} has SHA-256 {found}, expected {sha256}. Run: facespan cache verify")
                tar.addfile(_header(name, os.fstat(file.fileno()).st_size), file)


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Give an archive for reading; what it says it is has been read and checked.

    Raises:
        InputError: there is no such file.
        ShardError: it is no archive of this format; also from the block, for what is found while it is read.
    """
    with (
        os.fdopen(files.open_regular(path, follow_links=True), "rb") as file,
        _explained(path),
        # Not compressed: what a reader gets is never more than the file holds.
        tarfile.open(fileobj=_Sparing(file), mode="r:") as tar,
    ):
        yield Archive(tar)


class Archive:
    """An archive whose members are taken one after the other.

    Attributes:
        title: what it says it is.
        digests: the SHA-256 of every other member, by name.
    """

    def __init__(self, tar: tarfile.TarFile) -> None:
        """Read the two members that come first."""
        self._tar = tar
        self.title = parse_title(strict_json.parse(self._text(TITLE, MAXIMUM_TITLE_BYTES)))
        self.digests = parse_digests(self._text(DIGESTS, MAXIMUM_DIGESTS_BYTES))

    def unpack(self, folder: Path) -> None:
        """Write every member below a new folder of ours, its digest checked; nothing counts before this returns.

        Raises:
            InputError: the disk refuses.
        """
        for name, sha256 in sorted(self.digests.items()):
            target = folder / name
            largest = MAXIMUM_TABLE_BYTES if name in ALWAYS else MAXIMUM_SHARD_BYTES
            with files.explain_failures(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                found = _write(target, self._pieces(name, largest))
            if found != sha256:
                raise ValueError(f"{name} has SHA-256 {found}, {DIGESTS} says {sha256}")
        extra = self._tar.next()
        if extra is not None:
            raise ValueError(f"found {extra.name[:200]!r}, which {DIGESTS} does not name")

    def _text(self, name: str, largest: int) -> str:
        return b"".join(self._pieces(name, largest)).decode("ascii")

    def _pieces(self, name: str, largest: int) -> Iterator[bytes]:
        """Yield the content of the next member, which has to be a plain file of this name."""
        member = self._tar.next()
        if member is None or member.name != name:
            raise ValueError(f"found {'the end' if member is None else repr(member.name[:200])}, expected {name}")
        # No link, device or folder; the name is ours already, so it leads nowhere else.
        if member.type != tarfile.REGTYPE or member.issparse() or not set(member.pax_headers) <= {"path"}:
            raise ValueError(f"{name} is no plain file")
        if not 0 < member.size <= largest:
            raise ValueError(f"{name} of {member.size} bytes, expected 1 to {largest}")
        source = self._tar.extractfile(member)
        if source is None:
            raise ValueError(f"{name} has no content")
        with source:
            while piece := source.read(files.CHUNK_BYTES):
                yield piece


def parse_title(stored: object) -> Title:
    """Return what JSON says that an archive is; a ValueError says what is wrong with it."""
    if not isinstance(stored, dict) or set(stored) != {"format", "corpus", "encoder", "pseudonyms"}:
        raise ValueError(f"{TITLE}: expected exactly format, corpus, encoder and pseudonyms")
    if not strict_json.is_format(stored["format"], ARCHIVE_FORMAT):
        raise ValueError(f"it is of format {str(stored['format'])[:20]!r}")
    names = [stored[name] for name in ("corpus", "encoder")]
    if not all(isinstance(name, str) for name in names) or not isinstance(stored["pseudonyms"], bool):
        raise ValueError(f"{TITLE}: corpus and encoder are to be texts, pseudonyms true or false")
    _check_names(names[:1], names[1:])  # each names a folder
    return Title(stored["corpus"], stored["encoder"], stored["pseudonyms"])


def parse_digests(text: str) -> dict[str, str]:
    """Return the digests of members by name; a ValueError says what is wrong with the list."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        parts = DIGEST_LINE.fullmatch(line)
        if parts is None:
            raise ValueError(f"{DIGESTS}: {line[:200]!r} is no digest and name")
        found[parts[2]] = parts[1]
    shards = [SHARD.fullmatch(name) for name in sorted(found) if name not in ALWAYS]
    unknown = [name for name in sorted(found) if name not in ALWAYS and not SHARD.fullmatch(name)]
    lacking = [name for name in ALWAYS if name not in found]
    if unknown or lacking:
        told = f"no archive of features holds {unknown[0][:200]!r}" if unknown else f"{lacking[0]} is not named"
        raise ValueError(f"{DIGESTS}: {told}")
    _check_names(shard[1] for shard in shards if shard)
    return found


def _check_names(*groups: Iterable[str]) -> None:
    for names in groups:
        try:
            files.check_video_ids(names)
        except InputError as problem:
            raise ValueError(str(problem)) from problem


def _write(target: Path, pieces: Iterable[bytes]) -> str:
    """Write a new file, and return its SHA-256."""
    digest = hashlib.sha256()
    with target.open("xb") as file:
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _header(name: str, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)  # without a time and an owner
    header.size = size
    return header


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what a hostile archive makes tarfile, JSON and our own checks raise into one refusal."""
    try:
        yield
    except InputError:
        raise
    except (tarfile.TarError, ValueError, RecursionError, EOFError, OverflowError) as problem:
        told = str(problem).removesuffix(".")
        raise ShardError(f"{path} is no archive of features of format {ARCHIVE_FORMAT}: {told}. {REMEDY}.") from problem


class _Sparing(io.RawIOBase):
    """A file that hands out no more than a chunk at once: a header may claim a name of a terabyte."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, which are few; a ValueError for more."""
        if not 0 <= size <= files.CHUNK_BYTES:
            raise ValueError(f"a header of {size} bytes")
        return self._file.read(size)

    def seekable(self) -> bool:
        """Return True: the next header is found by skipping."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()
