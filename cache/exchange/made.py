"""Writing exports: what we made and nobody edited is made anew, every other file that stands there is left alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from cache import files, strict_json
from cache.errors import InputError

# Beside the files that it lists, each with its digest.
NAME = ".facespan-export.json"


def write(folder: Path, contents: Mapping[str, bytes], *, force: bool) -> list[str]:
    """Write files by name, each at once and whole; return the names of those that were left as they are.

    Left are files that somebody else made, or edited since we did, unless `force`; one that is what we would write is
    not written again.

    Raises:
        InputError: the list of what we made is damaged, or the disk refuses.
    """
    known, left = _read(folder), []
    files.sweep_temporaries(folder)
    for name, content in sorted(contents.items()):
        path, digest = folder / name, hashlib.sha256(content).hexdigest()
        found = files.sha256_of(path) if path.is_file() else ""
        if not force and (path.is_symlink() or path.exists()) and found not in (known.get(name), digest):
            left.append(name)
            continue
        if found != digest or path.is_symlink():
            with files.write_atomically(path) as temporary:
                temporary.write_bytes(content)
        known[name] = digest
    with files.write_atomically(folder / NAME) as temporary:
        temporary.write_text(json.dumps({"made": dict(sorted(known.items()))}, indent=1) + "\n", encoding="utf-8")
    return left


def _read(folder: Path) -> dict[str, str]:
    path = folder / NAME
    if not path.is_file():
        return {}
    try:
        made = strict_json.parse(path.read_bytes())["made"]
        return {str(name): str(digest) for name, digest in made.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "Remove it: files that stand there are then taken for somebody else's"
        raise InputError(f"{path} is damaged ({error!r}). {remedy}") from error
