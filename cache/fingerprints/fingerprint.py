"""The fingerprint of a corpus, a small file that git tracks: it changes when footage or labels do, and names nobody.

Whoever has no corpus has its fingerprint, so DVC knows that nothing changed and repeats nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cache import files, own_digest, strict_json
from cache.errors import InputError
from cache.fingerprints import tracked

FORMAT = 1
MAXIMUM_BYTES = 1 << 26
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Fingerprint:
    """What a corpus is, in digests.

    Attributes:
        footage: of each video file and each folder of images the digest over path, names and sizes (`Unit.names`), with
            the digest of its content where that changed while names and sizes did not, else None.
        labels: one digest for each label file, over its path and content.
    """

    footage: Mapping[str, str | None]
    labels: tuple[str, ...]

    @property
    def contents(self) -> dict[str, str]:
        """The digests of content, by those of names."""
        return {names: content for names, content in self.footage.items() if content is not None}


def label_digest(root: Path, path: Path) -> str:
    """Return the digest of a label file of a corpus folder."""
    told = f"{os.path.relpath(path, root)}\0{files.sha256_of(path)}"
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()


def write(path: Path, fingerprint: Fingerprint) -> bool:
    """Write the file and return True, or leave alone one that says the same; a corpus gives the same bytes anywhere."""
    footage, labels = dict(sorted(fingerprint.footage.items())), sorted(fingerprint.labels)
    return tracked.write(path, {"format": FORMAT, "footage": footage, "labels": labels})


def read(path: Path) -> Fingerprint:
    """Return a fingerprint, which may come from anybody.

    Raises:
        InputError: there is none, or it is damaged.
    """
    try:
        return _parse(tracked.read(path, MAXIMUM_BYTES))
    except FileNotFoundError as problem:
        raise InputError(f"{path} does not exist. Run: dvc repro") from problem
    except ValueError as problem:
        raise InputError(
            f"{path} is no fingerprint of a corpus: {problem}. Take it from git again (git restore {path}), or, where "
            "the corpus is, remove it and run dvc repro."
        ) from problem


def _parse(stored: object) -> Fingerprint:
    known = {"format", "footage", "labels"}
    if not isinstance(stored, dict) or set(stored) - {own_digest.KEY} != known:
        raise ValueError("expected exactly format, footage, labels and its own digest")
    if not strict_json.is_format(stored["format"], FORMAT):
        raise ValueError(f"expected format {FORMAT}")
    footage, labels = stored["footage"], stored["labels"]
    if not isinstance(footage, dict) or not isinstance(labels, list):
        raise ValueError("footage is to be an object, labels a list")
    _check([*footage, *labels, *(content for content in footage.values() if content is not None)])
    return Fingerprint(footage, tuple(labels))


def _check(digests: Iterable[object]) -> None:
    for digest in digests:
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise ValueError(f"{str(digest)[:80]!r} is no SHA-256 in hexadecimal")
