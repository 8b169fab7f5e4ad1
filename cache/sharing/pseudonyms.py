"""Keyed pseudonyms (HMAC-SHA256) of subjects and videos, for features and tables that leave the house.

Nothing is searched and replaced: tables, manifest and shards are written anew from what is known to hold no name.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cache import files
from cache.errors import InputError
from cache.shards.manifest import CORPUS, KEY_FIELDS, Manifest
from cache.tables.intervals import Expression
from cache.tables.videos import Video

KEY_BYTES = 32
DIGITS = 16
# Behind the name of a corpus: under other names it is another corpus, of the same people.
OF_CORPUS, OF_CORPUS_DIGITS = "-pseudonyms-", 8
# The facts of a run that say how features were made; all others stay at home.
FACTS = (CORPUS, "precision", "device", "torch", "torchvision", KEY_FIELDS)
ENCODER, ENCODER_FACTS = "encoder", ("name", "digest", "image_size", "has_learned")


@dataclass(frozen=True)
class Pseudonyms:
    """Names by a secret key: the same key gives the same names, and nobody without it can find out whose they are."""

    key: bytes

    def video(self, name: str) -> str:
        """Return the pseudonym of a video, which can name a video."""
        return f"v{self._digest('video', name)[:DIGITS]}"

    def subject(self, name: str) -> str:
        """Return the pseudonym of a subject."""
        return f"s{self._digest('subject', name)[:DIGITS]}"

    def corpus(self, name: str) -> str:
        """Return the name of a corpus whose videos and subjects go by these pseudonyms."""
        return f"{name}{OF_CORPUS}{self._digest('corpus', name)[:OF_CORPUS_DIGITS]}"

    def source(self, digest: str) -> str:
        """Return what stands for the digest of a video file, by which whoever has that file could name it."""
        return self._digest("source", digest)

    def _digest(self, kind: str, text: str) -> str:
        return hmac.new(self.key, f"{kind}\0{text}".encode(), hashlib.sha256).hexdigest()


def original_of(corpus: str) -> str:
    """Return the name of the corpus whose people are in this one, under pseudonyms or not."""
    return re.sub(f"({OF_CORPUS}[0-9a-f]{{{OF_CORPUS_DIGITS}}})+$", "", corpus)


def read_or_make_key(path: Path) -> tuple[Pseudonyms, bool]:
    """Return the pseudonyms of the key in a file, and whether the key was made just now; only its owner may read it.

    Raises:
        InputError: it holds no key, others may read it, or the disk refuses.
    """
    if not os.path.lexists(path):
        key = secrets.token_bytes(KEY_BYTES)
        with files.explain_failures(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(key.hex() + "\n")
        return Pseudonyms(key), True
    descriptor = files.open_regular(path, follow_links=True)
    with os.fdopen(descriptor, "rb") as file:
        open_to = stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077
        text = file.read(4 * KEY_BYTES).strip().decode("ascii", errors="replace")
    if open_to:
        raise InputError(
            f"{path} may be read or changed by others, and whoever has it has the names. Run: chmod 600 {path}"
        )
    if not re.fullmatch(f"[0-9a-f]{{{2 * KEY_BYTES}}}", text):
        raise InputError(f"{path} holds no key: expected {2 * KEY_BYTES} hexadecimal digits. Name another --key.")
    return Pseudonyms(bytes.fromhex(text)), False


def of_videos(names: Pseudonyms, table: Sequence[Video]) -> list[Video]:
    """Return the table of videos under pseudonyms, in their order: the order of the names is a trace of them."""
    changed = [
        replace(
            video,
            video=names.video(video.video),
            subject=names.subject(video.subject),
            path=names.video(video.video),
            source_digest=names.source(video.source_digest),
        )
        for video in table
    ]
    return sorted(changed, key=lambda video: video.video)


def of_expressions(names: Pseudonyms, table: Iterable[Expression]) -> list[Expression]:
    """Return the table of expressions under pseudonyms, in their order and numbered by it."""
    changed = [replace(row, video=names.video(row.video), subject=names.subject(row.subject)) for row in table]
    ordered = sorted(changed, key=lambda row: (row.video, row.start, row.stop, row.row))
    return [replace(row, row=position) for position, row in enumerate(ordered)]


def of_facts(held: Manifest) -> dict[str, Any]:
    """Return the facts of a run that say how features were made, and nothing that could name a video."""
    encoder = held.run.get(ENCODER)
    told = {name: encoder[name] for name in ENCODER_FACTS if name in encoder} if isinstance(encoder, dict) else {}
    return {name: held.run[name] for name in FACTS if name in held.run} | {ENCODER: told}


def refuse_names(texts: Iterable[tuple[str, object]], names: Iterable[str]) -> None:
    """Raise InputError when a text that is handed on as it is holds the name of a video or subject as a word.

    Args:
        texts: what each is, and the text.
    """
    # A number means nothing where it is not a name; the longest first, so that a video is told before its subject.
    forbidden = sorted({name for name in names if not name.isdecimal()}, key=len, reverse=True)
    anywhere = re.compile(rf"(?<![A-Za-z0-9])({'|'.join(map(re.escape, forbidden))})(?![A-Za-z0-9])")
    for told, text in texts if forbidden else ():
        found = anywhere.search(str(text))
        if found:
            raise InputError(f"{told} holds the name {found[1]!r}, and would be handed on as it is. Name it otherwise.")
